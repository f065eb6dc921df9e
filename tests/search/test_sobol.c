/* Sobol's sequence against SciPy's (tests/search/data/make_sobol.py), its scrambling, and the
 * strategy. */
#include "tests/search/helper.h"

#include "coordinator/base/rng.h"
#include "search/axis.h"
#include "search/math/sobol_points.h"

static uint32_t read_hex(FILE *file)
{
    unsigned value;
    if (fscanf(file, "%x", &value) != 1)
        fail_msg("the data end too early");
    return value;
}

static void compare_points(FILE *file)
{
    uint32_t first = read_hex(file), n = read_hex(file);
    struct kd_sobol sobol;
    double point[KD_SOBOL_DIMS];
    kd_sobol_init(&sobol, (int)read_hex(file));
    for (uint32_t i = 0; i < n; i++) {
        kd_sobol_plain(&sobol, first + i, point);
        for (int j = 0; j < sobol.n_dims; j++)
            assert_int_equal((uint32_t)(point[j] * 0x1p32), read_hex(file));
    }
    kd_sobol_release(&sobol);
}

static void compare_directions(FILE *file)
{
    struct kd_sobol sobol;
    kd_sobol_init(&sobol, (int)read_hex(file));
    for (int i = 0; i < sobol.n_dims; i++) {
        uint32_t all = 0, even = 0;
        for (int k = 0; k < 32; k++) {
            uint32_t v = sobol.directions[k * sobol.n_dims + i];
            all ^= v;
            even ^= k % 2 == 0 ? v : 0;
        }
        assert_int_equal(all, read_hex(file));
        assert_int_equal(even, read_hex(file));
    }
    kd_sobol_release(&sobol);
}

static void plain_points_and_directions_are_those_of_scipy(void **state)
{
    (void)state;
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/sobol.txt", "r");
    assert_non_null(file);
    char word[16];
    int n_cases = 0;
    while (fscanf(file, "%15s", word) == 1) {
        if (strcmp(word, "points") == 0)
            compare_points(file);
        else
            compare_directions(file);
        n_cases++;
    }
    assert_int_equal(n_cases, 4);
    fclose(file);
}

/* How many of the 2^k points lie in each of the 2^k boxes of 2^a by 2^(k-a) cells. */
static void count_boxes(const double *points, int stride, int k, int a, unsigned char *counts)
{
    memset(counts, 0, (size_t)1 << k);
    for (int i = 0; i < 1 << k; i++) {
        int x = (int)(points[i * stride] * (1 << a));
        int y = (int)(points[i * stride + 1] * (1 << (k - a)));
        counts[(x << (k - a)) + y]++;
    }
}

/* The first two dimensions are a (0, k, 2)-net: one point in every elementary box. */
static void scrambled_points_of_two_dimensions_hit_every_elementary_box_once(void **state)
{
    (void)state;
    enum { K = 8 };
    struct kd_sobol sobol;
    double points[(1 << K) * 2];
    unsigned char counts[1 << K];
    kd_sobol_init(&sobol, 2);
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint32_t first = (uint32_t)seed << K;
        for (uint32_t i = 0; i < 1 << K; i++)
            kd_sobol_scrambled(&sobol, seed, first + i, &points[2 * i]);
        for (int a = 0; a <= K; a++) {
            count_boxes(points, 2, K, a, counts);
            for (int i = 0; i < 1 << K; i++)
                assert_int_equal(counts[i], 1);
        }
    }
    kd_sobol_release(&sobol);
}

static void each_scrambled_coordinate_hits_every_slice_once(void **state)
{
    (void)state;
    enum { N = 64 };
    struct kd_sobol sobol;
    double point[KD_SOBOL_DIMS];
    static unsigned char counts[KD_SOBOL_DIMS][N];
    memset(counts, 0, sizeof counts);
    kd_sobol_init(&sobol, KD_SOBOL_DIMS);
    for (uint32_t i = 0; i < N; i++) {
        kd_sobol_scrambled(&sobol, 5, 3 * N + i, point);
        for (int j = 0; j < KD_SOBOL_DIMS; j++)
            counts[j][(int)(point[j] * N)]++;
    }
    for (int j = 0; j < KD_SOBOL_DIMS; j++) {
        for (int i = 0; i < N; i++)
            assert_int_equal(counts[j][i], 1);
    }
    kd_sobol_release(&sobol);
}

