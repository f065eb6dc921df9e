#include "search/cmaes_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/cmaes_margin.h"
#include "search/cmaes_order.h"
#include "search/cmaes_warm.h"
#include "search/strategy.h"
#include "search/truncnorm.h"

/* Purposes of streams. */
enum { FOR_DRAWS = 0, FOR_FILLING = 1, FOR_RESTARTS = 2 };

/* Whole draws that may lie out of bounds before the last one is clipped, and points that may be old before one is
 * given all the same. */
enum { RESAMPLES = 4, ATTEMPTS = 16 };

/* What a step of coordinate j is multiplied by. */
static double scale_of(const struct kd_cma_state *state, int j)
{
    return state->cma->sigma * state->scales[j];
}

static bool is_inside(const struct kd_cma_state *state, const double *step)
{
    for (int j = 0; j < state->cma->d; j++) {
        double x = state->cma->mean[j] + scale_of(state, j) * step[j];
        if (!kd_chart_has_cells(state->chart, j) && !(x >= 0 && x <= 1))
            return false;
    }
    return true;
}

/* Onto the bound: where optima often are. */
static void clip_to_bounds(const struct kd_cma_state *state, double *step)
{
    for (int j = 0; j < state->cma->d; j++) {
        double mean = state->cma->mean[j], x = mean + scale_of(state, j) * step[j];
        if (kd_chart_has_cells(state->chart, j) || (x >= 0 && x <= 1))
            continue;
        step[j] = ((x > 0 ? 1 : 0) - mean) / scale_of(state, j);
    }
}

