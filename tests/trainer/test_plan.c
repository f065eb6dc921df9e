#include "tests/trainer/fixture.h"

#include "trainer/models/describe.h"
#include "trainer/models/layer.h"
#include "trainer/models/plan_update.h"
#include "trainer/models/preset.h"

static const char deep[] = "[{'linear': {'units': 16}}, 'relu', {'dropout': {'p': 0.3}},"
                           " {'linear': {'units': 8}}, 'gelu', {'linear': {'units': 5}}]";
#define deep_shape_values                                                                          \
    {                                                                                              \
        .n_features = 6, .n_targets = 5, .max_batch = 32                                           \
    }
#define tokens_of_eight                                                                            \
    {                                                                                              \
        .shape = {{8}, .n_dims = 1}, .tokens = true, .vocabulary = 50, .positions = 8              \
    }
static const struct shape_of_plan deep_shape = deep_shape_values;

static void tensors_lie_in_reverse_layer_order(void **state)
{
    (void)state;
    struct kd_plan *plan = plan_of(deep, deep_shape);
    static const struct kd_plan_tensor want[] = {
        {"layers.5.weight", 0, {5, 8}, 2},    {"layers.5.bias", 40, {5}, 1},
        {"layers.3.weight", 45, {8, 16}, 2},  {"layers.3.bias", 173, {8}, 1},
        {"layers.0.weight", 181, {16, 6}, 2}, {"layers.0.bias", 277, {16}, 1},
    };
    assert_int_equal(kd_plan_n_tensors(plan), KD_COUNT(want));
    assert_int_equal(kd_plan_n_parameters(plan), 293);
    for (int i = 0; i < (int)KD_COUNT(want); i++) {
        struct kd_plan_tensor got = kd_plan_tensor_at(plan, i);
        assert_string_equal(got.name, want[i].name);
        assert_int_equal(got.offset, want[i].offset);
        assert_int_equal(got.n_dims, want[i].n_dims);
        assert_memory_equal(got.shape, want[i].shape, sizeof got.shape);
    }
    kd_plan_free(plan);
}

static void weights_are_a_function_of_seed_and_layer(void **state)
{
    (void)state;
    struct kd_plan *plan = plan_of(deep, deep_shape);
    int64_t n = kd_plan_n_parameters(plan);
    float *first = copy_of(kd_plan_parameters(plan), n);
    kd_plan_reset(plan, 8);
    assert_memory_not_equal(first, kd_plan_parameters(plan), (size_t)n * sizeof *first);
    kd_plan_reset(plan, 7);
    assert_memory_equal(first, kd_plan_parameters(plan), (size_t)n * sizeof *first);
    /* He before relu, sqrt(6 / 6); Glorot at the end, sqrt(6 / (8 + 5)); biases start at zero. */
    double most_first = 0, most_last = 0;
    for (int64_t i = 181; i < 277; i++)
        most_first = fmax(most_first, fabs((double)first[i]));
    for (int64_t i = 0; i < 40; i++)
        most_last = fmax(most_last, fabs((double)first[i]));
    assert_true(most_first > 0.9 && most_first <= 1.0);
    assert_true(most_last > 0.5 && most_last <= sqrt(6.0 / 13));
    assert_true(first[40] == 0.0f && first[292] == 0.0f);
    free(first);
    kd_plan_free(plan);
}

static void reset_clears_gradients_and_state(void **state)
{
    (void)state;
    struct kd_plan *plan = plan_of(deep, deep_shape);
    update_by(plan, "adamw");
    kd_plan_gradients(plan)[3] = 1;
    kd_plan_state(plan, 0)[4] = 1;
    kd_plan_state(plan, 1)[5] = 1;
    kd_plan_reset(plan, 7);
    assert_true(kd_plan_gradients(plan)[3] == 0 && kd_plan_state(plan, 0)[4] == 0 &&
                kd_plan_state(plan, 1)[5] == 0);
    kd_plan_free(plan);
}

