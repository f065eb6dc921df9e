/* filter.c - PCRE2 behind a narrow door. */
#include "coordinator/spec/filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "coordinator/base/mem.h"

/* A line of a few hundred bytes needs some thousand steps; a runaway pattern is cut off within
 * milliseconds. */
enum { MATCH_LIMIT = 200000, DEPTH_LIMIT = 2000, HEAP_LIMIT_KIB = 4096, LONGEST_PATTERN = 4096 };

struct kd_filter {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static int compile(struct kd_filter *filter, const char *pattern, struct kd_error *err)
{
    int error;
    PCRE2_SIZE offset;
    uint32_t n_groups = 0;
    filter->code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), PCRE2_NEVER_BACKSLASH_C,
                                 &error, &offset, NULL);
    if (filter->code == NULL) {
        PCRE2_UCHAR text[200];
        pcre2_get_error_message(error, text, sizeof text);
        return kd_fail(err, "the pattern does not compile: %s at character %zu", (char *)text,
                       (size_t)offset + 1);
    }
    pcre2_pattern_info(filter->code, PCRE2_INFO_CAPTURECOUNT, &n_groups);
    if (n_groups < 2)
        return kd_fail(err, "the pattern has %u group%s and needs two: (name) and (value)",
                       n_groups, n_groups == 1 ? "" : "s");
    return 0;
}

struct kd_filter *kd_filter_new(const char *pattern, struct kd_error *err)
{
    struct kd_filter *filter = KD_NEW(struct kd_filter);
    if (strlen(pattern) > LONGEST_PATTERN)
        kd_fail(err, "the pattern is longer than %d characters", LONGEST_PATTERN);
    else if (compile(filter, pattern, err) == 0) {
        filter->data = pcre2_match_data_create_from_pattern(filter->code, NULL);
        filter->context = pcre2_match_context_create(NULL);
        pcre2_set_match_limit(filter->context, MATCH_LIMIT);
        pcre2_set_depth_limit(filter->context, DEPTH_LIMIT);
        pcre2_set_heap_limit(filter->context, HEAP_LIMIT_KIB);
        return filter;
    }
    kd_filter_free(filter);
    return NULL;
}

void kd_filter_free(struct kd_filter *filter)
{
    if (filter == NULL)
        return;
    pcre2_match_context_free(filter->context);
    pcre2_match_data_free(filter->data);
    pcre2_code_free(filter->code);
    free(filter);
}

int kd_filter_next(struct kd_filter *filter, const char *line, size_t length, size_t *from,
                   struct kd_filter_match *match)
{
    while (*from <= length) {
        int n = pcre2_match(filter->code, (PCRE2_SPTR)line, length, *from, 0, filter->data,
                            filter->context);
        if (n < 1)
            return 0;
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(filter->data);
        /* An empty match must not be found again and again. */
        *from = at[1] > *from ? at[1] : *from + 1;
        if (n < 3 || at[2] == PCRE2_UNSET || at[4] == PCRE2_UNSET)
            continue;
        *match = (struct kd_filter_match){at[2], at[3], at[4], at[5]};
        return 1;
    }
    return 0;
}
