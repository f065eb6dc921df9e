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
#include "trainer/models/plan_update.h"
#include "trainer/optim/optimizer.h"

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

/* input: for images and tokens; else n_features numbers. */
struct shape_of_plan {
    int64_t n_features, n_targets, max_batch;
    enum kd_loss loss;
    struct kd_input input;
    struct kd_comm *comm;
};

static inline struct kd_input input_of(const struct shape_of_plan *shape)
{
    struct kd_input input = shape->input;
    if (input.shape.n_dims == 0)
        input.shape = (struct kd_shape){{shape->n_features}, .n_dims = 1};
    input.n_outputs = shape->n_targets;
    return input;
}

static inline struct kd_plan *plan_try(const char *text, struct shape_of_plan shape,
                                       struct kd_error *err)
{
    json_t *model = json_of(text);
    struct kd_plan *plan =
        kd_plan_new(&(struct kd_plan_options){.model = model,
                                              .input = input_of(&shape),
                                              .loss = shape.loss,
                                              .max_batch = shape.max_batch,
                                              .device = kd_device_find("cpu", NULL),
                                              .comm = shape.comm},
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

/* Random samples with labels, targets and (where the input is tokens) tokens, all owned. */
struct sample_set {
    float *x, *targets;
    int32_t *labels, *tokens;
    int64_t *samples;
    int64_t n, n_features, n_targets, n_labels; /* n_labels: of each sample */
};

static inline float *random_floats(struct kd_rng *rng, int64_t n)
{
    float *x = KD_NEW_ARRAY(float, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(2 * kd_rng_uniform(rng) - 1);
    return x;
}

static inline int32_t *random_below(struct kd_rng *rng, int64_t n, int64_t end)
{
    int32_t *x = KD_NEW_ARRAY(int32_t, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (int32_t)kd_rng_below(rng, (uint64_t)end);
    return x;
}

static inline struct sample_set sample_set_for(int64_t n, const struct shape_of_plan *shape)
{
    struct kd_rng rng = kd_rng_at(3, 5);
    struct kd_input input = input_of(shape);
    struct sample_set set = {.n = n,
                             .n_features = kd_shape_count(input.shape),
                             .n_targets = shape->n_targets,
                             .n_labels = input.positions > 0 ? input.positions : 1};
    set.samples = KD_NEW_ARRAY(int64_t, (size_t)n);
    set.x = random_floats(&rng, n * set.n_features);
    set.targets = random_floats(&rng, n * set.n_targets);
    set.labels = random_below(&rng, n * set.n_labels, set.n_targets);
    if (input.tokens)
        set.tokens = random_below(&rng, n * set.n_features, input.vocabulary);
    for (int64_t i = 0; i < n; i++)
        set.samples[i] = 1000 + 3 * i;
    return set;
}

static inline struct sample_set sample_set_new(int64_t n, int64_t n_features, int64_t n_targets)
{
    struct shape_of_plan shape = {.n_features = n_features, .n_targets = n_targets};
    return sample_set_for(n, &shape);
}

static inline void sample_set_release(struct sample_set *set)
{
    free(set->x), free(set->targets), free(set->labels), free(set->samples), free(set->tokens);
}

/* Samples from .. from + n as one rank's part of a step over all of them. */
static inline struct kd_batch batch_of(const struct sample_set *set, int64_t from, int64_t n)
{
    return (struct kd_batch){
        .x = set->tokens ? NULL : set->x + from * set->n_features,
        .tokens = set->tokens ? set->tokens + from * set->n_features : NULL,
        .labels = set->labels + from * set->n_labels,
        .targets = set->targets + from * set->n_targets,
        .n = n,
        .n_global = set->n,
        .n_counted = set->n * set->n_labels,
        .samples = set->samples + from,
        .step = 12,
        .seed = 99,
    };
}

static inline void update_by(struct kd_plan *plan, const char *optimizer)
{
    struct kd_update_options options = {.optimizer = kd_optimizer_find(optimizer)};
    assert_non_null(options.optimizer);
    kd_plan_prepare_update(plan, &options);
}

static inline float *copy_of(const float *x, int64_t n)
{
    float *copy = KD_NEW_ARRAY(float, (size_t)n);
    memcpy(copy, x, (size_t)n * sizeof *x);
    return copy;
}

#endif
