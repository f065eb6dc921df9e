/* filter.h - one of the user's patterns for metric lines (PCRE2: group 1 the name, group 2 the
 * value).
 *
 * Matching is bounded: a pattern that backtracks without end gives no match instead of a hanging
 * coordinator. */
#ifndef KD_SPEC_FILTER_H
#define KD_SPEC_FILTER_H

#include <stddef.h>

#include "coordinator/base/error.h"

struct kd_filter;
struct kd_filter_match {
    size_t name, name_end, value, value_end; /* byte offsets into the line */
};

/* NULL and err: does not compile (says where in the pattern), or has fewer than two groups. */
struct kd_filter *kd_filter_new(const char *pattern, struct kd_error *err);
void kd_filter_free(struct kd_filter *filter);

/* The next match at or after *from, which moves behind it. 0 = none. */
int kd_filter_next(struct kd_filter *filter, const char *line, size_t length, size_t *from,
                   struct kd_filter_match *match);

#endif
