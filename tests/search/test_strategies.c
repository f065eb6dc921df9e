/* What every listed strategy must keep: a new line in strategies.def is tested by these from then
 * on. */
#include "tests/search/helper.h"

#include "coordinator/base/rng.h"

typedef void filler(struct kd_space *);

/* A space that the strategy takes. */
static void fill_for(const struct kd_strategy *strategy, struct kd_space *space)
{
    filler *fill = strategy->needs & KD_NEEDS_FINITE ? fill_finite : fill_mixed;
    fill(space);
}

static void each_strategy(void (*check)(const struct kd_strategy *))
{
    for (int i = 0; kd_strategies[i]; i++)
        check(kd_strategies[i]);
}

/* Plays a run: three asks ahead, every fifth trial fails, every seventh diverges, every eleventh is
 * cut. */
static void play(struct kd_sampler *sampler, struct kd_history *history, int n_trials)
{
    double *point = KD_NEW_ARRAY(double, (size_t)history->space->n_params + 1);
    while (history->n < n_trials) {
        if (kd_sampler_ask(sampler, history, 1, point) == 0)
            break;
        assert_allowed(history->space, point);
        kd_history_add(history, point);
        int number = history->n - 4; /* so that three are running */
        if (number < 0)
            continue;
        double value = bowl(history->space, history->trials[number].values);
        kd_history_report(history, number, 1, value + 1);
        enum kd_outcome outcome = number % 5 == 4    ? KD_INFEASIBLE
                                  : number % 11 == 3 ? KD_PRUNED
                                                     : KD_COMPLETE;
        kd_history_finish(history, number, outcome, number % 7 == 6 ? NAN : value);
    }
    free(point);
}

