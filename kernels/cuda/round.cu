/* round.cu - the weights as products read them: a block of threads for each chunk of the arena
 * (ranges.h). */
#include "kernels/cuda/ranges.h"
#include "kernels/cuda/values.cuh"

namespace
{

/* y may be written in groups, since every range begins at one; x is read so where it lies so. */
template <class T>
__global__ void round_chunks(const float *x, T *y, const struct kd_device_range *ranges,
                             int n_ranges, bool is_aligned)
{
    constexpr int GROUP = KD_GROUP<T>;
    struct kd_chunk chunk = kd_chunk_of(ranges, n_ranges, blockIdx.x);
    const float *from = x + chunk.start;
    T *to = y + chunk.rounded_start;
    int64_t n_groups = is_aligned && chunk.start % 4 == 0 ? chunk.n / GROUP : 0;
    for (int64_t group = threadIdx.x; group < n_groups; group += blockDim.x)
        kd_store(to + GROUP * group, kd_load<GROUP>(from + GROUP * group));
    for (int64_t i = GROUP * n_groups + threadIdx.x; i < chunk.n; i += blockDim.x)
        kd_put(&to[i], from[i]);
}

} // namespace

void kd_cuda_round(struct kd_queue *queue, const struct kd_op_round *a)
{
    const struct kd_range_table *table = kd_range_table_get(queue, a->ranges, a->n_ranges);
    if (table->n_chunks <= 0)
        return;
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        auto kernel = round_chunks<T>;
        KD_LAUNCH(kernel, (unsigned)table->n_chunks, KD_THREADS, 0, queue->stream, a->x, (T *)a->y,
                  table->ranges, a->n_ranges, kd_all_aligned(a->x, a->y));
    });
}
