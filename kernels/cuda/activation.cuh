/* activation.cuh - activations and their derivatives, one value at a time, for those who apply them
 * in passing. */
#ifndef KD_KERNELS_CUDA_ACTIVATION_CUH
#define KD_KERNELS_CUDA_ACTIVATION_CUH

#include "kernels/cuda/port.h"
#include "kernels/cuda/table.h"

#define KD_SQRT_HALF        0.707106781f
#define KD_SQRT_HALF_OVERPI 0.398942280f /* 1 / sqrt(2 pi) */

/* All threads have the same f, so that the branches cost next to nothing. relu keeps a NaN. */
static __device__ __forceinline__ float kd_activate(enum kd_activation f, float x)
{
    switch (f) {
    case KD_ACTIVATION_RELU:
        return x < 0.0f ? 0.0f : x;
    case KD_ACTIVATION_GELU:
        return 0.5f * x * (1.0f + erff(x * KD_SQRT_HALF));
    case KD_ACTIVATION_TANH:
        return tanhf(x);
    case KD_ACTIVATION_SILU:
        return x / (1.0f + expf(-x));
    default:
        return x;
    }
}

/* f'(x) from what was saved: x for gelu and silu, f(x) for relu and tanh. */
static __device__ __forceinline__ float kd_derivative(enum kd_activation f, float saved)
{
    switch (f) {
    case KD_ACTIVATION_RELU:
        return saved > 0.0f ? 1.0f : 0.0f;
    case KD_ACTIVATION_GELU:
        return 0.5f + 0.5f * erff(saved * KD_SQRT_HALF) +
               saved * KD_SQRT_HALF_OVERPI * expf(-0.5f * saved * saved);
    case KD_ACTIVATION_TANH:
        return 1.0f - saved * saved;
    case KD_ACTIVATION_SILU: {
        float s = 1.0f / (1.0f + expf(-saved));
        return s * (1.0f + saved * (1.0f - s));
    }
    default:
        return 1.0f;
    }
}

#endif
