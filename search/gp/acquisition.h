/* acquisition.h - how much is to be hoped for at a point, from the posteriors there. Larger is
 * better.
 *
 *     EI    ln E[max(best - f, 0)] = ln(sd) + ln h(u), h(u) = phi(u) + u Phi(u), u = (best - mean) / sd; exact for
 *           every u (Ament et al., NeurIPS 2023, arXiv 2310.20708)
 *     PI    ln P(f < best - 0.01)
 *     LCB   1.96 sd - mean
 *
 * plus, for every constraint, ln P(c <= 0) (Gardner et al., ICML 2014). While no trial is feasible,
 * the constraints alone. */
#ifndef KD_SEARCH_ACQUISITION_H
#define KD_SEARCH_ACQUISITION_H

#include <stdbool.h>

#include "search/gp/gp.h"

enum kd_hope { KD_HOPE_EI, KD_HOPE_PI, KD_HOPE_LCB };

struct kd_acquisition {
    enum kd_hope hope;
    struct kd_gp *objective;    /* borrowed, conditioned */
    struct kd_gp **constraints; /* n_constraints */
    double *limits;             /* n_constraints: feasible when its target is at most this */
    int n_constraints;
    bool has_best;
    double best;     /* target to improve upon */
    double *scratch; /* owned: slopes of one process, 2 n_dims KD_LANES */
};

/* ln h(u), and its derivative; -INFINITY nowhere. Relative error 1e-12. */
double kd_log_h(double u, double *slope);

/* At points[n_dims][KD_LANES]: values[KD_LANES], and slopes[n_dims][KD_LANES] unless NULL. */
void kd_acquisition_at(struct kd_acquisition *acquisition, const double *points, double *values,
                       double *slopes);

#endif
