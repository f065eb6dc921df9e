/* The functions that strategies are measured on, against their authors' implementation
 * (data/make_bench_tasks.py). */
#include "tests/bench/search/bbob.h"
#include "tests/bench/search/problem.h"
#include "tests/search/helper.h"

#include "coordinator/base/rng.h"

static void bbob_functions_have_the_published_values(void **state)
{
    (void)state;
    enum { MOST = 10 };
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/bench_tasks.txt", "r");
    assert_non_null(file);
    int function, dim, instance, n_lines = 0;
    double value;
    while (fscanf(file, "%d %d %d %lf", &function, &dim, &instance, &value) == 4) {
        double x[MOST];
        assert_in_range(dim, 2, MOST);
        for (int i = 0; i < dim; i++)
            assert_int_equal(fscanf(file, "%lf", &x[i]), 1);
        struct bbob b;
        bbob_init(&b, function, dim, instance);
        double ours = bbob_evaluate(&b, x);
        /* The oracle sums in another order; conditions of 1e6 cost some digits of 1e-16. */
        if (!(fabs(ours - value) <= 1e-9 * fabs(value)))
            fail_msg("f%d, %d-D, instance %d: %.17g, not %.17g", function, dim, instance, ours,
                     value);
        bbob_release(&b);
        n_lines++;
    }
    fclose(file);
    assert_int_equal(n_lines, 24 * 3 * 2 * 3);
}

static void a_bbob_optimum_is_where_it_is_said_to_be(void **state)
{
    (void)state;
    for (int function = 1; function <= BBOB_FUNCTIONS; function++) {
        for (int dim = 2; dim <= 10; dim += 4) {
            struct bbob b;
            bbob_init(&b, function, dim, 3);
            double value = bbob_evaluate(&b, b.at);
            if (!(fabs(value - b.optimum) <
                  1e-6)) /* f20's is given with ten digits, f18 is steep */
                fail_msg("f%d, %d-D: %.17g, not %.17g", function, dim, value, b.optimum);
            bbob_release(&b);
        }
    }
}

/* Every problem of every kind, in two instances. */
static void no_point_of_a_problem_is_below_its_optimum(void **state)
{
    (void)state;
    enum { POINTS = 30 };
    problem_names names = {0};
    problem_find_names("*", &names);
    assert_true(names.n >= 24 * 7 + 8 + 4);
    for (size_t i = 0; i < names.n; i++) {
        struct kd_error err;
        struct problem *problem = problem_new(names.items[i], 1 + (int)i % 2, &err);
        assert_non_null(problem);
        const struct kd_strategy *random = kd_strategy_find("random");
        struct kd_sampler *sampler = new_sampler(random, &problem->space, i);
        struct kd_history history;
        kd_history_init(&history, &problem->space);
        double *point = KD_NEW_ARRAY(double, (size_t)problem->space.n_params);
        for (int n = 0; n < POINTS && kd_sampler_ask(sampler, &history, 1, point) == 1; n++) {
            double value = problem->evaluate(problem, point);
            assert_true(isfinite(value) &&
                        value >= problem->optimum - 1e-9 * fabs(problem->optimum));
            assert_true(problem_regret(problem, value) <= 1);
            kd_history_finish(&history, kd_history_add(&history, point), KD_COMPLETE, value);
        }
        assert_true(problem->reference > problem->optimum);
        free(point);
        kd_history_release(&history);
        kd_sampler_free(sampler);
        problem_free(problem);
    }
    problem_names_release(&names);
}

static void levels_hold_the_optimum_on_the_grid(void **state)
{
    (void)state;
    struct kd_error err;
    for (int instance = 1; instance <= 5; instance++) {
        struct problem *problem = problem_new("mixint-5d/f01", instance, &err);
        assert_non_null(problem);
        struct bbob b;
        bbob_init(&b, 1, 5, instance);
        double best = INFINITY, point[5];
        for (int k = 0; k < 2 * 4 * 8 * 16; k++) {
            point[0] = k % 2, point[1] = k / 2 % 4, point[2] = k / 8 % 8, point[3] = k / 64;
            point[4] = b.at[4];
            best = fmin(best, problem->evaluate(problem, point));
        }
        assert_true(fabs(best - problem->optimum) < 1e-12 * fmax(1, fabs(problem->optimum)));
        bbob_release(&b);
        problem_free(problem);
    }
}

static void a_name_that_is_no_problem_is_refused(void **state)
{
    (void)state;
    struct kd_error err;
    assert_null(problem_new("bbob-5d/f25", 1, &err));
    assert_non_null(strstr(err.text, "bbob-5d/f25"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bbob_functions_have_the_published_values),
        cmocka_unit_test(a_bbob_optimum_is_where_it_is_said_to_be),
        cmocka_unit_test(no_point_of_a_problem_is_below_its_optimum),
        cmocka_unit_test(levels_hold_the_optimum_on_the_grid),
        cmocka_unit_test(a_name_that_is_no_problem_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
