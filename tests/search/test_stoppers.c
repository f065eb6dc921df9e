/* What every listed stopper must keep: a new line in stoppers.def is tested by these from then
 * on. */
#include "tests/search/scheduling.h"

#include "search/pair.h"

enum { LONGEST = 27 };

static struct kd_space space;
static struct kd_task task;

/* Beside the defaults: settings without which a stopper has nothing to do, and those that change
 * what it is. */
static const struct variant {
    const char *name;
    const char *settings[7];
} variants[] = {
    {"threshold", {"upper", "1.5", NULL}},
    {"asha", {"type", "stopping", "brackets", "2", NULL}},
    {"asha", {"brackets", "3", "min_resource", "2", NULL}},
    {"pbt", {"interval", "4", "n_population", "4", "resample_probability", "0.5", NULL}},
    {"patient", {"stopper", "percentile", "patience", "1", NULL}},
    {"percentile", {"n_startup_trials", "1", "interval_steps", "3", NULL}},
};

/* Calls for every stopper that its defaults suit, and for every variant. */
static void for_each_variant(void (*check)(const struct variant *))
{
    for (int i = 0; kd_stoppers[i]; i++) {
        if (strcmp(kd_stoppers[i]->name, "threshold") != 0)
            check(&(struct variant){.name = kd_stoppers[i]->name});
    }
    for (size_t i = 0; i < KD_COUNT(variants); i++)
        check(&variants[i]);
}

static int setup(void **state)
{
    (void)state;
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_choices(&space, "c", 3);
    task = task_of(&space);
    task.fidelity_max = LONGEST;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kd_space_release(&space);
    return 0;
}

static void assert_same_next(const char *name, const struct kd_history *history,
                             struct kd_scheduler *a, struct kd_scheduler *b, bool can_start)
{
    double points[2][2] = {{0}};
    struct kd_next x = kd_scheduler_next(a, history, can_start ? points[0] : NULL);
    struct kd_next y = kd_scheduler_next(b, history, can_start ? points[1] : NULL);
    if (x.kind != y.kind || x.trial != y.trial || x.until != y.until || x.parent != y.parent ||
        x.has_point != y.has_point)
        fail_msg("%s: next %d of trial %d, made anew %d of trial %d", name, x.kind, x.trial, y.kind,
                 y.trial);
    if (x.has_point) {
        assert_memory_equal(points[0], points[1], sizeof points[0]);
        assert_allowed(&space, points[0]);
    }
    assert_true(can_start || x.kind != KD_NEXT_NEW);
    assert_true(x.kind != KD_NEXT_RESUME || history->trials[x.trial].is_paused);
}

static double draw_value(struct kd_rng *rng)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 0};
    uint64_t at = kd_rng_below(rng, 60);
    return at < KD_COUNT(odd) ? odd[at] : floor(40 * kd_rng_uniform(rng)) / 10;
}

static void add_any(struct kd_history *history, struct kd_rng *rng)
{
    static const int64_t untils[] = {0, 1, 3, 9, 27, 2, 4};
    int parent = history->n > 0 && kd_rng_below(rng, 8) == 0
                     ? (int)kd_rng_below(rng, (uint64_t)history->n)
                     : -1;
    double point[] = {kd_rng_uniform(rng), (double)kd_rng_below(rng, 3)};
    int number = kd_history_add(history, point);
    kd_history_schedule(history, number, untils[kd_rng_below(rng, KD_COUNT(untils))], parent);
}

/* Something happens to a trial that has not ended: more often than not a report, which is
 * judged. */
