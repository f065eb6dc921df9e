/* cmaes_rays.h - the standard normal vectors behind CMA-ES's draws: orthogonal to each other, and
 * in pairs z, -z.
 *
 * Mirrored orthogonal sampling (Wang, Emmerich, Baeck, Evolutionary Computation 27(4), 2019): each
 * vector is normal by itself, a generation of them covers the directions more evenly, and a ranking
 * of z against -z tells more than one of two strangers. Vectors belong to the numbers of trials, 2
 * n_rays of them to a block, so they are the same in whatever order the trials are asked for. */
#ifndef KD_SEARCH_CMAES_RAYS_H
#define KD_SEARCH_CMAES_RAYS_H

#include <stdint.h>

struct kd_rng;

struct kd_cma_rays {
    int d, n_rays;
    uint64_t seed;
    /* The last even and the last odd block, because a generation often lies in two; -1 = none. */
    int64_t blocks[2];
    double *rays[2]; /* owned; n_rays rows of d */
};

void kd_cma_rays_init(struct kd_cma_rays *rays, int d, int n_rays, uint64_t seed);
void kd_cma_rays_release(struct kd_cma_rays *rays);

/* The vector of trial `number`, d values. */
void kd_cma_rays_at(struct kd_cma_rays *rays, int64_t number, double *z);

#endif
