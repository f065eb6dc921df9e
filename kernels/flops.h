/* flops.h - how many floating-point operations a call is: those of its products (2 m n k), where
 * nearly all of a training's work lies. Elementwise passes count as nothing, as is the custom
 * (Chowdhery et al.: "PaLM", 2022, appendix B). */
#ifndef KD_KERNELS_FLOPS_H
#define KD_KERNELS_FLOPS_H

#include "kernels/device.h"

double kd_call_flops(const struct kd_call *call);

/* Floating-point operations a second that the device reaches in a large matrix product, the best of
 * several: what a share of the peak is a share of. Takes some 20 ms. */
double kd_device_peak_flops(const struct kd_device *device, struct kd_queue *queue);

#endif
