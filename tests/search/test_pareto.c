/* Domination, ranks, crowding, subsets and hypervolume: against Optuna
 * (tests/search/data/make_pareto.py), against the definitions taken word by word, and on what is
 * degenerate. */
#include "tests/search/helper.h"

#include "coordinator/base/rng.h"
#include "search/math/hypervolume.h"
#include "search/pareto.h"

static void read_numbers(FILE *file, double *numbers, int n)
{
    char text[64];
    for (int i = 0; i < n; i++) {
        if (fscanf(file, "%63s", text) != 1)
            fail_msg("the data end too early");
        numbers[i] = strtod(text, NULL);
    }
}

static int read_int(FILE *file)
{
    double number;
    read_numbers(file, &number, 1);
    return (int)number;
}

static void compare_volume(FILE *file, int n, int m)
{
    double rows[600], reference[8], expected;
    read_numbers(file, rows, n * m), read_numbers(file, reference, m);
    read_numbers(file, &expected, 1);
    double volume = kd_hypervolume(rows, n, m, reference);
    if (!(fabs(volume - expected) <= 1e-12 * expected))
        fail_msg("%d x %d: %.17g, not %.17g", n, m, volume, expected);
}

static void compare_ranks(FILE *file, int n, int m)
{
    double rows[600], violations[100];
    int ranks[100], n_fronts = 0;
    for (int i = 0; i < n; i++)
        read_numbers(file, &rows[i * m], m), read_numbers(file, &violations[i], 1);
    struct kd_costs costs = {.n = n, .m = m, .rows = rows, .violations = violations};
    int found = kd_pareto_ranks(&costs, ranks);
    for (int i = 0; i < n; i++) {
        int expected = read_int(file);
        assert_int_equal(ranks[i], expected);
        n_fronts = expected + 1 > n_fronts ? expected + 1 : n_fronts;
    }
    assert_int_equal(found, n_fronts);
}

static void compare_best(FILE *file, int n, int m)
{
    double rows[600];
    int want = read_int(file), chosen[100];
    read_numbers(file, rows, n * m);
    struct kd_costs costs = {.n = n, .m = m, .rows = rows};
    kd_pareto_best(&costs, want, chosen);
    for (int i = 0; i < want; i++)
        assert_int_equal(chosen[i], read_int(file));
}

static void volumes_ranks_and_the_best_few_are_those_of_optuna(void **state)
{
    (void)state;
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/pareto.txt", "r");
    assert_non_null(file);
    char kind[16];
    int n, m, n_cases = 0;
    while (fscanf(file, "%15s %d %d", kind, &n, &m) == 3) {
        if (strcmp(kind, "volume") == 0)
            compare_volume(file, n, m);
        else if (strcmp(kind, "ranks") == 0)
            compare_ranks(file, n, m);
        else
            compare_best(file, n, m);
        n_cases++;
    }
    assert_int_equal(n_cases, 64);
    fclose(file);
}

/* Rows of small whole numbers, so that ties and repeats are many. */
static void draw_rows(struct kd_rng *rng, double *rows, int n, int m, uint64_t values)
{
    for (int i = 0; i < n * m; i++)
        rows[i] = (double)kd_rng_below(rng, values);
}

/* How many unit boxes of [0, side)^m have a row at or below their lower corner. */
static double count_boxes(const double *rows, int n, int m, int side)
{
    int total = 1, count = 0;
    for (int k = 0; k < m; k++)
        total *= side;
    for (int box = 0; box < total; box++) {
        bool covered = false;
        for (int i = 0; i < n && !covered; i++) {
            covered = true;
            for (int k = 0, rest = box; k < m; k++, rest /= side)
                covered = covered && rows[i * m + k] <= rest % side;
        }
        count += covered;
    }
    return count;
}

