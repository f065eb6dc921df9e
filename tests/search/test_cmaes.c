/* The strategy cmaes: what it finds, what it learns from, and that it is a function of the history.
 * Its parts are held against the package cmaes in test_cmaes_parts.c. */
#include "tests/search/helper.h"

#include "coordinator/base/rng.h"
#include "search/cmaes.h"
#include "search/cmaes/cmaes_restart.h"
#include "search/cmaes/cmaes_surrogate.h"

static const struct kd_strategy *cmaes(void)
{
    return kd_strategy_find("cmaes");
}

static void fill_box(struct kd_space *space, int d)
{
    for (int i = 0; i < d; i++)
        add_number(space, "x", KD_PARAM_DOUBLE, -5, 5, 0, KD_UNIFORM);
}

/* settings: "name=value" texts, NULL-terminated; or NULL. */
static struct kd_sampler *sampler_with(const struct kd_task *task, const char *const *texts)
{
    struct kd_settings settings;
    struct kd_error err;
    char name[64];
    kd_settings_init(&settings, cmaes()->settings);
    for (; texts && *texts; texts++) {
        const char *value = strchr(*texts, '=') + 1;
        snprintf(name, sizeof name, "%.*s", (int)(value - *texts) - 1, *texts);
        if (kd_settings_set(&settings, name, value, &err) < 0)
            fail_msg("%s", err.text);
    }
    struct kd_sampler *sampler = kd_sampler_new(cmaes(), task, &settings, 5, &err);
    if (!sampler)
        fail_msg("%s", err.text);
    kd_settings_release(&settings);
    return sampler;
}

typedef double function(const struct kd_space *, const double *);

/* Trials with `workers` running at once; returns the best value. */
static double run(struct kd_sampler *sampler, struct kd_history *history, function *f, int n,
                  int workers)
{
    double point[16], best = INFINITY;
    while (history->n < n) {
        assert_int_equal(kd_sampler_ask(sampler, history, 1, point), 1);
        kd_history_add(history, point);
        int number = history->n - workers;
        if (number < history->n_prior)
            continue;
        double value = f(history->space, history->trials[number].values);
        best = value < best ? value : best;
        kd_history_finish(history, number, KD_COMPLETE, value);
    }
    return best;
}

static double run_fresh(struct kd_space *space, function *f, int n, int workers,
                        const char *const *texts)
{
    struct kd_task task = task_of(space);
    struct kd_history history;
    kd_history_init(&history, space);
    struct kd_sampler *sampler = sampler_with(&task, texts);
    double best = run(sampler, &history, f, n, workers);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(space);
    return best;
}

/* Condition 1e4, turned by chaining neighbours; 0 at 1.3, 1.3, .. */
static double valley(const struct kd_space *space, const double *x)
{
    double sum = 0;
    for (int i = 0; i < space->n_params; i++) {
        double before = i > 0 ? x[i - 1] - 1.3 : 0, at = x[i] - 1.3 + before;
        sum += (i % 2 ? 1e4 : 1) * at * at;
    }
    return sum;
}

/* Quartic: no quadratic model is right. */
static double flat_valley(const struct kd_space *space, const double *x)
{
    double value = valley(space, x);
    return value * value;
}

static double slope(const struct kd_space *space, const double *x)
{
    double sum = 0;
    for (int i = 0; i < space->n_params; i++)
        sum += (i % 2 ? 1 : -3) * x[i];
    return sum;
}

static const char *const plain[] = {"surrogate=false", NULL};
static const char *const adapting[] = {"surrogate=false", "lr_adapt=true", NULL};

static void narrow_valleys_are_followed_to_their_end(void **state)
{
    (void)state;
    struct kd_space a = {0}, b = {0}, c = {0};
    fill_box(&a, 5), fill_box(&b, 5), fill_box(&c, 5);
    assert_true(run_fresh(&a, valley, 900, 1, plain) < 1e-6);
    assert_true(run_fresh(&b, valley, 200, 1, NULL) < 1e-6);
    assert_true(run_fresh(&c, flat_valley, 300, 1, NULL) < 1e-6);
}

