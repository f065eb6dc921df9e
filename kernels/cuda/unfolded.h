/* unfolded.h - convolutions by cuBLASLt: the patches under the windows written out as a matrix
 * (im2col), some images at a time, and products with it (Chellapilla, Puri, Simard: "High
 * performance convolutional neural networks for document processing", 2006).
 *
 * It reads and writes the patches once more than a product that fetches them itself
 * (convolution.cu), and has tensor cores. Patches of the input are stored as the input is; the
 * gradients of patches are floats, so that a pixel's, which lies in many, is rounded once. */
#ifndef KD_KERNELS_CUDA_UNFOLDED_H
#define KD_KERNELS_CUDA_UNFOLDED_H

#include "kernels/cuda/table.h"

/* False, and nothing is done: cuBLASLt does not take it. */
bool kd_unfolded_conv2d(struct kd_queue *queue, const struct kd_op_conv2d *a);
bool kd_unfolded_backward_x(struct kd_queue *queue, const struct kd_op_conv2d_backward_x *a);
bool kd_unfolded_backward_weight(struct kd_queue *queue,
                                 const struct kd_op_conv2d_backward_weight *a);

#endif
