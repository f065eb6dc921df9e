/* implicit.h - convolutions on tensor cores whose patches are never in memory (implicit GEMM;
 * Chetlur et al.: "cuDNN: efficient primitives for deep learning", 2014): of fp16 and bf16 from
 * architecture 80 on, with channels in groups of eight. Everything else is for unfolded.cu and
 * convolution.cu. */
#ifndef KD_KERNELS_CUDA_IMPLICIT_H
#define KD_KERNELS_CUDA_IMPLICIT_H

#include "kernels/cuda/table.h"

/* Environment: "unfolded" = never here, to compare. */
#define KD_CONVOLUTIONS "KATYDID_CONVOLUTIONS"

/* Each: false, and nothing is done, where the queue's GPU or storage is another, channels or c_out
 * is no multiple of 8, or something does not lie at a multiple of 16 bytes. */
bool kd_implicit_conv2d(struct kd_queue *queue, const struct kd_op_conv2d *a);
bool kd_implicit_backward_x(struct kd_queue *queue, const struct kd_op_conv2d_backward_x *a);
bool kd_implicit_backward_weight(struct kd_queue *queue,
                                 const struct kd_op_conv2d_backward_weight *a);

#endif
