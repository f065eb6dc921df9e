/* The Gaussian process against scikit-learn, the acquisition against 60 digits, the warp against
 * scipy (all stored by tests/search/data/make_gp.py). What the strategy promises is in
 * test_bayesianoptimization.c. */
#include "tests/search/gp_fixture.h"

#include "coordinator/base/rng.h"
#include "search/gp/acquisition.h"
#include "search/gp/gp.h"
#include "search/gp/gp_data.h"
#include "search/gp/gp_fit.h"
#include "search/gp/gp_kernel.h"
#include "search/gp/gp_surrogate.h"
#include "search/gp/gp_warp.h"
#include "search/math/linalg.h"
#include "tests/search/data_file.h"

enum { MOST_DIMS = 10, MOST_THETA = MOST_DIMS + 2 };

static void assert_close(const char *what, double is, double wanted, double tolerance)
{
    if (!(fabs(is - wanted) <= tolerance * (1 + fabs(wanted))))
        fail_msg("%s: %.17g, not %.17g", what, is, wanted);
}

static void read_theta(FILE *file, int n_dims, bool *is_category, double *theta)
{
    for (int j = 0; j < n_dims; j++)
        is_category[j] = read_number(file) != 0;
    for (int i = 0; i < kd_gp_n_theta(n_dims); i++)
        theta[i] = read_number(file);
}

static void read_observations(FILE *file, struct kd_gp *gp, int n)
{
    for (int i = 0; i < n; i++) {
        double row[MOST_DIMS];
        for (int j = 0; j < gp->n_dims; j++)
            row[j] = read_number(file);
        kd_gp_add(gp, row, read_number(file));
    }
}

/* Tolerances: the noise is 1e-4 of the variance at least, which costs five of sixteen digits. */
static void compare_evidence(FILE *file, struct kd_gp *gp, const double *theta)
{
    double gradient[MOST_THETA], evidence = kd_gp_evidence(gp, theta, gradient);
    assert_close("evidence", evidence, read_number(file), 1e-10);
    for (int i = 0; i < kd_gp_n_theta(gp->n_dims); i++)
        assert_close("gradient", gradient[i], read_number(file), 1e-8);
}

static void compare_posterior(FILE *file, struct kd_gp *gp, int n_points)
{
    double points[MOST_DIMS * KD_LANES] = {0}, means[KD_LANES], variances[KD_LANES];
    for (int i = 0; i < n_points; i++) {
        int lane = i % KD_LANES;
        for (int j = 0; j < gp->n_dims; j++)
            points[j * KD_LANES + lane] = read_number(file);
        kd_gp_predict(gp, points, (struct kd_gp_prediction){means, variances});
        assert_close("mean", means[lane], read_number(file), 1e-9);
        assert_close("variance", variances[lane], read_number(file), 1e-9);
    }
}

static void compare_case(FILE *file)
{
    bool is_category[MOST_DIMS];
    double theta[MOST_THETA];
    int n_dims = (int)read_number(file), n = (int)read_number(file);
    int n_points = (int)read_number(file);
    assert_true(n_dims <= MOST_DIMS);
    read_theta(file, n_dims, is_category, theta);
    struct kd_gp *gp = kd_gp_new(n_dims, is_category);
    read_observations(file, gp, n);
    compare_evidence(file, gp, theta);
    kd_gp_condition(gp, theta);
    compare_posterior(file, gp, n_points);
    kd_gp_free(gp);
}

static void compare_hope(FILE *file)
{
    double u = read_number(file), slope, value = kd_log_h(u, &slope);
    double wanted = read_number(file), wanted_slope = read_number(file);
    if (fabs(value - wanted) > 1e-12 * (1 + fabs(wanted)) ||
        fabs(slope - wanted_slope) > 1e-11 * fabs(wanted_slope))
        fail_msg("at %g: %.17g %.17g, not %.17g %.17g", u, value, slope, wanted, wanted_slope);
}

static void compare_power(FILE *file)
{
    double z = read_number(file), lambda = read_number(file), wanted = read_number(file);
    if (fabs(kd_yeo_johnson(z, lambda) - wanted) > 1e-12 * wanted + 1e-16)
        fail_msg("%g to the %g: %.17g, not %.17g", z, lambda, kd_yeo_johnson(z, lambda), wanted);
}

static void evidence_posterior_hope_and_warp_are_those_of_the_oracles(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*compare)(FILE *);
        int n;
    } kinds[] = {
        {"case", compare_case, 5}, {"hope", compare_hope, 12}, {"power", compare_power, 20}};
    int n[KD_COUNT(kinds)] = {0};
    char word[16];
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/gp.txt", "r");
    assert_non_null(file);
    while (fscanf(file, "%15s", word) == 1) {
        size_t k = 0;
        while (k < KD_COUNT(kinds) && strcmp(kinds[k].name, word) != 0)
            k++;
        assert_true(k < KD_COUNT(kinds));
        kinds[k].compare(file);
        n[k]++;
    }
    fclose(file);
    for (size_t k = 0; k < KD_COUNT(kinds); k++)
        assert_int_equal(n[k], kinds[k].n);
}

