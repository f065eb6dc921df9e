/* philox.h - kd_philox (base/rng.h) for up to sixteen positions in a row, so that the rounds
 * vectorise. */
#ifndef KD_KERNELS_CPU_PHILOX_H
#define KD_KERNELS_CPU_PHILOX_H

#include <stdint.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "kernels/cpu/lanes.h"

enum { KD_PHILOX_LANES = 16, KD_PHILOX_WORDS = 4 * KD_PHILOX_LANES };

/* words[4 i .. 4 i + 3] = kd_philox(seed, stream, position + i) for i < n <= KD_PHILOX_LANES. The
 * lanes are the outer loop and n is not a constant, so that the compiler makes vectors of them
 * instead of unrolling. */
KD_INLINE void kd_philox_many(uint64_t seed, uint64_t stream, uint64_t position, int n,
                              uint32_t words[KD_PHILOX_WORDS])
{
    for (int i = 0; i < n; i++) {
        uint32_t c0 = (uint32_t)(position + (uint64_t)i);
        uint32_t c1 = (uint32_t)((position + (uint64_t)i) >> 32);
        uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
        uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0;
            uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
            c0 = (uint32_t)(p1 >> 32) ^ c1 ^ key0;
            c2 = (uint32_t)(p0 >> 32) ^ c3 ^ key1;
            c1 = (uint32_t)p1;
            c3 = (uint32_t)p0;
            key0 += 0x9E3779B9u;
            key1 += 0xBB67AE85u;
        }
        words[4 * i] = c0;
        words[4 * i + 1] = c1;
        words[4 * i + 2] = c2;
        words[4 * i + 3] = c3;
    }
}

typedef uint64_t kd_wide __attribute__((vector_size(4 * KD_LANES)));
typedef uint32_t kd_half_words __attribute__((vector_size(2 * KD_LANES)));

/* The products of the lower halves of the lanes, for which CPUs have an instruction that gcc 12
 * does not think of. */
KD_INLINE kd_wide kd_wide_product(kd_wide a, kd_wide b)
{
#if defined(__AVX512F__)
    return (kd_wide)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (kd_wide)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (kd_wide)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

/* words[k][l] = word k of kd_philox(seed, stream, position + l), for all lanes; position is a
 * multiple of KD_PHILOX_LANES. Words stand alone in 64 bits, of which the upper half is rubbish
 * that products leave out. */
KD_INLINE void kd_philox_lanes(uint64_t seed, uint64_t stream, uint64_t position,
                               uint32_t words[4][KD_PHILOX_LANES])
{
    enum { WIDTH = KD_LANES / 2 };
    const kd_wide zero = {0}, m0 = zero + 0xD2511F53u, m1 = zero + 0xCD9E8D57u;
    for (int at = 0; at < KD_PHILOX_LANES; at += WIDTH) {
        kd_wide key0 = zero + (uint32_t)seed, key1 = zero + (seed >> 32);
        kd_wide c0 = zero + ((uint32_t)position + (uint64_t)at), c1 = zero + (position >> 32);
        kd_wide c2 = zero + (uint32_t)stream, c3 = zero + (stream >> 32);
#pragma GCC unroll 8
        for (int l = 0; l < WIDTH; l++)
            c0[l] += (uint64_t)l;
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            kd_wide p0 = kd_wide_product(c0, m0), p1 = kd_wide_product(c2, m1);
            c0 = (p1 >> 32) ^ c1 ^ key0;
            c2 = (p0 >> 32) ^ c3 ^ key1;
            c1 = p1;
            c3 = p0;
            key0 += 0x9E3779B9u;
            key1 += 0xBB67AE85u;
        }
        const kd_wide results[4] = {c0, c1, c2, c3};
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            kd_half_words half = __builtin_convertvector(results[k], kd_half_words);
            memcpy(words[k] + at, &half, sizeof half);
        }
    }
}

#endif
