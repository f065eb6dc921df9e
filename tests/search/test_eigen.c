/* The eigendecomposition against numpy (tests/search/data/make_eigen.py), and against what it
 * promises by itself. */
#include "tests/search/data_file.h"

#include "coordinator/base/rng.h"
#include "search/math/eigen.h"

enum { MOST = 20 };

struct sample {
    int n;
    double matrix[MOST * MOST], expected[MOST];
};

static bool read_sample(FILE *file, struct sample *sample)
{
    if (fscanf(file, "%d", &sample->n) != 1)
        return false;
    int n = sample->n;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++)
            sample->matrix[i * n + j] = sample->matrix[j * n + i] = read_number(file);
    }
    for (int i = 0; i < n; i++)
        sample->expected[i] = read_number(file);
    return true;
}

/* The unit of error: rounding of the largest entry, for each of n additions. */
static double unit(const struct sample *sample)
{
    double largest = 0;
    for (int i = 0; i < sample->n * sample->n; i++)
        largest = fmax(largest, fabs(sample->matrix[i]));
    return 4e-16 * sample->n * largest;
}

static void decompose(const struct sample *sample, double *values, double *vectors)
{
    double copy[MOST * MOST], scratch[3 * MOST];
    memcpy(copy, sample->matrix, sizeof copy);
    for (int i = 0; i < sample->n; i++) { /* the upper triangle is not read */
        for (int j = i + 1; j < sample->n; j++)
            copy[i * sample->n + j] = 77;
    }
    assert_true(kd_eigen_symmetric(sample->n, copy, values, vectors, scratch));
}

static void check_sample(const struct sample *sample)
{
    int n = sample->n;
    double values[MOST], vectors[MOST * MOST], tolerance = 4 * unit(sample);
    decompose(sample, values, vectors);
    for (int i = 0; i < n; i++) {
        assert_true(fabs(values[i] - sample->expected[i]) <= tolerance);
        assert_true(i == 0 || values[i - 1] <= values[i]);
        for (int j = 0; j < n; j++) {
            double residual = -values[i] * vectors[i * n + j], product = i == j ? -1 : 0;
            for (int k = 0; k < n; k++) {
                residual += sample->matrix[j * n + k] * vectors[i * n + k];
                product += vectors[i * n + k] * vectors[j * n + k];
            }
            assert_true(fabs(residual) <= tolerance);
            assert_true(fabs(product) <= 1e-14);
        }
    }
}

static void values_are_numpys_and_vectors_belong_to_them(void **state)
{
    (void)state;
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/eigen.txt", "r");
    assert_non_null(file);
    struct sample sample = {0};
    int n_samples = 0;
    for (; read_sample(file, &sample); n_samples++)
        check_sample(&sample);
    assert_int_equal(n_samples, 11);
    fclose(file);
}

static void of_a_vector_and_its_negative_always_the_same_one_is_given(void **state)
{
    (void)state;
    struct sample sample = {.n = 3, .matrix = {2, -1, 0, -1, 2, -1, 0, -1, 2}};
    double values[3], vectors[9];
    decompose(&sample, values, vectors);
    assert_true(vectors[1] > 0.7);                        /* 1/2, root of 1/2, 1/2 */
    assert_true(vectors[3] > 0.7 || vectors[5] > 0.7);    /* root of 1/2, 0, minus that */
    assert_true(vectors[7] > 0.7 && vectors[6] < -0.499); /* -1/2, root of 1/2, -1/2 */
}

static void entries_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    double values[2], vectors[4], scratch[6];
    double nan[] = {1, 0, NAN, 1}, infinite[] = {INFINITY, 0, 0, 1};
    assert_false(kd_eigen_symmetric(2, nan, values, vectors, scratch));
    assert_false(kd_eigen_symmetric(2, infinite, values, vectors, scratch));
    assert_true(kd_eigen_symmetric(0, NULL, NULL, NULL, NULL));
}

/* FNV-1a of the bits: any change of the order of operations shows. */
static void two_hundred_matrices_have_the_stored_bits(void **state)
{
    (void)state;
    struct kd_rng rng = kd_rng_at(1, 2);
    uint64_t hash = 0;
    for (int c = 0; c < 200; c++) {
        struct sample sample = {.n = 2 + c % 15};
        double values[MOST], vectors[MOST * MOST];
        for (int i = 0; i < sample.n * sample.n; i++)
            sample.matrix[i] = kd_rng_uniform(&rng) - 0.5;
        decompose(&sample, values, vectors);
        hash = kd_hash2(hash, kd_hash_bytes(values, (uint64_t)sample.n * sizeof *values));
        hash = kd_hash2(hash,
                        kd_hash_bytes(vectors, (uint64_t)(sample.n * sample.n) * sizeof *vectors));
    }
    if (hash != 0x9c0ebef9328953b5)
        fail_msg("the bits are 0x%llx now", (unsigned long long)hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_numpys_and_vectors_belong_to_them),
        cmocka_unit_test(of_a_vector_and_its_negative_always_the_same_one_is_given),
        cmocka_unit_test(entries_that_are_not_finite_are_refused),
        cmocka_unit_test(two_hundred_matrices_have_the_stored_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
