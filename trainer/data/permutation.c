#include "trainer/data/permutation.h"

#include "coordinator/base/rng.h"

/* Epochs get streams of their own, away from the small stream numbers that layers use with the same
 * seed. */
static const uint64_t STREAM = UINT64_C(0x70657270) << 32;

void kd_permutation_fill(int32_t *order, int64_t n, uint64_t seed, uint64_t epoch)
{
    struct kd_rng rng = kd_rng_at(seed, STREAM + epoch);
    for (int64_t i = 0; i < n; i++)
        order[i] = (int32_t)i;
    for (int64_t i = n - 1; i > 0; i--) {
        /* A 32-bit word scaled to 0 .. i: at most i/2^32 away from uniform, and no division. */
        uint64_t j = (uint64_t)kd_rng_u32(&rng) * (uint64_t)(i + 1) >> 32;
        int32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