static void retune_changes_dropout_and_keeps_the_arenas(void **state)
{
    (void)state;
    struct kd_plan *plan = plan_of(deep, deep_shape);
    struct sample_set set = sample_set_new(8, 6, 5);
    struct kd_batch batch = batch_of(&set, 0, 8);
    struct kd_batch_result dropped, kept, evaluated;
    const float *arenas[] = {kd_plan_parameters(plan), kd_plan_gradients(plan),
                             kd_plan_state(plan, 0)};
    kd_plan_backward(plan, &batch, &dropped);
    json_t *model = json_of("[{'linear': {'units': 16}}, 'relu', {'dropout': {'p': 0}},"
                            " {'linear': {'units': 8}}, 'gelu', {'linear': {'units': 5}}]");
    struct kd_error err = {0};
    assert_int_equal(kd_plan_retune(plan, model, 0, &err), 0);
    assert_true(arenas[0] == kd_plan_parameters(plan) && arenas[1] == kd_plan_gradients(plan) &&
                arenas[2] == kd_plan_state(plan, 0));
    kd_plan_backward(plan, &batch, &kept);
    kd_plan_evaluate(plan, &batch, &evaluated);
    assert_true(fabs(kept.loss_sum - evaluated.loss_sum) < 1e-6);
    assert_true(fabs(kept.loss_sum - dropped.loss_sum) > 1e-3);
    json_decref(model);
    sample_set_release(&set);
    kd_plan_free(plan);
}

static void retune_refuses_another_shape(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[{'linear': {'units': 17}}, 'relu', 'dropout', {'linear': {'units': 8}}, 'gelu',"
         " {'linear': {'units': 5}}]",
         "/model/0/linear/units: is 17 where the plan has 16"},
        {"[{'linear': {'units': 16}}, 'tanh', 'dropout', {'linear': {'units': 8}}, 'gelu',"
         " {'linear': {'units': 5}}]",
         "/model/1: is tanh where the plan has relu"},
        {"[{'linear': {'units': 5}}]", "/model: has 1 layers where the plan has 6"},
        {"[{'linear': {'units': 0}}]", "/model/0/linear/units: 0 is below the least, 1"},
    };
    struct kd_plan *plan = plan_of(deep, deep_shape);
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct kd_error err = {0};
        json_t *model = json_of(cases[i][0]);
        assert_int_equal(kd_plan_retune(plan, model, 0, &err), -1);
        assert_string_equal(err.text, cases[i][1]);
        json_decref(model);
    }
    kd_plan_free(plan);
}

static void errors_point_at_the_layer(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "/model: must be a list of at least one layer, such as "
               "[{\"linear\": {\"units\": 10}}]"},
        {"[{'linear': {'units': 5}}, {'rleu': {}}]",
         "/model/1/rleu: unknown layer \"rleu\"; did you mean \"relu\"? There are: linear, relu,"},
        {"[{'linear': {}}]", "/model/0/linear/units: is missing: how many values it gives"},
        {"['linear']", "/model/0/linear/units: is missing: how many values it gives"},
        {"[{'linear': {'unit': 5}}]",
         "/model/0/linear: unknown field \"unit\"; did you mean \"units\"? There are: units"},
        {"[{'linear': {'units': '5'}}]", "/model/0/linear/units: \"5\" is not a whole number"},
        {"[{'linear': {'units': 4.5}}]", "/model/0/linear/units: 4.5 is not a whole number"},
        {"[{'linear': {'units': true}}]", "/model/0/linear/units: true is not a whole number"},
        {"[{'linear': 5}]",
         "/model/0/linear: its settings must be a mapping, such as {units: ...}"},
        {"[{'dropout': {'p': 1}}, {'linear': {'units': 5}}]",
         "/model/0/dropout/p: 1 is above the most, 1 (which is excluded itself)"},
        {"[{'relu': {}, 'tanh': {}}]", "/model/0: a layer is one name with its settings, such as "
                                       "{\"linear\": {\"units\": 64}}"},
        {"[{'relu': {'slope': 1}}]", "/model/0/relu: unknown field \"slope\"; there are: none"},
        {"[{'linear': {'units': 4}}]",
         "/model/0: the model ends with 4 values a sample, but crossEntropy needs 5 here (one per "
         "class): let the last linear layer have units: 5"},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct kd_error err = {0};
        assert_null(plan_try(cases[i][0], deep_shape, &err));
        if (strncmp(err.text, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("%s\ngot:    %s\nwanted: %s", cases[i][0], err.text, cases[i][1]);
    }
}

