/* test_fastmath.c - the vectorised elementary functions against libm in double. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kernels/cpu/fastmath.h"

/* A few float roundings and the polynomial's own error. */
#define TOLERANCE 4e-7

static float call_exp(float x)
{
    return kd_fast_exp(x);
}

static float call_log1p(float x)
{
    return kd_fast_log1p(x);
}

static float call_tanh(float x)
{
    return kd_fast_tanh(x);
}

static float call_erf(float x)
{
    return kd_fast_erf(x);
}

static void compare(float (*fast)(float), double (*exact)(double), double low, double high)
{
    enum { STEPS = 400000 };
    for (int i = 0; i <= STEPS; i++) {
        float x = (float)(low + (high - low) * i / STEPS);
        double want = exact((double)x), got = (double)fast(x);
        if (fabs(got - want) > TOLERANCE * fabs(want))
            fail_msg("f(%.9g) is %.9g, should be %.9g", (double)x, got, want);
    }
}

static void exp_is_right_from_underflow_to_overflow(void **state)
{
    (void)state;
    compare(call_exp, exp, -86.9, 87.9);
    assert_true(kd_fast_exp(0.0f) == 1.0f);
    assert_true(kd_fast_exp(-INFINITY) < 1e-37f);
    assert_true(kd_fast_exp(INFINITY) > 1e38f);
}

static void log1p_is_right_from_nothing_to_one(void **state)
{
    (void)state;
    compare(call_log1p, log1p, 0, 1);
    compare(call_log1p, log1p, 0, 1e-6);
    assert_true(kd_fast_log1p(0.0f) == 0.0f);
}

static void tanh_is_right_near_zero_and_far_out(void **state)
{
    (void)state;
    compare(call_tanh, tanh, -12, 12);
    compare(call_tanh, tanh, -1e-3, 1e-3);
    assert_true(kd_fast_tanh(INFINITY) == 1.0f && kd_fast_tanh(-INFINITY) == -1.0f);
}

static void erf_is_right_near_zero_and_far_out(void **state)
{
    (void)state;
    compare(call_erf, erf, -6, 6);
    compare(call_erf, erf, -1e-3, 1e-3);
    assert_true(kd_fast_erf(INFINITY) == 1.0f && kd_fast_erf(-INFINITY) == -1.0f);
}

static void a_nan_stays_a_nan(void **state)
{
    (void)state;
    assert_true(isnan(kd_fast_exp(NAN)));
    assert_true(isnan(kd_fast_log1p(NAN)));
    assert_true(isnan(kd_fast_tanh(NAN)));
    assert_true(isnan(kd_fast_erf(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_right_from_underflow_to_overflow),
        cmocka_unit_test(log1p_is_right_from_nothing_to_one),
        cmocka_unit_test(tanh_is_right_near_zero_and_far_out),
        cmocka_unit_test(erf_is_right_near_zero_and_far_out),
        cmocka_unit_test(a_nan_stays_a_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
