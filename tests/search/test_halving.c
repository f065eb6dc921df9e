/* Successive halving: rungs, promotion and stopping, by hand-made histories and simulated runs. */
#include "tests/search/scheduling.h"

#include "search/stoppers/ladder.h"
#include "search/stoppers/rungs.h"

static struct kd_space space; /* one parameter, 0 .. 1 */
static struct kd_task task;

static int setup(void **state)
{
    (void)state;
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    task = task_of(&space);
    task.fidelity_max = 9;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kd_space_release(&space);
    return 0;
}

static void assert_ladder(struct kd_ladder ladder, int n, const int64_t *steps)
{
    assert_int_equal(ladder.n, n);
    assert_memory_equal(ladder.steps, steps, (size_t)n * sizeof *steps);
}

static void rungs_are_counted_in_integers(void **state)
{
    (void)state;
    assert_int_equal(kd_ladder_halvings(243, 3), 5); /* floor(log(243) / log(3)) is 4 */
    assert_int_equal(kd_ladder_halvings(242, 3), 4);
    assert_int_equal(kd_ladder_halvings(1, 3), 0);
    assert_int_equal(kd_ladder_halvings(INT64_C(1) << 53, 2), 53);
    assert_ladder(kd_ladder_up(1, 81, 3), 5, (int64_t[]){1, 3, 9, 27, 81});
    assert_ladder(kd_ladder_up(1, 20, 3), 4, (int64_t[]){1, 3, 9, 20});
    assert_ladder(kd_ladder_up(1, 28, 3), 4, (int64_t[]){1, 3, 9, 28}); /* 27 would save nothing */
    assert_ladder(kd_ladder_up(2, 2, 4), 1, (int64_t[]){2});
    assert_int_equal(kd_ladder_up(1, INT64_MAX, 2).n, 63);
    assert_ladder(kd_ladder_down(81, 3, 4), 5, (int64_t[]){1, 3, 9, 27, 81});
    assert_ladder(kd_ladder_down(81, 3, 0), 1, (int64_t[]){81});
    assert_ladder(kd_ladder_down(100, 3, 3), 4, (int64_t[]){4, 11, 33, 100});
    assert_ladder(kd_ladder_down(2, 2, 3), 2, (int64_t[]){1, 2}); /* each once */
}

/* A trial that paused at rungs 1, 3 ... with these values. */
static int add_paused(struct kd_history *history, int n, const double *values)
{
    int64_t step = 1;
    int number = kd_history_add(history, (double[]){0.5});
    for (int i = 0; i < n; i++, step *= 3) {
        kd_history_schedule(history, number, step, -1);
        kd_history_report(history, number, step, values[i]);
    }
    kd_history_pause(history, number);
    return number;
}

static struct kd_next next_of(struct kd_scheduler *scheduler, const struct kd_history *history)
{
    double point[1];
    return kd_scheduler_next(scheduler, history, point);
}

static void promotion_is_from_the_top_rung_down_of_the_best_third(void **state)
{
    (void)state;
    struct kd_history history;
    struct kd_scheduler *scheduler = new_scheduler("asha", &task, NULL);
    kd_history_init(&history, &space);
    for (int i = 0; i < 2; i++)
        add_paused(&history, 1, (double[]){i});
    struct kd_next next = next_of(scheduler, &history); /* two of three: nobody yet */
    assert_int_equal(next.kind, KD_NEXT_NEW);
    assert_int_equal(next.until, 1);
    add_paused(&history, 1, (double[]){-1});
    next = next_of(scheduler, &history);
    assert_int_equal(next.kind, KD_NEXT_RESUME);
    assert_int_equal(next.trial, 2);
    assert_int_equal(next.until, 3);
    kd_history_resume(&history, 2, 3);
    assert_int_equal(next_of(scheduler, &history).kind, KD_NEXT_NEW);
    for (int i = 0; i < 3; i++)
        add_paused(&history, 2, (double[]){-2, 10 + i});
    next = next_of(scheduler, &history); /* rung 3 goes before rung 1 */
    assert_int_equal(next.trial, 3);
    assert_int_equal(next.until, 0);
    kd_scheduler_free(scheduler);
    kd_history_release(&history);
}

