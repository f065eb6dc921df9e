/* precision.h - what the factors of a product may be rounded to before they are multiplied. Storage is fp32, and so are the sums,
 * whichever it is.
 *
 *   fp32   24 bits of a number, exponents of 8 bits: nothing is rounded
 *   tf32   11 bits, the same exponents (NVIDIA: "A100 tensor core GPU architecture", 2020)
 *   bf16    8 bits, the same exponents
 *   fp16   11 bits, exponents of 5 bits: what is below 6e-8 is lost and what is above 65504 is infinite, so that gradients need a
 *          loss scale */
#ifndef KD_KERNELS_PRECISION_H
#define KD_KERNELS_PRECISION_H

enum kd_precision {
#define KD_PRECISION(name, constant) KD_PRECISION_##constant,
#include "kernels/precisions.def"
#undef KD_PRECISION
    KD_N_PRECISIONS
};

static inline const char *kd_precision_name(enum kd_precision precision)
{
    static const char *const names[] = {
#define KD_PRECISION(name, constant) #name,
#include "kernels/precisions.def"
#undef KD_PRECISION
    };
    return names[precision];
}

#endif