static bool change_any(struct kd_history *history, struct kd_rng *rng, int *number,
                       struct kd_report *report)
{
    *number = (int)kd_rng_below(rng, (uint64_t)history->n);
    const struct kd_observation *trial = &history->trials[*number];
    uint64_t what = kd_rng_below(rng, 20);
    if (trial->outcome != KD_RUNNING)
        return false;
    if (trial->is_paused) {
        if (what < 8)
            kd_history_resume(history, *number, trial->until > 0 ? 3 * trial->until : 0);
    } else if (what == 0) {
        kd_history_cut(history, *number, (int64_t)kd_rng_below(rng, LONGEST));
    } else if (what <= 2) {
        kd_history_finish(history, *number, (enum kd_outcome)(1 + kd_rng_below(rng, 3)),
                          draw_value(rng));
    } else if (what <= 4) {
        kd_history_pause(history, *number);
    } else {
        int64_t next = last_step(trial) + 1 + (int64_t)kd_rng_below(rng, 3);
        int64_t step = what == 5 ? 1 + (int64_t)kd_rng_below(rng, LONGEST) : next;
        *report = (struct kd_report){step, draw_value(rng)};
        kd_history_report(history, *number, step, report->value);
        return true;
    }
    return false;
}

static void decide_at_random(const struct variant *variant, uint64_t seed)
{
    struct kd_history history;
    struct kd_rng rng = kd_rng_at(seed, 1);
    struct kd_scheduler *old = new_scheduler(variant->name, &task, variant->settings);
    kd_history_init(&history, &space);
    for (int i = 0; i < 3; i++)
        kd_history_add_prior(&history, (double[]){0.1 * i, 1}, KD_COMPLETE, i);
    for (int i = 0; i < 500; i++) {
        int number;
        struct kd_report report;
        if (kd_rng_below(&rng, 10) == 0 || history.n < 5)
            add_any(&history, &rng);
        bool is_report = change_any(&history, &rng, &number, &report);
        struct kd_scheduler *new = new_scheduler(variant->name, &task, variant->settings);
        if (is_report)
            assert_int_equal(kd_scheduler_judge(old, &history, number, &report),
                             kd_scheduler_judge(new, &history, number, &report));
        assert_same_next(variant->name, &history, old, new, kd_rng_below(&rng, 4) > 0);
        kd_scheduler_free(new);
    }
    kd_history_release(&history);
    kd_history_init(&history, &space); /* another history: what was seen is forgotten */
    struct kd_scheduler *new = new_scheduler(variant->name, &task, variant->settings);
    assert_same_next(variant->name, &history, old, new, true);
    kd_scheduler_free(new);
    kd_scheduler_free(old);
    kd_history_release(&history);
}

static void decides_as_one_made_anew(const struct variant *variant)
{
    for (uint64_t seed = 0; seed < 4; seed++)
        decide_at_random(variant, seed);
}

static void a_stopper_made_anew_for_the_same_history_decides_the_same(void **state)
{
    (void)state;
    for_each_variant(decides_as_one_made_anew);
}

/* Some trials diverge, some are good. */
static double mixed_report(const struct kd_history *history, int number, int64_t step)
{
    double x = history->trials[number].values[0];
    return x > 0.9 ? NAN : x + 1.0 / (double)step;
}

static double worthless_report(const struct kd_history *history, int number, int64_t step)
{
    (void)history, (void)number, (void)step;
    return NAN;
}

static double equal_report(const struct kd_history *history, int number, int64_t step)
{
    (void)history, (void)number, (void)step;
    return 1;
}

static void run_to_the_end(const struct variant *variant, int n_slots,
                           double (*report)(const struct kd_history *, int, int64_t))
{
    struct simulation sim = {
        .task = &task, .n_slots = n_slots, .most_trials = 60, .report = report};
    int n_whole = 0;
    sim.scheduler = new_scheduler(variant->name, &task, variant->settings);
    simulate(&sim);
    for (int i = 0; i < sim.history.n; i++)
        n_whole += sim.history.trials[i].outcome == KD_COMPLETE;
    if (report == mixed_report && n_whole == 0)
        fail_msg("%s: no trial was trained to the end", variant->name);
    kd_scheduler_free(sim.scheduler);
    kd_history_release(&sim.history);
}

static void ends_with_any_number_of_slots(const struct variant *variant)
{
    static const int slots[] = {1, 4, 64};
    for (size_t i = 0; i < KD_COUNT(slots); i++) {
        run_to_the_end(variant, slots[i], mixed_report);
        run_to_the_end(variant, slots[i], equal_report);
        run_to_the_end(variant, slots[i], worthless_report);
    }
}

static void a_run_ends_when_no_new_trial_may_start_and_never_waits_for_nobody(void **state)
{
    (void)state;
    for_each_variant(ends_with_any_number_of_slots);
}