/* Which of the nodes of the first DEPTH levels are turned over, as a number: over seeds all must be
 * alike. */
static unsigned turned_nodes(const struct kd_sobol *sobol, uint64_t seed, int dim, int depth)
{
    double plain[8], scrambled[8];
    unsigned turned = 0;
    for (uint32_t i = 0; i < 1u << depth; i++) {
        kd_sobol_plain(sobol, i, plain), kd_sobol_scrambled(sobol, seed, i, scrambled);
        int p = (int)(plain[dim] * (1 << depth)), s = (int)(scrambled[dim] * (1 << depth));
        for (int level = 0; level < depth; level++) {
            int node = (1 << level) - 1 + (p >> (depth - level));
            int flip = ((p ^ s) >> (depth - 1 - level)) & 1;
            turned |= (unsigned)flip << node;
        }
    }
    return turned;
}

/* With three levels there are seven nodes and 128 ways to turn them: chi-square with 127 degrees of
 * freedom stays below 190 but for 3 in 10,000. */
static void every_way_to_turn_the_nodes_is_as_likely(void **state)
{
    (void)state;
    enum { SEEDS = 12800, WAYS = 128 };
    struct kd_sobol sobol;
    kd_sobol_init(&sobol, 8);
    for (int dim = 0; dim < 8; dim += 7) {
        int counts[WAYS] = {0};
        for (uint64_t seed = 0; seed < SEEDS; seed++)
            counts[turned_nodes(&sobol, seed, dim, 3)]++;
        double chi2 = 0, expected = SEEDS / WAYS;
        for (int i = 0; i < WAYS; i++)
            chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
        if (chi2 > 190)
            fail_msg("chi-square %g in dimension %d", chi2, dim);
    }
    kd_sobol_release(&sobol);
}

static double product_error(uint64_t seed, bool random)
{
    enum { N = 1024, DIMS = 6 };
    double sum = 0, point[DIMS];
    struct kd_sobol sobol;
    struct kd_rng rng = kd_rng_at(seed, 3);
    kd_sobol_init(&sobol, DIMS);
    for (uint32_t i = 0; i < N; i++) {
        kd_sobol_scrambled(&sobol, seed, i, point);
        double product = 1;
        for (int j = 0; j < DIMS; j++)
            product *= 1 + (random ? kd_rng_uniform(&rng) : point[j]) - 0.5;
        sum += product;
    }
    kd_sobol_release(&sobol);
    return sum / N - 1;
}

static void scrambled_points_integrate_better_than_random_ones(void **state)
{
    (void)state;
    double sobol = 0, random = 0, bias = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        double e = product_error(seed, false), r = product_error(seed, true);
        sobol += e * e, random += r * r, bias += e;
    }
    assert_true(sobol < random / 400); /* 20 times smaller errors */
    assert_true(fabs(bias / 50) < 4 * sqrt(sobol) / 50);
}

static void one_point_alone_is_the_point_of_the_sequence(void **state)
{
    (void)state;
    struct kd_sobol sobol;
    double all[30], alone[30];
    kd_sobol_init(&sobol, 30);
    kd_sobol_scrambled(&sobol, 9, 4294967295u, all);
    kd_sobol_point(9, 4294967295u, 30, alone);
    assert_memory_equal(all, alone, sizeof all);
    kd_sobol_point(9, 4294967295u, 20, alone);
    assert_memory_equal(all, alone, 20 * sizeof *all);
    kd_sobol_release(&sobol);
}

