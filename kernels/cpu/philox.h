/* philox.h - kd_philox (base/rng.h) for up to sixteen positions in a row, so that the rounds vectorise. */
#ifndef KD_KERNELS_CPU_PHILOX_H
#define KD_KERNELS_CPU_PHILOX_H

#include <stdint.h>

#include "kernels/cpu/lanes.h"

enum { KD_PHILOX_LANES = 16, KD_PHILOX_WORDS = 4 * KD_PHILOX_LANES };

/* words[4 i .. 4 i + 3] = kd_philox(seed, stream, position + i) for i < n <= KD_PHILOX_LANES. The lanes are the
 * outer loop and n is not a constant, so that the compiler makes vectors of them instead of unrolling. */
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

/* words[k][l] = word k of kd_philox(seed, stream, position + l), for all lanes; position is a multiple of KD_PHILOX_LANES. Words
 * stand alone in 64 bits, of which the upper half is rubbish that a product's `& low` leaves out. */
KD_INLINE void kd_philox_lanes(uint64_t seed, uint64_t stream, uint64_t position,
                               uint32_t words[4][KD_PHILOX_LANES])
{
    enum { WIDTH = KD_LANES / 2 };
    const kd_wide zero = {0}, low = zero + 0xFFFFFFFFu;
    const kd_wide m0 = zero + 0xD2511F53u, m1 = zero + 0xCD9E8D57u;
    for (int at = 0; at < KD_PHILOX_LANES; at += WIDTH) {
        kd_wide key0 = zero + (uint32_t)seed, key1 = zero + (seed >> 32);
        kd_wide c0 = zero + ((uint32_t)position + (uint64_t)at), c1 = zero + (position >> 32);
        kd_wide c2 = zero + (uint32_t)stream, c3 = zero + (stream >> 32);
#pragma GCC unroll 8
        for (int l = 0; l < WIDTH; l++)
            c0[l] += (uint64_t)l;
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            kd_wide p0 = (c0 & low) * m0, p1 = (c2 & low) * m1;
            c0 = (p1 >> 32) ^ c1 ^ key0;
            c2 = (p0 >> 32) ^ c3 ^ key1;
            c1 = p1;
            c3 = p0;
            key0 += 0x9E3779B9u;
            key1 += 0xBB67AE85u;
        }
        for (int l = 0; l < WIDTH; l++) {
            words[0][at + l] = (uint32_t)c0[l];
            words[1][at + l] = (uint32_t)c1[l];
            words[2][at + l] = (uint32_t)c2[l];
            words[3][at + l] = (uint32_t)c3[l];
        }
    }
}

#endif
