/* lt.h - products by cuBLASLt, where there is one: on tensor cores where the queue's precision lets
 * it.
 *
 * A queue gets its handle, its workspace and its table of plans when it first has a product that is
 * worth it. */
#ifndef KD_KERNELS_CUDA_LT_H
#define KD_KERNELS_CUDA_LT_H

#include "kernels/cuda/table.h"

/* Environment: products of fewer multiplications than this are left to our own tiles; without it
 * KD_LT_LEAST. */
#define KD_LT_FROM "KATYDID_CUBLASLT_FROM"

/* One tile of ours with a short sum: a launch costs either of them more than the arithmetic. Not
 * measured yet. */
static constexpr int64_t KD_LT_LEAST = 64 * 64 * 16;

/* The product; then bias[n] (NULL: none), stored as c is, is added to each row, then what is
 * negative becomes 0 if relu; c is rounded after that. */
struct kd_lt_product {
    struct kd_op_matmul matmul;
    const void *bias;
    bool relu;
};

/* False, and nothing is done: there is no cuBLASLt, or it has nothing for this one, or it is small.
 * Ends the process when cuBLASLt fails otherwise. A product whose like came before on this queue
 * allocates nothing and may be recorded. */
bool kd_lt_multiply(struct kd_queue *queue, const struct kd_lt_product *product);

/* Whether it would take it, as far as is known before it was tried: for those who have work to do
 * first. */
bool kd_lt_takes(struct kd_queue *queue, const struct kd_lt_product *product);

/* Of what comes from now on; what was recorded is recorded anew. -1: this GPU has none of it, or
 * tf32 without cuBLASLt. */
int kd_lt_set_precision(struct kd_queue *queue, enum kd_precision precision, struct kd_error *err);

void kd_lt_close(struct kd_queue *queue);

#endif
