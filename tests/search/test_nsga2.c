/* NSGA-II: what it reaches beside Optuna's (tests/search/data/make_nsga2.py), and its history,
 * constraints, conditions. */
#include "tests/search/helper.h"

#include "coordinator/base/rng.h"
#include "search/math/hypervolume.h"
#include "search/variation.h"

static const double pi = 3.14159265358979323846;

static void zdt(int kind, const double *x, int n, double *costs)
{
    double sum = 0, f = x[0];
    for (int i = 1; i < n; i++)
        sum += x[i];
    double g = 1 + 9 * sum / (n - 1), h = 1 - sqrt(f / g);
    if (kind == 2)
        h = 1 - (f / g) * (f / g);
    if (kind == 3)
        h -= f / g * sin(10 * pi * f);
    costs[0] = f, costs[1] = g * h;
}

static void zdt1(const double *x, int n, double *costs)
{
    zdt(1, x, n, costs);
}

static void zdt2(const double *x, int n, double *costs)
{
    zdt(2, x, n, costs);
}

static void zdt3(const double *x, int n, double *costs)
{
    zdt(3, x, n, costs);
}

static void dtlz2(const double *x, int n, double *costs)
{
    double a = x[0] * pi / 2, b = x[1] * pi / 2, g = 1;
    for (int i = 2; i < n; i++)
        g += (x[i] - 0.5) * (x[i] - 0.5);
    costs[0] = g * cos(a) * cos(b), costs[1] = g * cos(a) * sin(b), costs[2] = g * sin(a);
}

static void mixed(const double *x, int n, double *costs)
{
    static const double worse[] = {0, 0.7, 0.3, 1.1}, slower[] = {1, 0.2, 0.6, 0.1};
    (void)n;
    double rate = log10(x[2]) + 2.5;
    int kind = (int)x[5], other = (int)x[6];
    costs[0] = (x[0] - 1.1) * (x[0] - 1.1) + (x[1] + 0.6) * (x[1] + 0.6) + 0.5 * rate * rate +
               4 / x[3] + 3 / sqrt(x[4]) + worse[kind] + 0.5 * worse[other];
    costs[1] = 0.05 * x[3] + 0.01 * x[4] + 0.2 * (x[0] + 0.5) * (x[0] + 0.5) + slower[kind] +
               0.5 * slower[other];
}

static void fill_units(struct kd_space *space, int n)
{
    char name[16];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "x%d", i);
        add_number(space, name, KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    }
}

static void fill_problem(struct kd_space *space, int n_units)
{
    if (n_units > 0) {
        fill_units(space, n_units);
        return;
    }
    add_number(space, "a", KD_PARAM_DOUBLE, -3, 3, 0, KD_UNIFORM);
    add_number(space, "b", KD_PARAM_DOUBLE, -3, 3, 0, KD_UNIFORM);
    add_number(space, "rate", KD_PARAM_DOUBLE, 1e-5, 1, 0, KD_LOG_UNIFORM);
    add_number(space, "layers", KD_PARAM_INT, 1, 32, 0, KD_UNIFORM);
    add_number(space, "units", KD_PARAM_INT, 1, 256, 0, KD_LOG_UNIFORM);
    add_choices(space, "kind", 4);
    add_choices(space, "other", 4);
}

struct problem {
    const char *name;
    void (*solve)(const double *x, int n, double *costs);
    int n_units, m; /* n_units 0: the mixed space */
    double reference[3];
};

static const struct problem problems[] = {
    {"zdt1", zdt1, 10, 2, {1.1, 6}}, {"zdt2", zdt2, 10, 2, {1.1, 6}},
    {"zdt3", zdt3, 10, 2, {1.1, 6}}, {"dtlz2", dtlz2, 7, 3, {1.5, 1.5, 1.5}},
    {"mixed", mixed, 0, 2, {12, 6}},
};

