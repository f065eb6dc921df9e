/* philox.cuh - kd_philox and kd_hash2 of coordinator/base/rng.h on the device: the same bits. */
#ifndef KD_KERNELS_CUDA_PHILOX_CUH
#define KD_KERNELS_CUDA_PHILOX_CUH

#include "kernels/cuda/port.h"

/* Philox4x32-10: four words of the key (seed) and the counter (stream, position). */
static __device__ __forceinline__ uint4 kd_device_philox(uint64_t seed, uint64_t stream,
                                                         uint64_t position)
{
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    uint4 c = make_uint4((uint32_t)position, (uint32_t)(position >> 32), (uint32_t)stream,
                         (uint32_t)(stream >> 32));
    for (int round = 0; round < 10; round++) {
        uint32_t high0 = __umulhi(0xD2511F53u, c.x), low0 = 0xD2511F53u * c.x;
        uint32_t high1 = __umulhi(0xCD9E8D57u, c.z), low1 = 0xCD9E8D57u * c.z;
        c = make_uint4(high1 ^ c.y ^ key0, low1, high0 ^ c.w ^ key1, low0);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c;
}

static __device__ __forceinline__ uint32_t kd_word(uint4 words, int at)
{
    return at == 0 ? words.x : at == 1 ? words.y : at == 2 ? words.z : words.w;
}

static __device__ __forceinline__ uint64_t kd_device_hash2(uint64_t a, uint64_t b)
{
    uint64_t x = a + 0x9E3779B97F4A7C15u * (b + 1);
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

#endif
