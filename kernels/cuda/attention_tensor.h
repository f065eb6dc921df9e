/* attention_tensor.h - causal attention on tensor cores: of fp16 and bf16, and heads of 32, 64 or
 * 128 numbers, in one of two ways. What attention.cu and attention_backward.cu do not give away
 * they do on the CUDA cores, as they can everything. */
#ifndef KD_KERNELS_CUDA_ATTENTION_TENSOR_H
#define KD_KERNELS_CUDA_ATTENTION_TENSOR_H

#include "kernels/cuda/ampere.cuh"
#include "kernels/cuda/table.h"

enum kd_attention_way { KD_ATTENTION_GENERAL, KD_ATTENTION_TENSOR, KD_ATTENTION_AMPERE };

/* is_aligned: whether everything that is stored in 16 bits lies at a multiple of 16 bytes. */
static inline enum kd_attention_way kd_attention_way(const struct kd_queue *queue, int64_t size,
                                                     bool is_aligned)
{
    bool is_fp16 = queue->precision == KD_PRECISION_FP16;
    if (!is_aligned || !(is_fp16 || queue->precision == KD_PRECISION_BF16) ||
        !(size == 32 || size == 64 || size == 128))
        return KD_ATTENTION_GENERAL;
    if (kd_is_ampere(queue))
        return KD_ATTENTION_AMPERE;
    return is_fp16 ? KD_ATTENTION_TENSOR : KD_ATTENTION_GENERAL;
}

/* Each, of a shape that is not empty, where kd_attention_way says so. */
void kd_attention_tensor(struct kd_queue *queue, const struct kd_op_attention *a);
void kd_attention_ampere(struct kd_queue *queue, const struct kd_op_attention *a);

/* means: [n][n_heads][length], of each query the product of its rows of dy and y. They are given to
 * the first, and what the second writes. */
void kd_attention_backward_tensor(struct kd_queue *queue, const struct kd_op_attention_backward *a,
                                  const float *means);
void kd_attention_backward_ampere(struct kd_queue *queue, const struct kd_op_attention_backward *a,
                                  float *means);

#endif
