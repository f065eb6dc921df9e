/* helper.h - spaces and histories for the tests of search/. */
#ifndef KD_TESTS_SEARCH_HELPER_H
#define KD_TESTS_SEARCH_HELPER_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/base/mem.h"
#include "search/history.h"
#include "search/setting.h"
#include "search/space.h"
#include "search/strategy.h"

/* Adds a parameter to the space, checked. list: n_list texts, for the list types. */
static inline void add_list(struct kd_space *space, const char *name, enum kd_param_type type,
                            int n_list, const char *const *list)
{
    struct kd_error err;
    space->params =
        kd_realloc_array(space->params, (size_t)space->n_params + 1, sizeof *space->params);
    struct kd_param *param = &space->params[space->n_params++];
    *param = (struct kd_param){.name = kd_strdup(name), .type = type, .n_choices = n_list};
    param->choices = KD_NEW_ARRAY(char *, (size_t)n_list);
    if (type == KD_PARAM_DISCRETE)
        param->values = KD_NEW_ARRAY(double, (size_t)n_list);
    for (int i = 0; i < n_list; i++) {
        param->choices[i] = kd_strdup(list[i]);
        if (type == KD_PARAM_DISCRETE)
            param->values[i] = strtod(list[i], NULL);
    }
    if (kd_param_check(param, &err) < 0)
        fail_msg("%s: %s", name, err.text);
}

static inline void add_number(struct kd_space *space, const char *name, enum kd_param_type type,
                              double min, double max, double step,
                              enum kd_distribution distribution)
{
    struct kd_error err;
    space->params =
        kd_realloc_array(space->params, (size_t)space->n_params + 1, sizeof *space->params);
    struct kd_param *param = &space->params[space->n_params++];
    *param = (struct kd_param){.name = kd_strdup(name),
                               .type = type,
                               .min = min,
                               .max = max,
                               .step = step,
                               .distribution = distribution};
    if (kd_param_check(param, &err) < 0)
        fail_msg("%s: %s", name, err.text);
}

static inline void add_choices(struct kd_space *space, const char *name, int n)
{
    const char **texts = KD_NEW_ARRAY(const char *, (size_t)n);
    for (int i = 0; i < n; i++)
        texts[i] = kd_format("choice%d", i);
    add_list(space, name, KD_PARAM_CATEGORICAL, n, texts);
    for (int i = 0; i < n; i++)
        free((char *)texts[i]);
    free(texts);
}

/* Every type, every distribution, with and without a step. */
static inline void fill_mixed(struct kd_space *space)
{
    static const char *const sizes[] = {"16", "32", "64", "256"};
    add_number(space, "uniform", KD_PARAM_DOUBLE, -3, 5, 0, KD_UNIFORM);
    add_number(space, "log", KD_PARAM_DOUBLE, 1e-5, 1e-1, 0, KD_LOG_UNIFORM);
    add_number(space, "normal", KD_PARAM_DOUBLE, -1, 1, 0, KD_NORMAL);
    add_number(space, "log_normal", KD_PARAM_DOUBLE, 0.01, 100, 0, KD_LOG_NORMAL);
    add_number(space, "stepped", KD_PARAM_DOUBLE, 0, 1, 0.1, KD_UNIFORM);
    add_number(space, "int", KD_PARAM_INT, 1, 8, 0, KD_UNIFORM);
    add_number(space, "int_log", KD_PARAM_INT, 1, 1024, 0, KD_LOG_UNIFORM);
    add_number(space, "int_normal", KD_PARAM_INT, 5, 64, 10, KD_NORMAL);
    add_list(space, "discrete", KD_PARAM_DISCRETE, 4, sizes);
    add_choices(space, "categorical", 3);
}

/* Every value finite: what a grid needs. */
static inline void fill_finite(struct kd_space *space)
{
    static const char *const sizes[] = {"8", "1", "2"};
    add_number(space, "stepped", KD_PARAM_DOUBLE, 0, 1, 0.25, KD_UNIFORM);
    add_number(space, "int_log", KD_PARAM_INT, 1, 4, 0, KD_LOG_UNIFORM);
    add_list(space, "discrete", KD_PARAM_DISCRETE, 3, sizes);
    add_choices(space, "categorical", 2);
}

/* What a strategy is asked to solve: this space by one objective. */
static inline struct kd_task task_of(const struct kd_space *space)
{
    return (struct kd_task){.space = space, .n_objectives = 1};
}

static inline struct kd_sampler *new_sampler(const struct kd_strategy *strategy,
                                             const struct kd_space *space, uint64_t seed)
{
    struct kd_settings settings;
    struct kd_error err;
    kd_settings_init(&settings, strategy->settings);
    struct kd_task task = task_of(space);
    struct kd_sampler *sampler = kd_sampler_new(strategy, &task, &settings, seed, &err);
    if (!sampler)
        fail_msg("%s: %s", strategy->name, err.text);
    kd_settings_release(&settings);
    return sampler;
}

static inline void assert_allowed(const struct kd_space *space, const double *point)
{
    for (int i = 0; i < space->n_params; i++) {
        if (!kd_param_allows(&space->params[i], point[i]))
            fail_msg("%s cannot be %.17g", space->params[i].name, point[i]);
    }
}

/* A smooth objective of any point, smallest inside. */
static inline double bowl(const struct kd_space *space, const double *point)
{
    double sum = 0;
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_param *param = &space->params[i];
        double range = param->max - param->min;
        double at = range > 0 ? (point[i] - param->min) / range : 0;
        sum += (at - 0.3) * (at - 0.3);
    }
    return sum;
}

#endif
