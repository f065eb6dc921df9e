/* Conditional parameters: what is active, how many points there are, and that each has one
 * number. */
#include "tests/search/helper.h"

static void add_condition(struct kd_space *space, const char *child, const char *parent, int n,
                          const double *values)
{
    struct kd_param *param = &space->params[kd_space_find(space, child)];
    param->condition = KD_NEW(struct kd_condition);
    param->condition->parent = kd_space_find(space, parent);
    param->condition->n_values = n;
    param->condition->values = KD_NEW_ARRAY(double, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        param->condition->values[i] = values[i];
}

/* layers 1..3; units2 under layers 2 and 3, units3 under layers 3; optimiser with its own momentum.
 * The child of an optimiser stands before it. */
static void fill_nested(struct kd_space *space)
{
    add_number(space, "momentum", KD_PARAM_DOUBLE, 0, 1, 0.25, KD_UNIFORM);
    add_number(space, "layers", KD_PARAM_INT, 1, 3, 0, KD_UNIFORM);
    add_number(space, "units2", KD_PARAM_INT, 1, 4, 0, KD_UNIFORM);
    add_number(space, "units3", KD_PARAM_INT, 1, 2, 0, KD_UNIFORM);
    add_choices(space, "optimiser", 3);
    add_choices(space, "nesterov", 2);
    add_condition(space, "momentum", "optimiser", 2, (double[]){2, 0});
    add_condition(space, "units2", "layers", 2, (double[]){2, 3});
    add_condition(space, "units3", "layers", 1, (double[]){3});
    add_condition(space, "nesterov", "momentum", 2, (double[]){0.5, 1});
}

/* By hand: layers 1 + 4 + 4*2 = 13; momentum 3 + 2*2 = 7 under two optimisers, 1 under the other:
 * 15. */
static void a_conditional_space_is_counted_without_what_is_inactive(void **state)
{
    (void)state;
    struct kd_space space = {0};
    fill_nested(&space);
    struct kd_error err;
    assert_int_equal(kd_space_check(&space, &err), 0);
    assert_true(kd_space_size(&space) == 13 * 15);
    kd_space_release(&space);
}

/* Each of fifty below two of three values of the one before: counted along every path, that is 2^50
 * visits. */
static void a_long_chain_of_conditions_is_counted_at_once(void **state)
{
    (void)state;
    enum { LENGTH = 50 };
    struct kd_space space = {0};
    char name[16], above[16];
    double point[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
        snprintf(name, sizeof name, "p%d", i);
        snprintf(above, sizeof above, "p%d", i - 1);
        add_choices(&space, name, 3);
        if (i > 0)
            add_condition(&space, name, above, 2, (double[]){0, 1});
    }
    assert_true(kd_space_size(&space) == 0x1p51 - 1); /* 3, then 1 + 2 times as many */
    kd_space_nth(&space, 2, point);
    assert_true(kd_space_allows(&space, point));
    assert_true(point[0] == 0 && point[LENGTH - 1] == 2);
    kd_space_release(&space);
}

static void every_number_gives_another_allowed_point(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    double point[6];
    fill_nested(&space);
    kd_history_init(&history, &space);
    int size = (int)kd_space_size(&space);
    for (int i = 0; i < size; i++) {
        kd_space_nth(&space, (uint64_t)i, point);
        assert_true(kd_space_allows(&space, point));
        kd_history_add(&history, point);
    }
    assert_int_equal(history.n_distinct, size);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void a_parameter_is_active_only_while_all_above_it_are(void **state)
{
    (void)state;
    struct kd_space space = {0}, copy = {0};
    fill_nested(&space);
    kd_space_copy(&copy, &space);
    double point[] = {0.5, 2, 3, 1, 1, 0};
    assert_false(
        kd_space_is_active(&copy, point, 5)); /* momentum has the value, its optimiser not */
    kd_space_mask(&copy, point);
    assert_true(isnan(point[0]) && isnan(point[5]) && isnan(point[3]));
    assert_true(point[1] == 2 && point[2] == 3 && point[4] == 1);
    assert_true(kd_space_allows(&copy, point));
    point[3] = 1;
    assert_false(kd_space_allows(&copy, point));
    kd_space_release(&space);
    kd_space_release(&copy);
}

static void assert_refused(struct kd_space *space, const char *text)
{
    struct kd_error err;
    assert_int_equal(kd_space_check(space, &err), -1);
    if (!strstr(err.text, text))
        fail_msg("'%s' lacks '%s'", err.text, text);
    kd_space_release(space);
}

static void a_condition_that_cannot_be_met_is_refused(void **state)
{
    (void)state;
    struct kd_space circle = {0}, continuous = {0}, foreign = {0}, empty = {0};
    add_choices(&circle, "a", 2), add_choices(&circle, "b", 2);
    add_condition(&circle, "a", "b", 1, (double[]){0});
    add_condition(&circle, "b", "a", 1, (double[]){0});
    assert_refused(&circle, "circle");
    add_number(&continuous, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_choices(&continuous, "a", 2);
    add_condition(&continuous, "a", "x", 1, (double[]){0});
    assert_refused(&continuous, "continuous");
    add_choices(&foreign, "a", 2), add_choices(&foreign, "b", 2);
    add_condition(&foreign, "b", "a", 1, (double[]){7});
    assert_refused(&foreign, "a cannot be 7");
    add_choices(&empty, "a", 2), add_choices(&empty, "b", 2);
    add_condition(&empty, "b", "a", 0, NULL);
    assert_refused(&empty, "empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conditional_space_is_counted_without_what_is_inactive),
        cmocka_unit_test(a_long_chain_of_conditions_is_counted_at_once),
        cmocka_unit_test(every_number_gives_another_allowed_point),
        cmocka_unit_test(a_parameter_is_active_only_while_all_above_it_are),
        cmocka_unit_test(a_condition_that_cannot_be_met_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
