#include "search/cmaes/cmaes_rays.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "search/math/eigen.h"
#include "search/math/linalg.h"
#include "search/math/truncnorm.h"
#include "search/strategy.h"

enum { FOR_RAYS = 3 }; /* purpose of streams; 0 to 2 are cmaes_state.c's */

void kd_cma_rays_init(struct kd_cma_rays *rays, int d, int n_rays, uint64_t seed)
{
    n_rays = n_rays < d ? n_rays : d;
    *rays = (struct kd_cma_rays){.d = d, .n_rays = n_rays > 1 ? n_rays : 1, .seed = seed};
    for (int i = 0; i < 2; i++) {
        rays->blocks[i] = -1;
        rays->rays[i] = KD_NEW_ARRAY(double, (size_t)rays->n_rays *(size_t)d + 1);
    }
}

void kd_cma_rays_release(struct kd_cma_rays *rays)
{
    free(rays->rays[0]);
    free(rays->rays[1]);
    *rays = (struct kd_cma_rays){0};
}

/* Takes from row k what lies along the rows before it, and gives it its length back. */
static void turn_away(int d, double *rows, int k)
{
    double *row = &rows[(size_t)k * (size_t)d];
    double length = kd_dot(row, row, d);
    for (int i = 0; i < k; i++) {
        const double *other = &rows[(size_t)i * (size_t)d];
        double along = kd_dot(row, other, d) / kd_dot(other, other, d);
        for (int j = 0; j < d; j++)
            row[j] -= along * other[j];
    }
    double rest = kd_dot(row, row, d), factor = sqrt(length / rest);
    for (int j = 0; j < d && rest > 0; j++)
        row[j] *= factor;
}

static void fill_block(struct kd_cma_rays *rays, int64_t block)
{
    struct kd_rng rng = kd_rng_at(rays->seed, KD_STREAM(FOR_RAYS, block));
    double *rows = rays->rays[block % 2];
    for (int i = 0; i < rays->n_rays * rays->d; i++)
        rows[i] = kd_normal_draw(&rng);
    for (int k = 0; k < rays->n_rays; k++)
        turn_away(rays->d, rows, k);
    rays->blocks[block % 2] = block;
}

void kd_cma_rays_at(struct kd_cma_rays *rays, int64_t number, double *z)
{
    int64_t pair = number / 2, block = pair / rays->n_rays;
    if (rays->blocks[block % 2] != block)
        fill_block(rays, block);
    const double *row = &rays->rays[block % 2][(size_t)(pair % rays->n_rays) * (size_t)rays->d];
    for (int j = 0; j < rays->d; j++)
        z[j] = number % 2 ? -row[j] : row[j];
}
