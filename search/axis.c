#include "search/axis.h"

#include <math.h>

#include "coordinator/base/mem.h"
#include "search/math/special.h"
#include "search/math/truncnorm.h"

static double to_coordinate(const struct kd_axis *axis, double x)
{
    return axis->is_log ? kd_ln(x) : x;
}

static double lower_edge(const struct kd_axis *axis, double x)
{
    double edge = x - axis->half_step;
    return axis->is_log && edge <= 0 ? x / 2 : edge;
}

static void init_numeric(struct kd_axis *axis)
{
    const struct kd_param *param = axis->param;
    double count = kd_param_count(param);
    axis->has_cells = isfinite(count);
    axis->is_log = param->distribution == KD_LOG_UNIFORM || param->distribution == KD_LOG_NORMAL;
    axis->is_normal = param->distribution == KD_NORMAL || param->distribution == KD_LOG_NORMAL;
    axis->first = param->min;
    axis->last = axis->has_cells ? kd_param_nth(param, (int64_t)count - 1) : param->max;
    axis->half_step = param->step / 2;
}

static void init_list(struct kd_axis *axis)
{
    axis->has_cells = true;
    axis->last = axis->param->n_choices - 1;
    axis->half_step = 0.5;
}

void kd_axis_init(struct kd_axis *axis, const struct kd_param *param)
{
    *axis = (struct kd_axis){.param = param};
    axis->is_categorical = param->type == KD_PARAM_CATEGORICAL;
    axis->n_choices = axis->is_categorical ? param->n_choices : 0;
    if (axis->is_categorical || param->type == KD_PARAM_DISCRETE)
        init_list(axis);
    else
        init_numeric(axis);
    axis->low = to_coordinate(axis, lower_edge(axis, axis->first));
    axis->high = to_coordinate(axis, axis->last + axis->half_step);
    axis->mean = 0.5 * axis->low + 0.5 * axis->high;
    axis->deviation = axis->high - axis->low;
    if (axis->is_normal) {
        double min = to_coordinate(axis, param->min), max = to_coordinate(axis, param->max);
        axis->mean = 0.5 * min + 0.5 * max;
        axis->deviation = (max - min) / 6;
    }
}

struct kd_axis *kd_axes_new(const struct kd_space *space)
{
    struct kd_axis *axes = KD_NEW_ARRAY(struct kd_axis, (size_t)space->n_params + 1);
    for (int i = 0; i < space->n_params; i++)
        kd_axis_init(&axes[i], &space->params[i]);
    return axes;
}

/* The value in the unit of `first` and `last`. */
static double own_unit(const struct kd_axis *axis, double value)
{
    bool is_list = axis->param->type == KD_PARAM_DISCRETE;
    return is_list ? (double)kd_param_position(axis->param, value) : value;
}

double kd_axis_coordinate(const struct kd_axis *axis, double value)
{
    return to_coordinate(axis, own_unit(axis, value));
}

double kd_axis_value(const struct kd_axis *axis, double coordinate)
{
    double x = axis->is_log ? kd_exp(coordinate) : coordinate;
    /* The bounds as the user wrote them: exp(ln 0.03) is a bit less than 0.03. */
    if (axis->is_log && !axis->has_cells && (coordinate <= axis->low || coordinate >= axis->high))
        return coordinate <= axis->low ? axis->first : axis->last;
    if (axis->param->type != KD_PARAM_DISCRETE)
        return kd_param_clip(axis->param, x);
    double at = floor(x + 0.5);
    at = at < axis->first ? axis->first : at > axis->last ? axis->last : at;
    return axis->param->values[(int)at];
}

void kd_axis_cell(const struct kd_axis *axis, double value, double *from, double *to)
{
    double x = own_unit(axis, value);
    *from = to_coordinate(axis, lower_edge(axis, x));
    *to = to_coordinate(axis, x + axis->half_step);
}

double kd_axis_quantile(const struct kd_axis *axis, double u)
{
    if (axis->is_categorical) {
        double at = floor(u * axis->n_choices);
        return at < axis->n_choices ? at : axis->n_choices - 1;
    }
    if (!axis->is_normal)
        return kd_axis_value(axis, axis->low + u * (axis->high - axis->low));
    double a = (axis->low - axis->mean) / axis->deviation;
    double b = (axis->high - axis->mean) / axis->deviation;
    return kd_axis_value(axis, axis->mean + axis->deviation * kd_truncnorm_quantile(u, a, b));
}

double kd_axis_draw(const struct kd_axis *axis, struct kd_rng *rng)
{
    if (axis->is_categorical)
        return (double)kd_rng_below(rng, (uint64_t)axis->n_choices);
    return kd_axis_quantile(axis, kd_rng_uniform(rng));
}
