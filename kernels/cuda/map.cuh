/* map.cuh - one thing done to every element of flat arrays: a group of values at a time
 * (values.cuh) where all arrays allow it.
 *
 * What is done is a struct with its arrays and numbers in it:
 *     template <class T> struct add {
 *         const T *a, *b;
 *         T *y;
 *         template <int N> __device__ void at(int64_t i) const
 *         {
 *             kd_floats<N> a_ = kd_load<N>(a + i), b_ = kd_load<N>(b + i);
 *             for (int k = 0; k < N; k++)
 *                 a_.x[k] += b_.x[k];
 *             kd_store(y + i, a_);
 *         }
 *     };
 *     kd_map<T>(queue, n, kd_all_aligned(a->a, a->b, a->y), add<T>{...});
 * at<N>(i) does elements i .. i + N - 1, N being 1 or KD_GROUP<T>. Each element is done once, in
 * any order. */
#ifndef KD_KERNELS_CUDA_MAP_CUH
#define KD_KERNELS_CUDA_MAP_CUH

#include "kernels/cuda/values.cuh"

template <int GROUP, class F> __global__ void kd_map_kernel(F f, int64_t n, bool in_groups)
{
    int64_t step = kd_n_threads(), n_groups = in_groups ? n / GROUP : 0;
    for (int64_t group = kd_thread_at(); group < n_groups; group += step)
        f.template at<GROUP>(GROUP * group);
    for (int64_t i = GROUP * n_groups + kd_thread_at(); i < n; i += step)
        f.template at<1>(i);
}

/* T: what the values in the arrays are stored as, or the narrowest of them. */
template <class T = float, class F>
void kd_map(struct kd_queue *queue, int64_t n, bool in_groups, const F &f)
{
    constexpr int GROUP = KD_GROUP<T>;
    if (n <= 0)
        return;
    auto kernel = kd_map_kernel<GROUP, F>;
    KD_LAUNCH(kernel, kd_blocks(in_groups ? (n + GROUP - 1) / GROUP : n), KD_THREADS, 0,
              queue->stream, f, n, in_groups);
}

#endif
