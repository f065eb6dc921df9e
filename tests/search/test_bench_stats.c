/* The statistics and files of katydid-bench. Oracle: scipy (data/make_bench_stats.py). */
#include <unistd.h>

#include "coordinator/base/rng.h"
#include "tests/bench/search/field.h"
#include "tests/bench/search/sim.h"
#include "tests/bench/search/stats.h"
#include "tests/search/helper.h"

enum { MOST = 200 };

static size_t read_values(FILE *file, double *values)
{
    int n;
    assert_int_equal(fscanf(file, "%d", &n), 1);
    assert_in_range(n, 1, MOST);
    for (int i = 0; i < n; i++)
        assert_int_equal(fscanf(file, "%lf", &values[i]), 1);
    return (size_t)n;
}

static void assert_near(const char *what, double ours, double theirs)
{
    if (!(fabs(ours - theirs) <= 1e-12 * fmax(1e-6, fabs(theirs))))
        fail_msg("%s: %.17g, not %.17g", what, ours, theirs);
}

static void statistics_agree_with_scipy(void **state)
{
    (void)state;
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/bench_stats.txt", "r");
    assert_non_null(file);
    char kind[16];
    double values[MOST], ranks[MOST], expected, q;
    int n_lines = 0;
    while (fscanf(file, "%15s", kind) == 1) {
        n_lines++;
        if (strcmp(kind, "wilcoxon") == 0) {
            assert_int_equal(fscanf(file, "%lf", &expected), 1);
            size_t n = read_values(file, values);
            assert_near(kind, stats_wilcoxon(values, n), expected);
        } else if (strcmp(kind, "quantile") == 0) {
            assert_int_equal(fscanf(file, "%lf %lf", &q, &expected), 2);
            size_t n = read_values(file, values);
            assert_near(kind, stats_quantile(values, n, q), expected);
        } else {
            size_t n = read_values(file, values);
            stats_ranks(values, n, ranks);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(fscanf(file, "%lf", &expected), 1);
                assert_near(kind, ranks[i], expected);
            }
        }
    }
    fclose(file);
    assert_int_equal(n_lines, 14 + 5 + 1);
}

/* Holm's own steps: p sorted, times n, n - 1, ..., never falling. */
static void holm_multiplies_by_what_is_left(void **state)
{
    (void)state;
    double p[] = {0.01, 0.04, 0.03, 0.005};
    double corrected[] = {0.03, 0.06, 0.06, 0.02};
    stats_holm(p, KD_COUNT(p));
    for (size_t i = 0; i < KD_COUNT(p); i++)
        assert_near("holm", p[i], corrected[i]);
}

/* The mean of n values of deviation 1: 1.96 / sqrt(n) to each side; 2,000 replicates give the ends
 * to a few percent. */
static void a_bootstrap_interval_is_as_wide_as_theory_says(void **state)
{
    (void)state;
    enum { N = 200 };
    double values[N], ones[N];
    struct stats_group groups[N], others[N];
    struct kd_rng rng = kd_rng_at(1, 1);
    for (int i = 0; i < N; i++) {
        values[i] = 5 + sqrt(12) * (kd_rng_uniform(&rng) - 0.5);
        ones[i] = 2;
        groups[i] = (struct stats_group){&values[i], 1};
        others[i] = (struct stats_group){&ones[i], 1};
    }
    struct stats_interval x = stats_bootstrap(groups, N);
    assert_near("mean", x.estimate, stats_mean(values, N));
    assert_true(fabs((x.high - x.low) / 2 - 1.96 / sqrt(N)) < 0.15 * 1.96 / sqrt(N));
    struct stats_interval ratio = stats_bootstrap_ratio(groups, others, N);
    assert_true(ratio.low < ratio.estimate && ratio.estimate < ratio.high);
    assert_true(fabs(ratio.estimate - 2.45) <
                0.1); /* 5 / 2, less for the curvature of the logarithm */
}