static struct kd_sampler *new_nsga2(const struct kd_task *task, uint64_t seed)
{
    const struct kd_strategy *strategy = kd_strategy_find("nsga2");
    struct kd_settings settings;
    struct kd_error err;
    kd_settings_init(&settings, strategy->settings);
    struct kd_sampler *sampler = kd_sampler_new(strategy, task, &settings, seed, &err);
    if (!sampler)
        fail_msg("%s", err.text);
    kd_settings_release(&settings);
    return sampler;
}

/* Volumes after 200 and 1,000 trials, one after the other. */
static void play_problem(const struct problem *problem, uint64_t seed, double volumes[2])
{
    static double costs[1000 * 3];
    struct kd_space space = {0};
    struct kd_history history;
    double point[16];
    int m = problem->m;
    fill_problem(&space, problem->n_units);
    kd_history_init(&history, &space);
    history.n_objectives = m;
    struct kd_task task = {.space = &space, .n_objectives = m};
    struct kd_sampler *sampler = new_nsga2(&task, seed);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        kd_history_add(&history, point);
        problem->solve(point, space.n_params, &costs[i * m]);
        kd_history_finish_measured(&history, i, KD_COMPLETE,
                                   (struct kd_measured){.objectives = &costs[i * m]});
    }
    volumes[0] = kd_hypervolume(costs, 200, m, problem->reference);
    volumes[1] = kd_hypervolume(costs, 1000, m, problem->reference);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void fronts_cover_more_than_those_of_optuna(void **state)
{
    (void)state;
    enum { SEEDS = 5 };
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/nsga2.txt", "r");
    assert_non_null(file);
    for (size_t i = 0; i < KD_COUNT(problems); i++) {
        char name[16];
        double sum[2] = {0}, volumes[2], theirs[2];
        assert_int_equal(fscanf(file, "%15s %lf %lf", name, &theirs[0], &theirs[1]), 3);
        assert_string_equal(name, problems[i].name);
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            play_problem(&problems[i], seed, volumes);
            sum[0] += volumes[0], sum[1] += volumes[1];
        }
        printf("%s: volume %.4g and %.4g, optuna %.4g and %.4g\n", name, sum[0] / SEEDS,
               sum[1] / SEEDS, theirs[0], theirs[1]);
        assert_true(sum[0] / SEEDS > theirs[0] && sum[1] / SEEDS > theirs[1]);
    }
    fclose(file);
}

/* What came of a trial, by its number: some fail, some violate, some diverge. */
static void finish_as_numbered(struct kd_history *history, int number)
{
    const double *x = history->trials[number].values;
    double costs[2], constraint = x[1] - 0.7;
    zdt1(x, history->space->n_params, costs);
    if (number % 9 == 4)
        costs[1] = number % 2 ? NAN : -INFINITY;
    enum kd_outcome outcome = number % 7 == 3 ? KD_INFEASIBLE : KD_COMPLETE;
    struct kd_measured measured = {.objectives = costs, .constraints = &constraint};
    kd_history_finish_measured(history, number, outcome, measured);
}

static struct kd_history constrained_history(const struct kd_space *space)
{
    struct kd_history history;
    kd_history_init(&history, space);
    history.n_objectives = 2, history.n_constraints = 1;
    return history;
}

/* Trials finish out of order, four at a time; every point is asked again of a fresh sampler and of
 * the old one. */
static void a_history_of_two_objectives_and_a_constraint_decides_alone(void **state)
{
    (void)state;
    enum { N = 120 };
    struct kd_space space = {0};
    fill_units(&space, 4);
    struct kd_task task = {.space = &space, .n_objectives = 2, .n_constraints = 1};
    struct kd_history history = constrained_history(&space), again = constrained_history(&space);
    struct kd_sampler *sampler = new_nsga2(&task, 3);
    double point[4];
    for (int i = 0; i < N; i++) {
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        kd_history_add(&history, point);
        for (int j = i - 1; i % 4 == 3 && j >= i - 4 && j >= 0; j--) {
            if (history.trials[j].outcome == KD_RUNNING)
                finish_as_numbered(&history, j);
        }
    }
    for (int i = 0, next = 0; i < N; i++) {
        struct kd_sampler *fresh = new_nsga2(&task, 3);
        assert_int_equal(kd_sampler_ask(fresh, &again, 1, point), 1);
        assert_memory_equal(point, history.trials[i].values, sizeof point);
        assert_int_equal(kd_sampler_ask(sampler, &again, 1, point), 1);
        assert_memory_equal(point, history.trials[i].values, sizeof point);
        kd_sampler_free(fresh);
        kd_history_add(&again, point);
        for (; i % 4 == 3 && next < history.n_done && history.done[next] < i; next++)
            finish_as_numbered(&again, history.done[next]);
    }
    kd_sampler_free(sampler);
    kd_history_release(&history), kd_history_release(&again);
    kd_space_release(&space);
}

