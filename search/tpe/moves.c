#include "search/tpe/moves.h"

#include <math.h>

#define LEAST_SHARE (-0.6)
#define MOST_SHARE  0.8
#define STEP        0.1
#define AFRESH      0.1

static const double *pick(const struct kd_moves *moves, struct kd_rng *rng)
{
    int at = (int)kd_rng_below(rng, (uint64_t)moves->n_good);
    return moves->history->trials[moves->good[at]].values;
}

static double mirror(const struct kd_axis *axis, double x)
{
    if (x < axis->low)
        x = axis->low + (axis->low - x);
    if (x > axis->high)
        x = axis->high - (x - axis->high);
    return x < axis->low ? axis->low : x;
}

/* What a, b and c are worth to a numeric axis. */
static double move(const struct kd_axis *axis, const double abc[3], double share, double step)
{
    double x = kd_axis_coordinate(axis, abc[0]);
    if (share > 0 && !isnan(abc[1]) && !isnan(abc[2]))
        x += share * (kd_axis_coordinate(axis, abc[1]) - kd_axis_coordinate(axis, abc[2]));
    return kd_axis_value(axis, mirror(axis, x + step * (axis->high - axis->low)));
}

void kd_moves_draw(const struct kd_moves *moves, int start, struct kd_rng *rng, double *values)
{
    const double *a = pick(moves, rng), *b = pick(moves, rng), *c = pick(moves, rng);
    double share = LEAST_SHARE + (MOST_SHARE - LEAST_SHARE) * kd_rng_uniform(rng);
    if (start >= 0)
        a = moves->history->trials[moves->good[start]].values;
    share = share > 0 ? share : 0;
    for (int i = 0; i < moves->history->space->n_params; i++) {
        const struct kd_axis *axis = &moves->axes[i];
        const double abc[3] = {a[i], b[i], c[i]};
        double u = kd_rng_uniform(rng);
        if (isnan(a[i]) || (axis->has_cells && kd_rng_uniform(rng) < AFRESH))
            values[i] = kd_axis_draw(axis, rng);
        else if (axis->is_categorical)
            values[i] = u < 0.5 * share && !isnan(b[i]) ? b[i] : a[i];
        else
            values[i] = move(axis, abc, share, STEP * (2 * u - 1));
    }
}
