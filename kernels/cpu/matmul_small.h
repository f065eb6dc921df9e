/* matmul_small.h - products that oneDNN's sgemm is not the best for: its calls cost 0.3 us even if
 * the product takes 0.1, it is slow for few rows times transposed weights, and generates code for
 * 23 ms before the first product of a process. */
#ifndef KD_KERNELS_CPU_MATMUL_SMALL_H
#define KD_KERNELS_CPU_MATMUL_SMALL_H

#include "kernels/op_dense.h"

struct kd_queue;

/* Any m, n, k > 0. Each element is the sum of blocks of 256 products, each summed in order,
 * whatever the shape. */
void kd_cpu_matmul_small(struct kd_queue *queue, const struct kd_op_matmul *a);

#endif
