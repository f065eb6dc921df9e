/* attention_tensor.h - causal attention on tensor cores: of fp16 and bf16, and heads of 32, 64 or 128 numbers. Everything else is for
 * attention.cu and attention_backward.cu, which ask here first. */
#ifndef KD_KERNELS_CUDA_ATTENTION_TENSOR_H
#define KD_KERNELS_CUDA_ATTENTION_TENSOR_H

#include "kernels/cuda/table.h"

/* Each: false, and nothing is done, where the queue's storage or the head's size is not for tensor cores, or where something does not
 * lie at a multiple of 16 bytes. */
bool kd_attention_tensor(struct kd_queue *queue, const struct kd_op_attention *a);

/* means: [n][n_heads][length], of each query the product of its rows of dy and y. */
bool kd_attention_backward_tensor(struct kd_queue *queue, const struct kd_op_attention_backward *a,
                                  const float *means);

#endif