static char *write_file(const char *text)
{
    char *path = kd_strdup("/tmp/kd-bench-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static void results_come_back_from_a_file(void **state)
{
    (void)state;
    struct results results = {0}, again = {0};
    struct result *run = results_add(&results, "tpe", "bbob-2d/f01", 3);
    static const double objectives[] = {5, 7, NAN, 2, INFINITY, 3};
    for (size_t i = 0; i < KD_COUNT(objectives); i++)
        result_tell(run, objectives[i]);
    char *path = write_file("");
    FILE *file = fopen(path, "w");
    results_write_header(file);
    results_write(file, run);
    fclose(file);
    struct kd_error err;
    assert_int_equal(results_read(&again, path, &err), 0);
    assert_int_equal(again.runs.n, 1);
    for (int n = 0; n <= 6; n++)
        assert_true(result_best(&again.runs.items[0], n) == result_best(run, n));
    assert_int_equal(again.runs.items[0].n, 6);
    assert_true(result_best(run, 0) == INFINITY && result_best(run, 3) == 5 &&
                result_best(run, 4) == 2);
    unlink(path);
    free(path);
    results_release(&results);
    results_release(&again);
}

static void a_bad_row_is_named_by_its_line(void **state)
{
    (void)state;
    struct results results = {0};
    struct kd_error err;
    char *path =
        write_file("strategy,task,seed,n,best\na,bbob-2d/f01,1,5,2\na,bbob-2d/f01,1,5,1\n");
    assert_int_equal(results_read(&results, path, &err), -1);
    assert_non_null(strstr(err.text, ":3:"));
    unlink(path);
    free(path);
    results_release(&results);
}

static void a_run_that_is_too_short_has_no_regret(void **state)
{
    (void)state;
    struct results results = {0};
    struct field field;
    struct kd_error err;
    struct result *run = results_add(&results, "a", "bbob-2d/f01", 1);
    for (int i = 0; i < 20; i++)
        result_tell(run, 1e9);
    assert_int_equal(field_init(&field, &results, &err), 0);
    assert_true(field_regret(&field, 0, 0, 1, 20) == 1);
    assert_true(isnan(field_regret(&field, 0, 0, 1, 21)));
    assert_true(isnan(field_regret(&field, 0, 0, 0, 20)));
    field_release(&field);
    results_release(&results);
}

/* Without a stopper and with one worker, time is the number of whole trainings. */
static void a_simulation_takes_the_time_of_its_trials(void **state)
{
    (void)state;
    struct sim_entrant entrant;
    struct kd_error err;
    struct sim_result result;
    assert_int_equal(sim_entrant_init(&entrant, "random/none", &err), 0);
    struct problem *problem = problem_new("curve/few-loss", 1, &err);
    assert_non_null(problem);
    struct sim_plan plan = {.n_workers = 1, .limit = 30, .max_trials = 1000};
    assert_int_equal(sim_run(&entrant, problem, 1, &plan, &result, &err), 0);
    assert_in_range(result.n_trials, 20,
                    45); /* 30 on average; a training takes 0.3 to 3 of the mean */
    plan.n_workers = 4;
    int one_worker = result.n_trials;
    assert_int_equal(sim_run(&entrant, problem, 1, &plan, &result, &err), 0);
    assert_in_range(result.n_trials, 3 * one_worker, 5 * one_worker);
    problem_free(problem);
    sim_entrant_release(&entrant);
}

static void published_asha_starts_three_trials_for_one_that_goes_on(void **state)
{
    (void)state;
    struct sim_entrant entrant;
    struct kd_error err;
    struct sim_result result;
    assert_int_equal(sim_entrant_init(&entrant, "random/asha-published", &err), 0);
    struct problem *problem = problem_new("synth/s01", 1, &err);
    struct sim_plan plan = {.n_workers = 1, .limit = 10, .max_trials = 10000};
    assert_int_equal(sim_run(&entrant, problem, 1, &plan, &result, &err), 0);
    /* Of 81 trials 27, 9, 3, 1 go on to 3, 9, 27, 81 steps: 297 steps for 81 trials, 3.7 each; so
     * 81 x 10 steps are about 220 trials, more or less for steps of unequal cost and promotions
     * that wait. */
    assert_in_range(result.n_trials, 110, 440);
    problem_free(problem);
    sim_entrant_release(&entrant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_agree_with_scipy),
        cmocka_unit_test(holm_multiplies_by_what_is_left),
        cmocka_unit_test(a_bootstrap_interval_is_as_wide_as_theory_says),
        cmocka_unit_test(results_come_back_from_a_file),
        cmocka_unit_test(a_bad_row_is_named_by_its_line),
        cmocka_unit_test(a_run_that_is_too_short_has_no_regret),
        cmocka_unit_test(a_simulation_takes_the_time_of_its_trials),
        cmocka_unit_test(published_asha_starts_three_trials_for_one_that_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
