/* cmaes_model.h - the normal distribution of CMA-ES and its update by one generation.
 *
 * x = mean + sigma * y, y ~ N(0, C). Constants, paths, step size and covariance with active update:
 * Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772, equations 38 to 58 (figure 6,
 * table 1). With learning-rate adaptation (cmaes_rates.h) both steps of an update are shortened by
 * their signal-to-noise ratio. Knows no bounds, no cells and no objective: it gets steps in
 * order. */
#ifndef KD_SEARCH_CMAES_MODEL_H
#define KD_SEARCH_CMAES_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct kd_cma_rates;

struct kd_cma {
    int d, lambda, mu;
    double *weights; /* lambda; the first mu are positive with sum 1, the last ones negative */
    double mu_eff, c1, cmu, c_sigma, d_sigma, c_c, chi;
    int64_t generation; /* updates made */
    double sigma;
    double *mean, *path_sigma, *path_c;
    double *cov; /* d x d, the lower triangle is kept */
    double *vectors,
        *lengths; /* of cov: row i is an eigenvector, lengths[i] the root of its eigenvalue, ascending */
    int eigen_gap,
        since_eigen; /* updates between decompositions: 1 up to some dozens of dimensions */
    struct kd_cma_rates *rates; /* owned; NULL = both rates are 1 */
    double *scratch;
};

/* cov: d x d, or NULL for the unit matrix. d may be 0: nothing happens then. lambda >= 2. */
struct kd_cma *kd_cma_new(int d, int lambda, const double *mean, double sigma, const double *cov);
void kd_cma_free(struct kd_cma *cma);
void kd_cma_adapt_rates(struct kd_cma *cma); /* from now on */

/* y = B D z: a step of N(0, C) when z is standard normal. */
void kd_cma_step(const struct kd_cma *cma, const double *z, double *y);

/* The z of a step y: its white coordinates. */
void kd_cma_whiten(const struct kd_cma *cma, const double *y, double *z);

/* The length of C^(-1/2) y; and y shortened to what an injected point may have at most (Hansen,
 * "Injecting external solutions into CMA-ES", arXiv 1110.4181, equation 4 with c_y = sqrt(d) + 2 d
 * / (d + 2)). */
double kd_cma_length(const struct kd_cma *cma, const double *y);
void kd_cma_clip(const struct kd_cma *cma, double *y);

/* One generation: lambda steps, best first, lambda rows of d. */
void kd_cma_update(struct kd_cma *cma, const double *steps);

/* Decomposes cov into vectors and lengths (and sees to it that it stays positive). */
void kd_cma_decompose(struct kd_cma *cma);

/* Standard deviation of coordinate j without sigma. */
double kd_cma_deviation(const struct kd_cma *cma, int j);

#endif
