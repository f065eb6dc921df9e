/* Own elementary functions against values computed with 60 digits
 * (tests/search/data/make_special.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "search/math/special.h"
#include "search/math/truncnorm.h"

/* Errors in units of the last place of the true value; `absolute` for logarithms of probabilities
 * near 1. */
static const struct {
    const char *name;
    double (*f)(double);
    double ulp;
} functions[] = {
    {"exp", kd_exp, 1},
    {"log", kd_ln, 1},
    {"log1p", kd_log1p, 2},
    {"erf", kd_erf, 2},
    {"erfc", kd_erfc, 4},
    {"normal_cdf", kd_normal_cdf, 8},
    {"normal_log_cdf", kd_normal_log_cdf, 4},
    {"normal_quantile", kd_normal_quantile, 40},
};

static double ulp_of(double x)
{
    double size = fabs(x);
    return size < 0x1p-1022 ? 0x1p-1074 : nextafter(size, INFINITY) - size;
}

static double (*find_function(const char *name, double *limit))(double)
{
    for (size_t i = 0; i < KD_COUNT(functions); i++) {
        if (strcmp(functions[i].name, name) == 0) {
            *limit = functions[i].ulp;
            return functions[i].f;
        }
    }
    return NULL;
}

static FILE *open_data(void)
{
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/special.txt", "r");
    assert_non_null(file);
    return file;
}

static void functions_agree_with_sixty_digits(void **state)
{
    (void)state;
    FILE *file = open_data();
    char line[200], name[40];
    double x, expected, limit, worst[KD_COUNT(functions)] = {0};
    int n = 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%39s %la %la", name, &x, &expected) != 3)
            fail_msg("bad line: %s", line);
        double (*f)(double) = find_function(name, &limit);
        if (!f)
            continue;
        double error = f(x) == expected ? 0 : fabs(f(x) - expected) / ulp_of(expected);
        if (!(error <= limit))
            fail_msg("%s(%.17g) = %.17g, not %.17g: %g ulp", name, x, f(x), expected, error);
        for (size_t i = 0; i < KD_COUNT(functions); i++) {
            if (functions[i].f == f && error > worst[i])
                worst[i] = error;
        }
        n++;
    }
    fclose(file);
    for (size_t i = 0; i < KD_COUNT(functions); i++)
        print_message("%-16s at most %.3g ulp\n", functions[i].name, worst[i]);
    assert_true(n > 1000);
}

/* The mass of a narrow interval is a difference: 1e-12 of the logarithm's own size, or of 1. */
static void masses_of_intervals_agree_in_both_tails(void **state)
{
    (void)state;
    FILE *file = open_data();
    char line[200];
    double a, b, expected, worst = 0;
    int n = 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "normal_log_mass %la %la %la", &a, &b, &expected) != 3)
            continue;
        double error = fabs(kd_normal_log_mass(a, b) - expected) / fmax(1, fabs(expected));
        if (!(error < 1e-12))
            fail_msg("log mass (%.17g, %.17g) = %.17g, not %.17g", a, b, kd_normal_log_mass(a, b),
                     expected);
        worst = fmax(worst, error);
        n++;
    }
    fclose(file);
    print_message("log mass: at most %.3g\n", worst);
    assert_true(n > 100);
}

static void functions_agree_with_libm(void **state)
{
    (void)state;
    struct kd_rng rng = kd_rng_at(1, 2);
    for (int i = 0; i < 20000; i++) {
        double x = 12 * kd_rng_uniform(&rng) - 6, y = fabs(x) + 1e-9;
        assert_true(fabs(kd_exp(x) - exp(x)) <= 2 * ulp_of(exp(x)));
        assert_true(fabs(kd_ln(y) - log(y)) <= 2 * ulp_of(log(y)));
        assert_true(fabs(kd_erf(x) - erf(x)) <= 4 * ulp_of(erf(x)));
        assert_true(fabs(kd_erfc(x) - erfc(x)) <= 6 * ulp_of(erfc(x)));
    }
}