/* Each trial is better than those before: the best third of a moment is overtaken again and
 * again. */
static void no_more_than_a_third_leaves_the_first_rung(void **state)
{
    (void)state;
    struct kd_history history;
    struct kd_scheduler *scheduler = new_scheduler("asha", &task, NULL);
    int n_promoted = 0;
    kd_history_init(&history, &space);
    for (int n = 1; n <= 60; n++) {
        add_paused(&history, 1, (double[]){-n});
        struct kd_next next = next_of(scheduler, &history);
        if (next.kind == KD_NEXT_RESUME) {
            assert_int_equal(next.trial, n - 1);
            kd_history_resume(&history, next.trial, next.until);
            n_promoted++;
        }
        assert_int_equal(n_promoted, n / 3);
    }
    kd_scheduler_free(scheduler);
    kd_history_release(&history);
}

static void a_diverged_trial_is_stopped_and_never_promoted(void **state)
{
    (void)state;
    struct kd_history history;
    struct kd_scheduler *scheduler = new_scheduler("asha", &task, NULL);
    kd_history_init(&history, &space);
    for (int i = 0; i < 6; i++)
        add_paused(&history, 1, (double[]){i < 5 ? NAN : 1e300});
    struct kd_next next = next_of(scheduler, &history);
    assert_int_equal(next.trial, 5);
    kd_history_resume(&history, 5, 3);
    assert_int_equal(next_of(scheduler, &history).kind, KD_NEXT_NEW);
    kd_history_report(&history, 5, 3, NAN);
    assert_int_equal(kd_scheduler_judge(scheduler, &history, 5, &(struct kd_report){3, NAN}),
                     KD_STOP);
    kd_scheduler_free(scheduler);
    kd_history_release(&history);
}

static enum kd_verdict report_one(struct kd_scheduler *scheduler, struct kd_history *history,
                                  int number, int64_t step, double value)
{
    kd_history_report(history, number, step, value);
    return kd_scheduler_judge(scheduler, history, number, &(struct kd_report){step, value});
}

static void stopping_lets_the_best_so_far_and_the_best_third_go_on(void **state)
{
    (void)state;
    static const char *const settings[] = {"type", "stopping", NULL};
    static const double values[] = {5, 6, 4, 4.5, 4.2, 3.9, 9, 4, NAN};
    /* 6 trials and more let two go on. */
    static const enum kd_verdict want[] = {KD_GO, KD_STOP, KD_GO, KD_STOP, KD_STOP,
                                           KD_GO, KD_STOP, KD_GO, KD_STOP};
    struct kd_history history;
    struct kd_scheduler *scheduler = new_scheduler("asha", &task, settings);
    kd_history_init(&history, &space);
    for (size_t i = 0; i < KD_COUNT(values); i++) {
        int number = kd_history_add(&history, (double[]){0.5});
        assert_int_equal(report_one(scheduler, &history, number, 1, values[i]), want[i]);
    }
    /* No rung at 2, none at 9: a whole trial is not stopped; a report beyond rung 3 is judged
     * there. */
    assert_int_equal(report_one(scheduler, &history, 0, 2, 100), KD_GO);
    assert_int_equal(report_one(scheduler, &history, 0, 4, 100), KD_GO);
    assert_int_equal(report_one(scheduler, &history, 2, 4, 101), KD_STOP);
    assert_int_equal(report_one(scheduler, &history, 0, 9, 200), KD_GO);
    kd_scheduler_free(scheduler);
    kd_history_release(&history);
}

static double steady(const struct kd_history *history, int number, int64_t step)
{
    return history->trials[number].values[0] + 1.0 / (double)step;
}

/* With rankings that never change, halving is exact: the best trial is trained to the end, for a
 * fraction of the work. */
static void the_best_trial_is_found_for_a_fraction_of_the_work(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double share; /* of the work of whole trials */
    } cases[] = {{"asha", 0.4}, {"hyperband", 0.5}};
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct simulation sim = {.task = &task, .n_slots = 4, .most_trials = 100, .report = steady};
        sim.scheduler = new_scheduler(cases[i].name, &task, NULL);
        simulate(&sim);
        int best = 0, found = kd_history_best(&sim.history);
        for (int j = 1; j < sim.history.n; j++) {
            if (sim.history.trials[j].values[0] < sim.history.trials[best].values[0])
                best = j;
        }
        assert_int_equal(found, best);
        assert_true((double)sim.steps < cases[i].share * 100 * 9);
        kd_scheduler_free(sim.scheduler);
        kd_history_release(&sim.history);
    }
}

