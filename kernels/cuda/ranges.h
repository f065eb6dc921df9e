/* ranges.h - the ranges of a flat arena (op_update.h) on the device, cut into chunks, a block of
 * threads for each: so that an update of all ranges is one launch.
 *
 * An op's ranges lie in the host's memory and are the same at every step. Their table is copied
 * when they are first seen, found again by what is in them, and kept until the queue closes. */
#ifndef KD_KERNELS_CUDA_RANGES_H
#define KD_KERNELS_CUDA_RANGES_H

#include "kernels/cuda/table.h"

static constexpr int64_t KD_CHUNK = 4096; /* elements at most; a chunk lies in one range */

struct kd_device_range {
    int64_t start, n, first_chunk; /* the sum of n, and of chunks, of those before */
    int64_t rounded_start;         /* and of their sizes as the op round has them */
    bool decay;
};

struct kd_range_table {
    struct kd_range_table *next;
    struct kd_range *seen; /* a copy of what it was made of */
    int n_ranges;
    int64_t n_chunks;
    struct kd_device_range *ranges; /* on the device, [n_ranges] */
};

const struct kd_range_table *kd_range_table_get(struct kd_queue *queue,
                                                const struct kd_range *ranges, int n_ranges);
void kd_range_tables_free(struct kd_queue *queue);

/* What a block of threads works on. */
struct kd_chunk {
    int range;
    int64_t start, n;
    int64_t rounded_start; /* where it begins in what the op round writes */
    bool decay;
};

/* The last range whose first chunk is not after this one; ranges without elements have no chunks
 * and share their number with the next. */
static __device__ __forceinline__ struct kd_chunk kd_chunk_of(const struct kd_device_range *ranges,
                                                              int n_ranges, int64_t chunk)
{
    int low = 0, high = n_ranges;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (ranges[middle].first_chunk <= chunk)
            low = middle;
        else
            high = middle;
    }
    struct kd_device_range range = ranges[low];
    int64_t from = (chunk - range.first_chunk) * KD_CHUNK, left = range.n - from;
    struct kd_chunk found = {low, range.start + from, left < KD_CHUNK ? left : KD_CHUNK,
                             range.rounded_start + from, range.decay};
    return found;
}

#endif
