/* sums.cuh - sums in double over all elements of flat arrays, in one launch: every block's sum,
 * then by the block that is done last the sum of those. The order depends on the number of elements
 * alone, so that the same numbers give the same bits.
 *
 * What is summed is a struct as in map.cuh, with
 *     template <int N> __device__ void at(int64_t i, kd_pair &sums) const    adds elements i .. i + N - 1, and may write
 * and what is done with the result one with
 *     __device__ void take(kd_pair sums) const                              called once */
#ifndef KD_KERNELS_CUDA_SUMS_CUH
#define KD_KERNELS_CUDA_SUMS_CUH

#include "kernels/cuda/map.cuh"
#include "kernels/cuda/reduce.cuh"

/* Two sums at once; counts are exact up to 2^53. */
struct kd_pair {
    double a, b;
};

static __device__ __forceinline__ kd_pair kd_block_sums(kd_pair mine)
{
    mine.a = kd_block_sum(mine.a);
    mine.b = kd_block_sum(mine.b);
    return mine;
}

/* The sum of n pairs in an order of its own, for thread 0. */
static __device__ __forceinline__ kd_pair kd_sum_of_pairs(const kd_pair *pairs, int64_t n)
{
    kd_pair mine = {0.0, 0.0};
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
        mine.a += pairs[i].a;
        mine.b += pairs[i].b;
    }
    return kd_block_sums(mine);
}

template <int GROUP, class F, class G>
__global__ void kd_sum_kernel(F f, G g, int64_t n, bool in_groups, kd_pair *of_blocks,
                              unsigned *counter)
{
    kd_pair mine = {0.0, 0.0};
    int64_t step = kd_n_threads(), n_groups = in_groups ? n / GROUP : 0;
    for (int64_t group = kd_thread_at(); group < n_groups; group += step)
        f.template at<GROUP>(GROUP * group, mine);
    for (int64_t i = GROUP * n_groups + kd_thread_at(); i < n; i += step)
        f.template at<1>(i, mine);
    mine = kd_block_sums(mine);
    if (threadIdx.x == 0)
        of_blocks[blockIdx.x] = mine;
    if (!kd_is_last_block(counter))
        return;
    mine = kd_sum_of_pairs(of_blocks, gridDim.x);
    if (threadIdx.x == 0)
        g.take(mine);
}

/* T as in map.cuh. Also without elements: the sums are 0 then. Takes the queue's scratch. */
template <class T = float, class F, class G>
void kd_sum(struct kd_queue *queue, int64_t n, bool in_groups, const F &f, const G &g)
{
    constexpr int GROUP = KD_GROUP<T>;
    int64_t n_items = in_groups ? (n + GROUP - 1) / GROUP : n;
    unsigned n_blocks = kd_blocks(kd_max(n_items, 1), 4 * KD_THREADS);
    kd_pair *pairs = (kd_pair *)kd_cuda_scratch(queue, n_blocks * sizeof *pairs);
    auto kernel = kd_sum_kernel<GROUP, F, G>;
    KD_LAUNCH(kernel, n_blocks, KD_THREADS, 0, queue->stream, f, g, n, in_groups, pairs,
              kd_cuda_counter(queue));
}

#endif
