/* Parameters: which values they take, how those are written and read, and what a bad declaration is
 * told. */
#include "tests/search/helper.h"

#include "search/axis.h"

static void steps_are_decimals_and_end_at_the_maximum(void **state)
{
    (void)state;
    struct kd_space space = {0};
    add_number(&space, "a", KD_PARAM_DOUBLE, 0, 0.3, 0.1, KD_UNIFORM);
    add_number(&space, "b", KD_PARAM_DOUBLE, 0.05, 1, 0.05, KD_UNIFORM);
    add_number(&space, "c", KD_PARAM_INT, 5, 64, 10, KD_UNIFORM);
    add_number(&space, "d", KD_PARAM_DOUBLE, 1e-3, 1, 0.4, KD_UNIFORM);
    const struct kd_param *p = space.params;
    assert_true(kd_param_count(&p[0]) == 4);
    assert_true(kd_param_nth(&p[0], 2) == 0.2 && kd_param_nth(&p[0], 3) == 0.3);
    assert_true(kd_param_count(&p[1]) == 20 && kd_param_nth(&p[1], 2) == 0.15);
    assert_true(kd_param_count(&p[2]) == 6 && kd_param_nth(&p[2], 5) == 55);
    assert_true(kd_param_count(&p[3]) == 3 && kd_param_nth(&p[3], 2) == 0.801);
    assert_true(kd_space_size(&space) == 4 * 20 * 6 * 3);
    kd_space_release(&space);
}

static void every_nth_value_is_allowed_and_clips_to_itself(void **state)
{
    (void)state;
    struct kd_space space = {0};
    fill_finite(&space);
    add_number(&space, "odd", KD_PARAM_DOUBLE, 0.1, 7, 1.0 / 3, KD_UNIFORM);
    for (int i = 0; i < space.n_params; i++) {
        const struct kd_param *param = &space.params[i];
        for (int64_t k = 0; k < (int64_t)kd_param_count(param); k++) {
            double value = kd_param_nth(param, k);
            assert_true(kd_param_allows(param, value));
            assert_true(kd_param_clip(param, value) == value);
        }
    }
    assert_false(kd_param_allows(&space.params[0], 0.3));
    assert_false(kd_param_allows(&space.params[0], NAN));
    assert_true(kd_param_clip(&space.params[0], 0.3) == 0.25);
    assert_true(kd_param_clip(&space.params[2], 5.5) == 8);
    kd_space_release(&space);
}

static void texts_read_back_as_the_values_they_show(void **state)
{
    (void)state;
    struct kd_space space = {0};
    fill_mixed(&space);
    const double point[] = {-2.5, 1e-3, 0.125, 3.7, 0.3, 4, 512, 25, 64, 2};
    const char *const texts[] = {"-2.5", "0.001", "0.125", "3.7", "0.3",
                                 "4",    "512",   "25",    "64",  "choice2"};
    for (int i = 0; i < space.n_params; i++) {
        char buffer[32];
        double back;
        assert_string_equal(kd_param_text(&space.params[i], point[i], buffer), texts[i]);
        assert_int_equal(kd_param_parse(&space.params[i], texts[i], &back, NULL), 0);
        assert_true(back == point[i]);
    }
    kd_space_release(&space);
}

static void a_text_outside_is_told_what_is_accepted(void **state)
{
    (void)state;
    static const struct {
        int param;
        const char *text, *says;
    } cases[] = {
        {0, "6", "outside -3 to 5"},
        {0, "fast", "not a number"},
        {0, "nan", "not a number"},
        {5, "2.5", "nearest value is"},
        {4, "0.33", "0.3"},
        {8, "48", "16, 32, 64, 256"},
        {9, "adam", "choice0, choice1, choice2"},
    };
    struct kd_space space = {0};
    fill_mixed(&space);
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct kd_error err;
        double value;
        const struct kd_param *param = &space.params[cases[i].param];
        assert_int_equal(kd_param_parse(param, cases[i].text, &value, &err), -1);
        if (!strstr(err.text, cases[i].says) || !strstr(err.text, param->name))
            fail_msg("\"%s\" lacks \"%s\"", err.text, cases[i].says);
    }
    kd_space_release(&space);
}

