/* task.h - what a search is asked to solve: the parameters, and how many numbers a trial is judged
 * by. */
#ifndef KD_SEARCH_TASK_H
#define KD_SEARCH_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "search/space.h"

struct kd_task {
    const struct kd_space *space; /* borrowed */
    int n_objectives;             /* at least 1 */
    int n_constraints;
    bool maximize; /* the first objective, as the user wrote it; the history's is minimised */
    int64_t fidelity_max; /* steps of a whole trial; 0 = not known */
};

#endif
