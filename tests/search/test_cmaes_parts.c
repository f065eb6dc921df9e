/* The parts of CMA-ES against the package cmaes (tests/search/data/make_cmaes.py). */
#include "tests/search/data_file.h"

#include "search/cmaes/cmaes_choices.h"
#include "search/cmaes/cmaes_margin.h"
#include "search/cmaes/cmaes_model.h"
#include "search/cmaes/cmaes_order.h"
#include "search/cmaes/cmaes_rays.h"
#include "search/cmaes/cmaes_warm.h"

enum { MOST = 16 };

static void read_numbers(FILE *file, int n, double *out)
{
    for (int i = 0; i < n; i++)
        out[i] = read_number(file);
}

/* Both sides round differently, some hundred operations deep and through a decomposition. */
static void expect(FILE *file, const char *what, int n, const double *values)
{
    for (int i = 0; i < n; i++) {
        double expected = read_number(file);
        if (!(fabs(values[i] - expected) <= 1e-10 * fmax(1, fabs(expected))))
            fail_msg("%s[%d] is %.17g, not %.17g", what, i, values[i], expected);
    }
}

static void expect_lower(FILE *file, int d, const double *matrix)
{
    for (int i = 0; i < d; i++)
        expect(file, "C", i + 1, &matrix[i * d]);
}

/* Reads a generation of points; their steps, best first. */
static void read_steps(FILE *file, const struct kd_cma *cma, double *steps)
{
    for (int k = 0; k < cma->lambda; k++) {
        for (int j = 0; j < cma->d; j++)
            steps[k * cma->d + j] = (read_number(file) - cma->mean[j]) / cma->sigma;
    }
}

static void compare_model(FILE *file)
{
    int d = (int)read_number(file), lambda = (int)read_number(file);
    bool adapts = read_number(file) != 0;
    int generations = (int)read_number(file);
    double mean[MOST], steps[MOST * MOST];
    read_numbers(file, d, mean);
    struct kd_cma *cma = kd_cma_new(d, lambda, mean, read_number(file), NULL);
    if (adapts)
        kd_cma_adapt_rates(cma);
    for (int g = 0; g < generations; g++) {
        read_steps(file, cma, steps);
        kd_cma_update(cma, steps);
        expect(file, "mean", d, cma->mean);
        expect(file, "sigma", 1, &cma->sigma);
        expect(file, "p_sigma", d, cma->path_sigma);
        expect(file, "p_c", d, cma->path_c);
        expect_lower(file, d, cma->cov);
    }
    kd_cma_free(cma);
}

static void compare_margin(FILE *file)
{
    int d = (int)read_number(file), lambda = (int)read_number(file);
    int generations = (int)read_number(file);
    struct kd_space space = {0};
    for (int j = 0; j < d; j++) {
        int count = (int)read_number(file);
        if (count > 0)
            add_number(&space, "n", KD_PARAM_INT, 1, count, 0, KD_UNIFORM);
        else
            add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    }
    struct kd_chart chart;
    kd_chart_init(&chart, &space);
    double mean[MOST], steps[MOST * MOST], scales[MOST];
    read_numbers(file, d, mean);
    struct kd_cma *cma = kd_cma_new(d, lambda, mean, read_number(file), NULL);
    for (int j = 0; j < d; j++)
        scales[j] = 1;
    for (int g = 0; g < generations; g++) {
        read_steps(file, cma, steps);
        kd_cma_update(cma, steps);
        kd_margin_correct(&chart, 1.0 / (d * lambda), cma, scales);
        expect(file, "mean", d, cma->mean);
        expect(file, "sigma", 1, &cma->sigma);
        expect(file, "scales", d, scales);
    }
    kd_cma_free(cma);
    kd_chart_release(&chart);
    kd_space_release(&space);
}

static void compare_choices(FILE *file)
{
    int n = (int)read_number(file), counts[MOST], rows[MOST * MOST];
    for (int i = 0; i < n; i++)
        counts[i] = (int)read_number(file);
    int n_rows = (int)read_number(file), generations = (int)read_number(file);
    double weights[MOST];
    read_numbers(file, n_rows, weights);
    struct kd_choices choices;
    kd_choices_init(&choices, n, counts);
    for (int g = 0; g < generations; g++) {
        for (int i = 0; i < n_rows * n; i++)
            rows[i] = (int)read_number(file);
        kd_choices_update(&choices, n_rows, rows, weights);
        expect(file, "q", choices.at[n], choices.q);
    }
    kd_choices_release(&choices);
}

static void compare_warm(FILE *file)
{
    int d = (int)read_number(file), n = (int)read_number(file);
    double points[MOST * MOST], mean[MOST], sigma, cov[MOST * MOST];
    read_numbers(file, n * d, points);
    kd_cma_warm(d, n, points, 0.1, mean, &sigma, cov);
    expect(file, "mean", d, mean);
    expect(file, "sigma", 1, &sigma);
    expect_lower(file, d, cov);
}

static int compare_all(const char *kind, void (*compare)(FILE *))
{
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/cmaes.txt", "r");
    char word[64];
    int n = 0;
    assert_non_null(file);
    while (fscanf(file, "%63s", word) == 1) {
        if (strcmp(word, kind) != 0)
            continue;
        compare(file);
        n++;
    }
    fclose(file);
    return n;
}

static void several_generations_move_the_model_as_in_the_package_cmaes(void **state)
{
    (void)state;
    assert_int_equal(compare_all("model", compare_model), 5);
}

static void the_margin_is_that_of_the_package_cmaes(void **state)
{
    (void)state;
    assert_int_equal(compare_all("margin", compare_margin), 2);
}