static void every_stopper_is_described_and_refuses_unknown_settings(void **state)
{
    (void)state;
    for (int i = 0; kd_stoppers[i]; i++) {
        struct kd_settings settings;
        struct kd_error err;
        kd_settings_init(&settings, kd_stoppers[i]->settings);
        assert_ptr_equal(kd_stopper_find(kd_stoppers[i]->name), kd_stoppers[i]);
        assert_non_null(kd_stoppers[i]->summary);
        assert_null(kd_stopper_planned(kd_stoppers[i]->name));
        assert_int_equal(kd_settings_set(&settings, "no_such_setting", "1", &err), -1);
        assert_non_null(strstr(err.text, "accepted are"));
        kd_settings_release(&settings);
    }
    assert_null(kd_stopper_find("no_such_stopper"));
}

static const struct {
    const char *stopper;
    int64_t max;
    const char *settings[7];
    const char *complaint;
} refused[] = {
    {"asha", 0, {NULL}, "fidelity.max"},
    {"asha", 27, {"min_resource", "28"}, "min_resource: 28 is above fidelity.max, 27"},
    {"asha", 27, {"brackets", "5"}, "brackets: 5 is more than the 4 rungs"},
    {"asha", 27, {"reduction_factor", "1"}, "reduction_factor: 1 is outside 2"},
    {"asha", 27, {"type", "pausing"}, "\"pausing\" is not one of promotion, stopping"},
    {"hyperband", 0, {NULL}, "fidelity.max or r_l"},
    {"hyperband", 27, {"r_l", "9"}, "r_l: 9 is not fidelity.max, 27"},
    {"hyperband", 27, {"eta", "2.5"}, "\"2.5\" is not a whole number"},
    {"pbt", 27, {"n_population", "1"}, "n_population: 1 is outside 2"},
    {"pbt", 27, {"interval", "28"}, "interval: 28 is above fidelity.max, 27"},
    {"pbt", 1000000, {"interval", "1"}, "make it larger"},
    {"pbt", 27, {"truncation_threshold", "1.5"}, "outside 0 to 1"},
    {"percentile", 27, {"percentile", "101"}, "outside 0 to 100"},
    {"wilcoxon", 27, {"p_threshold", "-1"}, "outside 0 to 1"},
    {"patient", 27, {"stopper", "asha"}, "not one of none, medianstop, percentile, wilcoxon"},
    {"threshold", 27, {NULL}, "give lower, upper or both"},
    {"threshold", 27, {"lower", "2", "upper", "1"}, "lower: 2 is above upper, 1"},
};

static void settings_that_make_no_sense_are_refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(refused); i++) {
        struct kd_error err = {0};
        struct kd_task some = task;
        some.fidelity_max = refused[i].max;
        assert_null(try_scheduler(refused[i].stopper, &some, refused[i].settings, &err));
        if (!strstr(err.text, refused[i].complaint))
            fail_msg("\"%s\" does not say \"%s\"", err.text, refused[i].complaint);
    }
}

static void pairs_are_names_of_their_own(void **state)
{
    (void)state;
    for (int i = 0; kd_pairs[i].name; i++) {
        assert_ptr_equal(kd_pair_find(kd_pairs[i].name), &kd_pairs[i]);
        assert_null(kd_strategy_find(kd_pairs[i].name));
        assert_null(kd_strategy_planned(kd_pairs[i].name));
        assert_non_null(kd_pairs[i].summary);
    }
    assert_string_equal(kd_pair_find("bohb")->strategy->name, "tpe");
    assert_string_equal(kd_pair_find("bohb")->stopper->name, "hyperband");
    assert_null(kd_pair_find("tpe"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopper_made_anew_for_the_same_history_decides_the_same),
        cmocka_unit_test(a_run_ends_when_no_new_trial_may_start_and_never_waits_for_nobody),
        cmocka_unit_test(every_stopper_is_described_and_refuses_unknown_settings),
        cmocka_unit_test(settings_that_make_no_sense_are_refused_with_the_reason),
        cmocka_unit_test(pairs_are_names_of_their_own),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
