/* fastmath.h - exp, log1p, tanh and erf that vectorise, as libm's do not.
 *
 * Straight-line code without branches or tables; relative error at most 4e-7
 * (tests/kernels/test_fastmath.c). A NaN gives a NaN. The polynomials are fits of our own
 * (Chebyshev; erf's least squares of the
 * relative error, reweighted until it is level). */
#ifndef KD_KERNELS_CPU_FASTMATH_H
#define KD_KERNELS_CPU_FASTMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/simd.h"

/* 2^n for n in -126 .. 127. */
KD_INLINE float kd_exp2i(int32_t n)
{
    uint32_t bits = (uint32_t)(n + 127) << 23;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e^x for x in about -87 .. 88; beyond them the value at that bound (1e-38, 2e38), where the
 * results of the callers no longer depend on it. x = n ln 2 + r, e^x = 2^n e^r. */
KD_INLINE float kd_fast_exp(float x)
{
    const float magic = 12582912.0f; /* 1.5 2^23: adding it rounds to a whole number */
    float limited = x > 88.0f ? 88.0f : x;
    limited = limited < -87.0f ? -87.0f : limited;
    float n = limited * 1.44269504f + magic - magic;
    float r = limited - n * 0.693145752f; /* ln 2 in two parts, the first one exact in n times it */
    r -= n * 1.42860677e-6f;
    float p = 0.001392617612f;
    p = p * r + 0.008363173075f;
    p = p * r + 0.04166655466f;
    p = p * r + 0.1666657703f;
    p = p * r + 0.5f;
    p = 1.0f + r + r * r * p;
    /* n is a small whole number here unless x is a NaN, which must not reach the conversion. */
    return p * kd_exp2i((int32_t)(n == n ? n : 0.0f));
}

/* log(1 + x) for x in 0 .. 1: twice the inverse hyperbolic tangent of x / (2 + x), that is of at
 * most 1/3. */
KD_INLINE float kd_fast_log1p(float x)
{
    float s = x / (2.0f + x), u = s * s;
    float p = 0.1343377411f;
    p = p * u + 0.1411697807f;
    p = p * u + 0.2000383542f;
    p = p * u + 0.3333331983f;
    return 2.0f * s + 2.0f * s * u * p;
}

KD_INLINE float kd_fast_tanh(float x)
{
    float u = x * x;
    float p = -0.005084393513f;
    p = p * u + 0.02001960708f;
    p = p * u - 0.05352391774f;
    p = p * u + 0.1332837789f;
    p = p * u - 0.3333312813f;
    p = p * u + 0.9999999861f;
    float near = x * p;
    float size = fabsf(x);
    float far = copysignf(1.0f - 2.0f / (kd_fast_exp(2.0f * size) + 1.0f), x);
    return size < 0.7f ? near : far;
}

/* x p(x^2) / q(x^2) up to where it rounds to one: a division costs less than the exponential of the
 * far tail, and there is no near and far to compute both of. */
KD_INLINE float kd_fast_erf(float x)
{
    float u = x * x;
    float p = 2.041992729573394e-06f;
    p = p * u + 0.0002848066797014326f;
    p = p * u + 0.0037795091047883034f;
    p = p * u + 0.052789974957704544f;
    p = p * u + 0.19078144431114197f;
    p = p * u + 1.1283791065216064f;
    float q = 3.800420381594449e-05f;
    q = q * u + 0.0011651890818029642f;
    q = q * u + 0.014997235499322414f;
    q = q * u + 0.11425654590129852f;
    q = q * u + 0.5024083852767944f;
    q = q * u + 1.0f;
    return fabsf(x) > 3.93f ? copysignf(1.0f, x) : x * p / q;
}

#endif
