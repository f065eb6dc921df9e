#include "search/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/special.h"
#include "search/math/truncnorm.h"
#include "search/pareto.h"

enum { GRID = 50 };

/* The completed own trials that have an objective; which of them belong to the region, and which to
 * the top. */
struct trials {
    const struct kd_history *history;
    int n, m, n_region, n_top;
    int *numbers, *chosen;
    bool *in_region, *in_top;
    double *rows, *violations;
};

static bool counts(const struct kd_history *history, int number)
{
    const struct kd_observation *trial = &history->trials[number];
    return number >= history->n_prior && trial->outcome == KD_COMPLETE &&
           kd_observation_has_objective(trial);
}

static void collect(struct trials *trials, const struct kd_history *history)
{
    size_t n = (size_t)history->n_done + 1, m = (size_t)history->n_objectives;
    *trials = (struct trials){.history = history, .m = (int)m};
    trials->numbers = KD_NEW_ARRAY(int, n), trials->chosen = KD_NEW_ARRAY(int, n);
    trials->in_region = KD_NEW_ARRAY(bool, n), trials->in_top = KD_NEW_ARRAY(bool, n);
    trials->rows = KD_NEW_ARRAY(double, n *m), trials->violations = KD_NEW_ARRAY(double, n);
    for (int i = 0; i < history->n; i++) {
        if (!counts(history, i))
            continue;
        const struct kd_observation *trial = &history->trials[i];
        for (int k = 0; k < trials->m; k++)
            trials->rows[trials->n * trials->m + k] = kd_observation_objective(trial, k);
        trials->violations[trials->n] = trial->violation;
        trials->numbers[trials->n++] = i;
    }
}

static void release(struct trials *trials)
{
    free(trials->numbers), free(trials->chosen);
    free(trials->in_region), free(trials->in_top);
    free(trials->rows), free(trials->violations);
}

/* The `want` best in a rank or before it, so all that are as good as the last one. */
static void choose_by_rank(const struct trials *trials, const struct kd_costs *costs, int want,
                           bool *chosen)
{
    int *ranks = KD_NEW_ARRAY(int, (size_t)trials->n + 1);
    int n_ranks = kd_pareto_ranks(costs, ranks), *sizes = KD_NEW_ARRAY(int, (size_t)n_ranks + 1);
    int last = 0;
    for (int i = 0; i < trials->n; i++)
        sizes[ranks[i]]++;
    for (int sum = sizes[0]; sum < want; sum += sizes[last])
        last++;
    for (int i = 0; i < trials->n; i++)
        chosen[i] = ranks[i] <= last;
    free(sizes);
    free(ranks);
}

static int choose_share(const struct trials *trials, double share, bool *chosen)
{
    struct kd_costs costs = {
        .n = trials->n, .m = trials->m, .rows = trials->rows, .violations = trials->violations};
    int want = (int)-floor(-share * trials->n), n = 0;
    want = want < 1 ? 1 : want > trials->n ? trials->n : want;
    if (trials->m == 1) {
        choose_by_rank(trials, &costs, want, chosen);
    } else {
        kd_pareto_best(&costs, want, trials->chosen);
        for (int i = 0; i < want; i++)
            chosen[trials->chosen[i]] = true;
    }
    for (int i = 0; i < trials->n; i++)
        n += chosen[i];
    return n;
}

/* A parameter on a grid: at most 50 points between its ends, or its choices. */
struct grid {
    const struct kd_param *param;
    int n;
    bool is_log;
    double low, step;
};

/* Wide log ints get as many points as their range has doublings. */
static int grid_size(const struct kd_param *param, bool is_log)
{
    double count = kd_param_count(param);
    if (param->type == KD_PARAM_INT && is_log && param->step <= 1) {
        int doublings = 0;
        for (double size = 1; size < count && doublings < GRID; size *= 2)
            doublings++;
        count = doublings + 1;
    }
    return count < GRID ? (int)count : GRID;
}

