/* problems.c - findings as a list of texts. */
#include "coordinator/spec/problems.h"

#include <stdlib.h>

#include "coordinator/base/mem.h"

static void add_problem(void *ud, bool is_warning, char *text)
{
    struct kd_problems *out = ud;
    out->items = kd_realloc_array(out->items, (size_t)out->n + 1, sizeof *out->items);
    out->items[out->n++] = (struct kd_problem){is_warning, text};
    out->n_errors += !is_warning;
}

void kd_problems_take(struct kd_problems *out, struct kd_findings *findings)
{
    *out = (struct kd_problems){0};
    kd_findings_show(findings, add_problem, out);
}

void kd_problems_release(struct kd_problems *problems)
{
    for (int i = 0; i < problems->n; i++)
        free(problems->items[i].text);
    free(problems->items);
    *problems = (struct kd_problems){0};
}
