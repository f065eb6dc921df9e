/* rng.h - random numbers that are a function of their key: the same (seed, stream, counter) gives
 * the same bits on every machine, in any order of asking.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC
 * 2011). The 64-bit key is the seed; the 128-bit counter is (stream, position), so 2^64 streams of
 * 2^66 words each.
 *
 * No libm: what kd_rng_* gives is bit-exact everywhere. */
#ifndef KD_BASE_RNG_H
#define KD_BASE_RNG_H

#include <stdint.h>

struct kd_rng {
    uint64_t seed, stream, position; /* position counts blocks of four words */
    uint32_t block[4];
    int used; /* words of the block already given, 4 = none left */
};

/* The pure function: four words of (seed, stream, position). */
void kd_philox(uint64_t seed, uint64_t stream, uint64_t position, uint32_t out[4]);

/* A generator over one stream, starting at position 0. */
struct kd_rng kd_rng_at(uint64_t seed, uint64_t stream);

uint32_t kd_rng_u32(struct kd_rng *rng);
double kd_rng_uniform(struct kd_rng *rng);             /* [0, 1), 53 bits */
uint64_t kd_rng_below(struct kd_rng *rng, uint64_t n); /* 0 .. n-1, unbiased; n >= 1 */

/* A good 64-bit hash of two words (splitmix64 finaliser), for deriving seeds: a trial's seed is
 * kd_hash2(experiment seed, trial number) >> 1, which has 63 bits. */
uint64_t kd_hash2(uint64_t a, uint64_t b);

/* 64-bit FNV-1a over bytes, for stable keys from names. */
uint64_t kd_hash_bytes(const void *bytes, uint64_t n);

#endif
