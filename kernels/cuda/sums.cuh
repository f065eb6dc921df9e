/* sums.cuh - sums in double over all elements of flat arrays, in two launches: every block's sum, then the sum of those by one
 * block. The order depends on the number of elements alone, so that the same numbers give the same bits.
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

template <int GROUP, class F>
__global__ void kd_sum_kernel(F f, int64_t n, bool in_groups, kd_pair *of_blocks)
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
}

template <class G> __global__ void kd_sum_end_kernel(G g, const kd_pair *of_blocks, int64_t n)
{
    kd_pair mine = {0.0, 0.0};
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
        mine.a += of_blocks[i].a;
        mine.b += of_blocks[i].b;
    }
    mine = kd_block_sums(mine);
    if (threadIdx.x == 0)
        g.take(mine);
}

/* The sum of n pairs in device memory. */
template <class G>
void kd_sum_pairs(struct kd_queue *queue, const kd_pair *pairs, int64_t n, const G &g)
{
    auto kernel = kd_sum_end_kernel<G>;
    KD_LAUNCH(kernel, 1, KD_THREADS, 0, queue->stream, g, pairs, n);
}

/* T as in map.cuh. Also without elements: the sums are 0 then. Takes the queue's scratch. */
template <class T = float, class F, class G>
void kd_sum(struct kd_queue *queue, int64_t n, bool in_groups, const F &f, const G &g)
{
    constexpr int GROUP = KD_GROUP<T>;
    int64_t n_items = in_groups ? (n + GROUP - 1) / GROUP : n;
    unsigned n_blocks = n > 0 ? kd_blocks(n_items, 4 * KD_THREADS) : 0;
    kd_pair *pairs = (kd_pair *)kd_cuda_scratch(queue, n_blocks * sizeof *pairs + 1);
    auto kernel = kd_sum_kernel<GROUP, F>;
    if (n_blocks)
        KD_LAUNCH(kernel, n_blocks, KD_THREADS, 0, queue->stream, f, n, in_groups, pairs);
    kd_sum_pairs(queue, pairs, n_blocks, g);
}

#endif