/* exp of libm is within 1 ulp; ours claims 4e-15. */
static void the_kernel_is_accurate_from_nearness_to_where_it_vanishes(void **state)
{
    (void)state;
    for (double t = 0; t < 600; t += 0.37) {
        double r2 = t * t / 5, k, slope;
        kd_matern_slopes(&r2, 1, 2, &k, &slope);
        assert_true(fabs(k / (2 * exp(-t) * (1 + t + t * t / 3)) - 1) < 4e-15 * (1 + t / 10));
        assert_true(fabs(slope / (10.0 / 3 * exp(-t) * (1 + t)) - 1) < 4e-15 * (1 + t / 10));
    }
    double far = 1e300, k;
    kd_matern_values(&far, 1, 1, &k);
    assert_true(k >= 0 && k < 1e-100);
}

static const bool mixed_dims[] = {false, true, false};

static struct kd_gp *new_process(int n, uint64_t stream, const double *theta)
{
    struct kd_rng rng = kd_rng_at(17, stream);
    struct kd_gp *gp = kd_gp_new(3, mixed_dims);
    for (int i = 0; i < n; i++) {
        double row[] = {kd_rng_uniform(&rng), (double)kd_rng_below(&rng, 3), kd_rng_uniform(&rng)};
        kd_gp_add(gp, row, sin(6 * row[0]) + row[1] * row[2] - 0.5);
    }
    kd_gp_condition(gp, theta);
    return gp;
}

/* Central differences of step 1e-6: about 1e-9 relative to the third derivative. */
static void slopes_of_the_acquisition_are_its_differences(void **state)
{
    (void)state;
    static const double theta[] = {-0.5, 0.3, 0.1, 0.4, -6};
    struct kd_gp *gp = new_process(20, 1, theta), *constraint = new_process(14, 2, theta);
    double scratch[2 * 3 * KD_LANES], limit = 0.1, points[3 * KD_LANES], slopes[3 * KD_LANES];
    double values[KD_LANES], above[KD_LANES], below[KD_LANES];
    struct kd_rng rng = kd_rng_at(4, 4);
    for (int i = 0; i < 3 * KD_LANES; i++)
        points[i] = mixed_dims[i / KD_LANES] ? (double)kd_rng_below(&rng, 3) : kd_rng_uniform(&rng);
    for (int kind = KD_HOPE_EI; kind <= KD_HOPE_LCB; kind++) {
        struct kd_acquisition acquisition = {.hope = (enum kd_hope)kind,
                                             .objective = gp,
                                             .constraints = &constraint,
                                             .limits = &limit,
                                             .n_constraints = 1,
                                             .has_best = true,
                                             .best = -1,
                                             .scratch = scratch};
        kd_acquisition_at(&acquisition, points, values, slopes);
        for (int dim = 0; dim < 3; dim += 2) {
            double moved[3 * KD_LANES], h = 1e-6;
            memcpy(moved, points, sizeof moved);
            for (int lane = 0; lane < KD_LANES; lane++)
                moved[dim * KD_LANES + lane] += h;
            kd_acquisition_at(&acquisition, moved, above, NULL);
            for (int lane = 0; lane < KD_LANES; lane++)
                moved[dim * KD_LANES + lane] -= 2 * h;
            kd_acquisition_at(&acquisition, moved, below, NULL);
            for (int lane = 0; lane < KD_LANES; lane++)
                assert_close("slope", slopes[dim * KD_LANES + lane],
                             (above[lane] - below[lane]) / (2 * h), 1e-5);
        }
    }
    kd_gp_free(gp), kd_gp_free(constraint);
}

static void learning_one_by_one_gives_the_bits_of_learning_at_once(void **state)
{
    (void)state;
    static const double theta[] = {-0.5, 0.3, 0.1, 0.4, -6};
    struct kd_gp *whole = new_process(70, 1, theta), *grown = new_process(9, 1, theta);
    for (int i = 9; i < 70; i++) {
        double row[3];
        for (int j = 0; j < 3; j++)
            row[j] = whole->columns[j * whole->capacity + i];
        kd_gp_add(grown, row, whole->targets[i]);
        kd_gp_condition(grown, theta);
    }
    assert_memory_equal(whole->alpha, grown->alpha, 70 * sizeof(double));
    kd_gp_free(whole), kd_gp_free(grown);
}