/* A step inside the bounds, or one that is clipped to them. is_first: from the ray of the number. */
static void draw_step(struct kd_cma_state *state, struct kd_rng *rng, int64_t number, bool is_first,
                      double *step)
{
    double *z = &state->point[state->chart->n_params];
    for (int i = 0; i < RESAMPLES; i++) {
        for (int j = 0; j < state->cma->d; j++)
            z[j] = i > 0 || !is_first ? kd_cma_draw_normal(rng) : 0;
        if (i == 0 && is_first)
            kd_cma_rays_at(&state->rays, number, z);
        kd_cma_step(state->cma, z, step);
        if (is_inside(state, step))
            return;
    }
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

/* The next of the points that are drawn for a trial, from first to last resort. */
static void draw(struct kd_cma_state *state, const struct kd_space *space, struct kd_rng *rng,
                 int64_t number, int attempt, double *step, int *picks, double *point)
{
    draw_step(state, rng, number, attempt == 0, step);
    kd_choices_draw(&state->choices, rng, picks);
    make_point(state, step, picks, point);
    kd_space_mask(space, point);
}

void kd_cma_state_draw(struct kd_cma_state *state, const struct kd_history *history, int number,
                       double *point)
{
    struct kd_rng rng = kd_rng_at(state->seed, KD_STREAM(FOR_DRAWS, number));
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

/* Is it what this state would have drawn for its number? Then the step itself is known, and where in its cell. */
static bool redraw(struct kd_cma_state *state, const struct kd_observation *trial,
                   const struct kd_space *space, double *step, int *picks)
{
    struct kd_rng rng = kd_rng_at(state->seed, KD_STREAM(FOR_DRAWS, trial->number));
    int attempts = state->chart->all_cells ? ATTEMPTS : 1;
    for (int i = 0; i < attempts; i++) {
        draw(state, space, &rng, trial->number, i, step, picks, state->point);
        if (same_values(state->point, trial->values, space->n_params))
            return true;
    }
    return false;
}

/* The step to a value in a cell: where in the cell is drawn, as if it were ours. One that is inactive (NaN) is drawn
 * from everywhere, so that it neither pulls nor narrows. */
static double fill_step(const struct kd_cma_state *state, struct kd_rng *rng, int j, double value)
{
    double mean = state->cma->mean[j], deviation = kd_cma_deviation(state->cma, j), from, to;
    if (isnan(value))
        return deviation * kd_cma_draw_normal(rng);
    double x = kd_chart_coordinate(state->chart, j, value), scale = scale_of(state, j);
    if (!kd_chart_has_cells(state->chart, j))
        return (x - mean) / scale;
    kd_chart_cell(state->chart, j, x, &from, &to);
    double a = (from - mean) / (scale * deviation), b = (to - mean) / (scale * deviation);
    return deviation * kd_truncnorm_quantile(kd_rng_uniform(rng) + 0x1p-54, a, b);
}

/* The step and the choices of a point that somebody else proposed, or that this one did in another state. */
static void inject(const struct kd_cma_state *state, const struct kd_observation *trial,
                   double *step, int *picks)
{
    const struct kd_chart *chart = state->chart;
    struct kd_rng rng = kd_rng_at(state->seed, KD_STREAM(FOR_FILLING, trial->number));
    for (int j = 0; j < state->cma->d; j++)
        step[j] = fill_step(state, &rng, j, trial->values[chart->numbers[j]]);
    kd_cma_clip(state->cma, step);
    kd_choices_draw(&state->choices, &rng, picks);
    for (int i = 0; i < chart->n_choices; i++) {
        double value = trial->values[chart->choices[i]];
        picks[i] = isnan(value) ? picks[i] : (int)value;
    }
}

static void reserve(struct kd_cma_state *state)
{
    size_t d = (size_t)state->chart->n_numbers, n = (size_t)state->plan.lambda;
    state->steps = kd_realloc_array(state->steps, n * d + 1, sizeof *state->steps);
    state->picks = kd_realloc_array(state->picks, n * (size_t)state->chart->n_choices + 1,
                                    sizeof *state->picks);
}

/* A run with the plan's lambda and sigma. */
static void begin_run(struct kd_cma_state *state, const double *mean, double sigma,
                      const double *cov)
{
    kd_cma_free(state->cma);
    kd_cma_watch_release(&state->watch);
    state->cma = kd_cma_new(state->chart->n_numbers, state->plan.lambda, mean, sigma, cov);
    if (state->options.adapt_rates)
        kd_cma_adapt_rates(state->cma);
    for (int j = 0; j < state->cma->d; j++)
        state->scales[j] = 1;
    kd_cma_watch_init(&state->watch, state->cma);
    kd_cma_rays_release(&state->rays);
    kd_cma_rays_init(&state->rays, state->cma->d, state->plan.lambda / 2, state->seed);
    reserve(state);
}

static void begin_next_run(struct kd_cma_state *state)
{
    int d = state->chart->n_numbers;
    struct kd_rng rng = kd_rng_at(state->seed, KD_STREAM(FOR_RESTARTS, state->plan.restarts));
    kd_cma_plan_next(&state->plan, (long)(state->cma->generation * state->cma->lambda), &rng);
    double *mean = KD_NEW_ARRAY(double, (size_t)d + 1);
    for (int j = 0; j < d; j++)
        mean[j] = kd_rng_uniform(&rng);
    kd_choices_reset(&state->choices);
    begin_run(state, mean, state->plan.sigma, NULL);
    free(mean);
}

static void begin_warm(struct kd_cma_state *state, const struct kd_history *history,
                       const int *numbers, int n)
{
    size_t d = (size_t)state->chart->n_numbers, size = (size_t)n * d;
    double *points = KD_NEW_ARRAY(double, size + d * d + d + 1), *mean = &points[size], sigma;
    int *picks = KD_NEW_ARRAY(int, (size_t)(n * state->chart->n_choices) + 1);
    struct kd_rng rng = kd_rng_at(state->seed, KD_STREAM(FOR_FILLING, 0));
    for (int i = 0; i < n; i++) {
        const double *values = history->trials[numbers[i]].values;
        for (size_t j = 0; j < d; j++) {
            double value = values[state->chart->numbers[j]];
            points[(size_t)i * d + j] = isnan(value)
                                            ? kd_rng_uniform(&rng)
                                            : kd_chart_coordinate(state->chart, (int)j, value);
        }
        for (int c = 0; c < state->chart->n_choices; c++) {
            double value = values[state->chart->choices[c]];
            picks[i * state->chart->n_choices + c] = isnan(value) ? 0 : (int)value;
        }
    }
    kd_cma_warm((int)d, n, points, state->options.alpha, mean, &sigma, &mean[d]);
    begin_run(state, mean, sigma, &mean[d]);
    kd_choices_learn(&state->choices, n, picks);
    free(points);
    free(picks);
}

static void begin_cold(struct kd_cma_state *state)
{
    int d = state->chart->n_numbers;
    double *mean = KD_NEW_ARRAY(double, (size_t)d + 1);
    for (int j = 0; j < d; j++)
        mean[j] = 0.5;
    begin_run(state, mean, state->plan.sigma, NULL);
    free(mean);
}

void kd_cma_state_begin(struct kd_cma_state *state, const struct kd_chart *chart,
                        const struct kd_cma_options *options, uint64_t seed,
                        const struct kd_history *history, int *numbers, int n)
{
    size_t d = (size_t)chart->n_numbers;
    int *counts = KD_NEW_ARRAY(int, (size_t)chart->n_choices + 1);
    *state = (struct kd_cma_state){.chart = chart, .options = *options, .seed = seed};
    for (int i = 0; i < chart->n_choices; i++)
        counts[i] = chart->axes[chart->choices[i]].n_choices;
    kd_choices_init(&state->choices, chart->n_choices, counts);
    free(counts);
    state->scales = KD_NEW_ARRAY(double, d + 1);
    state->point = KD_NEW_ARRAY(double, (size_t)chart->n_params + d + 1);
    kd_cma_plan_init(&state->plan, options->restarts, options->lambda, options->growth,
                     options->sigma);
    int n_good = kd_cma_order(history, numbers, n);
    double best = floor(options->gamma * n);
    int n_best = best < 1 ? 1 : (int)best;
    n_best = n_best < n_good ? n_best : n_good;
    if (n_best > 0)
        begin_warm(state, history, numbers, n_best);
    else
        begin_cold(state);
}

void kd_cma_state_release(struct kd_cma_state *state)
{
    kd_cma_free(state->cma);
    kd_choices_release(&state->choices);
    kd_cma_watch_release(&state->watch);
    kd_cma_rays_release(&state->rays);
    free(state->scales);
    free(state->steps);
    free(state->picks);
    free(state->point);
    *state = (struct kd_cma_state){0};
}

/* A step size that reaches over the whole box is of no use, and random ranks would let it grow for ever. */
static void cap_sigma(const struct kd_cma_state *state)
{
    double widest = 0;
    for (int j = 0; j < state->cma->d; j++) {
        double deviation = kd_cma_deviation(state->cma, j);
        widest = deviation > widest ? deviation : widest;
    }
    if (state->cma->sigma * widest > 1)
        state->cma->sigma = 1 / widest;
}

/* The whole generation's weights for the choices: the good ones' only. */
static void learn_choices(struct kd_cma_state *state)
{
    kd_choices_update(&state->choices, state->cma->mu, state->picks, state->cma->weights);
}

void kd_cma_state_learn(struct kd_cma_state *state, const struct kd_history *history, int *numbers)
{
    struct kd_cma *cma = state->cma;
    int lambda = cma->lambda, n_choices = state->chart->n_choices;
    if (kd_cma_order(history, numbers, lambda) == 0)
        return; /* all failed: nothing is known about the order */
    for (int i = 0; i < lambda; i++) {
        const struct kd_observation *trial = &history->trials[numbers[i]];
        double *step = &state->steps[(size_t)i * (size_t)cma->d];
        int *picks = &state->picks[i * n_choices];
        if (!redraw(state, trial, history->space, step, picks))
            inject(state, trial, step, picks);
    }
    kd_cma_update(cma, state->steps);
    learn_choices(state);
    cap_sigma(state);
    double n_total = cma->d + n_choices;
    kd_margin_correct(state->chart, 1 / (n_total * lambda), cma, state->scales);
    double best = kd_cma_value(&history->trials[numbers[0]]);
    double worst = kd_cma_value(&history->trials[numbers[lambda - 1]]);
    if (kd_cma_watch_add(&state->watch, cma, state->chart, state->scales, best, worst))
        begin_next_run(state);
}