/* 8 tokens of 11, a label for each. */
static const struct shape_of_plan text_shape = {
    .n_targets = 11,
    .max_batch = 8,
    .input = {.shape = {{8}, .n_dims = 1}, .tokens = true, .vocabulary = 11, .positions = 8}};

static void errors_of_sequences_name_the_shape_got_and_the_shape_needed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[{'linear': {'units': 11}}]",
         "/model/0/linear: the data are tokens, so the first layer must be an embedding"},
        {"[{'embedding': {'size': 4}}, {'embedding': {'size': 4}}]",
         "/model/1/embedding: needs tokens, which text and token files give; it is here given"},
        {"[{'embedding': {'size': 4, 'vocabulary': 10}}]",
         "/model/0/embedding: has a vocabulary of 10, but the data has 11 tokens"},
        {"[{'embedding': {'size': 4}}, 'flatten', 'positions']",
         "/model/2/positions: is given 32, but needs a sequence, positions x values"},
        {"[{'embedding': {'size': 4}}, {'attention': {'heads': 2}}]",
         "/model/1/attention: is given 8x4, but needs positions x (queries, keys and values of 2 "
         "heads), a multiple of 6"},
        {"[{'embedding': {'size': 6}}, {'attention': {'heads': 2, 'rotary': true}}]",
         "/model/1/attention: is given 8x6, but needs positions x (queries, keys and values of 2 "
         "heads of even size), a multiple of 12"},
        {"[{'embedding': {'size': 4}}, {'linear': {'units': 5}}, 'tiedHead']",
         "/model/2/tiedHead: is given 8x5, but needs the embedding's size, 4,"},
        {"[{'embedding': {'size': 4}}, {'linear': {'units': 5}}]",
         "/model/1: the model ends with 5 values a position, but crossEntropy needs 11"},
        {"{'gpt': {'width': 10, 'heads': 3}}",
         "/model/gpt: width 10 is not a multiple of 3: 3 heads"},
        {"{'gpt': {'width': 6, 'heads': 2, 'rotary': true}}",
         "/model/gpt: width 6 is not a multiple of 4: 2 heads of an even size"},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct kd_error err = {0};
        assert_null(plan_try(cases[i][0], text_shape, &err));
        if (strncmp(err.text, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("%s\ngot:    %s\nwanted: %s", cases[i][0], err.text, cases[i][1]);
    }
    struct kd_error err = {0};
    assert_null(plan_try("[{'gpt': {}}]", deep_shape, &err));
    assert_string_equal(
        err.text,
        "/model/0/gpt: is given 6 numbers, but needs tokens, which text and token files give");
    assert_null(plan_try("[{'linear': {'units': 5}}, 'tiedHead']", deep_shape, &err));
}

static const struct shape_of_plan image_shape = {
    .n_targets = 5, .max_batch = 8, .input = {.shape = {{6, 5, 3}, .n_dims = 3}}};

static void errors_of_images_name_the_shape_got_and_the_shape_needed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"['flatten', {'conv2d': {'channels': 4}}]",
         "/model/1/conv2d: is given 90, but needs an image, rows x columns x channels"},
        {"[{'conv2d': {'channels': 4, 'kernel': 7, 'padding': 0}}]",
         "/model/0/conv2d: is given 6x5x3, but a window of 7 x 7 with a padding of 0 needs at "
         "least "
         "7 rows and columns"},
        {"['maxPool', 'maxPool', 'maxPool']", "/model/2/maxPool: is given 1x1x3, but a window of 2 "
                                              "x 2 with a padding of 0 needs at least 2 "
                                              "rows and columns"},
        {"[{'avgPool': {'size': 2, 'padding': 2}}]",
         "/model/0/avgPool: padding 2 is more than half of size 2, so that some windows would hold "
         "nothing but padding"},
        {"['globalAvgPool', 'globalAvgPool']",
         "/model/1/globalAvgPool: is given 3, but needs an image, rows x columns x channels, or a "
         "sequence, positions x values"},
        {"[{'conv2d': {'channels': 3}}, {'residual': {'layers': [{'conv2d': {'channels': 4, "
         "'stride': 2}}]}}]",
         "/model/1/residual: its layers give 3x3x4 but the shortcut gives 6x5x3, and both are "
         "added"},
        {"['globalAvgPool', {'resnet': {'depth': 21}}]",
         "/model/1/resnet: depth 21 is not 6 n + 2; the nearest that are: 20 and 26"},
        {"[{'conv2d': {'kernel': 5}}]", "/model/0/conv2d/channels: is missing"},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct kd_error err = {0};
        assert_null(plan_try(cases[i][0], image_shape, &err));
        if (strncmp(err.text, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("%s\ngot:    %s\nwanted: %s", cases[i][0], err.text, cases[i][1]);
    }
    struct kd_error err = {0};
    assert_null(plan_try("{'resnet': {}}", deep_shape, &err));
    assert_string_equal(err.text,
                        "/model/resnet: is given 6, but needs images, rows x columns x channels");
}

