/* TPE beyond one objective over all parameters: conditions, constraints, several objectives,
 * unfinished trials. */
#include "tests/search/helper.h"

#include "coordinator/base/rng.h"
#include "search/math/special.h"
#include "search/tpe/moves.h"
#include "search/tpe/parzen.h"
#include "search/tpe/split.h"

struct setup {
    struct kd_space space;
    struct kd_history history;
};

static struct setup *setup_line(int n_objectives, int n_constraints)
{
    struct setup *setup = KD_NEW(struct setup);
    add_number(&setup->space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    kd_history_init(&setup->history, &setup->space);
    setup->history.n_objectives = n_objectives;
    setup->history.n_constraints = n_constraints;
    return setup;
}

static void release(struct setup *setup)
{
    kd_history_release(&setup->history);
    kd_space_release(&setup->space);
    free(setup);
}

static void add_trials(struct kd_history *history, int n)
{
    for (int i = 0; i < n; i++) {
        double x = (i + 0.5) / n;
        kd_history_add(history, &x);
    }
}

static void assert_below(struct kd_history *history, int want, const int *expected, int n)
{
    struct kd_split split = {0};
    kd_split_trials(&split, history, want);
    assert_int_equal(split.n_below, n);
    assert_int_equal(split.n_above, history->n - n);
    for (int i = 0; i < n; i++)
        assert_int_equal(split.below[i], expected[i]);
    kd_split_release(&split);
}

static void finish(struct kd_history *history, int number, enum kd_outcome outcome,
                   double objective, double constraint)
{
    kd_history_finish_measured(history, number, outcome,
                               (struct kd_measured){&objective, &constraint});
}

static void feasible_trials_come_first_and_then_the_smallest_violations(void **state)
{
    (void)state;
    struct setup *setup = setup_line(1, 1);
    struct kd_history *history = &setup->history;
    add_trials(history, 7);
    finish(history, 0, KD_COMPLETE, -9, 0.5);
    finish(history, 1, KD_COMPLETE, 3, 0);
    finish(history, 2, KD_COMPLETE, -8, 0.25);
    kd_history_report(history, 3, 2, 1);
    finish(history, 3, KD_PRUNED, NAN, -1);
    finish(history, 4, KD_COMPLETE, -7, NAN);
    finish(history, 5, KD_INFEASIBLE, -6, -1);
    finish(history, 6, KD_COMPLETE, 2, -3);
    assert_below(history, 1, (int[]){6}, 1);
    assert_below(history, 3, (int[]){1, 3, 6}, 3);
    assert_below(history, 4, (int[]){1, 2, 3, 6}, 4);
    assert_below(history, 7, (int[]){0, 1, 2, 3, 6}, 5); /* neither unknown nor failed */
    release(setup);
}

static void trials_that_are_not_finished_count_by_their_reports(void **state)
{
    (void)state;
    struct setup *setup = setup_line(1, 0);
    struct kd_history *history = &setup->history;
    add_trials(history, 7);
    kd_history_report(history, 0, 1, -5), kd_history_pause(history, 0);
    kd_history_report(history, 1, 3, 2), kd_history_pause(history, 1);
    kd_history_report(history, 2, 1, 0), kd_history_pause(history, 2);
    kd_history_report(history, 3, 3, 1), kd_history_pause(history, 3);
    kd_history_resume(history, 3, 9); /* promoted, and running again */
    kd_history_report(history, 4, 9, NAN);
    kd_history_report(history, 5, 9, NAN), kd_history_finish(history, 5, KD_PRUNED, NAN);
    assert_int_equal(kd_split_informed(history), 5);
    assert_below(history, 2, (int[]){3, 5}, 2); /* by step; what became NaN is last there */
    assert_below(history, 4, (int[]){0, 1, 3, 5}, 4);
    assert_below(history, 7, (int[]){0, 1, 2, 3, 5}, 5);
    kd_history_finish(history, 6, KD_COMPLETE, 100);
    assert_below(history, 1, (int[]){6}, 1);
    release(setup);
}

static void compare_fronts(FILE *file)
{
    int want, n, m, n_below;
    assert_int_equal(fscanf(file, "%d %d %d %d", &want, &n, &m, &n_below), 4);
    struct setup *setup = setup_line(m, 0);
    struct kd_split split = {0};
    add_trials(&setup->history, n);
    for (int i = 0; i < n; i++) {
        double row[3];
        char text[64];
        for (int j = 0; j < m; j++) {
            assert_int_equal(fscanf(file, "%63s", text), 1);
            row[j] = strtod(text, NULL);
        }
        kd_history_finish_measured(&setup->history, i, KD_COMPLETE,
                                   (struct kd_measured){row, NULL});
    }
    kd_split_trials(&split, &setup->history, want);
    assert_int_equal(split.n_below, n_below);
    for (int i = 0; i < n_below; i++) {
        int number;
        assert_int_equal(fscanf(file, "%d", &number), 1);
        assert_int_equal(split.below[i], number);
    }
    kd_split_release(&split);
    release(setup);
}

static void splits_of_several_objectives_are_those_of_optuna_5(void **state)
{
    (void)state;
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/motpe.txt", "r");
    assert_non_null(file);
    char word[16];
    int n_splits = 0;
    for (; fscanf(file, "%15s", word) == 1; n_splits++)
        compare_fronts(file);
    fclose(file);
    assert_int_equal(n_splits, 8);
}

static void several_objectives_take_no_cap_and_leave_out_what_is_not_finite(void **state)
{
    (void)state;
    struct setup *setup = setup_line(2, 0);
    struct kd_history *history = &setup->history;
    add_trials(history, 60);
    for (int i = 0; i < 60; i++) {
        double row[] = {i % 7 == 0 ? NAN : i, 60 - i};
        kd_history_finish_measured(history, i, i % 7 == 1 ? KD_INFEASIBLE : KD_COMPLETE,
                                   (struct kd_measured){row, NULL});
    }
    struct kd_split split = {0};
    kd_split_trials(&split, history, 40);
    assert_int_equal(split.n_below, 40);
    for (int i = 0; i < 40; i++)
        assert_true(split.below[i] % 7 > 1);
    kd_split_release(&split);
    release(setup);
}

/* ---- conditions ---- */

static void add_condition(struct kd_space *space, int child, int parent, double value)
{
    struct kd_condition *condition = KD_NEW(struct kd_condition);
    *condition = (struct kd_condition){.parent = parent, .n_values = 1};
    condition->values = KD_NEW_ARRAY(double, 1);
    condition->values[0] = value;
    space->params[child].condition = condition;
}

/* Two levels: kind 0 has x; kind 1 has n, and n = 2 has y; kind 2 has nothing of its own. */
static void fill_tree(struct kd_space *space)
{
    add_choices(space, "kind", 3);
    add_number(space, "shared", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_number(space, "x", KD_PARAM_DOUBLE, 1e-4, 1, 0, KD_LOG_UNIFORM);
    add_number(space, "n", KD_PARAM_INT, 1, 3, 0, KD_UNIFORM);
    add_number(space, "y", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_condition(space, 2, 0, 0);
    add_condition(space, 3, 0, 1);
    add_condition(space, 4, 3, 2);
}

/* Kind 1 with n = 2 is the best branch, by a little, at shared = 0.2 and y = 0.7; kind 0's best is
 * at shared 0.8. */
static double tree_value(const double *p)
{
    double a = p[1] - 0.2, b = p[1] - 0.8;
    if (p[0] == 0)
        return 0.15 + b * b + 0.02 * fabs(kd_ln(p[2]) + 4);
    if (p[0] == 2)
        return 0.4 + a * a;
    return p[3] == 2 ? a * a + (p[4] - 0.7) * (p[4] - 0.7) : 0.1 + a * a;
}

static double best_in_tree(const char *name, const char *multivariate, uint64_t seed)
{
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_settings settings;
    const struct kd_strategy *strategy = kd_strategy_find(name);
    fill_tree(&space);
    kd_history_init(&history, &space);
    kd_settings_init(&settings, strategy->settings);
    if (multivariate)
        kd_settings_set(&settings, "multivariate", multivariate, NULL);
    struct kd_task task = task_of(&space);
    struct kd_sampler *sampler = kd_sampler_new(strategy, &task, &settings, seed, NULL);
    double point[5];
    for (int i = 0; i < 60; i++) {
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        assert_true(kd_space_allows(&space, point));
        kd_history_add(&history, point);
        if (i >= 2)
            kd_history_finish(&history, i - 2, i % 13 == 5 ? KD_INFEASIBLE : KD_COMPLETE,
                              tree_value(history.trials[i - 2].values));
    }
    double best = history.trials[kd_history_best(&history)].objective;
    kd_sampler_free(sampler);
    kd_settings_release(&settings);
    kd_history_release(&history);
    kd_space_release(&space);
    return best;
}

static void a_tree_of_conditions_is_searched_branch_by_branch(void **state)
{
    (void)state;
    double random = 0, together = 0, single = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        random += best_in_tree("random", NULL, seed) / 10;
        together += best_in_tree("tpe", "true", seed) / 10;
        single += best_in_tree("tpe", "false", seed) / 10;
    }
    print_message("mean best of 60: random %.4f, tpe %.4f, univariate %.4f\n", random, together,
                  single);
    assert_true(together < 0.4 * random);
    assert_true(single < 0.9 * random);
}

/* A point with an inactive parameter has a density too: over both kinds of points it sums to 1. */
static void densities_of_a_conditional_space_sum_to_one(void **state)
{
    (void)state;
    enum { STEPS = 2000 };
    static const double seen[4][2] = {{0, NAN}, {1, 0.3}, {1, 0.35}, {0, NAN}};
    static const int trials[] = {0, 1, 2, 3};
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_columns columns;
    add_choices(&space, "kind", 2);
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_condition(&space, 1, 0, 1);
    kd_history_init(&history, &space);
    for (int i = 0; i < 4; i++)
        kd_history_add(&history, seen[i]);
    struct kd_axis *axes = kd_axes_new(&space);
    kd_columns_init(&columns, axes, 2);
    kd_columns_sync(&columns, &history);
    assert_int_equal(columns.n_ranked[1], 2);
    struct kd_parzen *parzen = kd_parzen_new(&columns, 0, 2);
    kd_parzen_fit(parzen, trials, 4, NULL, 1);
    double point[] = {0, NAN}, density, sum;
    kd_parzen_log_density(parzen, point, 1, &density);
    sum = kd_exp(density);
    for (int i = 0; i < STEPS; i++) {
        point[0] = 1, point[1] = (i + 0.5) / STEPS;
        kd_parzen_log_density(parzen, point, 1, &density);
        sum += kd_exp(density) / STEPS;
    }
    assert_true(fabs(sum - 1) < 1e-6);
    kd_parzen_free(parzen);
    kd_columns_release(&columns);
    free(axes);
    kd_history_release(&history);
    kd_space_release(&space);
}

/* ---- moves ---- */

/* The good trials lie on a diagonal: moves spread along it, and across it only by their small
 * step. */
static void moves_follow_the_line_on_which_the_good_trials_lie(void **state)
{
    (void)state;
    static const int good[] = {0, 1, 2};
    struct kd_space space = {0};
    struct kd_history history;
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_number(&space, "y", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    kd_history_init(&history, &space);
    for (int i = 0; i < 3; i++)
        kd_history_add(&history, (double[]){0.3 + 0.2 * i, 0.3 + 0.2 * i});
    struct kd_axis *axes = kd_axes_new(&space);
    struct kd_moves moves = {axes, &history, good, 3};
    struct kd_rng rng = kd_rng_at(4, 0);
    double along = 0, across = 0, p[2];
    for (int i = 0; i < 1000; i++) {
        kd_moves_draw(&moves, i % 2 ? 1 : -1, &rng, p);
        double sum = p[0] + p[1] - 1, difference = p[0] - p[1];
        along += sum * sum, across += difference * difference;
        assert_true(fabs(difference) <= 0.2 + 1e-12);
    }
    assert_true(along > 4 * across);
    free(axes);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void moves_stay_on_what_the_parameters_allow(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    int good[4] = {0, 1, 2, 3};
    double p[10];
    fill_mixed(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = new_sampler(kd_strategy_find("random"), &space, 8);
    for (int i = 0; i < 4; i++) {
        kd_sampler_ask(sampler, &history, 1, p);
        kd_history_add(&history, p);
    }
    struct kd_axis *axes = kd_axes_new(&space);
    struct kd_rng rng = kd_rng_at(4, 0);
    for (int i = 0; i < 2000; i++) {
        struct kd_moves moves = {axes, &history, good, 1 + i % 4};
        kd_moves_draw(&moves, i % 3 ? -1 : 0, &rng, p);
        assert_allowed(&space, p);
    }
    free(axes);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

/* ---- whole runs ---- */

/* Paused at the first rung, all of them: the model learns from that, and does not stay with random
 * points. */
static void paused_trials_teach_from_the_fifth_on(void **state)
{
    (void)state;
    struct setup *setup = setup_line(1, 0);
    struct kd_history *history = &setup->history;
    struct kd_sampler *sampler = new_sampler(kd_strategy_find("tpe"), &setup->space, 6);
    double x, distance = 0;
    for (int i = 0; i < 40; i++) {
        kd_sampler_ask(sampler, history, 1, &x);
        kd_history_add(history, &x);
        kd_history_report(history, i, 1, fabs(x - 0.9));
        kd_history_pause(history, i);
        distance += i >= 20 ? fabs(x - 0.9) / 20 : 0;
    }
    assert_true(distance < 0.15); /* random: 0.41 */
    kd_sampler_free(sampler);
    release(setup);
}

static void motpe_is_tpe(void **state)
{
    (void)state;
    assert_ptr_equal(kd_strategy_find("motpe"), kd_strategy_find("tpe"));
    assert_null(kd_strategy_planned("motpe"));
}

/* x^2 + y^2 and (x-1)^2 + y^2, with x + y >= 0.5 wanted: the front is on y = 0.5 - x, then y =
 * 0. */
static int count_near_front(const char *name)
{
    struct kd_space space = {0};
    struct kd_history history;
    add_number(&space, "x", KD_PARAM_DOUBLE, -2, 2, 0, KD_UNIFORM);
    add_number(&space, "y", KD_PARAM_DOUBLE, -2, 2, 0, KD_UNIFORM);
    kd_history_init(&history, &space);
    history.n_objectives = 2, history.n_constraints = 1;
    struct kd_task task = {.space = &space, .n_objectives = 2, .n_constraints = 1};
    struct kd_settings settings;
    kd_settings_init(&settings, kd_strategy_find(name)->settings);
    struct kd_sampler *sampler = kd_sampler_new(kd_strategy_find(name), &task, &settings, 3, NULL);
    int n_near = 0;
    for (int i = 0; i < 80; i++) {
        double p[2];
        kd_sampler_ask(sampler, &history, 1, p);
        kd_history_add(&history, p);
        double x = p[0], y = p[1], far = x - 1, constraint = 0.5 - x - y;
        double objectives[] = {x * x + y * y, far * far + y * y};
        kd_history_finish_measured(&history, i, KD_COMPLETE,
                                   (struct kd_measured){objectives, &constraint});
        n_near += constraint <= 0 && objectives[0] + objectives[1] < 1;
    }
    kd_sampler_free(sampler);
    kd_settings_release(&settings);
    kd_history_release(&history);
    kd_space_release(&space);
    return n_near;
}

static void constraints_and_objectives_together_lead_to_the_feasible_front(void **state)
{
    (void)state;
    int random = count_near_front("random"), tpe = count_near_front("motpe");
    print_message("of 80 near the feasible front: random %d, tpe %d\n", random, tpe);
    assert_true(tpe > 3 * random + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feasible_trials_come_first_and_then_the_smallest_violations),
        cmocka_unit_test(trials_that_are_not_finished_count_by_their_reports),
        cmocka_unit_test(splits_of_several_objectives_are_those_of_optuna_5),
        cmocka_unit_test(several_objectives_take_no_cap_and_leave_out_what_is_not_finite),
        cmocka_unit_test(a_tree_of_conditions_is_searched_branch_by_branch),
        cmocka_unit_test(densities_of_a_conditional_space_sum_to_one),
        cmocka_unit_test(moves_follow_the_line_on_which_the_good_trials_lie),
        cmocka_unit_test(moves_stay_on_what_the_parameters_allow),
        cmocka_unit_test(paused_trials_teach_from_the_fifth_on),
        cmocka_unit_test(motpe_is_tpe),
        cmocka_unit_test(constraints_and_objectives_together_lead_to_the_feasible_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
