/* metric_line.h - from one line of a program's output to metric values. Pure; fuzzed.
 *
 * Without filters a line is a JSON object whose numbers (or texts that are numbers) are metrics, or
 * text in which `name=value` and `name: value` are found: names of letters, digits and _ - / . | @,
 * values decimal, nan and inf in any case. A unit may follow (91.2%, 12ms); what goes on like a
 * longer number (0,5 1_000 0x10) is no value. `step`, `global_step` or `epoch` (first that is
 * there) on the same line is the step, and no metric. A filter is the user's PCRE2 pattern: group 1
 * the name, group 2 the value. */
#ifndef KD_SPEC_METRIC_LINE_H
#define KD_SPEC_METRIC_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"
#include "coordinator/spec/experiment.h"

struct kd_line_scanner;

/* Only the objective's and the additional metrics' names count (Katib's rule). -1: a filter does
 * not compile. */
struct kd_line_scanner *kd_line_scanner_new(const struct kd_experiment *experiment,
                                            struct kd_error *err);
void kd_line_scanner_free(struct kd_line_scanner *scanner);

struct kd_line_point {
    const char *name; /* borrowed from the experiment */
    double value;
    bool has_step;
    int64_t step;
};

/* line: without its end, not NUL-terminated. Returns how many points were found (0 .. most), in
 * order. */
int kd_line_scan(struct kd_line_scanner *scanner, const char *line, size_t length,
                 struct kd_line_point *points, int most);

#endif