static void ends_of_the_ranges_are_exact(void **state)
{
    (void)state;
    assert_true(kd_exp(0) == 1 && kd_exp(-1000) == 0 && kd_exp(1000) == INFINITY);
    assert_true(kd_exp(-INFINITY) == 0 && kd_exp(INFINITY) == INFINITY && isnan(kd_exp(NAN)));
    assert_true(kd_exp(-745) > 0 && kd_exp(709.7) < INFINITY);
    assert_true(kd_ln(1) == 0 && kd_ln(0) == -INFINITY && isnan(kd_ln(-1)));
    assert_true(kd_ln(INFINITY) == INFINITY && isnan(kd_ln(NAN)));
    assert_true(kd_log1p(0) == 0 && kd_log1p(-1) == -INFINITY && isnan(kd_log1p(-2)));
    assert_true(kd_erf(0) == 0 && kd_erf(INFINITY) == 1 && kd_erf(-INFINITY) == -1);
    assert_true(isnan(kd_erf(NAN)) && isnan(kd_erfc(NAN)) && isnan(kd_normal_cdf(NAN)));
    assert_true(kd_erfc(40) == 0 && kd_erfc(-40) == 2);
    assert_true(kd_normal_cdf(0) == 0.5 && kd_normal_cdf(-INFINITY) == 0);
    assert_true(kd_normal_cdf(INFINITY) == 1 && kd_normal_log_cdf(INFINITY) == 0);
    assert_true(kd_normal_quantile(0) == -INFINITY && kd_normal_quantile(1) == INFINITY);
    assert_true(fabs(kd_normal_quantile(0.5)) < 1e-15 && isnan(kd_normal_quantile(2)));
}

static void quantile_of_a_logarithm_inverts_the_log_cdf(void **state)
{
    (void)state;
    static const double log_ps[] = {-1e-10, -0.5, -5, -50, -690, -710, -1e4, -1e8};
    for (size_t i = 0; i < KD_COUNT(log_ps); i++) {
        double x = kd_normal_log_quantile(log_ps[i]);
        /* near 0 the cdf is 1 and x is known no better than exp(log_p) is */
        double tolerance = 1e-13 * fabs(log_ps[i]) + 1e-16;
        assert_true(fabs(kd_normal_log_cdf(x) - log_ps[i]) <= tolerance);
    }
}

static void log_sum_exp_neither_overflows_nor_trips_over_infinities(void **state)
{
    (void)state;
    double big[] = {1000, 1000}, small[] = {-1000, -1000, -INFINITY}, none[] = {-INFINITY};
    assert_true(fabs(kd_log_sum_exp(big, 2) - (1000 + 0x1.62e42fefa39efp-1)) < 1e-12);
    assert_true(fabs(kd_log_sum_exp(small, 3) - (-1000 + 0x1.62e42fefa39efp-1)) < 1e-12);
    assert_true(kd_log_sum_exp(none, 1) == -INFINITY && kd_log_sum_exp(none, 0) == -INFINITY);
}

static void cut_normal_draws_stay_inside_and_invert_the_cdf(void **state)
{
    (void)state;
    static const double cuts[][2] = {{-1, 2},    {-0.01, 0.02}, {-9, 9},    {3, 4},
                                     {-40, -39}, {20, 50},      {-1e-9, 0}, {0, 0.5}};
    for (size_t i = 0; i < KD_COUNT(cuts); i++) {
        double a = cuts[i][0], b = cuts[i][1], before = a;
        for (int k = 0; k <= 100; k++) {
            double q = k / 100.0, x = kd_truncnorm_quantile(q, a, b);
            assert_true(x >= before && x <= b);
            before = x;
            if (k == 0 || k == 100)
                continue;
            double back = kd_exp(kd_normal_log_mass(a, x) - kd_normal_log_mass(a, b));
            assert_true(fabs(back - q) < 1e-7); /* as far as a 1e-9 wide interval resolves it */
        }
    }
}

static void cut_normal_density_integrates_to_one(void **state)
{
    (void)state;
    double sum = 0, low = -1, high = 3, step = (high - low) / 10000;
    for (int i = 0; i < 10000; i++)
        sum += step * kd_exp(kd_truncnorm_log_density(low + (i + 0.5) * step, 0.3, 0.7, low, high));
    assert_true(fabs(sum - 1) < 1e-6); /* midpoint rule */
    assert_true(kd_truncnorm_log_density(3.1, 0.3, 0.7, low, high) == -INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_agree_with_sixty_digits),
        cmocka_unit_test(masses_of_intervals_agree_in_both_tails),
        cmocka_unit_test(functions_agree_with_libm),
        cmocka_unit_test(ends_of_the_ranges_are_exact),
        cmocka_unit_test(quantile_of_a_logarithm_inverts_the_log_cdf),
        cmocka_unit_test(log_sum_exp_neither_overflows_nor_trips_over_infinities),
        cmocka_unit_test(cut_normal_draws_stay_inside_and_invert_the_cdf),
        cmocka_unit_test(cut_normal_density_integrates_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
