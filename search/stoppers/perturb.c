#include "search/stoppers/perturb.h"

#include <math.h>

static double next_in_list(const struct kd_param *param, double value, bool goes_up)
{
    int64_t last = (int64_t)kd_param_count(param) - 1, at = kd_param_position(param, value);
    at += goes_up ? 1 : -1;
    return kd_param_nth(param, at < 0 ? 0 : at > last ? last : at);
}

static double scaled(const struct kd_axis *axis, double value, double factor)
{
    if (axis->is_log)
        return value * factor;
    double range = axis->param->max - axis->param->min, size = fabs(value);
    double least = 0.25 * range;
    return value + (factor - 1) * (size > least ? size : least);
}

static double moved(const struct kd_axis *axis, const struct kd_perturbation *perturbation,
                    bool goes_up, double value)
{
    const struct kd_param *param = axis->param;
    if (param->type == KD_PARAM_CATEGORICAL || param->type == KD_PARAM_DISCRETE)
        return next_in_list(param, value, goes_up);
    double factor = goes_up ? perturbation->up : perturbation->down;
    double to = kd_param_clip(param, scaled(axis, value, factor));
    return to == value && axis->has_cells ? next_in_list(param, value, goes_up) : to;
}

void kd_point_perturb(const struct kd_space *space, const struct kd_axis *axes,
                      const struct kd_perturbation *perturbation, struct kd_rng *rng,
                      const double *from, double *to)
{
    for (int i = 0; i < space->n_params; i++) {
        bool is_drawn = kd_rng_uniform(rng) < perturbation->resample;
        bool goes_up = kd_rng_below(rng, 2) == 1;
        if (is_drawn || isnan(from[i]))
            to[i] = kd_axis_draw(&axes[i], rng);
        else
            to[i] = moved(&axes[i], perturbation, goes_up, from[i]);
    }
    kd_space_mask(space, to);
}
