/* fixture.h - plans and batches for the tests of models and optimizers. */
#ifndef KD_TESTS_TRAINER_FIXTURE_H
#define KD_TESTS_TRAINER_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "trainer/models/plan.h"

/* JSON with ' for ". */
static inline json_t *json_of(const char *text)
{
    char *copy = kd_strdup(text);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_error_t error;
    json_t *json = json_loads(copy, JSON_DECODE_ANY, &error);
    if (!json)
        fail_msg("%s: %s", text, error.text);
    free(copy);
    return json;
}

struct shape_of_plan {
    int64_t n_features, n_targets, max_batch;
    enum kd_loss loss;
};

static inline struct kd_plan *plan_try(const char *text, struct shape_of_plan shape,
                                       struct kd_error *err)
{
    json_t *model = json_of(text);
    struct kd_plan *plan = kd_plan_new(&(struct kd_plan_options){.model = model,
                                                                 .n_features = shape.n_features,
                                                                 .n_targets = shape.n_targets,
                                                                 .loss = shape.loss,
                                                                 .max_batch = shape.max_batch,
                                                                 .device = "cpu"},
                                       err);
    json_decref(model);
    return plan;
}

static inline struct kd_plan *plan_of(const char *text, struct shape_of_plan shape)
{
    struct kd_error err = {0};
    struct kd_plan *plan = plan_try(text, shape, &err);
    if (!plan)
        fail_msg("%s", err.text);
    kd_plan_reset(plan, 7);
    return plan;
}

/* Random samples with both labels and targets, all owned. */
struct sample_set {
    float *x, *targets;
    int32_t *labels;
    int64_t *samples;
    int64_t n, n_features, n_targets;
};

static inline struct sample_set sample_set_new(int64_t n, int64_t n_features, int64_t n_targets)
{
    struct kd_rng rng = kd_rng_at(3, 5);
    struct sample_set set = {
        .x = KD_NEW_ARRAY(float, (size_t)(n * n_features)),
        .targets = KD_NEW_ARRAY(float, (size_t)(n * n_targets)),
        .labels = KD_NEW_ARRAY(int32_t, (size_t)n),
        .samples = KD_NEW_ARRAY(int64_t, (size_t)n),
        .n = n,
        .n_features = n_features,
        .n_targets = n_targets,
    };
    for (int64_t i = 0; i < n * n_features; i++)
        set.x[i] = (float)(2 * kd_rng_uniform(&rng) - 1);
    for (int64_t i = 0; i < n * n_targets; i++)
        set.targets[i] = (float)(2 * kd_rng_uniform(&rng) - 1);
    for (int64_t i = 0; i < n; i++) {
        set.labels[i] = (int32_t)kd_rng_below(&rng, (uint64_t)n_targets);
        set.samples[i] = 1000 + 3 * i;
    }
    return set;
}

static inline void sample_set_release(struct sample_set *set)
{
    free(set->x), free(set->targets), free(set->labels), free(set->samples);
}

/* Samples from .. from + n as one rank's part of a step over all of them. */
static inline struct kd_batch batch_of(const struct sample_set *set, int64_t from, int64_t n)
{
    return (struct kd_batch){
        .x = set->x + from * set->n_features,
        .labels = set->labels + from,
        .targets = set->targets + from * set->n_targets,
        .n = n,
        .n_global = set->n,
        .samples = set->samples + from,
        .step = 12,
        .seed = 99,
    };
}

static inline float *copy_of(const float *x, int64_t n)
{
    float *copy = KD_NEW_ARRAY(float, (size_t)n);
    memcpy(copy, x, (size_t)n * sizeof *x);
    return copy;
}

#endif
