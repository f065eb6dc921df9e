/* test_parity.c - whole models train as in PyTorch: the losses of 20 steps from the same weights,
 * data and optimizer (data/parity.txt, made by data/make_parity.py). */
#include "tests/trainer/fixture.h"

#include <stdio.h>

#include "trainer/models/plan_update.h"
#include "trainer/optim/optimizer.h"

enum { STEPS = 20, SAMPLES_MAX = 12 };

static const char mlp[] = "[{'linear': {'units': 16}}, 'relu', {'linear': {'units': 9}}, 'gelu',"
                          " {'linear': {'units': 8}}, 'silu', 'tanh', {'linear': {'units': 5}}]";
static const char cnn[] =
    "[{'conv2d': {'channels': 6, 'bias': false}}, 'batchnorm', 'relu', 'maxPool',"
    " {'residual': {'layers': [{'conv2d': {'channels': 9, 'stride': 2, 'bias': false}}, "
    "'batchnorm',"
    " 'relu', {'conv2d': {'channels': 9, 'bias': false}}, 'batchnorm'],"
    " 'shortcut': [{'conv2d': {'channels': 9, 'kernel': 1, 'stride': 2, 'bias': false}}, "
    "'batchnorm']"
    "}}, 'relu', {'avgPool': {'size': 3, 'stride': 1, 'padding': 1}}, 'globalAvgPool',"
    " {'linear': {'units': 5}}]";
static const char sgd[] = "{'name': 'sgd', 'lr': 0.1, 'momentum': 0.9}";
static const char adamw[] = "{'name': 'adamw', 'lr': 0.01, 'weightDecay': 0}";

static const char gpt_tied[] = "{'gpt': {'layers': 2, 'heads': 2, 'width': 8}}";
static const char gpt_rotary[] = "{'gpt': {'layers': 2, 'heads': 2, 'width': 8, 'rotary': true,"
                                 " 'tied': false}}";

#define TEXT                                                                                       \
    {                                                                                              \
        .n_targets = 11, .input = {                                                                \
            .shape = {{6}, .n_dims = 1},                                                           \
            .tokens = true,                                                                        \
            .vocabulary = 11,                                                                      \
            .positions = 6                                                                         \
        }                                                                                          \
    }

static const struct parity_case {
    const char *name, *model, *optimizer;
    int64_t n;
    struct shape_of_plan shape;
} cases[] = {
    {"mlp-sgd", mlp, sgd, 12, {.n_features = 10, .n_targets = 5}},
    {"mlp-adamw", mlp, adamw, 12, {.n_features = 10, .n_targets = 5}},
    {"gpt-tied", gpt_tied, adamw, 5, TEXT},
    {"gpt-rotary", gpt_rotary, adamw, 5, TEXT},
    {"cnn-sgd", cnn, sgd, 12, {.n_targets = 5, .input = {.shape = {{9, 9, 3}, .n_dims = 3}}}},
};

/* ---- the formulas of make_parity.py */

static double scale_of(const struct kd_plan_tensor *tensor)
{
    double n_in = 1;
    for (int d = 1; d < tensor->n_dims; d++)
        n_in *= (double)tensor->shape[d];
    return tensor->n_dims > 1 ? 1 / sqrt(n_in) : 0.1;
}

/* Tensors are numbered from the first layer on, while the plan has the last layer first. */
static int by_layer(const void *a, const void *b)
{
    const struct kd_plan_tensor *x = a, *y = b;
    int layer_x = atoi(x->name + strlen("layers.")), layer_y = atoi(y->name + strlen("layers."));
    if (layer_x != layer_y)
        return layer_x < layer_y ? -1 : 1;
    return x->offset < y->offset ? -1 : 1;
}

static void set_weights(struct kd_plan *plan)
{
    int n = kd_plan_n_tensors(plan);
    struct kd_plan_tensor *tensors = KD_NEW_ARRAY(struct kd_plan_tensor, (size_t)n);
    for (int i = 0; i < n; i++)
        tensors[i] = kd_plan_tensor_at(plan, i);
    qsort(tensors, (size_t)n, sizeof *tensors, by_layer);
    for (int t = 0; t < n; t++) {
        int64_t size = 1;
        float *values = kd_plan_parameters(plan) + tensors[t].offset;
        for (int d = 0; d < tensors[t].n_dims; d++)
            size *= tensors[t].shape[d];
        float start = values[0] == 1.0f ? 1.0f : 0.0f; /* scales of normalisations begin at one */
        for (int64_t i = 0; i < size && tensors[t].n_dims > 0; i++)
            values[i] = start + (float)(scale_of(&tensors[t]) * sin(1 + t + 0.7 * (double)i));
    }
    free(tensors);
}

static struct sample_set data_of(const struct parity_case *c)
{
    struct sample_set set = sample_set_for(c->n, &c->shape);
    for (int64_t i = 0; i < set.n * set.n_features; i++)
        set.x[i] = (float)sin((double)i * 0.37 + 0.2);
    for (int64_t i = 0; set.tokens && i < set.n * set.n_features; i++)
        set.tokens[i] = (int32_t)((i * 5 + 1) % c->shape.input.vocabulary);
    for (int64_t i = 0; i < set.n * set.n_labels; i++)
        set.labels[i] = (int32_t)((i * 7 + 3) % set.n_targets);
    return set;
}

/* ---- training */

static void train(const struct parity_case *c, double losses[STEPS])
{
    struct kd_error err = {0};
    struct shape_of_plan shape = c->shape;
    struct kd_hyper hyper;
    const struct kd_optimizer *optimizer;
    json_t *block = json_of(c->optimizer);
    shape.max_batch = SAMPLES_MAX;
    assert_int_equal(kd_optimizer_read(block, &optimizer, &hyper, &err), 0);
    struct kd_plan *plan = plan_of(c->model, shape);
    struct sample_set set = data_of(c);
    kd_plan_prepare_update(plan, &(struct kd_update_options){.optimizer = optimizer});
    set_weights(plan);
    for (int step = 0; step < STEPS; step++) {
        struct kd_batch batch = batch_of(&set, 0, set.n);
        struct kd_batch_result result;
        kd_plan_backward(plan, &batch, &result);
        losses[step] = result.loss_sum / (double)batch.n_counted;
        hyper.step = step + 1;
        kd_plan_update(plan, &hyper, false);
    }
    sample_set_release(&set);
    kd_plan_free(plan);
    json_decref(block);
}

/* The stored losses are of float64 arithmetic; float32 stays within a relative 1e-4 of them over 20
 * steps. */
static void check_case(const struct parity_case *c, FILE *stored)
{
    double losses[STEPS];
    char name[64];
    if (fscanf(stored, "%63s", name) != 1 || strcmp(name, c->name) != 0)
        fail_msg("parity.txt is not of these cases: %s is missing", c->name);
    train(c, losses);
    for (int step = 0; step < STEPS; step++) {
        char text[64];
        assert_int_equal(fscanf(stored, "%63s", text), 1);
        double wanted = strtod(text, NULL);
        if (fabs(losses[step] - wanted) > 1e-4 * wanted + 1e-6)
            fail_msg("%s: the loss of step %d is %.9f, PyTorch's is %.9f", c->name, step + 1,
                     losses[step], wanted);
    }
}

static void models_train_as_in_pytorch(void **state)
{
    (void)state;
    FILE *stored = fopen(KD_SOURCE_DIR "/tests/trainer/data/parity.txt", "r");
    assert_non_null(stored);
    for (size_t c = 0; c < KD_COUNT(cases); c++)
        check_case(&cases[c], stored);
    fclose(stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_train_as_in_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