/* Feasible is a corner of 3% of the square, away from the front. */
static void constraints_lead_into_the_feasible_corner(void **state)
{
    (void)state;
    struct kd_space space = {0};
    fill_units(&space, 2);
    struct kd_task task = {.space = &space, .n_objectives = 2, .n_constraints = 2};
    struct kd_history history = constrained_history(&space);
    history.n_constraints = 2;
    struct kd_sampler *sampler = new_nsga2(&task, 1);
    double point[2];
    int n_feasible = 0;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        double constraints[] = {0.82 - point[0], 0.82 - point[1]};
        kd_history_add(&history, point);
        kd_history_finish_measured(
            &history, i, KD_COMPLETE,
            (struct kd_measured){.objectives = point, .constraints = constraints});
        n_feasible += i >= 100 && history.trials[i].violation <= 0;
    }
    assert_true(n_feasible >= 60);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

/* momentum is active under one of three optimisers. */
static void conditional_children_are_whole_and_vary_what_is_active(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    add_choices(&space, "optimiser", 3);
    add_number(&space, "momentum", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    struct kd_condition *condition = KD_NEW(struct kd_condition);
    *condition = (struct kd_condition){.n_values = 1, .values = KD_NEW_ARRAY(double, 1)};
    condition->values[0] = 1;
    space.params[1].condition = condition;
    kd_history_init(&history, &space);
    history.n_objectives = 2;
    struct kd_task task = {.space = &space, .n_objectives = 2};
    struct kd_sampler *sampler = new_nsga2(&task, 1);
    double point[3], best = 1;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        assert_true(kd_space_allows(&space, point));
        double momentum = isnan(point[1]) ? 2 : fabs(point[1] - 0.9);
        double costs[] = {point[2], (1 - point[2]) * (1 - point[2]) + momentum};
        best = momentum < best ? momentum : best;
        kd_history_add(&history, point);
        kd_history_finish_measured(&history, i, KD_COMPLETE,
                                   (struct kd_measured){.objectives = costs});
    }
    assert_true(best < 0.01);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void one_objective_is_brought_down_below_random_search(void **state)
{
    (void)state;
    double best[2] = {0};
    for (uint64_t seed = 0; seed < 10; seed++) {
        for (int i = 0; i < 2; i++) {
            struct kd_space space = {0};
            struct kd_history history;
            double point[10];
            fill_mixed(&space);
            kd_history_init(&history, &space);
            const char *name = i == 0 ? "random" : "nsga2";
            struct kd_sampler *sampler = new_sampler(kd_strategy_find(name), &space, seed);
            for (int t = 0; t < 100; t++) {
                kd_sampler_ask(sampler, &history, 1, point);
                kd_history_add(&history, point);
                kd_history_finish(&history, t, KD_COMPLETE, bowl(&space, point));
            }
            best[i] += history.trials[kd_history_best(&history)].objective / 10;
            kd_sampler_free(sampler);
            kd_history_release(&history);
            kd_space_release(&space);
        }
    }
    assert_true(best[1] < 0.7 * best[0]);
}

static void variation_keeps_bounds_and_grids_and_moves_what_it_mutates(void **state)
{
    (void)state;
    struct kd_space space = {0};
    fill_mixed(&space);
    add_number(&space, "huge", KD_PARAM_DOUBLE, -8e307, 8e307, 0, KD_UNIFORM);
    struct kd_axis *axes = kd_axes_new(&space);
    struct kd_variation how = {.axes = axes, .n_axes = 11, .crossover_prob = 0, .mutation_prob = 1};
    struct kd_rng rng = kd_rng_at(1, 1);
    double parents[2][11], child[11];
    for (int i = 0; i < 2000; i++) {
        how.crossover_eta = how.mutation_eta = i % 30;
        how.crossover_prob = i % 2, how.swapping_prob = 0.5;
        for (int j = 0; j < 11; j++) {
            const struct kd_param *param = &space.params[j];
            parents[0][j] =
                i % 5 == 0 ? kd_param_clip(param, param->max) : kd_axis_draw(&axes[j], &rng);
            parents[1][j] = i % 3 == 0 ? param->min : kd_axis_draw(&axes[j], &rng);
        }
        kd_vary(&how, parents[0], parents[1], &rng, child);
        assert_allowed(&space, child);
        for (int j = 4; j < 9 && i % 2 == 0; j++)
            assert_true(child[j] != parents[0][j]);
    }
    free(axes);
    kd_space_release(&space);
}

/* By the density of simulated binary crossover without bounds near: half of the children lie
 * between the parents, and P(spread <= b) = 0.5 b^(eta + 1), which is 0.5 * 0.9^11 = 0.157 at b =
 * 0.9 and eta = 10. */
static void crossover_spreads_as_its_density_says(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct kd_space space = {0};
    add_number(&space, "x", KD_PARAM_DOUBLE, -1000, 1000, 0, KD_UNIFORM);
    struct kd_axis *axes = kd_axes_new(&space);
    struct kd_variation how = {.axes = axes, .n_axes = 1, .crossover_prob = 1, .crossover_eta = 10};
    struct kd_rng rng = kd_rng_at(2, 1);
    double a = -1, b = 1, child;
    int n_crossed = 0, n_between = 0, n_near = 0;
    for (int i = 0; i < N; i++) {
        kd_vary(&how, &a, &b, &rng, &child);
        n_crossed += child != a;
        n_between += child > a, n_near += child > -0.9;
    }
    assert_true(abs(n_crossed - N / 2) < 300); /* four deviations are 283 */
    assert_true(abs(n_between - N / 4) < 250);
    assert_true(fabs(n_near - N * 0.5 * 0.157) < 160);
    free(axes);
    kd_space_release(&space);
}

/* Changes of any bit are noticed, of the compiler's too; if one was meant, store the new value. */
static void two_hundred_points_have_the_stored_bits(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    double point[10];
    uint64_t hash = 0;
    fill_mixed(&space);
    kd_history_init(&history, &space);
    history.n_objectives = 2;
    struct kd_task task = {.space = &space, .n_objectives = 2};
    struct kd_sampler *sampler = new_nsga2(&task, 77);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        hash = kd_hash2(hash, kd_hash_bytes(point, sizeof point));
        double costs[] = {bowl(&space, point), point[0]};
        kd_history_add(&history, point);
        kd_history_finish_measured(&history, i, KD_COMPLETE,
                                   (struct kd_measured){.objectives = costs});
    }
    printf("hash 0x%016llx\n", (unsigned long long)hash);
    assert_true(hash == UINT64_C(0x304356dfacadb89d));
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fronts_cover_more_than_those_of_optuna),
        cmocka_unit_test(a_history_of_two_objectives_and_a_constraint_decides_alone),
        cmocka_unit_test(constraints_lead_into_the_feasible_corner),
        cmocka_unit_test(conditional_children_are_whole_and_vary_what_is_active),
        cmocka_unit_test(one_objective_is_brought_down_below_random_search),
        cmocka_unit_test(variation_keeps_bounds_and_grids_and_moves_what_it_mutates),
        cmocka_unit_test(crossover_spreads_as_its_density_says),
        cmocka_unit_test(two_hundred_points_have_the_stored_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