/* The first two positions have their own tokens as labels. */
static void a_gpt_learns_what_stood_two_tokens_before(void **state)
{
    (void)state;
    static const char *const models[] = {
        "{'gpt': {'layers': 2, 'heads': 2, 'width': 16}}",
        "{'gpt': {'layers': 2, 'heads': 2, 'width': 16, 'tied': false, 'rotary': true}}",
    };
    struct sample_set set = sample_set_for(8, &text_shape);
    for (int i = 0; i < 8 * 8; i++)
        set.labels[i] = set.tokens[i % 8 < 2 ? i : i - 2];
    for (size_t m = 0; m < KD_COUNT(models); m++) {
        struct kd_plan *plan = plan_of(models[m], text_shape);
        update_by(plan, "adamw");
        struct kd_batch batch = batch_of(&set, 0, set.n);
        struct kd_batch_result result = {0};
        struct kd_hyper hyper = {
            .lr = 0.005f, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-8f, .step = 1};
        for (; hyper.step <= 400; hyper.step++) {
            kd_plan_backward(plan, &batch, &result);
            kd_plan_update(plan, &hyper, false);
        }
        kd_plan_evaluate(plan, &batch, &result);
        assert_int_equal(result.n_correct, 8 * 8);
        kd_plan_free(plan);
    }
    sample_set_release(&set);
}

static void a_model_that_does_not_fit_into_memory_is_refused_not_fatal(void **state)
{
    (void)state;
    struct kd_error err = {0};
    assert_null(plan_try("[{'linear': {'units': 1000000}}, {'linear': {'units': 1000000}},"
                         " {'linear': {'units': 5}}]",
                         deep_shape, &err));
    assert_non_null(strstr(err.text, "GB: use fewer units"));
}

/* Models that are learned by heart; every preset has one. */
static const struct heart_case {
    const char *preset, *model;
    struct shape_of_plan shape;
    float lr;
} heart_cases[] = {
    {"", "[{'linear': {'units': 32}}, 'relu', {'linear': {'units': 5}}]", deep_shape_values, 0.02f},
    {"", "[{'linear': {'units': 32}}, 'gelu', {'linear': {'units': 5}}]", deep_shape_values, 0.02f},
    {"", "[{'linear': {'units': 32}}, 'tanh', {'linear': {'units': 5}}]", deep_shape_values, 0.02f},
    {"",
     "[{'linear': {'units': 32}}, {'residual': {'layers': ['silu', {'linear': {'units': 32}}]}},"
     " {'linear': {'units': 5}}]",
     deep_shape_values, 0.02f},
    {"mlp", "{'mlp': {'layers': 2, 'units': 24}}", deep_shape_values, 0.02f},
    {"",
     "[{'conv2d': {'channels': 8}}, 'batchnorm', 'relu', 'maxPool', {'conv2d': {'channels': 8}}, "
     "'silu',"
     " 'avgPool', 'flatten', {'linear': {'units': 5}}]",
     {.n_targets = 5, .max_batch = 32, .input = {.shape = {{8, 8, 3}, .n_dims = 3}}},
     0.01f},
    {"resnet",
     "{'resnet': {'depth': 8, 'width': 4}}",
     {.n_targets = 5, .max_batch = 32, .input = {.shape = {{8, 8, 3}, .n_dims = 3}}},
     0.01f},
    {"gpt",
     "{'gpt': {'layers': 2, 'heads': 2, 'width': 32}}",
     {.n_targets = 50, .max_batch = 32, .input = tokens_of_eight},
     0.01f},
    {"gpt",
     "{'gpt': {'layers': 2, 'heads': 2, 'width': 32, 'rotary': true, 'tied': false}}",
     {.n_targets = 50, .max_batch = 32, .input = tokens_of_eight},
     0.01f},
};