static struct grid grid_of(const struct kd_param *param)
{
    bool is_log = param->distribution == KD_LOG_UNIFORM || param->distribution == KD_LOG_NORMAL;
    struct grid grid = {.param = param, .is_log = is_log};
    if (param->type == KD_PARAM_CATEGORICAL) {
        grid.n = param->n_choices;
        return grid;
    }
    bool is_list = param->type == KD_PARAM_DISCRETE;
    grid.n = grid_size(param, is_log && !is_list);
    grid.low = is_list ? 0 : param->min;
    double high = is_list ? param->n_choices - 1 : param->max;
    grid.is_log = is_log && !is_list;
    if (grid.is_log)
        grid.low = kd_ln(grid.low), high = kd_ln(high);
    grid.step = (high - grid.low) / (grid.n > 1 ? grid.n - 1 : 1);
    return grid;
}

/* The nearest point; half way goes down, as in Optuna. */
static int grid_at(const struct grid *grid, double value)
{
    if (grid->param->type == KD_PARAM_CATEGORICAL)
        return (int)value;
    if (grid->param->type == KD_PARAM_DISCRETE)
        value = (double)kd_param_position(grid->param, value);
    else if (grid->is_log)
        value = kd_ln(value);
    double at = -floor(0.5 - (value - grid->low) / grid->step);
    return !(at > 0) ? 0 : at < grid->n - 1 ? (int)at : grid->n - 1;
}

/* How many trials of a kind are at each point of the grid; returns how many in all, inactive ones
 * aside. */
static int count_on_grid(const struct trials *trials, const struct grid *grid, int param,
                         const bool *of_kind, double *counted)
{
    int n = 0;
    for (int i = 0; i < grid->n; i++)
        counted[i] = 0;
    for (int i = 0; i < trials->n; i++) {
        double value = trials->history->trials[trials->numbers[i]].values[param];
        if (!of_kind[i] || isnan(value))
            continue;
        counted[grid_at(grid, value)]++;
        n++;
    }
    return n;
}

/* Scott's rule with weights (Scott 1992): 1.059 min(interquartile range / 1.34, deviation) W^-0.2,
 * at least 0.5 / 1.64 so that 90% of a kernel may lie in its own cell. */
static double bandwidth(const double *counted, int n)
{
    double weight = 0, sum = 0, squares = 0, below = 0, first = -1, third = -1, last = 0;
    for (int i = 0; i < n; i++)
        weight += counted[i], sum += counted[i] * i;
    double mean = sum / weight;
    double quarter = floor(weight / 4), three_quarters = floor(weight * 3 / 4);
    for (int i = 0; i < n; i++) {
        if (counted[i] == 0)
            continue;
        squares += counted[i] * (i - mean) * (i - mean);
        below += counted[i];
        last = i;
        if (first < 0 && below >= quarter)
            first = i;
        if (third < 0 && below > three_quarters)
            third = i;
    }
    double range = (third < 0 ? last : third) - first;
    double deviation = sqrt(squares / (weight > 2 ? weight - 1 : 1));
    double smaller = range / 1.34 < deviation ? range / 1.34 : deviation;
    double width = 1.059 * smaller * kd_exp(-0.2 * kd_ln(weight));
    return width > 0.5 / 1.64 ? width : 0.5 / 1.64;
}

static double cell_mass(int at, double mean, double deviation, int n)
{
    return kd_normal_mass((at - 0.5 - mean) / deviation, (at + 0.5 - mean) / deviation) /
           kd_normal_mass((-0.5 - mean) / deviation, (n - 0.5 - mean) / deviation);
}

/* A kernel of each point, by its count, and one prior over the whole grid with weight 1. */
static void estimate_numbers(const double *counted, int n, double total, double *density)
{
    double width = bandwidth(counted, n);
    for (int i = 0; i < n; i++)
        density[i] = cell_mass(i, (n - 1) / 2.0, n, n) / (total + 1);
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < n && counted[j] > 0; i++)
            density[i] += counted[j] / (total + 1) * cell_mass(i, j, width, n);
    }
}

/* The same for choices: a kernel has 1 more at its own choice than at the others, which have a
 * share of the prior. */
