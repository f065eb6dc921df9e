/* gp.h - a Gaussian process over the unit cube: what is known of a function from some of its
 * values.
 *
 *     f ~ GP(0, k), k Matern 5/2 with a length scale per dimension (gp_kernel.h); targets y = f + noise
 *     theta = ln length scales [n_dims], ln variance, ln noise variance
 *
 * Formulas: Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapters 2 and
 * 5. */
#ifndef KD_SEARCH_GP_H
#define KD_SEARCH_GP_H

#include <stdbool.h>

struct kd_gp {
    int n_dims;
    const bool *is_category; /* borrowed */
    int n, capacity;         /* observations; room for as many */
    double *columns;         /* [n_dims][capacity] coordinates; categories: the index */
    double *targets;
    double *theta, *weights;  /* of the last evidence or condition; weights = 1 / length^2 */
    int n_factored;           /* rows of the factor that hold under theta */
    double *factor;           /* [capacity][capacity] L, L L' = K + noise */
    double *alpha;            /* (K + noise)^-1 y */
    double *slopes, *inverse; /* [capacity][capacity] scratch of the evidence */
    double *work;             /* scratch: KD_LANES * capacity, some times */
    double *lane_k, *lane_slope, *lane_v; /* of the last prediction: [capacity][KD_LANES] */
};

/* n_theta of n_dims */
static inline int kd_gp_n_theta(int n_dims)
{
    return n_dims + 2;
}

struct kd_gp *kd_gp_new(int n_dims, const bool *is_category);
void kd_gp_free(struct kd_gp *gp);

/* Adds an observation at x[n_dims]; forgets all but the first n. */
void kd_gp_add(struct kd_gp *gp, const double *x, double target);
void kd_gp_truncate(struct kd_gp *gp, int n);

/* ln p(y | X, theta), and its gradient in theta. Leaves the process without a condition. */
double kd_gp_evidence(struct kd_gp *gp, const double *theta, double *gradient);

/* Learns from the observations under theta. Rows that were learned under the same theta keep their
 * factor, so that one more observation costs O(n^2); the targets may have changed. */
void kd_gp_condition(struct kd_gp *gp, const double *theta);

/* Posterior mean and variance of f (without noise) at KD_LANES points, points[n_dims][KD_LANES];
 * and the derivatives of those just predicted, [n_dims][KD_LANES], of a category 0. Needs a
 * condition. */
struct kd_gp_prediction {
    double *mean, *variance;
};
void kd_gp_predict(struct kd_gp *gp, const double *points, struct kd_gp_prediction to);
void kd_gp_predict_slopes(struct kd_gp *gp, const double *points, struct kd_gp_prediction to);

/* The posterior mean at observation i: y - noise * alpha. */
double kd_gp_fitted(const struct kd_gp *gp, int i);

#endif
