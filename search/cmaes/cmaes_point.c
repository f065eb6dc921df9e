#include "search/cmaes/cmaes_point.h"

#include <math.h>
#include <string.h>

#include "search/math/truncnorm.h"
#include "search/strategy.h"

/* Points that may be old before one is given all the same. */
enum { ATTEMPTS = 16 };

/* What a step of coordinate j is multiplied by. */
static double scale_of(const struct kd_cma_state *state, int j)
{
    return state->cma->sigma * state->scales[j];
}

/* Onto the bound, at once: optima are often there, and drawing anew would keep away from it. */
static void clip_to_bounds(const struct kd_cma_state *state, double *step)
{
    for (int j = 0; j < state->cma->d; j++) {
        double mean = state->cma->mean[j], x = mean + scale_of(state, j) * step[j];
        if (kd_chart_has_cells(state->chart, j) || (x >= 0 && x <= 1))
            continue;
        step[j] = ((x > 0 ? 1 : 0) - mean) / scale_of(state, j);
    }
}

/* A step inside the bounds; is_first: from the ray of the number. */
static void draw_step(struct kd_cma_state *state, struct kd_rng *rng, int64_t number, bool is_first,
                      double *step)
{
    double *z = &state->point[state->chart->n_params];
    for (int j = 0; j < state->cma->d && !is_first; j++)
        z[j] = kd_normal_draw(rng);
    if (is_first)
        kd_cma_rays_at(&state->rays, number, z);
    kd_cma_step(state->cma, z, step);
    clip_to_bounds(state, step);
}

/* The point that a step and choices make. */
static void make_point(const struct kd_cma_state *state, const double *step, const int *picks,
                       double *point)
{
    const struct kd_chart *chart = state->chart;
    memcpy(point, chart->fixed, (size_t)chart->n_params * sizeof *point);
    for (int j = 0; j < state->cma->d; j++)
        point[chart->numbers[j]] =
            kd_chart_value(chart, j, state->cma->mean[j] + scale_of(state, j) * step[j]);
    for (int i = 0; i < chart->n_choices; i++)
        point[chart->choices[i]] = picks[i];
}

/* A coordinate as it is after rounding to its cell. */
static double settled(const struct kd_cma_state *state, int j, double x)
{
    if (!kd_chart_has_cells(state->chart, j))
        return x;
    return kd_chart_coordinate(state->chart, j, kd_chart_value(state->chart, j, x));
}

static double predict(const struct kd_cma_state *state, const double *step, double *scratch)
{
    double *rounded = scratch, *z = &scratch[state->cma->d];
    for (int j = 0; j < state->cma->d; j++) {
        double mean = state->cma->mean[j], scale = scale_of(state, j);
        rounded[j] = (settled(state, j, mean + scale * step[j]) - mean) / scale;
    }
    kd_cma_whiten(state->cma, rounded, z);
    return kd_cma_surrogate_value(&state->surrogate, z);
}

/* Of some draws the one that the surrogate holds for best. */
static void choose_step(struct kd_cma_state *state, struct kd_rng *rng, int64_t number,
                        double *step)
{
    int d = state->cma->d, n_draws = kd_cma_surrogate_draws(&state->surrogate);
    double *other = &state->point[state->chart->n_params + d], *scratch = &other[d], best = 0;
    draw_step(state, rng, number, true, step);
    for (int i = 1; i < n_draws; i++) {
        best = i == 1 ? predict(state, step, scratch) : best;
        draw_step(state, rng, number, false, other);
        double value = predict(state, other, scratch);
        if (!(value < best))
            continue;
        best = value;
        memcpy(step, other, (size_t)d * sizeof *step);
    }
}

/* The surrogate's minimum is worth a trial: whoever asks first after an update gets it, for the
 * others it is seen. */
static bool has_minimum(const struct kd_cma_state *state)
{
    return state->surrogate.has_minimum && state->surrogate.trust >= 0;
}

/* The next of the points that are drawn for a trial, from first to last resort: the minimum, a
 * chosen draw, any draw. */
