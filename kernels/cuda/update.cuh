/* update.cuh - a pass over a flat arena that ends a step: all ranges in one launch, a block of
 * threads for each chunk (ranges.h).
 *
 * What is done is a struct with its arrays and `const float *scale` (op_update.h; below 0 nothing
 * is done), with
 *     __device__ void begin(const struct kd_chunk &chunk)    reads what it needs from device memory, once a thread
 *     template <int N> __device__ void at(int64_t i)         does elements i .. i + N - 1 of the arena
 */
#ifndef KD_KERNELS_CUDA_UPDATE_CUH
#define KD_KERNELS_CUDA_UPDATE_CUH

#include "kernels/cuda/map.cuh"
#include "kernels/cuda/ranges.h"

/* The elements of a chunk, by the threads of the block. */
template <class F> __device__ void kd_do_chunk(F &f, const struct kd_chunk &chunk, bool is_aligned)
{
    bool by_four = is_aligned && chunk.start % 4 == 0;
    int64_t n_groups = by_four ? chunk.n / 4 : 0, end = chunk.start + chunk.n;
    for (int64_t group = threadIdx.x; group < n_groups; group += blockDim.x)
        f.template at<4>(chunk.start + 4 * group);
    for (int64_t i = chunk.start + 4 * n_groups + threadIdx.x; i < end; i += blockDim.x)
        f.template at<1>(i);
}

/* Of all threads alike. */
static __device__ __forceinline__ bool kd_is_left_out(const float *scale)
{
    return scale && *scale < 0.0f;
}

template <class F>
__global__ void kd_update_kernel(F f, const struct kd_device_range *ranges, int n_ranges,
                                 bool is_aligned)
{
    if (kd_is_left_out(f.scale))
        return;
    struct kd_chunk chunk = kd_chunk_of(ranges, n_ranges, blockIdx.x);
    f.begin(chunk);
    kd_do_chunk(f, chunk, is_aligned);
}

template <class F>
void kd_update(struct kd_queue *queue, const struct kd_range *ranges, int n_ranges, bool is_aligned,
               const F &f)
{
    const struct kd_range_table *table = kd_range_table_get(queue, ranges, n_ranges);
    auto kernel = kd_update_kernel<F>;
    if (table->n_chunks > 0)
        KD_LAUNCH(kernel, (unsigned)table->n_chunks, KD_THREADS, 0, queue->stream, f, table->ranges,
                  n_ranges, is_aligned);
}

/* What weight decay leaves of a parameter. */
static __device__ __forceinline__ float kd_keep_of(const struct kd_hyper *hyper, bool decay)
{
    return decay ? 1.0f - hyper->lr * hyper->weight_decay : 1.0f;
}

static __device__ __forceinline__ float kd_scale_of(const float *scale)
{
    return scale ? *scale : 1.0f;
}

/* 1 - beta^step: of the bias of a moving average that began at 0. Of betas near 1 nothing is lost
 * to rounding. */
static __device__ __forceinline__ float kd_correction(float beta, int64_t step)
{
    return -expm1f((float)step * logf(beta));
}

#endif
