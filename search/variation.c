#include "search/variation.h"

#include <math.h>

#include "search/math/special.h"

static double power(double x, double exponent)
{
    return x > 0 ? kd_exp(exponent * kd_ln(x)) : 0;
}

/* How far a child spreads, in halves of the parents' distance, when there is room for `room`
 * distances beside them. */
static double spread(double u, double room, double eta)
{
    double alpha = 2 - power(1 + 2 * room, -(eta + 1));
    double x = u <= 1 / alpha ? u * alpha : 1 / (2 - u * alpha);
    return power(x, 1 / (eta + 1));
}

static double to_bounds(const struct kd_axis *axis, double x, double otherwise)
{
    if (!isfinite(x))
        return otherwise; /* the range is beyond the largest number */
    return x < axis->low ? axis->low : x > axis->high ? axis->high : x;
}

/* The child near a, of the two that lie about a and b. */
static double cross_near(const struct kd_axis *axis, double a, double b, double eta, double u)
{
    double distance = fabs(b - a);
    if (!(distance > 0))
        return a;
    double room = (a < b ? a - axis->low : axis->high - a) / distance;
    double half = distance / 2 * spread(u, room, eta), middle = a / 2 + b / 2;
    return to_bounds(axis, a < b ? middle - half : middle + half, a);
}

static double cross(const struct kd_variation *how, int i, double a, double b, struct kd_rng *rng)
{
    const struct kd_axis *axis = &how->axes[i];
    bool swap = kd_rng_uniform(rng) < how->swapping_prob;
    double near = swap ? b : a, far = swap ? a : b;
    double u = kd_rng_uniform(rng);
    if (axis->is_categorical || kd_rng_uniform(rng) < 0.5)
        return near;
    double x = kd_axis_coordinate(axis, near), y = kd_axis_coordinate(axis, far);
    return kd_axis_value(axis, cross_near(axis, x, y, how->crossover_eta, u));
}

static double step_of(double u, double below, double above, double eta)
{
    if (u < 0.5)
        return power(2 * u + (1 - 2 * u) * power(1 - below, eta + 1), 1 / (eta + 1)) - 1;
    return 1 - power(2 * (1 - u) + (2 * u - 1) * power(1 - above, eta + 1), 1 / (eta + 1));
}

/* The next value up or down, for a step that stayed in the cell. */
static double neighbour(const struct kd_axis *axis, double value, bool up)
{
    int64_t count = (int64_t)kd_param_count(axis->param);
    int64_t at = kd_param_position(axis->param, value);
    if (count < 2)
        return value;
    up = at == 0 || (up && at < count - 1);
    return kd_param_nth(axis->param, up ? at + 1 : at - 1);
}

static double mutate(const struct kd_axis *axis, double value, double eta, struct kd_rng *rng)
{
    if (axis->is_categorical)
        return kd_axis_draw(axis, rng);
    double range = axis->high - axis->low, x = kd_axis_coordinate(axis, value);
    double u = kd_rng_uniform(rng);
    double step = step_of(u, (x - axis->low) / range, (axis->high - x) / range, eta);
    double changed = kd_axis_value(axis, to_bounds(axis, x + step * range, x));
    return axis->has_cells && changed == value ? neighbour(axis, value, u >= 0.5) : changed;
}

void kd_vary(const struct kd_variation *how, const double *first, const double *second,
             struct kd_rng *rng, double *child)
{
    bool mixes = kd_rng_uniform(rng) < how->crossover_prob;
    for (int i = 0; i < how->n_axes; i++) {
        double a = first[i], b = second[i];
        if (isnan(a))
            a = b;
        if (isnan(a))
            a = kd_axis_draw(&how->axes[i], rng);
        child[i] = mixes && !isnan(b) ? cross(how, i, a, b, rng) : a;
        if (kd_rng_uniform(rng) < how->mutation_prob)
            child[i] = mutate(&how->axes[i], child[i], how->mutation_eta, rng);
    }
}
