/* The history, its index of points, and settings. */
#include "tests/search/helper.h"

static void points_are_found_again_among_thousands(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    add_number(&space, "a", KD_PARAM_INT, 0, 99, 0, KD_UNIFORM);
    add_number(&space, "b", KD_PARAM_INT, 0, 99, 0, KD_UNIFORM);
    kd_history_init(&history, &space);
    double point[2];
    assert_false(kd_history_has(&history, (double[]){0, 0}));
    for (int i = 0; i < 5000; i++) {
        kd_space_nth(&space, (uint64_t)i, point);
        assert_int_equal(kd_history_add(&history, point), i);
    }
    for (int i = 0; i < 10000; i++) {
        kd_space_nth(&space, (uint64_t)i, point);
        assert_true(kd_history_has(&history, point) == (i < 5000));
    }
    kd_history_add(&history, (double[]){0, 0});
    assert_int_equal(history.n, 5001);
    assert_int_equal(history.n_distinct, 5000);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void reports_stay_ascending_and_a_step_is_replaced(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    kd_history_init(&history, &space);
    kd_history_add(&history, NULL);
    static const int steps[] = {5, 1, 9, 5, 3, 20, 21, 22, 23, 24, 25};
    for (size_t i = 0; i < KD_COUNT(steps); i++)
        kd_history_report(&history, 0, steps[i], (double)i);
    const struct kd_observation *trial = &history.trials[0];
    assert_int_equal(trial->n_reports, (int)KD_COUNT(steps) - 1);
    for (int i = 1; i < trial->n_reports; i++)
        assert_true(trial->reports[i - 1].step < trial->reports[i].step);
    assert_true(trial->reports[2].step == 5 && trial->reports[2].value == 3);
    kd_history_release(&history);
}

static void the_best_is_finite_and_feasible(void **state)
{
    (void)state;
    static const struct {
        enum kd_outcome outcome;
        double objective;
    } ends[] = {{KD_COMPLETE, NAN}, {KD_COMPLETE, -INFINITY}, {KD_INFEASIBLE, -9},
                {KD_COMPLETE, 2},   {KD_PRUNED, 1},           {KD_PRUNED, NAN}};
    struct kd_space space = {0};
    struct kd_history history;
    kd_history_init(&history, &space);
    for (size_t i = 0; i < KD_COUNT(ends); i++)
        kd_history_add(&history, NULL);
    assert_int_equal(kd_history_best(&history), -1);
    for (int i = (int)KD_COUNT(ends) - 1; i >= 0; i--)
        kd_history_finish(&history, i, ends[i].outcome, ends[i].objective);
    assert_int_equal(kd_history_best(&history), 4);
    assert_int_equal(history.done[0], 5);
    assert_int_equal(history.trials[5].done_seq, 0);
    kd_history_release(&history);
}

static void a_branch_grows_without_touching_its_base(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history, branch;
    add_number(&space, "a", KD_PARAM_INT, 0, 999, 0, KD_UNIFORM);
    kd_history_init(&history, &space);
    for (double x = 0; x < 100; x++)
        kd_history_add(&history, &x);
    kd_history_branch(&branch, &history);
    for (double x = 100; x < 300; x++)
        kd_history_add(&branch, &x);
    double old = 50, new = 250;
    assert_true(kd_history_has(&branch, &old) && kd_history_has(&branch, &new));
    assert_false(kd_history_has(&history, &new));
    assert_int_equal(history.n, 100);
    kd_history_release_branch(&branch, &history);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void several_objectives_and_constraints_are_kept(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    kd_history_init(&history, &space);
    history.n_objectives = history.n_constraints = 2;
    for (int i = 0; i < 4; i++)
        kd_history_add(&history, NULL);
    static const double two[] = {1, 7}, broken[] = {0, NAN}, met[] = {-1, 0}, missed[] = {2, -5};
    kd_history_finish_measured(&history, 0, KD_COMPLETE, (struct kd_measured){two, missed});
    kd_history_finish_measured(&history, 1, KD_COMPLETE, (struct kd_measured){broken, met});
    kd_history_finish_measured(&history, 2, KD_COMPLETE, (struct kd_measured){two, NULL});
    assert_int_equal(kd_history_best(&history), -1);
    kd_history_finish_measured(&history, 3, KD_COMPLETE, (struct kd_measured){two, met});
    assert_int_equal(kd_history_best(&history), 3);
    assert_true(kd_observation_objective(&history.trials[3], 1) == 7);
    assert_true(history.trials[0].violation == 2 && isinf(history.trials[2].violation));
    assert_false(kd_observation_has_objective(&history.trials[1]));
    kd_history_release(&history);
}

static void whoever_caches_hears_which_trials_changed(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    kd_history_init(&history, &space);
    kd_history_add(&history, NULL), kd_history_add(&history, NULL);
    kd_history_schedule(&history, 0, 3, -1);
    kd_history_report(&history, 1, 1, 0.5);
    kd_history_report(&history, 0, 3, 0.5);
    kd_history_pause(&history, 0);
    kd_history_resume(&history, 0, 9);
    kd_history_cut(&history, 0, 1);
    kd_history_finish(&history, 1, KD_COMPLETE, 1);
    static const int expected[] = {0, 1, 0, 0, 0, 0, 1};
    assert_int_equal(history.n_touched, (int)KD_COUNT(expected));
    assert_memory_equal(history.touched, expected, sizeof expected);
    assert_true(history.trials[0].until == 9 && !history.trials[0].is_paused);
    assert_int_equal(history.trials[0].n_reports, 0);
    kd_history_release(&history);
}

static const char *const colours[] = {"red", "green", NULL};
static const struct kd_setting declared[] = {
    {"count", KD_SETTING_INT, "10", 0, 100, NULL, "how many"},
    {"share", KD_SETTING_NUMBER, NULL, 0, 1, NULL, "how much"},
    {"fast", KD_SETTING_BOOL, "true", 0, 1, NULL, "whether"},
    {"colour", KD_SETTING_CHOICE, "red", 0, 0, colours, "which"},
    {"label", KD_SETTING_TEXT, NULL, 0, 0, NULL, "what"},
    {0},
};

static void settings_have_defaults_and_take_texts(void **state)
{
    (void)state;
    struct kd_settings settings;
    kd_settings_init(&settings, declared);
    assert_true(kd_settings_number(&settings, "count") == 10);
    assert_true(isnan(kd_settings_number(&settings, "share")));
    assert_true(kd_settings_number(&settings, "fast") == 1);
    assert_string_equal(kd_settings_text(&settings, "label"), "");
    assert_false(kd_settings_given(&settings, "count"));
    assert_int_equal(kd_settings_set(&settings, "COUNT", "7", NULL), 0);
    assert_int_equal(kd_settings_set(&settings, "fast", "False", NULL), 0);
    assert_int_equal(kd_settings_set(&settings, "colour", "green", NULL), 0);
    assert_true(kd_settings_number(&settings, "count") == 7);
    assert_true(kd_settings_number(&settings, "fast") == 0);
    assert_string_equal(kd_settings_text(&settings, "colour"), "green");
    assert_true(kd_settings_given(&settings, "count"));
    kd_settings_release(&settings);
}

static void bad_settings_say_what_is_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *says;
    } cases[] = {
        {"cuont", "1", "did you mean \"count\""},
        {"zzzzzzzz", "1", "count, share, fast"},
        {"count", "1.5", "whole number"},
        {"count", "101", "outside 0 to 100"},
        {"share", "half", "not a number"},
        {"share", "nan", "not a number"},
        {"fast", "maybe", "neither true nor false"},
        {"colour", "blue", "red, green"},
    };
    struct kd_settings settings, none;
    struct kd_error err;
    kd_settings_init(&settings, declared);
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        assert_int_equal(kd_settings_set(&settings, cases[i].name, cases[i].value, &err), -1);
        if (!strstr(err.text, cases[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, cases[i].says);
    }
    kd_settings_release(&settings);
    kd_settings_init(&none, NULL);
    assert_int_equal(kd_settings_set(&none, "x", "1", &err), -1);
    kd_settings_release(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_found_again_among_thousands),
        cmocka_unit_test(reports_stay_ascending_and_a_step_is_replaced),
        cmocka_unit_test(the_best_is_finite_and_feasible),
        cmocka_unit_test(a_branch_grows_without_touching_its_base),
        cmocka_unit_test(several_objectives_and_constraints_are_kept),
        cmocka_unit_test(whoever_caches_hears_which_trials_changed),
        cmocka_unit_test(settings_have_defaults_and_take_texts),
        cmocka_unit_test(bad_settings_say_what_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
