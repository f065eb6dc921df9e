/* Factors, solves and inverses against their definitions: A = L L', L x = b, A A^-1 = 1. */
#include "tests/search/helper.h"

#include "coordinator/base/rng.h"
#include "search/math/linalg.h"

enum { N = 45, STRIDE = 50 };

/* B B' + 1: well conditioned, so that errors stay within a few hundred roundings. */
static void fill_matrix(double *a)
{
    struct kd_rng rng = kd_rng_at(3, 1);
    static double b[N][N];
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++)
            b[i][j] = kd_rng_uniform(&rng) - 0.5;
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++)
            a[i * STRIDE + j] = kd_dot(b[i], b[j], N) + (i == j);
    }
}

static void assert_near(double is, double wanted)
{
    if (!(fabs(is - wanted) <= 1e-12 * (1 + fabs(wanted))))
        fail_msg("%.17g, not %.17g", is, wanted);
}

static void the_factor_times_its_transpose_is_the_matrix(void **state)
{
    (void)state;
    double a[N * STRIDE], l[N * STRIDE], work[KD_LANES * N];
    fill_matrix(a), fill_matrix(l);
    kd_cholesky_extend(l, STRIDE, 0, N, work);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j <= i; j++)
            assert_near(kd_dot(&l[i * STRIDE], &l[j * STRIDE], j + 1), a[i * STRIDE + j]);
    }
    double product = 1;
    for (int i = 0; i < N; i++)
        product *= l[i * STRIDE + i];
    assert_near(exp(kd_cholesky_half_log_det(l, STRIDE, N)) / product, 1);
}

static void rows_appended_have_the_bits_of_a_whole_factor(void **state)
{
    (void)state;
    static const int cuts[] = {1, 7, 8, 9, 20, N - 1};
    double whole[N * STRIDE], work[KD_LANES * N];
    fill_matrix(whole);
    kd_cholesky_extend(whole, STRIDE, 0, N, work);
    for (size_t c = 0; c < KD_COUNT(cuts); c++) {
        double parts[N * STRIDE];
        fill_matrix(parts);
        kd_cholesky_extend(parts, STRIDE, 0, cuts[c], work);
        kd_cholesky_extend(parts, STRIDE, cuts[c], N, work);
        for (int i = 0; i < N; i++)
            assert_memory_equal(&parts[i * STRIDE], &whole[i * STRIDE],
                                (size_t)(i + 1) * sizeof(double));
    }
}

static void solves_undo_the_factor_alone_and_side_by_side(void **state)
{
    (void)state;
    double a[N * STRIDE], l[N * STRIDE], work[KD_LANES * N], x[N], lanes[N * KD_LANES];
    fill_matrix(a), fill_matrix(l);
    kd_cholesky_extend(l, STRIDE, 0, N, work);
    for (int i = 0; i < N; i++) {
        x[i] = i % 7 - 2.5;
        for (int lane = 0; lane < KD_LANES; lane++)
            lanes[i * KD_LANES + lane] = x[i] * (lane + 1);
    }
    kd_cholesky_forward(l, STRIDE, N, x), kd_cholesky_backward(l, STRIDE, N, x);
    kd_cholesky_forward_lanes(l, STRIDE, N, lanes), kd_cholesky_backward_lanes(l, STRIDE, N, lanes);
    for (int i = 0; i < N; i++) {
        assert_near(kd_dot(&a[i * STRIDE], x, N), i % 7 - 2.5);
        for (int lane = 0; lane < KD_LANES; lane++)
            assert_near(lanes[i * KD_LANES + lane], x[i] * (lane + 1));
    }
}

static void the_inverse_times_the_matrix_is_one(void **state)
{
    (void)state;
    double a[N * STRIDE], l[N * STRIDE], inverse[N * STRIDE] = {0}, work[KD_LANES * N];
    fill_matrix(a), fill_matrix(l);
    kd_cholesky_extend(l, STRIDE, 0, N, work);
    kd_cholesky_invert(l, STRIDE, N, inverse, work);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++)
            inverse[j * STRIDE + i] = inverse[i * STRIDE + j];
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++)
            assert_near(kd_dot(&a[i * STRIDE], &inverse[j * STRIDE], N), i == j);
    }
}

static void a_singular_matrix_has_a_finite_factor(void **state)
{
    (void)state;
    double ones[N * STRIDE], work[KD_LANES * N];
    for (int i = 0; i < N * STRIDE; i++)
        ones[i] = 1;
    kd_cholesky_extend(ones, STRIDE, 0, N, work);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j <= i; j++)
            assert_true(isfinite(ones[i * STRIDE + j]));
        assert_true(ones[i * STRIDE + i] > 0);
    }
}

static void lanes_are_summed_each_by_itself(void **state)
{
    (void)state;
    double a[3 * KD_LANES], b[3 * KD_LANES], shared[] = {2, 3, 5}, sums[KD_LANES];
    for (int i = 0; i < 3 * KD_LANES; i++)
        a[i] = i, b[i] = 1 + i % KD_LANES;
    kd_dot_lanes(a, b, 3, sums);
    for (int lane = 0; lane < KD_LANES; lane++)
        assert_true(sums[lane] == (3 * lane + 24) * (1 + lane));
    kd_dot_shared(shared, b, 3, sums);
    for (int lane = 0; lane < KD_LANES; lane++)
        assert_true(sums[lane] == 10 * (1 + lane));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_factor_times_its_transpose_is_the_matrix),
        cmocka_unit_test(rows_appended_have_the_bits_of_a_whole_factor),
        cmocka_unit_test(solves_undo_the_factor_alone_and_side_by_side),
        cmocka_unit_test(the_inverse_times_the_matrix_is_one),
        cmocka_unit_test(a_singular_matrix_has_a_finite_factor),
        cmocka_unit_test(lanes_are_summed_each_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
