/* bench_ask.c - what a proposal costs: median time of ask and tell against the number of trials so
 * far.
 *
 *     bench_ask [STRATEGY [N_PARAMS [N_TRIALS]]]         default: tpe, 10, 5000 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "search/strategy.h"

static const struct {
    const char *name;
    enum kd_param_type type;
    double min, max;
    enum kd_distribution distribution;
} kinds[][3] = {
    {{"double", KD_PARAM_DOUBLE, 0, 1, KD_UNIFORM},
     {"double", KD_PARAM_DOUBLE, 1e-5, 1, KD_LOG_UNIFORM},
     {"double", KD_PARAM_DOUBLE, -1, 1, KD_UNIFORM}},
    {{"mixed", KD_PARAM_DOUBLE, 1e-5, 1, KD_LOG_UNIFORM},
     {"mixed", KD_PARAM_INT, 1, 16, KD_UNIFORM},
     {"mixed", KD_PARAM_INT, 1, 512, KD_LOG_UNIFORM}},
};

static void fill(struct kd_space *space, size_t kind, int n_params)
{
    space->n_params = n_params;
    space->params = KD_NEW_ARRAY(struct kd_param, (size_t)n_params);
    for (int i = 0; i < n_params; i++) {
        space->params[i] = (struct kd_param){.name = kd_format("p%d", i),
                                             .type = kinds[kind][i % 3].type,
                                             .min = kinds[kind][i % 3].min,
                                             .max = kinds[kind][i % 3].max,
                                             .distribution = kinds[kind][i % 3].distribution};
        kd_param_check(&space->params[i], NULL);
    }
}

static double objective(const struct kd_space *space, const double *point)
{
    double sum = 0;
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_param *param = &space->params[i];
        double at = (point[i] - param->min) / (param->max - param->min) - 0.3;
        sum += at * at;
    }
    return sum;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool is_shown(int n_trials)
{
    static const int shown[] = {100, 250, 500, 1000, 5000, 10000};
    for (size_t i = 0; i < KD_COUNT(shown); i++) {
        if (shown[i] == n_trials)
            return true;
    }
    return false;
}

static void bench(const struct kd_strategy *strategy, size_t kind, int n_params, int n_trials)
{
    enum { WINDOW = 51 };
    struct kd_space space;
    struct kd_history history;
    struct kd_settings settings;
    struct kd_error err = {0};
    double times[WINDOW];
    fill(&space, kind, n_params);
    kd_history_init(&history, &space);
    kd_settings_init(&settings, strategy->settings);
    struct kd_task task = {.space = &space, .n_objectives = 1};
    struct kd_sampler *sampler = kd_sampler_new(strategy, &task, &settings, 1, &err);
    double *point = KD_NEW_ARRAY(double, (size_t)n_params);
    for (int i = 0; sampler && i <= n_trials; i++) {
        int64_t start = kd_clock_mono_us();
        if (kd_sampler_ask(sampler, &history, 1, point) == 0)
            break;
        kd_history_add(&history, point);
        kd_history_finish(&history, i, KD_COMPLETE, objective(&space, point));
        times[i % WINDOW] = (double)(kd_clock_mono_us() - start) / 1000;
        if (!is_shown(i))
            continue;
        qsort(times, WINDOW, sizeof *times, ascending);
        printf("%-8s %-8s %3d parameters  n = %5d  ask + tell %8.3f ms\n", strategy->name,
               kinds[kind][0].name, n_params, i, times[WINDOW / 2]);
    }
    if (!sampler)
        fprintf(stderr, "%s\n", err.text);
    free(point);
    kd_sampler_free(sampler);
    kd_settings_release(&settings);
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(int argc, char **argv)
{
    const struct kd_strategy *strategy = kd_strategy_find(argc > 1 ? argv[1] : "tpe");
    int n_params = argc > 2 ? atoi(argv[2]) : 10;
    int n_trials = argc > 3 ? atoi(argv[3]) : 5000;
    if (!strategy || n_params < 1 || n_trials < 1) {
        fprintf(stderr, "usage: bench_ask [STRATEGY [N_PARAMS [N_TRIALS]]]\n");
        return 2;
    }
    for (size_t kind = 0; kind < KD_COUNT(kinds); kind++)
        bench(strategy, kind, n_params, n_trials);
    return 0;
}