/* Studies under way go on with other points when this changes. */
static void scrambled_points_have_the_stored_bits(void **state)
{
    (void)state;
    struct kd_sobol sobol;
    double point[20];
    uint64_t hash = 0;
    kd_sobol_init(&sobol, 20);
    for (uint32_t i = 0; i < 100; i++) {
        kd_sobol_scrambled(&sobol, 42, i * 12345, point);
        hash = kd_hash2(hash, kd_hash_bytes(point, sizeof point));
    }
    kd_sobol_release(&sobol);
    printf("hash 0x%016llx\n", (unsigned long long)hash);
    assert_true(hash == UINT64_C(0x81eb1e480b707bb9));
}

static void plain_asks_are_quantiles_of_the_plain_sequence_and_priors_do_not_count(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_settings settings;
    const struct kd_strategy *strategy = kd_strategy_find("sobol");
    add_number(&space, "log", KD_PARAM_DOUBLE, 1e-4, 1, 0, KD_LOG_UNIFORM);
    add_choices(&space, "choice", 4);
    kd_history_init(&history, &space);
    double prior[] = {1, 2}, points[2 * 4];
    kd_history_add_prior(&history, prior, KD_COMPLETE, 1);
    kd_settings_init(&settings, strategy->settings);
    assert_int_equal(kd_settings_set(&settings, "scramble", "false", NULL), 0);
    struct kd_task task = task_of(&space);
    struct kd_sampler *sampler = kd_sampler_new(strategy, &task, &settings, 1, NULL);
    assert_int_equal(kd_sampler_ask(sampler, &history, 4, points), 4);
    double expected[] = {1e-4, 0, 1e-2, 2, 1e-1, 1, 1e-3, 3};
    for (int i = 0; i < 8; i++)
        assert_true(fabs(points[i] - expected[i]) <= 1e-12 * expected[i]);
    kd_sampler_free(sampler);
    kd_settings_release(&settings);
    kd_history_release(&history);
    kd_space_release(&space);
}

/* 256 scrambled asks fill the octiles of each parameter exactly, whatever its distribution. */
static void asks_follow_every_distribution(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    fill_mixed(&space);
    kd_history_init(&history, &space);
    const struct kd_strategy *strategy = kd_strategy_find("sobol");
    struct kd_settings settings;
    kd_settings_init(&settings, strategy->settings);
    struct kd_task task = task_of(&space);
    void *self = strategy->new (&task, &settings, 3, NULL);
    static double points[256 * 10];
    assert_int_equal(strategy->ask(self, &history, 256, points), 256);
    int below[3] = {0};
    for (int i = 0; i < 256; i++) {
        assert_allowed(&space, &points[10 * i]);
        below[0] += points[10 * i] < -2;    /* uniform in [-3, 5] */
        below[1] += points[10 * i + 2] < 0; /* normal around 0 */
        below[2] += points[10 * i + 5] < 3; /* int in 1 .. 8 */
    }
    assert_int_equal(below[0], 32);
    assert_int_equal(below[1], 128);
    assert_int_equal(below[2], 64);
    strategy->free(self);
    kd_settings_release(&settings);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void too_many_parameters_are_refused_with_the_limit(void **state)
{
    (void)state;
    struct kd_space space = {.n_params = KD_SOBOL_DIMS + 1};
    struct kd_task task = task_of(&space);
    struct kd_error err;
    assert_null(kd_strategy_find("sobol")->new (&task, NULL, 1, &err));
    assert_non_null(strstr(err.text, "1111"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_points_and_directions_are_those_of_scipy),
        cmocka_unit_test(scrambled_points_of_two_dimensions_hit_every_elementary_box_once),
        cmocka_unit_test(each_scrambled_coordinate_hits_every_slice_once),
        cmocka_unit_test(every_way_to_turn_the_nodes_is_as_likely),
        cmocka_unit_test(scrambled_points_integrate_better_than_random_ones),
        cmocka_unit_test(one_point_alone_is_the_point_of_the_sequence),
        cmocka_unit_test(scrambled_points_have_the_stored_bits),
        cmocka_unit_test(plain_asks_are_quantiles_of_the_plain_sequence_and_priors_do_not_count),
        cmocka_unit_test(asks_follow_every_distribution),
        cmocka_unit_test(too_many_parameters_are_refused_with_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