static void the_volume_of_whole_numbers_is_the_count_of_boxes(void **state)
{
    (void)state;
    struct kd_rng rng = kd_rng_at(1, 2);
    double rows[20 * 6], reference[6] = {5, 5, 5, 5, 5, 5};
    for (int m = 1; m <= 6; m++) {
        for (int n = 0; n <= 20; n += 4) {
            draw_rows(&rng, rows, n, m, 7); /* some lie beyond the reference */
            double volume = kd_hypervolume(rows, n, m, reference);
            assert_true(volume == count_boxes(rows, n, m, 5));
        }
    }
}

static void infinite_and_huge_costs_have_a_volume(void **state)
{
    (void)state;
    double reference[] = {1, 1, 1, 1}, open[] = {1, INFINITY, 1, 1};
    double good[] = {0, 0, 0, 0, -INFINITY, 0.5, 0.5, 0.5};
    double bad[] = {0, 0, 0, 0, INFINITY, -INFINITY, -1, -1};
    double huge[] = {-1e300, -1e300, 0, 0, -1e299, -1e301, 0, 0, -1e298, -1e302, 0.5, 0.25};
    assert_true(isinf(kd_hypervolume(good, 2, 4, reference)));
    assert_true(kd_hypervolume(bad, 2, 4, reference) == 1);
    assert_true(isinf(kd_hypervolume(good, 1, 4, open)));
    assert_true(isinf(kd_hypervolume(huge, 3, 4, reference)));
    assert_true(kd_hypervolume(reference, 1, 4, reference) == 0);
    assert_true(kd_hypervolume(reference, 0, 4, open) == 0);
}

/* A rank is one more than the largest rank of the rows that dominate it. */
static void check_ranks(const double *rows, int n, int m)
{
    int ranks[64];
    struct kd_costs costs = {.n = n, .m = m, .rows = rows};
    kd_pareto_ranks(&costs, ranks);
    for (int i = 0; i < n; i++) {
        int expected = 0;
        for (int j = 0; j < n; j++) {
            if (kd_dominates(&rows[j * m], &rows[i * m], m) && ranks[j] >= expected)
                expected = ranks[j] + 1;
        }
        assert_int_equal(ranks[i], expected);
    }
}

static void a_rank_is_one_more_than_that_of_the_worst_that_dominates(void **state)
{
    (void)state;
    struct kd_rng rng = kd_rng_at(4, 2);
    double rows[64 * 5];
    for (int m = 1; m <= 5; m++) {
        for (int n = 0; n <= 64; n += 8) {
            draw_rows(&rng, rows, n, m, 6);
            for (int i = 0; i < n * m; i += 7)
                rows[i] = i % 2 ? INFINITY : -INFINITY;
            check_ranks(rows, n, m);
        }
    }
}

static void the_first_ranks_are_those_of_all_and_the_rest_come_after(void **state)
{
    (void)state;
    struct kd_rng rng = kd_rng_at(7, 2);
    double rows[50 * 4], violations[50];
    int all[50], first[50];
    for (int m = 1; m <= 4; m++) {
        draw_rows(&rng, rows, 50, m, 6), draw_rows(&rng, violations, 50, 1, 3);
        struct kd_costs costs = {
            .n = 50, .m = m, .rows = rows, .violations = m % 2 ? violations : NULL};
        kd_pareto_ranks(&costs, all);
        for (int want = 0; want <= 50; want += 5) {
            int n_ranked = 0, next = 0; /* next: the rank of the rest */
            kd_pareto_first_ranks(&costs, want, first);
            for (int rank = 0; n_ranked < want && rank <= 50; rank++, next = rank) {
                for (int i = 0; i < 50; i++)
                    n_ranked += all[i] == rank;
            }
            for (int i = 0; i < 50; i++)
                assert_true(all[i] < next ? first[i] == all[i] : first[i] >= next);
        }
    }
}

