/* precision.h - what a queue computes in, and what it stores values as: what flows between layers,
 * its gradients, and the copy of the weights that products read. Sums are fp32 or wider whichever
 * it is, and so are the weights themselves, their gradients, the optimizer's state, and all
 * statistics.
 *
 *   fp32   24 bits of a number, exponents of 8 bits: nothing is rounded
 *   tf32   stored as fp32; the factors of a product may be rounded to 11 bits, the same exponents
 *          (NVIDIA: "A100 tensor core GPU architecture", 2020)
 *   bf16   stored in 16 bits: 8 bits of a number, the same exponents
 *   fp16   stored in 16 bits: 11 bits of a number, exponents of 5 bits; what is below 6e-8 is lost
 *          and what is above 65504 is infinite, so that gradients need a loss scale
 *          (op_update.h) */
#ifndef KD_KERNELS_PRECISION_H
#define KD_KERNELS_PRECISION_H

#include <stdint.h>

enum kd_precision {
#define KD_PRECISION(name, constant, value_bytes) KD_PRECISION_##constant,
#include "kernels/precisions.def"
#undef KD_PRECISION
    KD_N_PRECISIONS
};

static inline const char *kd_precision_name(enum kd_precision precision)
{
    static const char *const names[] = {
#define KD_PRECISION(name, constant, value_bytes) #name,
#include "kernels/precisions.def"
#undef KD_PRECISION
    };
    return names[precision];
}

/* Bytes of one stored value. */
static inline int64_t kd_precision_bytes(enum kd_precision precision)
{
    static const int64_t bytes[] = {
#define KD_PRECISION(name, constant, value_bytes) value_bytes,
#include "kernels/precisions.def"
#undef KD_PRECISION
    };
    return bytes[precision];
}

#endif
