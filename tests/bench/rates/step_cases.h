/* step_cases.h - the models whose training steps are measured. */
#ifndef KD_TESTS_BENCH_STEP_CASES_H
#define KD_TESTS_BENCH_STEP_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "trainer/models/layer.h"

struct step_case {
    const char *name, *summary;
    const char *model, *optimizer; /* JSON, as in the `trainer:` block */
    int64_t batch;
    int64_t shape[3];   /* of a sample: features, h w channels, or tokens; zeros behind */
    int64_t vocabulary; /* of tokens; 0: a sample has a label in 0 .. 9 */
    bool is_large;      /* seconds a step on a CPU, where it is left out unless it is asked for */
};

extern const struct step_case step_cases[];
extern const int n_step_cases;

struct kd_input step_case_input(const struct step_case *c);

#endif
