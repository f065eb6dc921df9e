/* half.h - the two 16-bit floating-point formats as bits, for tests: conversions that round to the
 * nearest, and half way to the even one (IEEE 754-2019, 4.3.1), as the GPU's do.
 *
 *   fp16   sign, 5 bits of exponent, 10 of the fraction (IEEE 754's binary16)
 *   bf16   the upper half of a float's bits */
#ifndef KD_TESTS_HALF_H
#define KD_TESTS_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t kd_bits_of_float(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float kd_float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint16_t kd_bf16_of_float(float x)
{
    uint32_t bits = kd_bits_of_float(x);
    if (isnan(x))
        return 0x7fff;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float kd_float_of_bf16(uint16_t bits)
{
    return kd_float_of_bits((uint32_t)bits << 16);
}

/* nearbyintf rounds half way to the even one. Below 2^-14 the step is 2^-24; above, 2^-10 of the
 * power of two. */
static inline uint16_t kd_fp16_of_float(float x)
{
    uint16_t sign = (uint16_t)(kd_bits_of_float(x) >> 16 & 0x8000);
    float size = fabsf(x);
    int exponent;
    if (isnan(x))
        return 0x7fff;
    if (size < 0x1p-14f)
        return (uint16_t)(sign | (uint16_t)nearbyintf(size * 0x1p24f));
    if (size >= 65520.0f) /* half way from the greatest to what would come next */
        return (uint16_t)(sign | 0x7c00);
    float fraction = frexpf(size, &exponent);                  /* 0.5 .. 1 */
    uint32_t steps = (uint32_t)nearbyintf(fraction * 0x1p11f); /* 1024 .. 2048 */
    return (uint16_t)(sign | (((uint32_t)(exponent + 13) << 10) +
                              steps)); /* 2048 carries into the exponent */
}

static inline float kd_float_of_fp16(uint16_t bits)
{
    float sign = bits & 0x8000 ? -1.0f : 1.0f;
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * (float)fraction * 0x1p-24f;
    return sign * ldexpf((float)(1024 + fraction), exponent - 25);
}

#endif