static void a_fit_finds_the_dimension_that_matters(void **state)
{
    (void)state;
    static const bool numeric[] = {false, false};
    struct kd_rng rng = kd_rng_at(6, 6);
    struct kd_gp *gp = kd_gp_new(2, numeric);
    for (int i = 0; i < 40; i++) {
        double row[] = {kd_rng_uniform(&rng), kd_rng_uniform(&rng)};
        kd_gp_add(gp, row, 1.4 * sin(9 * row[0]));
    }
    double theta[4], start[4], gradient[4];
    kd_gp_guess(2, theta), kd_gp_guess(2, start);
    kd_gp_fit(gp, theta, 60);
    assert_true(kd_gp_evidence(gp, theta, gradient) > kd_gp_evidence(gp, start, gradient) + 10);
    assert_true(theta[1] > theta[0] + 1.5);
    kd_gp_free(gp);
}

static void targets_are_finite_and_in_order_whatever_the_values(void **state)
{
    (void)state;
    static const double values[][5] = {{1, 2, 3, 4, 5},
                                       {-1.7e308, 0, 1e-300, 1, 1.7e308},
                                       {1e-310, 2e-310, 3e-310, 1, 2},
                                       {7, 7, 7, 7, 7},
                                       {-5, -5, -5, -5, 1e300}};
    for (size_t v = 0; v < KD_COUNT(values); v++) {
        for (double lambda = -0.5; lambda <= 1; lambda += 0.5) {
            double targets[5];
            struct kd_warp_scale scale = kd_warp_scale_of(values[v], 5);
            assert_true(isfinite(kd_warp(scale, values[v], 5, lambda, targets)));
            for (int i = 0; i < 5; i++) {
                assert_true(isfinite(targets[i]));
                assert_true(i == 0 || targets[i] >= targets[i - 1]);
            }
        }
    }
}

static void failed_and_pruned_trials_stand_in_with_what_they_teach(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_cube cube;
    struct kd_gp_data data = {0};
    fill_two(&space);
    kd_history_init(&history, &space);
    finish_at(&history, 0.1, 0.1, KD_COMPLETE, 1);
    finish_at(&history, 0.2, 0.1, KD_COMPLETE, 5);
    finish_at(&history, 0.3, 0.1, KD_COMPLETE, 9);
    finish_at(&history, 0.4, 0.1, KD_INFEASIBLE, NAN);
    finish_at(&history, 0.5, 0.1, KD_COMPLETE, NAN);
    finish_at(&history, 0.6, 0.1, KD_PRUNED, 0.5);
    finish_at(&history, 0.7, 0.1, KD_PRUNED, 7);
    finish_at(&history, 0.8, 0.1, KD_PRUNED, 1e9);
    finish_at(&history, 0.9, 0.1, KD_INFEASIBLE, -3);
    static const double expected[] = {1, 5, 9, 9, 9, 5, 7, 9, 9};
    kd_cube_init(&cube, &space);
    kd_gp_data_read(&data, &cube, &history, history.n_done);
    assert_int_equal(data.n, 9);
    for (int i = 0; i < 9; i++) {
        assert_true(data.values[i] == expected[i]);
        assert_true(data.is_whole[i] == (i < 3));
    }
    kd_gp_data_release(&data);
    kd_cube_release(&cube);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void thinning_keeps_the_best_and_the_newest(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_cube cube;
    struct kd_gp_data data = {0};
    fill_two(&space);
    kd_history_init(&history, &space);
    for (int i = 0; i < 100; i++)
        finish_at(&history, i / 100.0, 0, KD_COMPLETE, (i * 37) % 100);
    kd_cube_init(&cube, &space);
    kd_gp_data_read(&data, &cube, &history, history.n_done);
    kd_gp_data_thin(&data, 30);
    assert_int_equal(data.n, 30);
    int n_best = 0, n_new = 0;
    for (int i = 0; i < 30; i++) {
        n_best += data.values[i] < 10;
        n_new += data.trials[i] >= 90;
        assert_true(i == 0 || data.trials[i] > data.trials[i - 1]);
        assert_true(data.values[i] == (data.trials[i] * 37) % 100);
    }
    assert_int_equal(n_best, 10);
    assert_true(n_new >= 10);
    kd_gp_data_release(&data);
    kd_cube_release(&cube);
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_posterior_hope_and_warp_are_those_of_the_oracles),
        cmocka_unit_test(the_kernel_is_accurate_from_nearness_to_where_it_vanishes),
        cmocka_unit_test(slopes_of_the_acquisition_are_its_differences),
        cmocka_unit_test(learning_one_by_one_gives_the_bits_of_learning_at_once),
        cmocka_unit_test(a_fit_finds_the_dimension_that_matters),
        cmocka_unit_test(targets_are_finite_and_in_order_whatever_the_values),
        cmocka_unit_test(failed_and_pruned_trials_stand_in_with_what_they_teach),
        cmocka_unit_test(thinning_keeps_the_best_and_the_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