static void a_bad_declaration_names_the_field(void **state)
{
    (void)state;
    static const struct {
        struct kd_param param;
        const char *says;
    } cases[] = {
        {{.type = KD_PARAM_DOUBLE, .min = 1, .max = 1}, "min: 1 is not below max 1"},
        {{.type = KD_PARAM_DOUBLE, .min = NAN, .max = 1}, "min: nan"},
        {{.type = KD_PARAM_DOUBLE, .min = 0, .max = INFINITY}, "max: inf"},
        {{.type = KD_PARAM_DOUBLE, .min = -1e308, .max = 1e308}, "too far"},
        {{.type = KD_PARAM_DOUBLE, .max = 1, .distribution = KD_LOG_UNIFORM}, "above 0"},
        {{.type = KD_PARAM_DOUBLE, .max = 1, .step = -1}, "step: -1"},
        {{.type = KD_PARAM_DOUBLE, .max = 1, .step = 2}, "step: 2"},
        {{.type = KD_PARAM_INT, .min = 0.5, .max = 3}, "min: 0.5 is not a whole number"},
        {{.type = KD_PARAM_INT, .max = 4, .step = 1.5}, "step: 1.5 is not a whole number"},
        {{.type = KD_PARAM_CATEGORICAL}, "list: is empty"},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct kd_param param = cases[i].param;
        struct kd_error err;
        assert_int_equal(kd_param_check(&param, &err), -1);
        if (!strstr(err.text, cases[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, cases[i].says);
    }
}

static void lists_are_sorted_with_their_texts_and_refuse_repeats(void **state)
{
    (void)state;
    double values[] = {1, 0.5, 1};
    char *texts[] = {"one", "half", "1.0"};
    struct kd_param param = {
        .type = KD_PARAM_DISCRETE, .n_choices = 2, .values = values, .choices = texts};
    struct kd_error err;
    assert_int_equal(kd_param_check(&param, &err), 0);
    assert_true(values[0] == 0.5 && param.min == 0.5 && param.max == 1);
    assert_string_equal(texts[0], "half");
    param.n_choices = 3;
    assert_int_equal(kd_param_check(&param, &err), -1);
    assert_non_null(strstr(err.text, "twice"));
    char *names[] = {"sgd", "adam", "sgd"};
    struct kd_param names_param = {.type = KD_PARAM_CATEGORICAL, .n_choices = 3, .choices = names};
    assert_int_equal(kd_param_check(&names_param, &err), -1);
    assert_non_null(strstr(err.text, "\"sgd\""));
}

static void a_copy_owns_everything_and_finds_by_name(void **state)
{
    (void)state;
    struct kd_space space = {0}, copy;
    fill_mixed(&space);
    kd_space_copy(&copy, &space);
    kd_space_release(&space);
    assert_int_equal(kd_space_find(&copy, "discrete"), 8);
    assert_int_equal(kd_space_find(&copy, "none"), -1);
    assert_string_equal(copy.params[9].choices[1], "choice1");
    assert_true(copy.params[8].values[3] == 256);
    kd_space_release(&copy);
}

static void points_are_equal_with_zeros_of_either_sign_and_nan(void **state)
{
    (void)state;
    struct kd_space space = {0};
    add_number(&space, "a", KD_PARAM_DOUBLE, -1, 1, 0, KD_UNIFORM);
    add_number(&space, "b", KD_PARAM_DOUBLE, -1, 1, 0, KD_UNIFORM);
    double x[] = {0, NAN}, y[] = {-0.0, NAN}, z[] = {0, 1};
    assert_true(kd_points_equal(&space, x, y));
    assert_true(kd_point_hash(&space, x) == kd_point_hash(&space, y));
    assert_false(kd_points_equal(&space, x, z));
    kd_space_release(&space);
}

static void coordinates_lead_back_to_the_value_and_cells_tile_the_range(void **state)
{
    (void)state;
    struct kd_space space = {0};
    fill_finite(&space);
    struct kd_axis *axes = kd_axes_new(&space);
    for (int i = 0; i < 3; i++) {
        double edge = axes[i].low, from, to;
        for (int64_t k = 0; k < (int64_t)kd_param_count(&space.params[i]); k++) {
            double value = kd_param_nth(&space.params[i], k);
            assert_true(kd_axis_value(&axes[i], kd_axis_coordinate(&axes[i], value)) == value);
            kd_axis_cell(&axes[i], value, &from, &to);
            assert_true(fabs(from - edge) < 1e-15 && to > from);
            edge = to;
        }
        assert_true(fabs(edge - axes[i].high) < 1e-15);
    }
    free(axes);
    kd_space_release(&space);
}

/* exp(ln 0.03) is 0.029999999999999995, which nobody wrote. */
static void the_ends_of_an_axis_are_the_bounds_as_they_were_written(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_axis axis;
    add_number(&space, "lr", KD_PARAM_DOUBLE, 0.0003, 0.03, 0, KD_LOG_UNIFORM);
    kd_axis_init(&axis, &space.params[0]);
    assert_true(kd_axis_value(&axis, axis.high) == 0.03);
    assert_true(kd_axis_value(&axis, axis.low) == 0.0003);
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ends_of_an_axis_are_the_bounds_as_they_were_written),
        cmocka_unit_test(steps_are_decimals_and_end_at_the_maximum),
        cmocka_unit_test(every_nth_value_is_allowed_and_clips_to_itself),
        cmocka_unit_test(texts_read_back_as_the_values_they_show),
        cmocka_unit_test(a_text_outside_is_told_what_is_accepted),
        cmocka_unit_test(a_bad_declaration_names_the_field),
        cmocka_unit_test(lists_are_sorted_with_their_texts_and_refuse_repeats),
        cmocka_unit_test(a_copy_owns_everything_and_finds_by_name),
        cmocka_unit_test(points_are_equal_with_zeros_of_either_sign_and_nan),
        cmocka_unit_test(coordinates_lead_back_to_the_value_and_cells_tile_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
