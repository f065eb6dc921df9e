/* gp_fixture.h - the unit square, and trials in it. */
#ifndef KD_TESTS_SEARCH_GP_FIXTURE_H
#define KD_TESTS_SEARCH_GP_FIXTURE_H

#include "tests/search/helper.h"

static inline void fill_two(struct kd_space *space)
{
    add_number(space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_number(space, "y", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
}

static inline void finish_at(struct kd_history *history, double x, double y,
                             enum kd_outcome outcome, double objective)
{
    double point[] = {x, y};
    kd_history_finish(history, kd_history_add(history, point), outcome, objective);
}

#endif