static void check_bounds(const struct kd_strategy *strategy)
{
    struct kd_space space = {0};
    struct kd_history history;
    fill_for(strategy, &space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = new_sampler(strategy, &space, 1);
    play(sampler, &history, 80);
    assert_int_equal(history.n, 80);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void points_keep_bounds_and_grid_for_every_type_and_distribution(void **state)
{
    (void)state;
    each_strategy(check_bounds);
}

static void check_seed(const struct kd_strategy *strategy)
{
    struct kd_space space = {0};
    struct kd_history first, second;
    fill_for(strategy, &space);
    kd_history_init(&first, &space), kd_history_init(&second, &space);
    struct kd_sampler *a = new_sampler(strategy, &space, 7), *b = new_sampler(strategy, &space, 7);
    play(a, &first, 60), play(b, &second, 60);
    for (int i = 0; i < 60; i++)
        assert_memory_equal(first.trials[i].values, second.trials[i].values,
                            (size_t)space.n_params * sizeof(double));
    kd_sampler_free(a), kd_sampler_free(b);
    kd_history_release(&first), kd_history_release(&second);
    kd_space_release(&space);
}

static void the_same_seed_gives_the_same_points(void **state)
{
    (void)state;
    each_strategy(check_seed);
}

/* The history as it was before trial `until` was asked for, built from nothing. */
static void replay(struct kd_history *to, const struct kd_history *from, int until, int n_done)
{
    kd_history_init(to, from->space);
    for (int i = 0; i < until; i++) {
        kd_history_add(to, from->trials[i].values);
    }
    for (int i = 0; i < n_done; i++) {
        const struct kd_observation *trial = &from->trials[from->done[i]];
        for (int r = 0; r < trial->n_reports; r++)
            kd_history_report(to, from->done[i], trial->reports[r].step, trial->reports[r].value);
        kd_history_finish(to, from->done[i], trial->outcome, trial->objective);
    }
}

static void check_reload(const struct kd_strategy *strategy)
{
    struct kd_space space = {0};
    struct kd_history history;
    fill_for(strategy, &space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = new_sampler(strategy, &space, 3);
    play(sampler, &history, 60);
    double *point = KD_NEW_ARRAY(double, (size_t)space.n_params);
    for (int until = 5; until < 60; until += 6) {
        struct kd_history before;
        replay(&before, &history, until, until >= 3 ? until - 3 : 0);
        struct kd_sampler *fresh = new_sampler(strategy, &space, 3);
        assert_int_equal(kd_sampler_ask(fresh, &before, 1, point), 1);
        assert_memory_equal(point, history.trials[until].values,
                            (size_t)space.n_params * sizeof *point);
        /* and the old sampler, whose caches are ahead, agrees */
        assert_int_equal(kd_sampler_ask(sampler, &before, 1, point), 1);
        assert_memory_equal(point, history.trials[until].values,
                            (size_t)space.n_params * sizeof *point);
        kd_sampler_free(fresh);
        kd_history_release(&before);
    }
    free(point);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void asking_after_a_reload_gives_what_asking_before_gave(void **state)
{
    (void)state;
    each_strategy(check_reload);
}

static void check_batch(const struct kd_strategy *strategy)
{
    struct kd_space space = {0};
    struct kd_history history;
    fill_finite(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = new_sampler(strategy, &space, 5);
    play(sampler, &history, 30);
    double points[8 * 4], one[4];
    assert_int_equal(kd_sampler_ask(sampler, &history, 8, points), 8);
    for (int i = 0; i < 8; i++) {
        assert_false(kd_history_has(&history, &points[4 * i]));
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, one), 1);
        assert_memory_equal(one, &points[4 * i], sizeof one);
        kd_history_add(&history, one);
    }
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void eight_asks_at_once_differ_and_equal_eight_asks_in_turn(void **state)
{
    (void)state;
    each_strategy(check_batch);
}

static void check_exhaustion(const struct kd_strategy *strategy)
{
    struct kd_space space = {0};
    struct kd_history history;
    fill_finite(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = new_sampler(strategy, &space, 11);
    int size = (int)kd_space_size(&space);
    play(sampler, &history, size + 20);
    assert_int_equal(history.n, size);
    assert_int_equal(history.n_distinct, size);
    double points[3 * 4];
    assert_int_equal(kd_sampler_ask(sampler, &history, 3, points), 0);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void a_finite_space_is_given_once_and_then_the_answer_is_zero(void **state)
{
    (void)state;
    each_strategy(check_exhaustion);
}

static void check_enqueued(const struct kd_strategy *strategy)
{
    struct kd_space space = {0};
    struct kd_history history;
    double foreign[] = {77, 1, 1, 0}, repeated[] = {0.25, 2, 8, 1};
    fill_finite(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = new_sampler(strategy, &space, 11);
    kd_history_add(&history, foreign);
    kd_history_add(&history, repeated);
    kd_history_add(&history, repeated);
    int size = (int)kd_space_size(&space);
    double point[4];
    while (kd_sampler_ask(sampler, &history, 1, point) == 1)
        kd_history_add(&history, point);
    assert_int_equal(history.n_distinct, size + 1);
    assert_int_equal(history.n, size + 2);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void points_that_a_user_added_do_not_cost_any_of_the_space(void **state)
{
    (void)state;
    each_strategy(check_enqueued);
}

static void fill_one_point(struct kd_space *space)
{
    add_choices(space, "only", 1);
}

static void fill_huge_range(struct kd_space *space)
{
    add_number(space, "tiny_to_huge", KD_PARAM_DOUBLE, 1e-300, 1e300, 0, KD_LOG_UNIFORM);
    add_number(space, "huge", KD_PARAM_DOUBLE, -1e300, 1e300, 0, KD_UNIFORM);
    add_number(space, "log_normal", KD_PARAM_DOUBLE, 1e-300, 1e300, 0, KD_LOG_NORMAL);
    add_number(space, "ints", KD_PARAM_INT, -4e15, 4e15, 0, KD_UNIFORM);
    add_number(space, "log_step", KD_PARAM_DOUBLE, 0.1, 50, 1, KD_LOG_UNIFORM);
}

static void fill_many_params(struct kd_space *space)
{
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        if (i % 3 == 0)
            add_number(space, name, KD_PARAM_INT, 0, 9, 0, KD_UNIFORM);
        else
            add_number(space, name, KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    }
}

static void fill_many_choices(struct kd_space *space)
{
    add_choices(space, "choices", 1000);
}

static void fill_nothing(struct kd_space *space)
{
    (void)space;
}

static void check_degenerate(const struct kd_strategy *strategy)
{
    static filler *const fillers[] = {fill_one_point, fill_huge_range, fill_many_params,
                                      fill_many_choices, fill_nothing};
    for (size_t i = 0; i < KD_COUNT(fillers); i++) {
        struct kd_space space = {0};
        struct kd_history history;
        fillers[i](&space);
        kd_history_init(&history, &space);
        struct kd_task task = task_of(&space);
        if (kd_strategy_fits(strategy, &task, NULL) == 0) {
            struct kd_settings settings;
            kd_settings_init(&settings, strategy->settings);
            struct kd_sampler *sampler = kd_sampler_new(strategy, &task, &settings, 2, NULL);
            if (sampler)
                play(sampler, &history, 40);
            double size = kd_space_size(&space);
            assert_true(!sampler || history.n == (size < 40 ? size : 40));
            kd_sampler_free(sampler);
            kd_settings_release(&settings);
        }
        kd_history_release(&history);
        kd_space_release(&space);
    }
}

static void degenerate_spaces_are_searched_like_any(void **state)
{
    (void)state;
    each_strategy(check_degenerate);
}

static double all_equal(int i)
{
    return i * 0.0 + 2;
}

static double all_nan(int i)
{
    return i * 0.0 + NAN;
}

static double extremes(int i)
{
    static const double values[] = {1e300, -1e300, 1e-300, -1e-300, INFINITY, -INFINITY, NAN};
    return values[i % 7];
}

static void check_objectives(const struct kd_strategy *strategy)
{
    static double (*const objectives[])(int) = {all_equal, all_nan, extremes};
    for (size_t i = 0; i < 2 * KD_COUNT(objectives); i++) {
        struct kd_space space = {0};
        struct kd_history history;
        fill_for(strategy, &space);
        kd_history_init(&history, &space);
        struct kd_sampler *sampler = new_sampler(strategy, &space, 4);
        double *point = KD_NEW_ARRAY(double, (size_t)space.n_params);
        for (int t = 0; t < 40; t++) {
            assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
            assert_allowed(&space, point);
            kd_history_add(&history, point);
            kd_history_finish(&history, t, i % 2 ? KD_INFEASIBLE : KD_COMPLETE,
                              objectives[i / 2](t));
        }
        free(point);
        kd_sampler_free(sampler);
        kd_history_release(&history);
        kd_space_release(&space);
    }
}

static void equal_infinite_and_missing_objectives_do_no_harm(void **state)
{
    (void)state;
    each_strategy(check_objectives);
}

static void check_settings(const struct kd_strategy *strategy)
{
    struct kd_settings settings;
    struct kd_error err;
    kd_settings_init(&settings, strategy->settings);
    assert_int_equal(kd_settings_set(&settings, "no_such_setting", "1", &err), -1);
    assert_non_null(strstr(err.text, "no_such_setting"));
    for (int i = 0; strategy->settings && strategy->settings[i].name; i++) {
        assert_non_null(strstr(err.text, strategy->settings[i].name));
        assert_non_null(strategy->settings[i].help);
    }
    kd_settings_release(&settings);
    assert_non_null(strategy->summary);
    assert_ptr_equal(kd_strategy_find(strategy->name), strategy);
    assert_null(kd_strategy_planned(strategy->name));
}

static void an_unknown_setting_is_refused_with_the_accepted_ones(void **state)
{
    (void)state;
    each_strategy(check_settings);
}

static void random_state_replaces_the_seed(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_settings settings;
    const struct kd_strategy *random = kd_strategy_find("random");
    fill_mixed(&space);
    kd_history_init(&history, &space);
    kd_settings_init(&settings, random->settings);
    assert_int_equal(kd_settings_set(&settings, "random_state", "42", NULL), 0);
    struct kd_task task = task_of(&space);
    struct kd_sampler *given = kd_sampler_new(random, &task, &settings, 1, NULL);
    struct kd_sampler *seeded = new_sampler(random, &space, 42);
    double a[10], b[10];
    kd_sampler_ask(given, &history, 1, a), kd_sampler_ask(seeded, &history, 1, b);
    assert_memory_equal(a, b, sizeof a);
    kd_sampler_free(given), kd_sampler_free(seeded);
    kd_settings_release(&settings);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void names_are_found_planned_or_unknown(void **state)
{
    (void)state;
    assert_ptr_equal(kd_strategy_find("multivariate-tpe"), kd_strategy_find("tpe"));
    assert_null(kd_strategy_find("enas"));
    assert_non_null(kd_strategy_planned("enas"));
    assert_null(kd_strategy_planned("tpee"));
    struct kd_space space = {0};
    struct kd_error err;
    add_number(&space, "lr", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    struct kd_task task = task_of(&space);
    assert_int_equal(kd_strategy_fits(kd_strategy_find("grid"), &task, &err), -1);
    assert_non_null(strstr(err.text, "lr"));
    kd_space_release(&space);
}

/* Share of n draws of a one-parameter space that lie below `limit`. */
static double share_below(struct kd_space *space, double limit, int n)
{
    struct kd_history history;
    kd_history_init(&history, space);
    const struct kd_strategy *random = kd_strategy_find("random");
    struct kd_task task = task_of(space);
    void *self = random->new (&task, NULL, 9, NULL);
    double *points = KD_NEW_ARRAY(double, (size_t)n);
    random->ask(self, &history, n, points);
    int below = 0;
    for (int i = 0; i < n; i++)
        below += points[i] < limit;
    free(points);
    random->free(self);
    kd_history_release(&history);
    kd_space_release(space);
    return (double)below / n;
}

/* Expected shares by hand; 20,000 draws have a deviation of at most 0.0036. */
static void draws_follow_their_distributions(void **state)
{
    (void)state;
    struct kd_space a = {0}, b = {0}, c = {0}, d = {0};
    add_number(&a, "log", KD_PARAM_DOUBLE, 1e-4, 1, 0, KD_LOG_UNIFORM);
    assert_true(fabs(share_below(&a, 1e-3, 20000) - 0.25) < 0.015);
    add_number(&b, "normal", KD_PARAM_DOUBLE, -3, 3, 0, KD_NORMAL); /* mean 0, deviation 1 */
    assert_true(fabs(share_below(&b, -1, 20000) - 0.1577) < 0.015);
    add_number(&c, "int", KD_PARAM_INT, 1, 4, 0, KD_UNIFORM);
    assert_true(fabs(share_below(&c, 2, 20000) - 0.25) < 0.015);
    add_number(&d, "log_normal", KD_PARAM_DOUBLE, 1e-3, 1e3, 0, KD_LOG_NORMAL);
    assert_true(fabs(share_below(&d, 0.1, 20000) - 0.1577) < 0.015);
}

static void the_grid_runs_in_order_and_shuffles_when_given_a_seed(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_settings settings;
    const struct kd_strategy *grid = kd_strategy_find("grid");
    fill_finite(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *plain = new_sampler(grid, &space, 1);
    double points[4 * 3], first[] = {0, 1, 1, 0}, second[] = {0, 1, 1, 1}, third[] = {0, 1, 2, 0};
    assert_int_equal(kd_sampler_ask(plain, &history, 3, points), 3);
    assert_memory_equal(points, first, sizeof first);
    assert_memory_equal(points + 4, second, sizeof second);
    assert_memory_equal(points + 8, third, sizeof third);
    kd_settings_init(&settings, grid->settings);
    kd_settings_set(&settings, "random_state", "3", NULL);
    struct kd_task task = task_of(&space);
    struct kd_sampler *shuffled = kd_sampler_new(grid, &task, &settings, 1, NULL);
    play(shuffled, &history, 1000);
    assert_int_equal(history.n_distinct, (int)kd_space_size(&space));
    assert_memory_not_equal(history.trials[0].values, first, sizeof first);
    kd_sampler_free(plain), kd_sampler_free(shuffled);
    kd_settings_release(&settings);
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_keep_bounds_and_grid_for_every_type_and_distribution),
        cmocka_unit_test(the_same_seed_gives_the_same_points),
        cmocka_unit_test(asking_after_a_reload_gives_what_asking_before_gave),
        cmocka_unit_test(eight_asks_at_once_differ_and_equal_eight_asks_in_turn),
        cmocka_unit_test(a_finite_space_is_given_once_and_then_the_answer_is_zero),
        cmocka_unit_test(points_that_a_user_added_do_not_cost_any_of_the_space),
        cmocka_unit_test(degenerate_spaces_are_searched_like_any),
        cmocka_unit_test(equal_infinite_and_missing_objectives_do_no_harm),
        cmocka_unit_test(an_unknown_setting_is_refused_with_the_accepted_ones),
        cmocka_unit_test(random_state_replaces_the_seed),
        cmocka_unit_test(names_are_found_planned_or_unknown),
        cmocka_unit_test(draws_follow_their_distributions),
        cmocka_unit_test(the_grid_runs_in_order_and_shuffles_when_given_a_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