static void crowding_is_the_gap_between_neighbours_as_a_share_of_the_range(void **state)
{
    (void)state;
    double rows[] = {0, 8, 1, 4, 3, 3, 9, 9, 8, 0}, distances[4], same[] = {2, 2, 2, 2, 2, 2};
    int members[] = {4, 0, 1, 2}, all[] = {0, 1, 2};
    struct kd_costs costs = {.n = 5, .m = 2, .rows = rows};
    kd_pareto_crowding(&costs, members, 4, distances);
    assert_true(isinf(distances[0]) && isinf(distances[1]));
    assert_true(fabs(distances[2] - (3.0 / 8 + 5.0 / 8)) < 1e-15);
    assert_true(fabs(distances[3] - (7.0 / 8 + 4.0 / 8)) < 1e-15);
    kd_pareto_crowding(&(struct kd_costs){.n = 3, .m = 2, .rows = same}, all, 3, distances);
    for (int i = 0; i < 3; i++)
        assert_true(distances[i] == 0);
}

static void crowding_of_infinite_and_huge_costs_is_a_number(void **state)
{
    (void)state;
    double rows[] = {-1e308, -INFINITY, 0, -INFINITY, 1e308, -INFINITY, 1e308, INFINITY, -1e308, 0};
    double distances[5];
    int all[] = {0, 1, 2, 3, 4};
    struct kd_costs costs = {.n = 5, .m = 2, .rows = rows};
    kd_pareto_crowding(&costs, all, 5, distances);
    for (int i = 0; i < 5; i++)
        assert_true(distances[i] >= 0);
    assert_true(distances[1] == 1);
}

/* Chooses as the definition says: the largest total volume, row by row. */
static void choose_slowly(const struct kd_costs *costs, const double *reference, int want,
                          int *chosen)
{
    double rows[32 * 5];
    int m = costs->m;
    for (int n = 0; n < want; n++) {
        double best = -1;
        for (int i = 0; i < costs->n; i++) {
            memcpy(&rows[n * m], &costs->rows[i * m], (size_t)m * sizeof *rows);
            double volume = kd_hypervolume(rows, n + 1, m, reference);
            if (volume > best * (1 + 1e-12))
                best = volume, chosen[n] = i;
        }
        memcpy(&rows[n * m], &costs->rows[chosen[n] * m], (size_t)m * sizeof *rows);
    }
}

static void the_subset_grows_by_the_row_that_adds_most(void **state)
{
    (void)state;
    struct kd_rng rng = kd_rng_at(6, 2);
    double rows[30 * 5], reference[] = {1.5, 1.5, 1.5, 1.5, 1.5};
    for (int m = 2; m <= 5; m++) {
        for (int i = 0; i < 30; i++) {
            double length = 0;
            for (int k = 0; k < m; k++) {
                rows[i * m + k] = kd_rng_uniform(&rng);
                length += rows[i * m + k] * rows[i * m + k];
            }
            for (int k = 0; k < m; k++)
                rows[i * m + k] /= sqrt(length);
        }
        struct kd_costs costs = {.n = 30, .m = m, .rows = rows};
        int fast[12], slow[12];
        kd_pareto_subset(&costs, reference, 12, fast);
        choose_slowly(&costs, reference, 12, slow);
        for (int i = 0; i < 12; i++)
            assert_int_equal(fast[i], slow[i]);
    }
}

static void subsets_of_repeated_and_infinite_rows_are_whole(void **state)
{
    (void)state;
    double rows[] = {1, 0, 0, 1, 1, 0, -INFINITY, 2, 2, -INFINITY, 1, 0, INFINITY, -INFINITY};
    for (int n = 1; n <= 7; n++) {
        for (int want = 0; want <= n; want++) {
            struct kd_costs costs = {.n = n, .m = 2, .rows = rows};
            double reference[2];
            int chosen[7], seen = 0;
            kd_pareto_reference(&costs, reference);
            kd_pareto_subset(&costs, reference, want, chosen);
            for (int i = 0; i < want; i++) {
                assert_in_range(chosen[i], 0, n - 1);
                assert_false(seen >> chosen[i] & 1);
                seen |= 1 << chosen[i];
            }
        }
    }
}

