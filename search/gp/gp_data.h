/* gp_data.h - the finished trials as a Gaussian process learns from them.
 *
 *     complete            its objective
 *     pruned              its objective, or its last report, but never better than the median of
 *                         the complete ones nor worse than the worst: it was cut short, and it was
 *                         cut because it was bad
 *     infeasible, NaN     the worst of the complete ones, so that its neighbourhood is avoided
 *
 * A constraint has data where it was measured; its values are taken to sign(c) ln(1 + |c| / median
 * |c|) and standardised, `limit` is where 0 went. */
#ifndef KD_SEARCH_GP_DATA_H
#define KD_SEARCH_GP_DATA_H

#include "search/gp/gp_cube.h"
#include "search/gp/gp_warp.h"
#include "search/history.h"

struct kd_gp_data {
    int n, n_dims, capacity;
    int *trials;     /* numbers, in the order in which they finished */
    double *rows;    /* [n][n_dims] coordinates */
    double *values;  /* finite */
    bool *is_whole;  /* complete, with a finite objective */
    double *targets; /* scratch of whoever warps the values */
};

void kd_gp_data_release(struct kd_gp_data *data);

/* The first n_done finished trials, with their objectives. */
void kd_gp_data_read(struct kd_gp_data *data, const struct kd_cube *cube,
                     const struct kd_history *history, int n_done);

/* The same trials as far as constraint c was measured; the values are standardised, *limit is that
 * of 0. */
void kd_gp_data_read_constraint(struct kd_gp_data *data, const struct kd_cube *cube,
                                const struct kd_history *history, int n_done, int c, double *limit);

/* Fills targets from the values; returns the Jacobian of kd_warp. */
double kd_gp_data_warp(struct kd_gp_data *data, double lambda);

/* Keeps `want` at most: a third of them the best, a third the newest, the rest spread evenly over
 * what is left. */
void kd_gp_data_thin(struct kd_gp_data *data, int want);

/* A hash of rows and values. */
uint64_t kd_gp_data_hash(const struct kd_gp_data *data);

#endif