static void learn_by_heart(const struct heart_case *c)
{
    struct kd_plan *plan = plan_of(c->model, c->shape);
    struct sample_set set = sample_set_for(6, &c->shape);
    struct kd_batch batch = batch_of(&set, 0, set.n);
    struct kd_batch_result result = {0};
    struct kd_hyper hyper = {
        .lr = c->lr, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .clip = 1, .step = 1};
    update_by(plan, "adamw");
    for (; hyper.step <= 400; hyper.step++) {
        kd_plan_backward(plan, &batch, &result);
        kd_plan_update(plan, &hyper, false);
    }
    kd_plan_evaluate(plan, &batch, &result);
    if (result.n_correct != batch.n_counted || result.loss_sum > 0.02 * (double)batch.n_counted)
        fail_msg("%s: %d of %d right, loss %g", c->model, (int)result.n_correct,
                 (int)batch.n_counted, result.loss_sum / (double)batch.n_counted);
    sample_set_release(&set);
    kd_plan_free(plan);
}

static void a_small_batch_is_learned_by_heart(void **state)
{
    (void)state;
    for (size_t c = 0; c < KD_COUNT(heart_cases); c++)
        learn_by_heart(&heart_cases[c]);
}

static void every_preset_has_a_case_of_learning_by_heart(void **state)
{
    (void)state;
    for (int i = 0; kd_presets[i]; i++) {
        bool covered = false;
        for (size_t c = 0; c < KD_COUNT(heart_cases); c++)
            covered |= strcmp(heart_cases[c].preset, kd_presets[i]->name) == 0;
        if (!covered)
            fail_msg("add a case for the preset %s", kd_presets[i]->name);
    }
}

static void nonfinite_values_are_found_by_name(void **state)
{
    (void)state;
    struct kd_plan *plan = plan_of(deep, deep_shape);
    assert_null(kd_plan_find_nonfinite(plan));
    kd_plan_parameters(plan)[290] = INFINITY;
    assert_string_equal(kd_plan_find_nonfinite(plan), "parameter of layers.0.bias (linear)");
    kd_plan_gradients(plan)[45] = NAN;
    assert_string_equal(kd_plan_find_nonfinite(plan), "gradient of layers.3.weight (linear)");
    kd_plan_free(plan);
}

static void every_layer_is_described_with_its_fields(void **state)
{
    (void)state;
    struct kd_str text = {0};
    struct kd_json json = kd_json_to(&text);
    kd_models_describe(&json);
    json_t *described = json_loads(kd_str_text(&text), 0, NULL);
    for (size_t i = 0; kd_layers[i]; i++) {
        json_t *layer = json_array_get(described, i);
        assert_string_equal(json_string_value(json_object_get(layer, "name")), kd_layers[i]->name);
        assert_true(json_string_length(json_object_get(layer, "summary")) > 0);
        assert_true(json_is_array(json_object_get(layer, "fields")));
    }
    json_t *units = json_array_get(json_object_get(json_array_get(described, 0), "fields"), 0);
    assert_true(json_is_true(json_object_get(units, "required")));
    assert_string_equal(json_string_value(json_object_get(units, "kind")), "integer");
    json_decref(described);
    kd_str_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_lie_in_reverse_layer_order),
        cmocka_unit_test(weights_are_a_function_of_seed_and_layer),
        cmocka_unit_test(reset_clears_gradients_and_state),
        cmocka_unit_test(retune_changes_dropout_and_keeps_the_arenas),
        cmocka_unit_test(retune_refuses_another_shape),
        cmocka_unit_test(errors_point_at_the_layer),
        cmocka_unit_test(errors_of_sequences_name_the_shape_got_and_the_shape_needed),
        cmocka_unit_test(errors_of_images_name_the_shape_got_and_the_shape_needed),
        cmocka_unit_test(a_gpt_learns_what_stood_two_tokens_before),
        cmocka_unit_test(a_model_that_does_not_fit_into_memory_is_refused_not_fatal),
        cmocka_unit_test(a_small_batch_is_learned_by_heart),
        cmocka_unit_test(every_preset_has_a_case_of_learning_by_heart),
        cmocka_unit_test(nonfinite_values_are_found_by_name),
        cmocka_unit_test(every_layer_is_described_with_its_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