static void choices_move_as_in_the_package_cmaes(void **state)
{
    (void)state;
    assert_int_equal(compare_all("choices", compare_choices), 1);
}

static void a_warm_start_is_that_of_the_package_cmaes(void **state)
{
    (void)state;
    assert_int_equal(compare_all("warm", compare_warm), 2);
}

static void a_cell_keeps_the_margin_when_the_step_size_goes_to_nothing(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_chart chart;
    double mean[] = {0.51, 0.1}, scales[] = {1, 1};
    add_number(&space, "n", KD_PARAM_INT, 0, 10, 0, KD_UNIFORM);
    add_number(&space, "m", KD_PARAM_INT, 0, 1, 0, KD_UNIFORM);
    kd_chart_init(&chart, &space);
    struct kd_cma *cma = kd_cma_new(2, 6, mean, 1e-9, NULL);
    kd_margin_correct(&chart, 0.1, cma, scales);
    /* 5 is the value of 5/11 .. 6/11: 0.05 on each side of it, so half a cell is 1.645
     * deviations */
    assert_true(fabs(scales[0] * cma->sigma - 0.5 / 11 / 1.6448536) < 1e-7);
    assert_true(fabs(cma->mean[0] - 0.5) < 1e-9);
    /* 0 of 0 and 1: the mean goes near the edge, 1.2816 deviations from it, for 0.1 beyond it */
    assert_true(scales[1] == 1);
    assert_true(fabs((0.5 - cma->mean[1]) / cma->sigma - 1.2815516) < 1e-6);
    kd_cma_free(cma);
    kd_chart_release(&chart);
    kd_space_release(&space);
}

static void injected_steps_are_shortened_to_what_is_likely(void **state)
{
    (void)state;
    double mean[4] = {0}, cov[16] = {4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    double step[4] = {200, 0, 0, 0}, near[4] = {1, 1, 0, 0};
    struct kd_cma *cma = kd_cma_new(4, 8, mean, 1, cov);
    kd_cma_clip(cma, step);
    kd_cma_clip(cma, near);
    assert_true(fabs(step[0] - 2 * (2 + 8.0 / 6)) < 1e-12); /* sqrt(d) + 2 d / (d + 2) deviations */
    assert_true(near[0] == 1 && near[1] == 1);
    kd_cma_free(cma);
}

static void rays_are_mirrored_orthogonal_and_depend_on_the_number_alone(void **state)
{
    (void)state;
    struct kd_cma_rays rays, other;
    double z[8][4], again[4];
    kd_cma_rays_init(&rays, 4, 4, 9), kd_cma_rays_init(&other, 4, 4, 9);
    for (int i = 0; i < 8; i++)
        kd_cma_rays_at(&rays, 8 + i, z[i]);
    for (int i = 7; i >= 0; i--) {
        kd_cma_rays_at(&other, 8 + i, again);
        assert_memory_equal(again, z[i], sizeof again);
        kd_cma_rays_at(&other, 100 + 31 * i, again);
    }
    for (int i = 0; i < 8; i += 2) {
        for (int j = 0; j < i; j += 2) {
            double product = 0;
            for (int k = 0; k < 4; k++)
                product += z[i][k] * z[j][k];
            assert_true(fabs(product) < 1e-12);
        }
        for (int k = 0; k < 4; k++)
            assert_true(z[i][k] == -z[i + 1][k]);
    }
    kd_cma_rays_release(&rays), kd_cma_rays_release(&other);
}

static int add_finished(struct kd_history *history, enum kd_outcome outcome, double objective,
                        double constraint)
{
    double zero = 0;
    int number = kd_history_add(history, &zero);
    if (outcome == KD_PRUNED)
        kd_history_report(history, number, (int64_t)objective, 5);
    kd_history_finish_measured(
        history, number, outcome,
        (struct kd_measured){.objectives = &objective, .constraints = &constraint});
    return number;
}

static void the_order_is_feasible_then_pruned_then_violating_then_failed(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    kd_history_init(&history, &space);
    history.n_constraints = 1;
    add_finished(&history, KD_INFEASIBLE, 0, -1);
    add_finished(&history, KD_COMPLETE, -9, 2); /* violates by 2 */
    add_finished(&history, KD_COMPLETE, 1e300, -1);
    add_finished(&history, KD_PRUNED, 3, -1); /* came to step 3 */
    add_finished(&history, KD_COMPLETE, NAN, -1);
    add_finished(&history, KD_PRUNED, 4, -1);
    add_finished(&history, KD_COMPLETE, 0, 1);
    add_finished(&history, KD_COMPLETE, 7, 0);
    add_finished(&history, KD_COMPLETE, 7, -3);
    int numbers[] = {8, 7, 6, 5, 4, 3, 2, 1, 0}, expected[] = {7, 8, 2, 5, 3, 6, 1, 0, 4};
    assert_int_equal(kd_cma_order(&history, numbers, 9), 7);
    assert_memory_equal(numbers, expected, sizeof expected);
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_generations_move_the_model_as_in_the_package_cmaes),
        cmocka_unit_test(the_margin_is_that_of_the_package_cmaes),
        cmocka_unit_test(choices_move_as_in_the_package_cmaes),
        cmocka_unit_test(a_warm_start_is_that_of_the_package_cmaes),
        cmocka_unit_test(a_cell_keeps_the_margin_when_the_step_size_goes_to_nothing),
        cmocka_unit_test(injected_steps_are_shortened_to_what_is_likely),
        cmocka_unit_test(rays_are_mirrored_orthogonal_and_depend_on_the_number_alone),
        cmocka_unit_test(the_order_is_feasible_then_pruned_then_violating_then_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
