/* reduce.cuh - sums and maxima over a warp and over a block, in an order that only depends on the
 * block's size. */
#ifndef KD_KERNELS_CUDA_REDUCE_CUH
#define KD_KERNELS_CUDA_REDUCE_CUH

#include "kernels/cuda/port.h"

static constexpr int KD_WARP = 32, KD_WARPS_MAX = 32;

struct kd_plus {
    template <class T> static __device__ __forceinline__ T of(T a, T b)
    {
        return a + b;
    }
};

/* Of a number and a NaN it is the number. */
struct kd_greater {
    template <class T> static __device__ __forceinline__ T of(T a, T b)
    {
        return b > a || a != a ? b : a;
    }
};

struct kd_less {
    template <class T> static __device__ __forceinline__ T of(T a, T b)
    {
        return b < a || a != a ? b : a;
    }
};

/* All lanes get the result. T: 4 or 8 bytes. */
template <class Op, class T> __device__ __forceinline__ T kd_warp_reduce(T value)
{
    for (int lanes = KD_WARP / 2; lanes > 0; lanes /= 2)
        value = Op::of(value, __shfl_xor_sync(0xFFFFFFFFu, value, lanes));
    return value;
}

/* All threads of the block (a multiple of 32, one-dimensional) get the result; all must call it.
 * nothing: what changes no result (0 of a sum). */
template <class Op, class T> __device__ T kd_block_reduce(T value, T nothing)
{
    KD_SHARED(T, of_warps, [KD_WARPS_MAX]);
    int lane = (int)threadIdx.x % KD_WARP, warp = (int)threadIdx.x / KD_WARP;
    value = kd_warp_reduce<Op>(value);
    __syncthreads(); /* the last reduction's results have been read */
    if (lane == 0)
        of_warps[warp] = value;
    __syncthreads();
    return kd_warp_reduce<Op>(lane < (int)blockDim.x / KD_WARP ? of_warps[lane] : nothing);
}

template <class T> __device__ __forceinline__ T kd_warp_sum(T value)
{
    return kd_warp_reduce<kd_plus>(value);
}

template <class T> __device__ __forceinline__ T kd_warp_max(T value)
{
    return kd_warp_reduce<kd_greater>(value);
}

template <class T> __device__ __forceinline__ T kd_block_sum(T value)
{
    return kd_block_reduce<kd_plus>(value, T(0));
}

/* True, for all threads, in the last of the launch's blocks to come here; what the threads 0 of all
 * blocks wrote before is there then. All threads call it, once. counter: kd_cuda_counter's.
 *
 * A fence before counting and one behind it, by the thread that counts: the pairs that PTX's memory
 * model ("Release and Acquire Patterns") takes for a release and an acquire. The barrier hands that
 * on to the block's others; a fence of theirs behind it would not, as they have seen no count. */
static __device__ __forceinline__ bool kd_is_last_block(unsigned *counter)
{
    bool is_last = false;
    if (threadIdx.x == 0) {
        __threadfence(); /* what it wrote, before it is counted */
        is_last = atomicInc(counter, gridDim.x - 1) == gridDim.x - 1;
        __threadfence(); /* and what others wrote is not read before they were */
    }
    return __syncthreads_or(is_last);
}

#endif
