#include "coordinator/base/rng.h"

static void philox_round(uint32_t counter[4], const uint32_t key[2])
{
    uint64_t p0 = (uint64_t)0xD2511F53u * counter[0];
    uint64_t p1 = (uint64_t)0xCD9E8D57u * counter[2];
    uint32_t next0 = (uint32_t)(p1 >> 32) ^ counter[1] ^ key[0];
    uint32_t next2 = (uint32_t)(p0 >> 32) ^ counter[3] ^ key[1];
    counter[1] = (uint32_t)p1;
    counter[3] = (uint32_t)p0;
    counter[0] = next0;
    counter[2] = next2;
}

void kd_philox(uint64_t seed, uint64_t stream, uint64_t position, uint32_t out[4])
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    out[0] = (uint32_t)position;
    out[1] = (uint32_t)(position >> 32);
    out[2] = (uint32_t)stream;
    out[3] = (uint32_t)(stream >> 32);
    for (int round = 0; round < 10; round++) {
        philox_round(out, key);
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
}

struct kd_rng kd_rng_at(uint64_t seed, uint64_t stream)
{
    return (struct kd_rng){.seed = seed, .stream = stream, .used = 4};
}

uint32_t kd_rng_u32(struct kd_rng *rng)
{
    if (rng->used == 4) {
        kd_philox(rng->seed, rng->stream, rng->position++, rng->block);
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

static uint64_t next_u64(struct kd_rng *rng)
{
    uint64_t low = kd_rng_u32(rng);
    return low | (uint64_t)kd_rng_u32(rng) << 32;
}

double kd_rng_uniform(struct kd_rng *rng)
{
    return (double)(next_u64(rng) >> 11) * 0x1p-53;
}

uint64_t kd_rng_below(struct kd_rng *rng, uint64_t n)
{
    uint64_t limit =
        UINT64_MAX - UINT64_MAX % n; /* values from here on would favour the small ones */
    uint64_t word;
    do
        word = next_u64(rng);
    while (word >= limit);
    return word % n;
}

uint64_t kd_hash2(uint64_t a, uint64_t b)
{
    uint64_t x = a + 0x9E3779B97F4A7C15u * (b + 1);
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t kd_hash_bytes(const void *bytes, uint64_t n)
{
    const unsigned char *p = bytes;
    uint64_t hash = 0xCBF29CE484222325u;
    for (uint64_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 0x100000001B3u;
    return hash;
}