static void an_optimum_in_a_corner_of_the_box_is_reached_exactly(void **state)
{
    (void)state;
    struct kd_space a = {0}, b = {0};
    fill_box(&a, 6), fill_box(&b, 6);
    assert_true(run_fresh(&a, slope, 300, 1, NULL) == -60);
    assert_true(run_fresh(&b, slope, 600, 1, plain) == -60);
}

static void what_sixteen_workers_bring_in_late_is_learned_from(void **state)
{
    (void)state;
    struct kd_space a = {0}, b = {0};
    fill_box(&a, 4), fill_box(&b, 4);
    assert_true(run_fresh(&a, valley, 900, 16, plain) < 1);
    assert_true(run_fresh(&b, valley, 400, 16, NULL) < 1e-3);
}

static void with_adapted_rates_it_converges_too(void **state)
{
    (void)state;
    struct kd_space space = {0};
    fill_box(&space, 3);
    assert_true(run_fresh(&space, bowl, 600, 1, adapting) < 1e-3);
}

/* As it was before trial n was asked for. */
static void replay(struct kd_history *to, const struct kd_history *from, int n, int n_done)
{
    kd_history_init(to, from->space);
    for (int i = 0; i < n; i++)
        kd_history_add(to, from->trials[i].values);
    for (int i = 0; i < n_done; i++)
        kd_history_finish(to, from->done[i], KD_COMPLETE, from->trials[from->done[i]].objective);
}