static void the_best_of_infeasible_rows_are_the_least_violating(void **state)
{
    (void)state;
    double rows[] = {0, 0, 5, 5, 1, 1, 0, 0}, violations[] = {2, 0, 1, INFINITY};
    struct kd_costs costs = {.n = 4, .m = 2, .rows = rows, .violations = violations};
    int chosen[3];
    kd_pareto_best(&costs, 2, chosen);
    assert_int_equal(chosen[0], 1);
    assert_int_equal(chosen[1], 2);
    kd_pareto_best(&costs, 3, chosen);
    assert_int_equal(chosen[0], 0);
}

static void finish(struct kd_history *history, double a, double b, double constraint)
{
    double x = history->n, objectives[] = {a, b};
    int number = kd_history_add(history, &x);
    struct kd_measured measured = {.objectives = objectives, .constraints = &constraint};
    kd_history_finish_measured(history, number, KD_COMPLETE, measured);
}

static void the_front_of_a_history_has_its_own_feasible_trials_that_nothing_dominates(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    int numbers[16];
    double x = 0.5;
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 100, 0, KD_UNIFORM);
    kd_history_init(&history, &space);
    history.n_objectives = 2, history.n_constraints = 1;
    assert_int_equal(kd_history_front(&history, numbers), 0);
    kd_history_add_prior(&history, &x, KD_COMPLETE, 0);
    finish(&history, 1, 3, -1);  /* 1: in */
    finish(&history, 0, 0, 1);   /* infeasible */
    finish(&history, 2, 3, 0);   /* dominated */
    finish(&history, 3, 1, 0);   /* 4: in */
    finish(&history, NAN, 0, 0); /* not measured */
    finish(&history, -INFINITY, 9, 0);
    finish(&history, 1, 3, 0);     /* 7: in, equal to 1 */
    finish(&history, 2, 0.5, NAN); /* not known to be feasible */
    kd_history_add(&history, &x);
    assert_int_equal(kd_history_front(&history, numbers), 3);
    assert_int_equal(numbers[0], 1);
    assert_int_equal(numbers[1], 4);
    assert_int_equal(numbers[2], 7);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void the_front_of_one_objective_is_all_that_are_best(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    int numbers[8];
    double values[] = {3, 1, 2, 1, NAN}, x = 0;
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    kd_history_init(&history, &space);
    kd_history_add_prior(&history, &x, KD_COMPLETE, 0); /* not the experiment's own */
    for (int i = 0; i < 5; i++)
        kd_history_add(&history, &x);
    for (int i = 4; i >= 0; i--)
        kd_history_finish(&history, i + 1, i == 3 ? KD_PRUNED : KD_COMPLETE, values[i]);
    assert_int_equal(kd_history_front(&history, numbers), 2);
    assert_int_equal(numbers[0], 2);
    assert_int_equal(numbers[1], 4);
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volumes_ranks_and_the_best_few_are_those_of_optuna),
        cmocka_unit_test(the_volume_of_whole_numbers_is_the_count_of_boxes),
        cmocka_unit_test(infinite_and_huge_costs_have_a_volume),
        cmocka_unit_test(a_rank_is_one_more_than_that_of_the_worst_that_dominates),
        cmocka_unit_test(the_first_ranks_are_those_of_all_and_the_rest_come_after),
        cmocka_unit_test(crowding_is_the_gap_between_neighbours_as_a_share_of_the_range),
        cmocka_unit_test(crowding_of_infinite_and_huge_costs_is_a_number),
        cmocka_unit_test(the_subset_grows_by_the_row_that_adds_most),
        cmocka_unit_test(subsets_of_repeated_and_infinite_rows_are_whole),
        cmocka_unit_test(the_best_of_infeasible_rows_are_the_least_violating),
        cmocka_unit_test(the_front_of_a_history_has_its_own_feasible_trials_that_nothing_dominates),
        cmocka_unit_test(the_front_of_one_objective_is_all_that_are_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
