#include "search/cmaes/cmaes_restart.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/math/special.h"

#define TOLERANCE_VALUE   1e-9 /* of objectives, relative to their size where that is above 1 */
#define TOLERANCE_STEP    1e-8 /* of coordinates, which are 0 to 1 */
#define LARGEST_CONDITION 1e13

void kd_cma_watch_init(struct kd_cma_watch *watch, const struct kd_cma *cma)
{
    *watch = (struct kd_cma_watch){.window = 5 - (int)floor(-10.0 * cma->d / cma->lambda),
                                   .first_sigma = cma->sigma};
    watch->best = KD_NEW_ARRAY(double, (size_t)watch->window);
}

void kd_cma_watch_release(struct kd_cma_watch *watch)
{
    free(watch->best);
    *watch = (struct kd_cma_watch){0};
}

/* The best values of a whole window, and this generation's worst, are all the same. */
static bool is_flat(const struct kd_cma_watch *watch, double worst)
{
    if (watch->n < watch->window || isnan(worst))
        return false;
    double low = worst, high = worst;
    for (int i = 0; i < watch->window; i++) {
        low = watch->best[i] < low ? watch->best[i] : low;
        high = watch->best[i] > high ? watch->best[i] : high;
    }
    double size = fabs(low) > 1 ? fabs(low) : 1;
    return !(high - low > TOLERANCE_VALUE * size);
}

/* Nowhere a deviation, and no path, that could still move a coordinate. */
static bool is_still(const struct kd_cma *cma, const struct kd_chart *chart, const double *scales)
{
    for (int j = 0; j < cma->d; j++) {
        double step = cma->sigma * scales[j];
        double most = kd_chart_has_cells(chart, j) ? 1e-3 : TOLERANCE_STEP;
        if (step * kd_cma_deviation(cma, j) > most || step * fabs(cma->path_c[j]) > most)
            return false;
    }
    return true;
}

const char *kd_cma_watch_add(struct kd_cma_watch *watch, const struct kd_cma *cma,
                             const struct kd_chart *chart, const double *scales, double best,
                             double worst)
{
    if (cma->d == 0 || isnan(best))
        return NULL;
    watch->best[watch->n++ % watch->window] = best;
    double widest = cma->lengths[cma->d - 1], narrowest = cma->lengths[0];
    if (is_flat(watch, worst))
        return "flat";
    if (is_still(cma, chart, scales))
        return "still";
    if (widest > sqrt(LARGEST_CONDITION) * narrowest)
        return "degenerate";
    return NULL;
}

void kd_cma_plan_init(struct kd_cma_plan *plan, enum kd_cma_restarts kind, int lambda, int growth,
                      double sigma)
{
    *plan = (struct kd_cma_plan){.kind = kind,
                                 .lambda = lambda,
                                 .base_lambda = lambda,
                                 .growth = growth,
                                 .sigma = sigma,
                                 .base_sigma = sigma};
}

/* Nobody needs more, and it keeps lambda in an int. */
static int grown(const struct kd_cma_plan *plan)
{
    enum { MOST = 1 << 16 };
    double lambda = plan->base_lambda;
    for (int i = 0; i < plan->large_restarts && lambda < MOST; i++)
        lambda *= plan->growth;
    return lambda < MOST ? (int)lambda : MOST;
}

static void next_small(struct kd_cma_plan *plan, struct kd_rng *rng)
{
    double u = kd_rng_uniform(rng), v = kd_rng_uniform(rng);
    double ratio = (double)grown(plan) / plan->base_lambda / 2;
    double lambda = floor(plan->base_lambda * kd_exp(u * u * kd_ln(ratio)));
    plan->lambda = lambda > plan->base_lambda ? (int)lambda : plan->base_lambda;
    plan->sigma = plan->base_sigma * kd_exp(-2 * v * kd_ln(10));
}

void kd_cma_plan_next(struct kd_cma_plan *plan, long used, struct kd_rng *rng)
{
    if (plan->is_small)
        plan->used_small += used;
    else
        plan->used_large += used;
    plan->restarts++;
    plan->sigma = plan->base_sigma;
    plan->lambda = plan->base_lambda;
    if (plan->kind == KD_CMA_NONE)
        return;
    plan->is_small =
        plan->kind == KD_CMA_BIPOP && plan->restarts > 1 && plan->used_small < plan->used_large;
    if (plan->is_small) {
        next_small(plan, rng);
        return;
    }
    plan->large_restarts++;
    plan->lambda = grown(plan);
}