static void check_replay(const char *const *texts)
{
    struct kd_space space = {0};
    struct kd_history history, before;
    fill_box(&space, 2);
    struct kd_task task = task_of(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = sampler_with(&task, texts);
    run(sampler, &history, bowl, 400, 5);
    for (int n = 399; n > 0; n -= 21) { /* backwards: the old sampler's cache is of no use */
        double fresh_point[2], old_point[2];
        struct kd_sampler *fresh = sampler_with(&task, texts);
        replay(&before, &history, n, n > 4 ? n - 4 : 0);
        assert_int_equal(kd_sampler_ask(fresh, &before, 1, fresh_point), 1);
        assert_int_equal(kd_sampler_ask(sampler, &before, 1, old_point), 1);
        assert_memory_equal(fresh_point, history.trials[n].values, sizeof fresh_point);
        assert_memory_equal(old_point, history.trials[n].values, sizeof old_point);
        kd_history_release(&before);
        kd_sampler_free(fresh);
    }
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void points_follow_from_the_history_through_restarts_and_late_results(void **state)
{
    (void)state;
    static const char *const bipop[] = {"restart_strategy=bipop", NULL};
    check_replay(NULL);
    check_replay(adapting);
    check_replay(bipop);
}

static double two_basins(const struct kd_space *space, const double *x)
{
    double near = 1, far = 0;
    for (int i = 0; i < space->n_params; i++) {
        near += 0.2 * (x[i] + 0.5) * (x[i] + 0.5);
        far += 0.5 * (x[i] - 4) * (x[i] - 4);
    }
    return near < far ? near : far;
}

static void a_restart_finds_the_basin_that_the_first_run_missed(void **state)
{
    (void)state;
    struct kd_space a = {0}, b = {0}, c = {0};
    fill_box(&a, 2), fill_box(&b, 2), fill_box(&c, 2);
    assert_true(run_fresh(&a, two_basins, 250, 1, plain) > 0.99);
    assert_true(run_fresh(&b, two_basins, 1000, 1, plain) < 1e-3);
    assert_true(run_fresh(&c, two_basins, 1500, 1, NULL) < 0.1);
}

static void ipop_doubles_and_bipop_balances_its_two_sides(void **state)
{
    (void)state;
    struct kd_cma_plan none, ipop, bipop;
    struct kd_rng rng = kd_rng_at(1, 1);
    kd_cma_plan_init(&none, KD_CMA_NONE, 8, 2, 0.2);
    kd_cma_plan_init(&ipop, KD_CMA_IPOP, 8, 2, 0.2);
    kd_cma_plan_init(&bipop, KD_CMA_BIPOP, 8, 2, 0.2);
    long used[2] = {0};
    for (int i = 1; i <= 20; i++) {
        used[bipop.is_small] += 100;
        kd_cma_plan_next(&none, 100, &rng);
        kd_cma_plan_next(&ipop, 100, &rng);
        kd_cma_plan_next(&bipop, 100, &rng);
        assert_int_equal(none.lambda, 8);
        assert_int_equal(ipop.lambda, i < 13 ? 8 << i : 65536);
        assert_true(bipop.lambda >= 8 && (!bipop.is_small || bipop.sigma <= 0.2));
        assert_int_equal(bipop.is_small, i > 1 && used[1] < used[0]);
    }
}

/* Everything lies within `reach` of (2, -3) in each coordinate. */
static bool all_near(const double *points, int n, double reach)
{
    for (int i = 0; i < n; i++) {
        if (fabs(points[2 * i] - 2) > reach || fabs(points[2 * i + 1] + 3) > reach)
            return false;
    }
    return true;
}

static void earlier_trials_say_where_to_begin(void **state)
{
    (void)state;
    static const char *const cold[] = {"warm_start=false", "surrogate=false", NULL};
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_rng rng = kd_rng_at(3, 3);
    double points[2 * 6];
    fill_box(&space, 2);
    struct kd_task task = task_of(&space);
    kd_history_init(&history, &space);
    for (int i = 0; i < 300; i++) {
        double x[] = {10 * kd_rng_uniform(&rng) - 5, 10 * kd_rng_uniform(&rng) - 5};
        double value = (x[0] - 2) * (x[0] - 2) + (x[1] + 3) * (x[1] + 3);
        kd_history_add_prior(&history, x, i % 3 ? KD_COMPLETE : KD_INFEASIBLE, value);
    }
    struct kd_sampler *warm = sampler_with(&task, plain), *other = sampler_with(&task, cold);
    kd_sampler_ask(warm, &history, 6, points);
    assert_true(all_near(points, 6, 4));
    kd_sampler_ask(other, &history, 6, points);
    assert_false(all_near(points, 6, 4));
    kd_sampler_free(warm), kd_sampler_free(other);
    /* with the surrogate, the first proposal is the minimum of a quadratic itself */
    warm = sampler_with(&task, NULL);
    kd_sampler_ask(warm, &history, 1, points);
    assert_true(all_near(points, 1, 0.05));
    kd_sampler_free(warm);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void another_strategy_can_hand_over_at_a_trial(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_error err;
    fill_box(&space, 3);
    struct kd_task task = task_of(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *random = new_sampler(kd_strategy_find("random"), &space, 1);
    double by_random = run(random, &history, valley, 60, 1), best = by_random, point[3];
    void *self = kd_cmaes_new_from(&task, NULL, 1, 60, &err);
    assert_non_null(self);
    for (int i = 60; i < 120; i++) {
        assert_int_equal(cmaes()->ask(self, &history, 1, point), 1);
        kd_history_add(&history, point);
        best = fmin(best, valley(&space, point));
        kd_history_finish(&history, i, KD_COMPLETE, valley(&space, point));
    }
    assert_true(best < 1e-3 * by_random);
    cmaes()->free(self);
    kd_sampler_free(random);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void without_a_number_it_is_refused_with_a_way_out(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_error err;
    add_choices(&space, "optimizer", 3);
    struct kd_task task = task_of(&space);
    assert_null(kd_cmaes_new_from(&task, NULL, 1, 0, &err));
    assert_non_null(strstr(err.text, "number"));
    assert_non_null(strstr(err.text, "tpe"));
    kd_space_release(&space);
}

/* x + y is to be small, and x at least 2. */
static void a_constraint_is_kept_to(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    double best = INFINITY, x[2];
    fill_box(&space, 2);
    struct kd_task task = {.space = &space, .n_objectives = 1, .n_constraints = 1};
    kd_history_init(&history, &space);
    history.n_constraints = 1;
    struct kd_sampler *sampler = sampler_with(&task, NULL);
    for (int i = 0; i < 300; i++) {
        kd_sampler_ask(sampler, &history, 1, x);
        double sum = x[0] + x[1], constraint = 2 - x[0];
        kd_history_add(&history, x);
        kd_history_finish_measured(
            &history, i, KD_COMPLETE,
            (struct kd_measured){.objectives = &sum, .constraints = &constraint});
        best = constraint <= 0 && sum < best ? sum : best;
    }
    assert_true(best < -2.999);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static double bowl_of_fine(const struct kd_space *space, const double *x)
{
    (void)space;
    double at = x[0] / 8e15 - 0.3;
    return at * at;
}

/* Where a cell is narrower than a double can tell, a margin would be of no width. */
static void a_grid_as_fine_as_the_doubles_is_searched_like_a_continuous_axis(void **state)
{
    (void)state;
    static const char *const few[] = {"1", "2", "4"};
    struct kd_space space = {0};
    struct kd_history history;
    add_number(&space, "fine", KD_PARAM_INT, -4e15, 4e15, 0, KD_UNIFORM);
    add_list(&space, "few", KD_PARAM_DISCRETE, 3, few);
    kd_history_init(&history, &space);
    struct kd_task task = task_of(&space);
    struct kd_sampler *sampler = sampler_with(&task, NULL);
    assert_true(run(sampler, &history, bowl_of_fine, 300, 1) < 1e-9);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static double mixed_bowl(const struct kd_space *space, const double *x)
{
    (void)space;
    double value = (x[0] - 2) * (x[0] - 2) + (x[1] == 3 ? 0 : 2) + 0.01 * fabs(x[2] - 17);
    return isnan(x[3]) ? value : value + (x[3] - 1) * (x[3] - 1) - 5;
}

static void choices_ints_and_conditions_are_solved_together(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_error err;
    add_number(&space, "x", KD_PARAM_DOUBLE, -5, 5, 0, KD_UNIFORM);
    add_choices(&space, "choice", 5);
    add_number(&space, "n", KD_PARAM_INT, 1, 40, 0, KD_UNIFORM);
    add_number(&space, "child", KD_PARAM_DOUBLE, -5, 5, 0, KD_UNIFORM);
    struct kd_condition *condition = KD_NEW(struct kd_condition);
    *condition = (struct kd_condition){.parent = 1, .n_values = 2};
    condition->values = KD_NEW_ARRAY(double, 2);
    condition->values[0] = 3, condition->values[1] = 4;
    space.params[3].condition = condition;
    assert_int_equal(kd_space_check(&space, &err), 0);
    struct kd_task task = task_of(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = sampler_with(&task, NULL);
    assert_true(run(sampler, &history, mixed_bowl, 400, 1) < -4.99);
    int n_best = 0;
    for (int i = 350; i < 400; i++)
        n_best += history.trials[i].values[1] == 3;
    assert_true(n_best > 25); /* of 50; 10 by chance */
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void when_all_trials_fail_it_goes_on_asking_everywhere(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    fill_box(&space, 2);
    struct kd_task task = task_of(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = sampler_with(&task, NULL);
    double low = 0, high = 0, x[2];
    for (int i = 0; i < 100; i++) {
        kd_sampler_ask(sampler, &history, 1, x);
        kd_history_add(&history, x);
        kd_history_finish(&history, i, KD_INFEASIBLE, NAN);
        low = fmin(low, x[0]), high = fmax(high, x[0]);
    }
    assert_true(low < -2 && high > 2);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

/* 3 + 2 z0 - z1 + z0^2 + 2 z1^2 + z0 z1, least at (-9/7, 4/7) */
static double quadratic(const double *z)
{
    return 3 + 2 * z[0] - z[1] + z[0] * z[0] + 2 * z[1] * z[1] + z[0] * z[1];
}

static void the_surrogate_finds_a_quadratic_and_its_minimum(void **state)
{
    (void)state;
    struct kd_cma_surrogate surrogate;
    struct kd_rng rng = kd_rng_at(2, 2);
    double points[40], values[20];
    kd_cma_surrogate_init(&surrogate, 2);
    for (int i = 0; i < 20; i++) {
        points[2 * i] = 4 * kd_rng_uniform(&rng) - 2;
        points[2 * i + 1] = 4 * kd_rng_uniform(&rng) - 2;
        values[i] = quadratic(&points[2 * i]);
    }
    kd_cma_surrogate_fit(&surrogate, 4, points, values);
    assert_false(surrogate.has_model); /* five coefficients at least */
    kd_cma_surrogate_fit(&surrogate, 20, points, values);
    assert_true(surrogate.has_model && surrogate.has_minimum);
    assert_true(fabs(surrogate.minimum[0] + 9.0 / 7) < 1e-3);
    assert_true(fabs(surrogate.minimum[1] - 4.0 / 7) < 1e-3);
    kd_cma_surrogate_judge(&surrogate, 5, (const double[]){-1.2, .5, -1, 0, 0, 0, 1, 1, 2, 2});
    assert_true(surrogate.trust == 0.5 && kd_cma_surrogate_draws(&surrogate) > 1);
    values[3] = 1e200; /* a diverged run does not hide the rest */
    kd_cma_surrogate_fit(&surrogate, 20, points, values);
    assert_true(fabs(surrogate.minimum[0] + 9.0 / 7) < 0.7);
    for (int i = 0; i < 20; i++)
        values[i] = 4;
    kd_cma_surrogate_fit(&surrogate, 20, points, values);
    assert_false(surrogate.has_model);
    kd_cma_surrogate_release(&surrogate);
}

static void three_hundred_points_have_the_stored_bits(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    uint64_t hash = 0;
    fill_mixed(&space);
    struct kd_task task = task_of(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = sampler_with(&task, NULL);
    run(sampler, &history, bowl, 300, 3);
    for (int i = 0; i < 300; i++)
        hash = kd_hash2(hash, kd_point_hash(&space, history.trials[i].values));
    if (hash != 0xd1ffca2b1d1b250a)
        fail_msg("the bits are 0x%llx now", (unsigned long long)hash);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(narrow_valleys_are_followed_to_their_end),
        cmocka_unit_test(an_optimum_in_a_corner_of_the_box_is_reached_exactly),
        cmocka_unit_test(what_sixteen_workers_bring_in_late_is_learned_from),
        cmocka_unit_test(with_adapted_rates_it_converges_too),
        cmocka_unit_test(points_follow_from_the_history_through_restarts_and_late_results),
        cmocka_unit_test(a_restart_finds_the_basin_that_the_first_run_missed),
        cmocka_unit_test(ipop_doubles_and_bipop_balances_its_two_sides),
        cmocka_unit_test(earlier_trials_say_where_to_begin),
        cmocka_unit_test(another_strategy_can_hand_over_at_a_trial),
        cmocka_unit_test(without_a_number_it_is_refused_with_a_way_out),
        cmocka_unit_test(a_constraint_is_kept_to),
        cmocka_unit_test(a_grid_as_fine_as_the_doubles_is_searched_like_a_continuous_axis),
        cmocka_unit_test(choices_ints_and_conditions_are_solved_together),
        cmocka_unit_test(when_all_trials_fail_it_goes_on_asking_everywhere),
        cmocka_unit_test(the_surrogate_finds_a_quadratic_and_its_minimum),
        cmocka_unit_test(three_hundred_points_have_the_stored_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
