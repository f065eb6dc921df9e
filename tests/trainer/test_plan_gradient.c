/* test_plan_gradient.c - gradients against finite differences of the plan's own loss, and against
 * those of other splits of the batch over ranks and micro-batches. */
#include "tests/trainer/fixture.h"

#include "tests/trainer/thread_comm.h"
#include "trainer/config.h"
#include "trainer/models/layer.h"

/* One model per layer kind, and mixtures: fused and not, activation first and last, both losses.
 * input: five numbers where nothing else is said. */
static const struct gradient_case {
    const char *layer, *model;
    enum kd_loss loss;
    struct kd_input input;
} cases[] = {
    {.layer = "linear", .model = "[{'linear': {'units': 4}}]", .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "linear",
     .model = "[{'linear': {'units': 7}}, {'linear': {'units': 4}}]",
     .loss = KD_LOSS_MSE},
    {.layer = "relu",
     .model = "[{'linear': {'units': 9}}, 'relu', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "gelu",
     .model = "[{'linear': {'units': 9}}, 'gelu', {'linear': {'units': 4}}, 'gelu']",
     .loss = KD_LOSS_MSE},
    {.layer = "tanh",
     .model = "['tanh', {'linear': {'units': 9}}, 'tanh', 'tanh', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "tanh", .model = "[{'linear': {'units': 4}}, 'tanh', 'gelu']", .loss = KD_LOSS_MSE},
    {.layer = "relu", .model = "[{'linear': {'units': 4}}, 'relu']", .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "tanh", .model = "[{'linear': {'units': 4}}, 'tanh']", .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "dropout",
     .model = "['dropout', {'linear': {'units': 12}}, {'dropout': {'p': 0.25}}, 'gelu',"
              " {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "dropout",
     .model = "[{'linear': {'units': 8}}, 'tanh', {'linear': {'units': 4}}, 'dropout']",
     .loss = KD_LOSS_MSE},
    {.layer = "silu",
     .model = "[{'linear': {'units': 9}}, 'silu', 'silu', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_MSE},
    {.layer = "linear",
     .model = "[{'linear': {'units': 6, 'bias': false}}, 'tanh', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "flatten",
     .model = "['flatten', {'linear': {'units': 6}}, 'tanh', 'flatten', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{2, 3, 2}, .n_dims = 3}}},
    {.layer = "residual",
     .model =
         "[{'linear': {'units': 6}}, {'residual': {'layers': [{'linear': {'units': 6}}, 'tanh']}},"
         " {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "residual",
     .model =
         "[{'linear': {'units': 6}}, 'tanh', {'residual': {'layers': ['gelu', {'linear': {'units': "
         "4}}],"
         " 'shortcut': [{'linear': {'units': 4}}, 'tanh']}}]",
     .loss = KD_LOSS_MSE},
    /* Both ways hand the gradient on, or the shortcut is the input twice over. */
    {.layer = "residual",
     .model =
         "[{'linear': {'units': 4}}, {'residual': {'layers': ['flatten'], 'shortcut': "
         "['flatten']}},"
         " {'residual': {'layers': [{'residual': {'layers': ['tanh']}}, {'residual': {'layers': "
         "['silu']}}]}}]",
     .loss = KD_LOSS_MSE},
    {.layer = "layernorm",
     .model = "['layernorm', {'linear': {'units': 6}}, {'layernorm': {'epsilon': 0.01, 'bias': "
              "false}}, {'residual': {'layers': ['layernorm', {'linear': {'units': 6}}]}},"
              " 'layernorm', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "embedding",
     .model = "[{'embedding': {'size': 3, 'vocabulary': 8, 'deviation': 0.5}}, 'tanh',"
              " {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{5}, .n_dims = 1}, .tokens = true, .vocabulary = 6, .positions = 5}},
    {.layer = "positions",
     .model = "[{'embedding': {'size': 3, 'deviation': 0.5}}, {'positions': {'deviation': 0.5}},"
              " {'residual': {'layers': ['positions', {'linear': {'units': 3}}, 'positions']}},"
              " 'tanh', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{5}, .n_dims = 1}, .tokens = true, .vocabulary = 6, .positions = 5}},
    {.layer = "attention",
     .model = "[{'embedding': {'size': 6, 'deviation': 1}}, {'positions': {'deviation': 0.5}},"
              " {'linear': {'units': 18}}, {'attention': {'heads': 2}}, {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{5}, .n_dims = 1}, .tokens = true, .vocabulary = 6, .positions = 5}},
    {.layer = "attention",
     .model = "[{'linear': {'units': 12}}, {'residual': {'layers': [{'linear': {'units': 36}},"
              " {'attention': {'heads': 3, 'rotary': true}}]}}, 'flatten',"
              " {'linear': {'units': 4}}]",
     .loss = KD_LOSS_MSE,
     .input = {.shape = {{3, 4}, .n_dims = 2}}},
    {.layer = "tiedHead",
     .model = "[{'embedding': {'size': 4, 'deviation': 0.5}}, 'tanh', {'linear': {'units': 4}},"
              " 'tiedHead']",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{5}, .n_dims = 1}, .tokens = true, .vocabulary = 4, .positions = 5}},
    /* A block as the preset gpt writes it, with start weights and epsilons beside which the
     * difference's step is small. */
    {.layer = "attention",
     .model =
         "[{'embedding': {'size': 4, 'deviation': 0.7}}, 'positions', {'dropout': {'p': 0.2}},"
         " {'residual': {'layers': [{'layernorm': {'epsilon': 0.1}}, {'linear': {'units': 12}},"
         " {'attention': {'heads': 1, 'rotary': 1}}, {'linear': {'units': 4}}]}},"
         " {'residual': {'layers': [{'layernorm': {'epsilon': 0.1}}, {'linear': {'units': 8}},"
         " 'gelu', {'linear': {'units': 4, 'deviation': 0.4}}]}},"
         " {'layernorm': {'epsilon': 0.1}}, 'tiedHead']",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{5}, .n_dims = 1}, .tokens = true, .vocabulary = 4, .positions = 5}},
    {.layer = "conv2d",
     .model = "[{'conv2d': {'channels': 3}}, 'tanh', {'conv2d': {'channels': 2, 'kernel': 2, "
              "'stride': 2, 'padding': 0, 'bias': false}}, 'tanh', 'flatten',"
              " {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{5, 4, 2}, .n_dims = 3}}},
    /* The block's input gets gradients from two convolutions, of which one adds. */
    {.layer = "conv2d",
     .model = "[{'conv2d': {'channels': 3}}, {'residual': {'layers': ['tanh', {'conv2d': "
              "{'channels': 4, 'stride': 2}}], 'shortcut': [{'conv2d': {'channels': 4, 'kernel': "
              "1, 'stride': 2}}]}}, 'globalAvgPool']",
     .loss = KD_LOSS_MSE,
     .input = {.shape = {{5, 4, 3}, .n_dims = 3}}},
    {.layer = "batchnorm",
     .model = "['batchnorm', {'linear': {'units': 6}}, {'batchnorm': {'epsilon': 0.1}}, 'tanh',"
              " {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "batchnorm",
     .model = "[{'conv2d': {'channels': 3, 'bias': false}}, {'batchnorm': {'epsilon': 0.1}},"
              " {'residual': {'layers': [{'batchnorm': {'epsilon': 0.1}}, 'tanh', {'conv2d': "
              "{'channels': 3}}, {'batchnorm': {'epsilon': 0.1}}]}}, 'tanh', 'flatten',"
              " {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{4, 4, 2}, .n_dims = 3}}},
    {.layer = "batchnorm",
     .model = "[{'linear': {'units': 6}}, {'batchnorm': {'epsilon': 0.1}}, 'relu',"
              " {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY},
    {.layer = "maxPool",
     .model = "[{'conv2d': {'channels': 3}}, 'maxPool', 'tanh', {'maxPool': {'size': 3, 'stride': "
              "1, 'padding': 1}}, 'flatten', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{6, 5, 2}, .n_dims = 3}}},
    {.layer = "avgPool",
     .model = "[{'conv2d': {'channels': 3}}, 'avgPool', 'tanh', {'avgPool': {'size': 3, 'stride': "
              "2, 'padding': 1}}, 'flatten', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{6, 5, 2}, .n_dims = 3}}},
    {.layer = "globalAvgPool",
     .model = "[{'conv2d': {'channels': 5}}, 'tanh', 'globalAvgPool', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_CROSS_ENTROPY,
     .input = {.shape = {{5, 6, 2}, .n_dims = 3}}},
    {.layer = "linear",
     .model = "[{'linear': {'units': 6}}, 'tanh', {'linear': {'units': 4}}]",
     .loss = KD_LOSS_BCE},
    {.layer = "tanh", .model = "[{'linear': {'units': 4}}, 'tanh']", .loss = KD_LOSS_BCE},
};

enum { SAMPLES = 11 };

static struct shape_of_plan shape_for(size_t c)
{
    return (struct shape_of_plan){.n_features = 5,
                                  .n_targets = 4,
                                  .max_batch = SAMPLES,
                                  .loss = cases[c].loss,
                                  .input = cases[c].input};
}

static double loss_at(struct kd_plan *plan, const struct kd_batch *batch)
{
    struct kd_batch_result result;
    kd_plan_backward(plan, batch, &result);
    return result.loss_sum / (double)batch->n_counted;
}

/* The fourth-order central difference leaves the loss's own float32 roundings, about 1e-7 / h. */
static double slope(struct kd_plan *plan, const struct kd_batch *batch, int64_t i)
{
    const double h = 0.01;
    float *p = kd_plan_parameters(plan) + i, before = *p;
    double at[5];
    for (int k = -2; k <= 2; k++) {
        *p = (float)((double)before + h * k);
        at[k + 2] = loss_at(plan, batch);
    }
    *p = before;
    return (8 * (at[3] - at[1]) - (at[4] - at[0])) / (12 * h);
}

static void check_gradient(size_t c)
{
    struct shape_of_plan shape = shape_for(c);
    struct sample_set set = sample_set_for(SAMPLES, &shape);
    struct kd_plan *plan = plan_of(cases[c].model, shape);
    struct kd_batch batch = batch_of(&set, 0, SAMPLES);
    int64_t n = kd_plan_n_parameters(plan);
    loss_at(plan, &batch);
    float *gradient = copy_of(kd_plan_gradients(plan), n);
    int n_off = 0;
    for (int64_t i = 0; i < n; i++)
        n_off += fabs(slope(plan, &batch, i) - (double)gradient[i]) > 2e-4;
    /* A relu whose input crosses zero within the step bends the difference, not the gradient; so
     * does a change of the greatest. */
    bool bent = strstr(cases[c].model, "relu") || strstr(cases[c].model, "maxPool");
    if (n_off > (bent ? n / 4 : 0))
        fail_msg("%s: %d of %d gradients differ from finite differences", cases[c].model, n_off,
                 (int)n);
    free(gradient);
    kd_plan_free(plan);
    sample_set_release(&set);
}

static void gradients_agree_with_finite_differences(void **state)
{
    (void)state;
    for (size_t c = 0; c < KD_COUNT(cases); c++)
        check_gradient(c);
}

static void every_layer_has_a_gradient_case(void **state)
{
    (void)state;
    for (int i = 0; kd_layers[i]; i++) {
        bool covered = false;
        for (size_t c = 0; c < KD_COUNT(cases); c++)
            covered |= strcmp(cases[c].layer, kd_layers[i]->name) == 0;
        if (!covered)
            fail_msg("add a case for the layer %s", kd_layers[i]->name);
    }
}

static void every_loss_has_a_gradient_case(void **state)
{
    (void)state;
    for (int i = 0; kd_losses[i].name; i++) {
        bool covered = false;
        for (size_t c = 0; c < KD_COUNT(cases); c++)
            covered |= cases[c].loss == kd_losses[i].loss;
        if (!covered)
            fail_msg("add a case for the loss %s", kd_losses[i].name);
    }
}

/* A step of one case on ranks that hold counts[r] samples each, in order; what rank 0 ends with. */
struct split {
    size_t c;
    const struct sample_set *set;
    int64_t counts[4];
    float *gradient; /* owned, of rank 0 */
    int64_t n;
    double sums[2]; /* loss, correct; over the ranks */
};

static void run_rank(struct kd_comm *comm, void *ud)
{
    struct split *split = ud;
    struct shape_of_plan shape = shape_for(split->c);
    shape.comm = comm;
    struct kd_plan *plan = plan_of(cases[split->c].model, shape);
    int64_t from = 0;
    for (int r = 0; r < comm->rank; r++)
        from += split->counts[r];
    struct kd_batch batch = batch_of(split->set, from, split->counts[comm->rank]);
    struct kd_batch_result result;
    kd_plan_backward(plan, &batch, &result);
    kd_plan_finish(plan);
    double sums[2] = {result.loss_sum, (double)result.n_correct};
    comm->backend->sum_doubles(comm, sums, 2);
    if (comm->rank == 0) {
        split->n = kd_plan_n_parameters(plan);
        split->gradient = copy_of(kd_plan_gradients(plan), split->n);
        memcpy(split->sums, sums, sizeof sums);
    }
    kd_plan_free(plan);
}

static void check_split(size_t c, const int64_t counts[4])
{
    struct shape_of_plan shape = shape_for(c);
    struct sample_set set = sample_set_for(SAMPLES, &shape);
    struct split one = {.c = c, .set = &set, .counts = {SAMPLES}}, many = {.c = c, .set = &set};
    memcpy(many.counts, counts, sizeof many.counts);
    run_ranks(1, run_rank, &one);
    run_ranks(4, run_rank, &many);
    double norm = 0, difference = 0;
    for (int64_t i = 0; i < one.n; i++) {
        double a = one.gradient[i], b = many.gradient[i];
        norm += a * a;
        difference += (a - b) * (a - b);
    }
    assert_true(norm > 0);
    if (sqrt(difference) > 1e-6 * sqrt(norm) ||
        fabs(one.sums[0] - many.sums[0]) > 1e-6 * fabs(one.sums[0]))
        fail_msg("%s: four ranks give another step", cases[c].model);
    assert_true(one.sums[1] == many.sums[1]);
    free(one.gradient), free(many.gradient);
    sample_set_release(&set);
}

static void any_split_of_a_batch_gives_the_step_of_the_whole(void **state)
{
    (void)state;
    static const int64_t splits[][4] = {{6, 5, 0, 0}, {0, 11, 0, 0}, {4, 4, 3, 0}, {1, 9, 0, 1}};
    for (size_t c = 0; c < KD_COUNT(cases); c++)
        for (size_t s = 0; s < KD_COUNT(splits); s++)
            check_split(c, splits[s]);
}

/* A step in micro-batches, and the loss's sum over them. */
static void run_micro_batches(struct kd_plan *plan, const struct sample_set *set, const int64_t *n,
                              int n_parts, double *loss)
{
    *loss = 0;
    for (int64_t part = 0, from = 0; part < n_parts; from += n[part++]) {
        struct kd_batch batch = batch_of(set, from, n[part]);
        struct kd_batch_result result;
        batch.follows = part > 0;
        batch.precedes = part + 1 < n_parts;
        kd_plan_backward(plan, &batch, &result);
        *loss = result.loss_sum; /* of all so far */
    }
}

static void micro_batches_add_up_to_the_whole_batch(void **state)
{
    (void)state;
    static const int64_t whole[] = {SAMPLES}, parts[] = {4, 4, 3};
    for (size_t c = 0; c < KD_COUNT(cases); c++) {
        struct shape_of_plan shape = shape_for(c);
        struct sample_set set = sample_set_for(SAMPLES, &shape);
        struct kd_plan *plan = plan_of(cases[c].model, shape);
        int64_t n = kd_plan_n_parameters(plan);
        double loss_whole, loss_parts;
        if (kd_plan_n_statistics(plan) == 0) { /* batch normalisation sees its micro-batch only */
            run_micro_batches(plan, &set, whole, 1, &loss_whole);
            float *gradient = copy_of(kd_plan_gradients(plan), n);
            run_micro_batches(plan, &set, parts, 3, &loss_parts);
            assert_true(fabs(loss_whole - loss_parts) <= 1e-6 * fabs(loss_whole));
            for (int64_t i = 0; i < n; i++)
                assert_true(fabsf(gradient[i] - kd_plan_gradients(plan)[i]) <= 2e-6f);
            free(gradient);
        }
        kd_plan_free(plan);
        sample_set_release(&set);
    }
}

static void a_rank_without_samples_has_zero_gradients(void **state)
{
    (void)state;
    struct sample_set set = sample_set_new(11, 5, 4);
    struct kd_plan *plan = plan_of(cases[8].model, shape_for(8));
    struct kd_batch batch = batch_of(&set, 0, 11);
    struct kd_batch_result result;
    kd_plan_backward(plan, &batch, &result);
    batch.n = 0;
    batch.x = NULL, batch.labels = NULL, batch.samples = NULL;
    kd_plan_backward(plan, &batch, &result);
    for (int64_t i = 0; i < kd_plan_n_parameters(plan); i++)
        assert_true(kd_plan_gradients(plan)[i] == 0.0f);
    assert_true(result.loss_sum == 0 && result.n_correct == 0);
    kd_plan_free(plan);
    sample_set_release(&set);
}

static void the_mask_follows_the_sample_and_the_step(void **state)
{
    (void)state;
    struct sample_set set = sample_set_new(11, 5, 4);
    struct kd_plan *plan = plan_of(cases[8].model, shape_for(8));
    struct kd_batch batch = batch_of(&set, 0, 11);
    double first = loss_at(plan, &batch), again = loss_at(plan, &batch);
    batch.step++;
    double next_step = loss_at(plan, &batch);
    batch.step--, batch.seed++;
    double next_seed = loss_at(plan, &batch);
    assert_true(first == again && first != next_step && first != next_seed);
    kd_plan_free(plan);
    sample_set_release(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_agree_with_finite_differences),
        cmocka_unit_test(every_layer_has_a_gradient_case),
        cmocka_unit_test(every_loss_has_a_gradient_case),
        cmocka_unit_test(any_split_of_a_batch_gives_the_step_of_the_whole),
        cmocka_unit_test(micro_batches_add_up_to_the_whole_batch),
        cmocka_unit_test(a_rank_without_samples_has_zero_gradients),
        cmocka_unit_test(the_mask_follows_the_sample_and_the_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
