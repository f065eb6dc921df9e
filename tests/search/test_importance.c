/* PED-ANOVA against Optuna (tests/search/data/make_importance.py), and what it says when there is
 * nothing to say. */
#include "tests/search/data_file.h"

#include "search/importance.h"

static void read_trials(FILE *file, struct kd_history *history, int n)
{
    double point[8], objectives[4];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < history->space->n_params; j++)
            point[j] = read_number(file);
        for (int k = 0; k < history->n_objectives; k++)
            objectives[k] = read_number(file);
        int number = kd_history_add(history, point);
        kd_history_finish_measured(history, number, KD_COMPLETE,
                                   (struct kd_measured){.objectives = objectives});
    }
}

static void compare_study(FILE *file)
{
    struct kd_importance settings = {.target_quantile = read_number(file),
                                     .region_quantile = read_number(file)};
    int n_params = (int)read_number(file);
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_error err;
    double shares[8];
    kd_history_init(&history, &space);
    history.n_objectives = (int)read_number(file);
    int n = (int)read_number(file);
    for (int i = 0; i < n_params; i++)
        read_param(file, &space);
    read_trials(file, &history, n);
    if (kd_importance(&history, settings, shares, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < n_params; i++) {
        double expected = read_number(file);
        if (!(fabs(shares[i] - expected) <= 1e-11)) /* sums of 50 terms in another order */
            fail_msg("%s: %.15g, not %.15g", space.params[i].name, shares[i], expected);
    }
    kd_history_release(&history);
    kd_space_release(&space);
}

static void shares_are_those_of_optuna(void **state)
{
    (void)state;
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/importance.txt", "r");
    assert_non_null(file);
    char word[16];
    int n = 0;
    for (; fscanf(file, "%15s", word) == 1; n++)
        compare_study(file);
    assert_int_equal(n, 7);
    fclose(file);
}

/* 40 trials on a grid of three parameters of which the first decides. */
static void fill_history(struct kd_history *history, struct kd_space *space)
{
    static const char *const sizes[] = {"1", "10", "100", "1000"};
    add_list(space, "size", KD_PARAM_DISCRETE, 4, sizes);
    add_number(space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_choices(space, "only", 1);
    kd_history_init(history, space);
    for (int i = 0; i < 40; i++) {
        double point[] = {space->params[0].values[i % 4], (i * 17 % 40) / 40.0, 0};
        kd_history_add(history, point);
    }
}

static void what_decides_has_the_share_and_one_value_has_none(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    double shares[3];
    fill_history(&history, &space);
    for (int i = 0; i < 40; i++)
        kd_history_finish(&history, i, KD_COMPLETE, i % 4 == 2 ? -1 : 1);
    assert_int_equal(kd_importance(&history, KD_IMPORTANCE_DEFAULTS, shares, NULL), 0);
    assert_true(shares[0] > 0.8 && shares[2] == 0);
    assert_true(fabs(shares[0] + shares[1] - 1) < 1e-15);
    kd_history_release(&history);
    kd_space_release(&space);
}

/* Running, failed, pruned and earlier trials, and those without a finite objective, change
 * nothing. */
static void only_completed_own_trials_count(void **state)
{
    (void)state;
    struct kd_space space = {0}, again = {0};
    struct kd_history history, other;
    double shares[3], expected[3], prior[] = {1, 0.5, 0};
    fill_history(&history, &space), fill_history(&other, &again);
    struct kd_history with_prior;
    kd_history_init(&with_prior, &space);
    for (int i = 0; i < 30; i++)
        kd_history_add_prior(&with_prior, prior, KD_COMPLETE, -100);
    for (int i = 0; i < 40; i++)
        kd_history_add(&with_prior, history.trials[i].values);
    for (int i = 0; i < 20; i++) {
        kd_history_finish(&history, i, KD_COMPLETE, i * 7 % 20);
        kd_history_finish(&other, i, KD_COMPLETE, i * 7 % 20);
        kd_history_finish(&with_prior, 30 + i, KD_COMPLETE, i * 7 % 20);
    }
    kd_history_finish(&other, 20, KD_PRUNED, -50);
    kd_history_finish(&other, 21, KD_INFEASIBLE, -50);
    kd_history_finish(&other, 22, KD_COMPLETE, NAN);
    kd_history_finish(&other, 23, KD_COMPLETE, -INFINITY);
    assert_int_equal(kd_importance(&history, KD_IMPORTANCE_DEFAULTS, expected, NULL), 0);
    assert_int_equal(kd_importance(&other, KD_IMPORTANCE_DEFAULTS, shares, NULL), 0);
    assert_memory_equal(shares, expected, sizeof shares);
    assert_int_equal(kd_importance(&with_prior, KD_IMPORTANCE_DEFAULTS, shares, NULL), 0);
    assert_memory_equal(shares, expected, sizeof shares);
    kd_history_release(&history), kd_history_release(&other), kd_history_release(&with_prior);
    kd_space_release(&space), kd_space_release(&again);
}

static void infeasible_trials_are_worse_than_feasible_ones(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    double shares[3];
    fill_history(&history, &space);
    history.n_constraints = 1;
    for (int i = 0; i < 40; i++) {
        /* the infeasible ones are the best by the objective, whatever `size` */
        double constraint = i % 4 == 2 ? -1 : 1, objective = history.trials[i].values[1];
        kd_history_finish_measured(
            &history, i, KD_COMPLETE,
            (struct kd_measured){.objectives = &objective, .constraints = &constraint});
    }
    assert_int_equal(kd_importance(&history, KD_IMPORTANCE_DEFAULTS, shares, NULL), 0);
    assert_true(shares[0] > 0.3);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void nothing_to_tell_is_an_error_that_says_what_to_do(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_error err;
    double shares[3];
    fill_history(&history, &space);
    for (int i = 0; i < 4; i++)
        kd_history_finish(&history, i, KD_COMPLETE, 3);
    assert_int_equal(kd_importance(&history, KD_IMPORTANCE_DEFAULTS, shares, &err), -1);
    assert_non_null(strstr(err.text, "4 of the trials"));
    for (int i = 4; i < 30; i++)
        kd_history_finish(&history, i, KD_COMPLETE, 3);
    assert_int_equal(kd_importance(&history, KD_IMPORTANCE_DEFAULTS, shares, &err), -1);
    assert_non_null(strstr(err.text, "as good as each other"));
    struct kd_importance settings = {.target_quantile = 0.5, .region_quantile = 0.5};
    assert_int_equal(kd_importance(&history, settings, shares, &err), -1);
    assert_non_null(strstr(err.text, "quantile"));
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_those_of_optuna),
        cmocka_unit_test(what_decides_has_the_share_and_one_value_has_none),
        cmocka_unit_test(only_completed_own_trials_count),
        cmocka_unit_test(infeasible_trials_are_worse_than_feasible_ones),
        cmocka_unit_test(nothing_to_tell_is_an_error_that_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
