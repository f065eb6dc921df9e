/* table.h - the ops of the CUDA device, one function kd_cuda_<op> each, and the queue that they
 * get. */
#ifndef KD_KERNELS_CUDA_TABLE_H
#define KD_KERNELS_CUDA_TABLE_H

#include "kernels/cuda/port.h"

extern "C" {
#include "coordinator/base/error.h"
#include "coordinator/base/mem.h"
#include "kernels/device.h"
#include "kernels/ops.h"

#define KD_OP(name, summary)                                                                       \
    void kd_cuda_##name(struct kd_queue *queue, const struct kd_op_##name *args);
#include "kernels/ops.def"
#undef KD_OP
}

#define KD_CUDA_GRAPH "KATYDID_CUDA_GRAPH" /* environment: 0 = launch by launch, never as a graph */

/* A stream, and device memory that ops need in passing. */
struct kd_queue {
    cudaStream_t stream;
    /* That its kernels were compiled for, 75: the GPU's, or an older one's whose PTX the driver
     * compiled. */
    int architecture;
    void *scratch;
    size_t scratch_bytes;
    struct kd_retired *retired; /* scratch memory that was too small, which recordings still name */
    bool has_recorded;
    cudaEvent_t marks[KD_MARKS];     /* NULL: not used yet */
    int64_t last_collective;         /* the place (nccl_record.h) of the last one before its end */
    int64_t last_at_marks[KD_MARKS]; /* the same, before each mark */
    struct kd_range_table *range_tables; /* ranges.h */
    enum kd_precision precision;         /* what it stores values as */
    struct kd_lt_state *lt;              /* lt.h; NULL: no product yet */
};

/* Of cudaStreamQuery and cudaEventQuery: is it done? Any other error ends the process. */
bool kd_cuda_is_ready(cudaError_t error);

/* Device memory that is this op's until it returns to its caller: what the next op on the queue
 * gets may be the same, which is in order on a stream. Aligned to 256 bytes, full of anything. Two
 * needs of one op are one call.
 *
 * Where it has to grow, recordings go on with what they have: else those of one rank alone would
 * end, and ranks have to launch a sum as a graph's or by itself all alike. */
void *kd_cuda_scratch(struct kd_queue *queue, size_t bytes);

/* A number in device memory that is 0 between ops, beside the scratch memory that this op has got:
 * for kd_is_last_block (reduce.cuh). */
unsigned *kd_cuda_counter(struct kd_queue *queue);

#endif
