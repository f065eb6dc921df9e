/* cmaes_rates.h - learning-rate adaptation for CMA-ES (Nomura, Akimoto, Ono: "CMA-ES with Learning
 * Rate Adaptation", arXiv 2304.03473, algorithm 1).
 *
 * The rates of the mean and of the covariance are set so that the steps of an update keep a
 * constant signal-to-noise ratio, estimated from moving averages of the steps in local coordinates:
 * what helps with noise and many optima, and costs speed where there is neither. */
#ifndef KD_SEARCH_CMAES_RATES_H
#define KD_SEARCH_CMAES_RATES_H

struct kd_cma;

/* One moving average of steps, and the rate that follows from it. */
struct kd_cma_rate {
    int n;
    double *average; /* E of the steps, n components */
    double square;   /* V: average of their squared lengths */
    double beta, rate;
};

struct kd_cma_rates {
    struct kd_cma_rate mean, cov;
    double *old_mean, *old_cov; /* before the update; old_cov with sigma^2 in it, d x d whole */
    double old_sigma;
    double *scratch; /* 3 d x d */
};

struct kd_cma_rates *kd_cma_rates_new(int d);
void kd_cma_rates_free(struct kd_cma_rates *rates);

/* Called by kd_cma_update before and after a whole step (rate 1): `after` takes it back in part,
 * splits the product sigma^2 C anew so that det C = 1, and decomposes. */
void kd_cma_rates_before(struct kd_cma_rates *rates, const struct kd_cma *cma);
void kd_cma_rates_after(struct kd_cma_rates *rates, struct kd_cma *cma);

#endif