static void brackets_keep_their_shares_at_every_moment(void **state)
{
    (void)state;
    struct kd_rungs rungs;
    int counts[3] = {0};
    static const double shares[] = {81, 34, 15};
    kd_rungs_init(&rungs, 3, 3, 11);
    for (int i = 0; i < 3; i++)
        rungs.brackets[i].share = shares[i];
    for (int number = 0; number < 13000; number++) {
        counts[kd_rungs_bracket(&rungs, number)]++;
        for (int i = 0; i < 3; i++)
            assert_true(fabs(counts[i] - (number + 1) * shares[i] / 130) < 3);
    }
    kd_rungs_release(&rungs);
}

/* How many of the first trials start with 1, 3 and 9 steps. */
static void count_starts(const char *const *settings, int n, int counts[10])
{
    struct kd_history history;
    struct kd_scheduler *scheduler = new_scheduler("hyperband", &task, settings);
    memset(counts, 0, 10 * sizeof *counts);
    kd_history_init(&history, &space);
    for (int i = 0; i < n; i++) {
        struct kd_next next = next_of(scheduler, &history);
        assert_int_equal(next.kind, KD_NEXT_NEW);
        counts[next.until]++;
        kd_history_add(&history, (double[]){0.5});
    }
    kd_scheduler_free(scheduler);
    kd_history_release(&history);
}

/* R = 9, eta = 3: the paper has 9, 5 and 3 trials in the brackets 2, 1 and 0. */
static void hyperbands_brackets_have_the_papers_shares_or_halved_ones(void **state)
{
    (void)state;
    static const char *const equal[] = {"budgets", "equal", NULL};
    int counts[10];
    count_starts(equal, 1700, counts);
    assert_true(abs(counts[1] - 900) < 3 && abs(counts[3] - 500) < 3 && abs(counts[0] - 300) < 3);
    count_starts(NULL, 4900, counts); /* 9 : 5 / 2 : 3 / 4 */
    assert_true(abs(counts[1] - 3600) < 3 && abs(counts[3] - 1000) < 3 && abs(counts[0] - 300) < 3);
}

static void hyperband_takes_katibs_settings(void **state)
{
    (void)state;
    static const char *const katib[] = {"r_l", "9", "eta", "3", "resource_name", "--epochs", NULL};
    struct kd_task unknown = task;
    unknown.fidelity_max = 0;
    struct kd_scheduler *scheduler = new_scheduler("hyperband", &unknown, katib);
    struct kd_history history;
    bool is_seen[10] = {false};
    kd_history_init(&history, &space);
    for (int i = 0; i < 50; i++) {
        struct kd_next next = next_of(scheduler, &history);
        assert_int_equal(next.kind, KD_NEXT_NEW);
        assert_true(next.until >= 1 && next.until <= 9);
        is_seen[next.until] = true;
        kd_history_add(&history, (double[]){0.5});
    }
    assert_true(is_seen[1] && is_seen[3] && is_seen[9]); /* told how far, even to the end */
    kd_scheduler_free(scheduler);
    kd_history_release(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rungs_are_counted_in_integers),
        cmocka_unit_test(promotion_is_from_the_top_rung_down_of_the_best_third),
        cmocka_unit_test(no_more_than_a_third_leaves_the_first_rung),
        cmocka_unit_test(a_diverged_trial_is_stopped_and_never_promoted),
        cmocka_unit_test(stopping_lets_the_best_so_far_and_the_best_third_go_on),
        cmocka_unit_test(the_best_trial_is_found_for_a_fraction_of_the_work),
        cmocka_unit_test(brackets_keep_their_shares_at_every_moment),
        cmocka_unit_test(hyperbands_brackets_have_the_papers_shares_or_halved_ones),
        cmocka_unit_test(hyperband_takes_katibs_settings),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
