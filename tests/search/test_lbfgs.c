/* L-BFGS in a box: Rosenbrock's function against scipy's solutions
 * (tests/search/data/make_lbfgs.py). */
#include "tests/search/data_file.h"

#include "search/math/lbfgs.h"

enum { MOST = 16 };

static double rosenbrock(const double *x, int n, double *gradient)
{
    double sum = 0;
    memset(gradient, 0, (size_t)n * sizeof *gradient);
    for (int i = 0; i + 1 < n; i++) {
        double valley = x[i + 1] - x[i] * x[i], rest = 1 - x[i];
        sum += 100 * valley * valley + rest * rest;
        gradient[i] -= 400 * x[i] * valley + 2 * rest;
        gradient[i + 1] += 200 * valley;
    }
    return sum;
}

static void check_box(FILE *file, int n)
{
    double lower[MOST], upper[MOST], start[MOST], solution[MOST], gradient[MOST];
    double best = read_number(file), f;
    for (int i = 0; i < n; i++) {
        lower[i] = read_number(file), upper[i] = read_number(file);
        start[i] = read_number(file), solution[i] = read_number(file);
    }
    struct kd_lbfgs search;
    kd_lbfgs_init(&search, n);
    search.max_evaluations = 1000;
    search.gradient_tolerance = 1e-9;
    search.value_tolerance = 0;
    kd_lbfgs_start(&search, start, lower, upper);
    do {
        for (int i = 0; i < n; i++)
            assert_true(search.trial[i] >= lower[i] && search.trial[i] <= upper[i]);
        f = rosenbrock(search.trial, n, gradient);
    } while (kd_lbfgs_tell(&search, f, gradient));
    assert_true(search.n_evaluations < 400);
    assert_true(search.f <= best + 1e-9);
    for (int i = 0; i < n; i++) {
        if (fabs(search.x[i] - solution[i]) > 1e-6)
            fail_msg("coordinate %d of %d: %.9g, not %.9g", i, n, search.x[i], solution[i]);
    }
    kd_lbfgs_release(&search);
}

static void the_solutions_are_those_of_scipy(void **state)
{
    (void)state;
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/lbfgs.txt", "r");
    assert_non_null(file);
    int n, n_boxes = 0;
    while (fscanf(file, "%d", &n) == 1) {
        assert_true(n <= MOST);
        check_box(file, n);
        n_boxes++;
    }
    fclose(file);
    assert_int_equal(n_boxes, 6);
}

/* ln x below 1 is not a number for x <= 0: the step is shortened until it is one. */
static void a_value_that_is_not_finite_shortens_the_step(void **state)
{
    (void)state;
    double lower = -10, upper = 10, start = 4, gradient, f;
    struct kd_lbfgs search;
    kd_lbfgs_init(&search, 1);
    search.first_step = 8;
    kd_lbfgs_start(&search, &start, &lower, &upper);
    do {
        double x = search.trial[0];
        f = x > 0 ? x - log(x) : NAN;
        gradient = 1 - 1 / x;
    } while (kd_lbfgs_tell(&search, f, &gradient));
    assert_true(fabs(search.x[0] - 1) < 1e-4);
    kd_lbfgs_release(&search);
}

static void no_value_at_the_start_ends_the_search_there(void **state)
{
    (void)state;
    double lower = 0, upper = 1, start = 3, gradient = 1;
    struct kd_lbfgs search;
    kd_lbfgs_init(&search, 1);
    kd_lbfgs_start(&search, &start, &lower, &upper);
    assert_false(kd_lbfgs_tell(&search, NAN, &gradient));
    assert_true(search.x[0] == 1);
    kd_lbfgs_release(&search);
}

/* What is told does not matter: the search ends. */
static void any_gradient_comes_to_an_end(void **state)
{
    (void)state;
    double lower[] = {-1, -1}, upper[] = {1, 1}, start[] = {0, 0};
    static const double wrong[][2] = {{1, 1}, {-1e300, 1e-300}, {NAN, 0}, {INFINITY, 1}};
    for (size_t i = 0; i < KD_COUNT(wrong); i++) {
        struct kd_lbfgs search;
        kd_lbfgs_init(&search, 2);
        kd_lbfgs_start(&search, start, lower, upper);
        int n = 0;
        while (kd_lbfgs_tell(&search, n % 5, wrong[i]))
            assert_true(n++ < 100);
        kd_lbfgs_release(&search);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_solutions_are_those_of_scipy),
        cmocka_unit_test(a_value_that_is_not_finite_shortens_the_step),
        cmocka_unit_test(no_value_at_the_start_ends_the_search_there),
        cmocka_unit_test(any_gradient_comes_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
