#include "search/cmaes/cmaes_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/cmaes/cmaes_margin.h"
#include "search/cmaes/cmaes_order.h"
#include "search/cmaes/cmaes_point.h"
#include "search/cmaes/cmaes_warm.h"
#include "search/strategy.h"

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
    struct kd_rng rng =
        kd_rng_at(state->seed, KD_STREAM(KD_CMA_FOR_RESTARTS, state->plan.restarts));
    kd_cma_plan_next(&state->plan, (long)(state->cma->generation * state->cma->lambda), &rng);
    double *mean = KD_NEW_ARRAY(double, (size_t)d + 1);
    for (int j = 0; j < d; j++)
        mean[j] = kd_rng_uniform(&rng);
    kd_choices_reset(&state->choices);
    state->surrogate.trust = 0;
    begin_run(state, mean, state->plan.sigma, NULL);
    free(mean);
}

static void begin_warm(struct kd_cma_state *state, const struct kd_history *history,
                       const int *numbers, int n)
{
    size_t d = (size_t)state->chart->n_numbers, size = (size_t)n * d;
    double *points = KD_NEW_ARRAY(double, size + d * d + d + 1), *mean = &points[size], sigma;
    int *picks = KD_NEW_ARRAY(int, (size_t)(n * state->chart->n_choices) + 1);
    struct kd_rng rng = kd_rng_at(state->seed, KD_STREAM(KD_CMA_FOR_FILLING, 0));
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
            int n_values = state->chart->axes[state->chart->choices[c]].n_choices;
            picks[i * state->chart->n_choices + c] =
                isnan(value) ? (int)kd_rng_below(&rng, (uint64_t)n_values) : (int)value;
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

/* The surrogate over the last finished trials; without one where it would cost more than it is
 * worth. */
static void fit_surrogate(struct kd_cma_state *state, const struct kd_history *history, int n_done)
{
    enum { LAST = 400 };
    int d = state->cma->d, n = 0, from = n_done > LAST ? n_done - LAST : 0;
    if (!state->options.use_surrogate || d == 0 || d > KD_SURROGATE_MOST)
        return;
    size_t most = (size_t)(n_done - from);
    double *points = KD_NEW_ARRAY(double, most *((size_t)d + 1) + 1);
    double *values = &points[most * (size_t)d];
    for (int i = from; i < n_done; i++) {
        const struct kd_observation *trial = &history->trials[history->done[i]];
        if (!kd_observation_has_objective(trial) || trial->violation > 0)
            continue;
        if (kd_cma_point_white(state, trial->values, &points[(size_t)n * (size_t)d]))
            values[n++] = trial->objective;
    }
    kd_cma_surrogate_fit(&state->surrogate, n, points, values);
    free(points);
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
    state->point = KD_NEW_ARRAY(double, (size_t)chart->n_params + 4 * d + 1);
    kd_cma_surrogate_init(&state->surrogate, (int)d);
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
    fit_surrogate(state, history, n);
}

void kd_cma_state_release(struct kd_cma_state *state)
{
    kd_cma_free(state->cma);
    kd_choices_release(&state->choices);
    kd_cma_watch_release(&state->watch);
    kd_cma_rays_release(&state->rays);
    kd_cma_surrogate_release(&state->surrogate);
    free(state->scales);
    free(state->steps);
    free(state->picks);
    free(state->point);
    *state = (struct kd_cma_state){0};
}

/* A step size that reaches over the whole box is of no use, and random ranks would let it grow for
 * ever. */
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

static void judge_surrogate(struct kd_cma_state *state)
{
    int d = state->cma->d, lambda = state->cma->lambda;
    double *points = KD_NEW_ARRAY(double, (size_t)lambda *(size_t)d + 1);
    for (int i = 0; i < lambda; i++)
        kd_cma_whiten(state->cma, &state->steps[i * d], &points[i * d]);
    kd_cma_surrogate_judge(&state->surrogate, lambda, points);
    free(points);
}

/* The model and the choices by one generation, steps and picks best first. */
static void move(struct kd_cma_state *state)
{
    struct kd_cma *cma = state->cma;
    double n_total = cma->d + state->chart->n_choices;
    judge_surrogate(state);
    kd_cma_update(cma, state->steps);
    kd_choices_update(&state->choices, cma->mu, state->picks, cma->weights);
    cap_sigma(state);
    kd_margin_correct(state->chart, 1 / (n_total * cma->lambda), cma, state->scales);
}

void kd_cma_state_learn(struct kd_cma_state *state, const struct kd_history *history, int n_done,
                        int *numbers)
{
    struct kd_cma *cma = state->cma;
    int lambda = cma->lambda, n_choices = state->chart->n_choices;
    if (kd_cma_order(history, numbers, lambda) == 0)
        return; /* all failed: nothing is known about the order */
    for (int i = 0; i < lambda; i++)
        kd_cma_point_step(state, history, numbers[i], &state->steps[i * cma->d],
                          &state->picks[i * n_choices]);
    move(state);
    double best = kd_cma_value(&history->trials[numbers[0]]);
    double worst = kd_cma_value(&history->trials[numbers[lambda - 1]]);
    if (kd_cma_watch_add(&state->watch, cma, state->chart, state->scales, best, worst))
        begin_next_run(state);
    fit_surrogate(state, history, n_done);
}
