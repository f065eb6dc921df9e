/* test_plan_gradient.c - gradients against finite differences of the plan's own loss, and against its own sums when a
 * batch is split over ranks. */
#include "tests/trainer/fixture.h"

#include "trainer/models/layer.h"

/* One model per layer kind, and mixtures: fused and not, activation first and last, both losses. */
static const struct {
    const char *layer, *model;
    enum kd_loss loss;
} cases[] = {
    {"linear", "[{'linear': {'units': 4}}]", KD_LOSS_CROSS_ENTROPY},
    {"linear", "[{'linear': {'units': 7}}, {'linear': {'units': 4}}]", KD_LOSS_MSE},
    {"relu", "[{'linear': {'units': 9}}, 'relu', {'linear': {'units': 4}}]", KD_LOSS_CROSS_ENTROPY},
    {"gelu", "[{'linear': {'units': 9}}, 'gelu', {'linear': {'units': 4}}, 'gelu']", KD_LOSS_MSE},
    {"tanh", "['tanh', {'linear': {'units': 9}}, 'tanh', 'tanh', {'linear': {'units': 4}}]",
     KD_LOSS_CROSS_ENTROPY},
    {"tanh", "[{'linear': {'units': 4}}, 'tanh', 'gelu']", KD_LOSS_MSE},
    {"relu", "[{'linear': {'units': 4}}, 'relu']", KD_LOSS_CROSS_ENTROPY},
    {"tanh", "[{'linear': {'units': 4}}, 'tanh']", KD_LOSS_CROSS_ENTROPY},
    {"dropout",
     "['dropout', {'linear': {'units': 12}}, {'dropout': {'p': 0.25}}, 'gelu',"
     " {'linear': {'units': 4}}]",
     KD_LOSS_CROSS_ENTROPY},
    {"dropout", "[{'linear': {'units': 8}}, 'tanh', {'linear': {'units': 4}}, 'dropout']",
     KD_LOSS_MSE},
};

static struct shape_of_plan shape_for(size_t c)
{
    return (struct shape_of_plan){
        .n_features = 5, .n_targets = 4, .max_batch = 11, .loss = cases[c].loss};
}

static double loss_at(struct kd_plan *plan, const struct kd_batch *batch)
{
    struct kd_batch_result result;
    kd_plan_backward(plan, batch, &result);
    return result.loss_sum / (double)batch->n_global;
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

static void check_gradient(size_t c, const struct sample_set *set)
{
    struct kd_plan *plan = plan_of(cases[c].model, shape_for(c));
    struct kd_batch batch = batch_of(set, 0, set->n);
    int64_t n = kd_plan_n_parameters(plan);
    loss_at(plan, &batch);
    float *gradient = copy_of(kd_plan_gradients(plan), n);
    int n_off = 0;
    for (int64_t i = 0; i < n; i++)
        n_off += fabs(slope(plan, &batch, i) - (double)gradient[i]) > 2e-4;
    /* A relu whose input crosses zero within the step bends the difference, not the gradient. */
    bool bent = strstr(cases[c].model, "relu");
    if (n_off > (bent ? n / 4 : 0))
        fail_msg("%s: %d of %d gradients differ from finite differences", cases[c].model, n_off,
                 (int)n);
    free(gradient);
    kd_plan_free(plan);
}

static void gradients_agree_with_finite_differences(void **state)
{
    (void)state;
    struct sample_set set = sample_set_new(11, 5, 4);
    for (size_t c = 0; c < KD_COUNT(cases); c++)
        check_gradient(c, &set);
    sample_set_release(&set);
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

/* The sum over ranks that hold counts[r] samples each, in order. */
static struct kd_batch_result split_gradient(struct kd_plan *plan, const struct sample_set *set,
                                             const int64_t *counts, int n_ranks, double *sum)
{
    struct kd_batch_result total = {0};
    int64_t from = 0;
    for (int r = 0; r < n_ranks; from += counts[r++]) {
        struct kd_batch batch = batch_of(set, from, counts[r]);
        struct kd_batch_result result;
        kd_plan_backward(plan, &batch, &result);
        total.loss_sum += result.loss_sum;
        total.n_correct += result.n_correct;
        for (int64_t i = 0; i < kd_plan_n_parameters(plan); i++)
            sum[i] += (double)kd_plan_gradients(plan)[i];
    }
    return total;
}

static void check_split(size_t c, const struct sample_set *set, const int64_t *counts, int n_ranks)
{
    struct kd_plan *plan = plan_of(cases[c].model, shape_for(c));
    int64_t n = kd_plan_n_parameters(plan), all = set->n;
    double *whole = KD_NEW_ARRAY(double, (size_t)n), *parts = KD_NEW_ARRAY(double, (size_t)n);
    struct kd_batch_result one = split_gradient(plan, set, &all, 1, whole);
    struct kd_batch_result many = split_gradient(plan, set, counts, n_ranks, parts);
    double norm = 0, difference = 0;
    for (int64_t i = 0; i < n; i++) {
        norm += whole[i] * whole[i];
        difference += (whole[i] - parts[i]) * (whole[i] - parts[i]);
    }
    assert_true(norm > 0);
    assert_true(sqrt(difference) <= 1e-6 * sqrt(norm));
    assert_true(fabs(one.loss_sum - many.loss_sum) <= 1e-6 * fabs(one.loss_sum));
    assert_int_equal(one.n_correct, many.n_correct);
    free(whole), free(parts);
    kd_plan_free(plan);
}

static void any_split_of_a_batch_sums_to_the_whole(void **state)
{
    (void)state;
    static const int64_t splits[][4] = {{6, 5, 0, 0}, {0, 11, 0, 0}, {4, 4, 3, 0}, {1, 9, 0, 1}};
    struct sample_set set = sample_set_new(11, 5, 4);
    for (size_t c = 0; c < KD_COUNT(cases); c++)
        for (size_t s = 0; s < KD_COUNT(splits); s++)
            check_split(c, &set, splits[s], 4);
    sample_set_release(&set);
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
        cmocka_unit_test(any_split_of_a_batch_sums_to_the_whole),
        cmocka_unit_test(a_rank_without_samples_has_zero_gradients),
        cmocka_unit_test(the_mask_follows_the_sample_and_the_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
