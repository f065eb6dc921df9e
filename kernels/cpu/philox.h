/* philox.h - kd_philox (base/rng.h) for sixteen positions in a row, so that the rounds vectorise. */
#ifndef KD_KERNELS_CPU_PHILOX_H
#define KD_KERNELS_CPU_PHILOX_H

#include <stdint.h>

#include "kernels/cpu/simd.h"

enum { KD_PHILOX_LANES = 16, KD_PHILOX_WORDS = 4 * KD_PHILOX_LANES };

/* words[4 i .. 4 i + 3] = kd_philox(seed, stream, position + i). */
KD_INLINE void kd_philox_many(uint64_t seed, uint64_t stream, uint64_t position,
                              uint32_t words[KD_PHILOX_WORDS])
{
    uint32_t c[4][KD_PHILOX_LANES];
    for (int i = 0; i < KD_PHILOX_LANES; i++) {
        c[0][i] = (uint32_t)(position + (uint64_t)i);
        c[1][i] = (uint32_t)((position + (uint64_t)i) >> 32);
        c[2][i] = (uint32_t)stream;
        c[3][i] = (uint32_t)(stream >> 32);
    }
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < KD_PHILOX_LANES; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c[0][i];
            uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2][i];
            c[0][i] = (uint32_t)(p1 >> 32) ^ c[1][i] ^ key0;
            c[2][i] = (uint32_t)(p0 >> 32) ^ c[3][i] ^ key1;
            c[1][i] = (uint32_t)p1;
            c[3][i] = (uint32_t)p0;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    for (int i = 0; i < KD_PHILOX_LANES; i++)
        for (int word = 0; word < 4; word++)
            words[4 * i + word] = c[word][i];
}

#endif
