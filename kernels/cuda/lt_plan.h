/* lt_plan.h - how cuBLASLt does a product of one shape: descriptors, and the algorithm that it
 * chose, asked for once and kept.
 *
 * Matrices are row-major outside and column-major in cuBLASLt, where a row-major matrix is its own
 * transpose. So
 *     c[m][n] = op(a)[m][k] op(b)[k][n]        is asked for as        D = c^T [n x m] = op(b)^T op(a)^T
 * with cuBLASLt's A = b and B = a; c's columns are D's rows, which the bias is added to. */
#ifndef KD_KERNELS_CUDA_LT_PLAN_H
#define KD_KERNELS_CUDA_LT_PLAN_H

#include <stdbool.h>

#include "kernels/cuda/lt_library.h"

/* All that an algorithm is chosen by, and nothing else: plans are found by its bytes. */
struct kd_lt_shape {
    int64_t m, n, k; /* of the row-major product; at least 1 */
    int64_t transpose_a, transpose_b;
    int64_t adds;                  /* 1: to what c holds */
    int64_t epilogue;              /* enum kd_lt_epilogue */
    int64_t compute;               /* enum kd_lt_compute */
    int64_t of_factors, of_result; /* enum kd_lt_type, of a and b, and of c and the bias */
    /* Of the row-major pointers, in bytes: a power of 2, at most KD_LT_ALIGNED. */
    int64_t align_a, align_b, align_c;
    int64_t align_bias; /* 0: no bias */
};
enum { KD_LT_ALIGNED = 256 }; /* what cuBLASLt assumes when it is not told */

struct kd_lt_plan {
    struct kd_lt_plan *next;
    struct kd_lt_shape shape;
    bool can; /* false: cuBLASLt has nothing for the shape, and the rest is empty */
    struct kd_lt_desc *desc;
    struct kd_lt_layout *a, *b, *c; /* of the row-major matrices */
    struct kd_lt_algo algo;
    size_t workspace_bytes; /* what the algorithm needs */
};

enum { KD_LT_BUCKETS = 64 };

struct kd_lt_plans {
    struct kd_lt_plan *buckets[KD_LT_BUCKETS];
    size_t workspace_bytes; /* what an algorithm may need */
};

/* The plan of a shape, made when it is first asked for: no memory of the device is touched. `bias`
 * is any address of that alignment. Ends the process when cuBLASLt fails in another way than to
 * have nothing for the shape. */
struct kd_lt_plan *kd_lt_plan_get(struct kd_lt_plans *plans, const struct kd_lt *lt,
                                  struct kd_lt_handle *handle, const struct kd_lt_shape *shape,
                                  const void *bias);

/* From now on the shape has no algorithm. */
void kd_lt_plan_give_up(struct kd_lt_plan *plan, const struct kd_lt *lt);

void kd_lt_plans_free(struct kd_lt_plans *plans, const struct kd_lt *lt);

/* Ends the process unless status is KD_LT_SUCCESS, as a failed call of CUDA does. shape: what was
 * to be done, or NULL. */
void kd_lt_check(const struct kd_lt *lt, int status, const char *call,
                 const struct kd_lt_shape *shape);

#endif