static void draw(struct kd_cma_state *state, const struct kd_space *space, struct kd_rng *rng,
                 int64_t number, int attempt, double *step, int *picks, double *point)
{
    int chosen_at = has_minimum(state) ? 1 : 0;
    if (attempt < chosen_at) {
        kd_cma_step(state->cma, state->surrogate.minimum, step);
        clip_to_bounds(state, step);
    } else if (attempt == chosen_at) {
        choose_step(state, rng, number, step);
    } else {
        draw_step(state, rng, number, false, step);
    }
    kd_choices_draw(&state->choices, rng, picks);
    make_point(state, step, picks, point);
    kd_space_mask(space, point);
}

void kd_cma_point_draw(struct kd_cma_state *state, const struct kd_history *history, int number,
                       double *point)
{
    struct kd_rng rng = kd_rng_at(state->seed, KD_STREAM(KD_CMA_FOR_DRAWS, number));
    for (int i = 0; i < ATTEMPTS; i++) {
        draw(state, history->space, &rng, number, i, state->steps, state->picks, point);
        if (!kd_history_has(history, point))
            return;
    }
}

static bool same_values(const double *a, const double *b, int n)
{
    for (int i = 0; i < n; i++) {
        if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
            return false;
    }
    return true;
}

/* Is it what this state would have drawn for its number? Then the step itself is known, and where
 * in its cell. */
static bool redraw(struct kd_cma_state *state, const struct kd_observation *trial,
                   const struct kd_space *space, double *step, int *picks)
{
    struct kd_rng rng = kd_rng_at(state->seed, KD_STREAM(KD_CMA_FOR_DRAWS, trial->number));
    int attempts = state->chart->all_cells ? ATTEMPTS : 2;
    for (int i = 0; i < attempts; i++) {
        draw(state, space, &rng, trial->number, i, step, picks, state->point);
        if (same_values(state->point, trial->values, space->n_params))
            return true;
    }
    return false;
}

/* The step to a value in a cell: where in the cell is drawn, as if it were ours. One that is
 * inactive (NaN) is drawn from everywhere, so that it neither pulls nor narrows. */
static double fill_step(const struct kd_cma_state *state, struct kd_rng *rng, int j, double value)
{
    double mean = state->cma->mean[j], deviation = kd_cma_deviation(state->cma, j), from, to;
    if (isnan(value))
        return deviation * kd_normal_draw(rng);
    double x = kd_chart_coordinate(state->chart, j, value), scale = scale_of(state, j);
    if (!kd_chart_has_cells(state->chart, j))
        return (x - mean) / scale;
    kd_chart_cell(state->chart, j, x, &from, &to);
    double a = (from - mean) / (scale * deviation), b = (to - mean) / (scale * deviation);
    return deviation * kd_truncnorm_quantile(kd_rng_uniform(rng) + 0x1p-54, a, b);
}

/* The step and the choices of a point that somebody else proposed, or that this one did in another
 * state. */
static void inject(const struct kd_cma_state *state, const struct kd_observation *trial,
                   double *step, int *picks)
{
    const struct kd_chart *chart = state->chart;
    struct kd_rng rng = kd_rng_at(state->seed, KD_STREAM(KD_CMA_FOR_FILLING, trial->number));
    for (int j = 0; j < state->cma->d; j++)
        step[j] = fill_step(state, &rng, j, trial->values[chart->numbers[j]]);
    kd_cma_clip(state->cma, step);
    kd_choices_draw(&state->choices, &rng, picks);
    for (int i = 0; i < chart->n_choices; i++) {
        double value = trial->values[chart->choices[i]];
        picks[i] = isnan(value) ? picks[i] : (int)value;
    }
}

void kd_cma_point_step(struct kd_cma_state *state, const struct kd_history *history, int number,
                       double *step, int *picks)
{
    const struct kd_observation *trial = &history->trials[number];
    if (!redraw(state, trial, history->space, step, picks))
        inject(state, trial, step, picks);
}

bool kd_cma_point_white(const struct kd_cma_state *state, const double *values, double *z)
{
    double *step = &state->point[state->chart->n_params];
    for (int j = 0; j < state->cma->d; j++) {
        double value = values[state->chart->numbers[j]];
        if (isnan(value))
            return false;
        step[j] = (kd_chart_coordinate(state->chart, j, value) - state->cma->mean[j]) /
                  scale_of(state, j);
    }
    kd_cma_whiten(state->cma, step, z);
    return true;
}
