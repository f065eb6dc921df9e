/* The median rule, by hand-made histories. */
#include "tests/search/helper.h"

#include "search/stopper.h"

static struct kd_space space; /* no parameter */

/* A trial that reported the values at steps 1, 2, ... and ended. */
static void add_done(struct kd_history *history, enum kd_outcome outcome, int n,
                     const double *values)
{
    int number = kd_history_add(history, NULL);
    for (int i = 0; i < n; i++)
        kd_history_report(history, number, i + 1, values[i]);
    kd_history_finish(history, number, outcome, n > 0 ? values[n - 1] : NAN);
}

/* Three completed trials, flat at 1, 2 and 1000: the median is 2, the mean would be 334. */
static void fill_three(struct kd_history *history)
{
    static const double levels[] = {1, 2, 1000};
    kd_history_init(history, &space);
    for (int t = 0; t < 3; t++) {
        double flat[6];
        for (int i = 0; i < 6; i++)
            flat[i] = levels[t];
        add_done(history, KD_COMPLETE, 6, flat);
    }
}

/* A running trial that has reported these values; what is said at its last report. */
static enum kd_verdict judge(struct kd_history *history, int n, const double *values)
{
    const struct kd_stopper *stopper = kd_stopper_find("medianstop");
    struct kd_settings settings;
    kd_settings_init(&settings, stopper->settings);
    int number = kd_history_add(history, NULL);
    for (int i = 0; i < n; i++)
        kd_history_report(history, number, i + 1, values[i]);
    const struct kd_observation *trial = &history->trials[number];
    struct kd_task task = task_of(&space);
    struct kd_scheduler *scheduler = kd_scheduler_new(stopper, &task, &settings, 1, NULL);
    enum kd_verdict verdict =
        kd_scheduler_judge(scheduler, history, number, &trial->reports[trial->n_reports - 1]);
    kd_scheduler_free(scheduler);
    kd_settings_release(&settings);
    return verdict;
}

static void an_outlier_does_not_move_the_bar(void **state)
{
    (void)state;
    struct kd_history history;
    fill_three(&history);
    assert_int_equal(judge(&history, 4, (double[]){9, 9, 9, 3}), KD_STOP);
    assert_int_equal(judge(&history, 4, (double[]){9, 9, 9, 2}), KD_GO);
    assert_int_equal(judge(&history, 4, (double[]){9, 1, 9, 9}), KD_GO);
    kd_history_release(&history);
}

static void nobody_is_judged_before_start_step_or_too_few_completed(void **state)
{
    (void)state;
    struct kd_history history;
    fill_three(&history);
    assert_int_equal(judge(&history, 3, (double[]){9, 9, 9}), KD_GO);
    kd_history_release(&history);
    kd_history_init(&history, &space);
    static const double good[] = {0, 0, 0, 0};
    add_done(&history, KD_COMPLETE, 4, good);
    add_done(&history, KD_COMPLETE, 4, good);
    add_done(&history, KD_PRUNED, 4, good);
    add_done(&history, KD_INFEASIBLE, 4, good);
    add_done(&history, KD_COMPLETE, 0, NULL);
    assert_int_equal(judge(&history, 4, (double[]){9, 9, 9, 9}), KD_GO);
    add_done(&history, KD_COMPLETE, 4, good); /* live: the next report is judged by it */
    assert_int_equal(judge(&history, 4, (double[]){9, 9, 9, 9}), KD_STOP);
    kd_history_release(&history);
}

static void the_bar_is_the_running_average_up_to_the_same_step(void **state)
{
    (void)state;
    struct kd_history history;
    kd_history_init(&history, &space);
    static const double falling[] = {8, 6, 4,
                                     2, 0, 0}; /* mean up to step 4 is 5, up to 6 is 10/3 */
    for (int t = 0; t < 3; t++)
        add_done(&history, KD_COMPLETE, 6, falling);
    assert_int_equal(judge(&history, 4, (double[]){9, 9, 9, 4.5}), KD_GO);
    assert_int_equal(judge(&history, 6, (double[]){9, 9, 9, 4.5, 9, 9}), KD_STOP);
    kd_history_release(&history);
}

static void nan_and_infinite_reports_are_passed_over(void **state)
{
    (void)state;
    struct kd_history history;
    fill_three(&history);
    add_done(&history, KD_COMPLETE, 4, (double[]){NAN, INFINITY, 2, 2});
    assert_int_equal(judge(&history, 4, (double[]){NAN, 2, -INFINITY, INFINITY}), KD_GO);
    assert_int_equal(judge(&history, 4, (double[]){NAN, NAN, -INFINITY, NAN}), KD_STOP);
    assert_int_equal(judge(&history, 4, (double[]){3, NAN, NAN, NAN}), KD_STOP);
    kd_history_release(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outlier_does_not_move_the_bar),
        cmocka_unit_test(nobody_is_judged_before_start_step_or_too_few_completed),
        cmocka_unit_test(the_bar_is_the_running_average_up_to_the_same_step),
        cmocka_unit_test(nan_and_infinite_reports_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
