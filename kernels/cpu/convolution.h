/* convolution.h - convolutions through oneDNN, whose code is generated for the CPU and the shape it
 * is given.
 *
 * Generating takes 0.3 to 0.5 ms, so each thread keeps what it made, the last 256 shapes, until it
 * closes the device. */
#ifndef KD_KERNELS_CPU_CONVOLUTION_H
#define KD_KERNELS_CPU_CONVOLUTION_H

#include <stdbool.h>

#include "kernels/op_image.h"

enum kd_conv_pass { KD_CONV_FORWARD, KD_CONV_BACKWARD_X, KD_CONV_BACKWARD_WEIGHT };

/* What the code is generated for. */
struct kd_conv_key {
    struct kd_window window;
    int64_t c_out;
    enum kd_conv_pass pass;
    bool has_bias; /* forward */
    bool adds;     /* backward_weight: to what is there */
};

/* What it works on: x or its gradient, y or its gradient, the weight or its gradient, as the pass
 * says. */
struct kd_conv_data {
    float *x, *y, *weight, *bias;
};

/* No size of the key may be 0. */
void kd_conv_run(const struct kd_conv_key *key, const struct kd_conv_data *data);

void kd_conv_release(void); /* the calling thread's */

#endif
