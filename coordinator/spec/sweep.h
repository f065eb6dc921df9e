/* sweep.h - one sweep of the command line, `lr=tag(log,interval(1e-5,1e-1))`, as a parameter. Pure.
 *
 *     sweep    := name '=' expression | name '=' value ',' value ...
 *     expression := interval(a,b) | range(a,b[,step]) | choice(v, ...) | tag(log|normal|logNormal, e) | int(e) | float(e)
 *
 * As in Hydra; range leaves out its end, as Python's does. Values may be quoted with ' or ". */
#ifndef KD_SPEC_SWEEP_H
#define KD_SPEC_SWEEP_H

#include <stdbool.h>

#include "coordinator/base/error.h"

struct kd_sweep {
    char *name;  /* owned */
    bool is_int; /* of a range; a list is `list` */
    bool is_log, is_normal;
    double min, max, step; /* step 0 = none */
    char **list;           /* owned texts; NULL = a range */
    int n_list;
    bool all_numbers; /* of the list */
};

int kd_sweep_parse(const char *text, struct kd_sweep *sweep, struct kd_error *err);
void kd_sweep_release(struct kd_sweep *sweep);

#endif