static void estimate_choices(const double *counted, int n, double total, double *density)
{
    int n_kernels = 1;
    for (int i = 0; i < n; i++)
        n_kernels += counted[i] > 0;
    double other = 1.0 / n_kernels, sum = 1 + n * other;
    for (int i = 0; i < n; i++) {
        double mine = counted[i] * (1 + other) + (total - counted[i]) * other;
        density[i] = (mine / sum + 1.0 / n) / (total + 1);
    }
}

static void estimate(const struct grid *grid, const double *counted, double total, double *density)
{
    if (grid->param->type == KD_PARAM_CATEGORICAL)
        estimate_choices(counted, grid->n, total, density);
    else
        estimate_numbers(counted, grid->n, total, density);
    for (int i = 0; i < grid->n; i++)
        density[i] += 1e-12;
}

static double pearson_divergence(const double *top, const double *region, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += region[i] * ((top[i] / region[i] - 1) * (top[i] / region[i] - 1));
    return sum;
}

static double importance_of(const struct trials *trials, int param)
{
    struct grid grid = grid_of(&trials->history->space->params[param]);
    if (grid.n < 2)
        return 0;
    double *counted = KD_NEW_ARRAY(double, (size_t)grid.n), importance = 0;
    double *top = KD_NEW_ARRAY(double, (size_t)grid.n),
           *region = KD_NEW_ARRAY(double, (size_t)grid.n);
    int n_region = count_on_grid(trials, &grid, param, trials->in_region, counted);
    if (n_region >= 2) {
        estimate(&grid, counted, n_region, region);
        int n_top = count_on_grid(trials, &grid, param, trials->in_top, counted);
        if (n_top > 0) {
            double alpha = (double)n_top / trials->n_top,
                   beta = (double)n_region / trials->n_region;
            estimate(&grid, counted, n_top, top);
            importance = alpha * alpha / beta * pearson_divergence(top, region, grid.n);
        }
    }
    free(counted), free(top), free(region);
    return importance;
}

static int choose_trials(struct trials *trials, struct kd_importance settings, struct kd_error *err)
{
    if (trials->n < KD_IMPORTANCE_MIN_TRIALS)
        return kd_fail(err,
                       "%d of the trials are complete with an objective, and importance needs %d "
                       "(it is steady from about 50 on); run more trials",
                       trials->n, KD_IMPORTANCE_MIN_TRIALS);
    trials->n_region = choose_share(trials, settings.region_quantile, trials->in_region);
    trials->n_top = choose_share(trials, settings.target_quantile, trials->in_top);
    if (trials->n_top == trials->n_region)
        return kd_fail(
            err,
            "all %d trials that are looked at are as good as each other, so no parameter "
            "tells the best from the rest; run more trials, or raise the region quantile",
            trials->n_region);
    return 0;
}

/* Shares of the sum; all alike when nothing matters. */
static void normalise(double *shares, int n, const struct kd_space *space)
{
    double sum = 0;
    int n_free = 0;
    for (int i = 0; i < n; i++) {
        sum += shares[i];
        n_free += kd_param_count(&space->params[i]) > 1;
    }
    for (int i = 0; i < n; i++) {
        if (sum > 0)
            shares[i] /= sum;
        else
            shares[i] = kd_param_count(&space->params[i]) > 1 ? 1.0 / n_free : 0;
    }
}

int kd_importance(const struct kd_history *history, struct kd_importance settings, double *shares,
                  struct kd_error *err)
{
    double target = settings.target_quantile, region = settings.region_quantile;
    if (!(target > 0 && target < region && region <= 1))
        return kd_fail(err,
                       "target quantile %g, region quantile %g: 0 < target < region <= 1 is needed",
                       target, region);
    struct trials trials;
    collect(&trials, history);
    int result = choose_trials(&trials, settings, err);
    for (int i = 0; i < history->space->n_params && result == 0; i++)
        shares[i] = importance_of(&trials, i);
    if (result == 0)
        normalise(shares, history->space->n_params, history->space);
    release(&trials);
    return result;
}
