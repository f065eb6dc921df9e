/* cmaes_warm.h - where CMA-ES begins when something is known already (Nomura, Watanabe, Akimoto,
 * Ozaki, Onishi: "Warm Starting CMA-ES", arXiv 2012.06932).
 *
 * The best share gamma of the earlier points gives the promising distribution: N(mean, alpha^2 I +
 * covariance of these points), in coordinates of [0, 1]. */
#ifndef KD_SEARCH_CMAES_WARM_H
#define KD_SEARCH_CMAES_WARM_H

/* points: n rows of d coordinates, the chosen ones, n >= 1. Writes mean (d), sigma and cov (d x d,
 * determinant 1). */
void kd_cma_warm(int d, int n, const double *points, double alpha, double *mean, double *sigma,
                 double *cov);

#endif
