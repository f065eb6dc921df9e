/* scratch.h - memory that ops need in passing, or as a table that costs time to make: each thread's
 * own, grown on first use, freed when the thread closes the device. */
#ifndef KD_KERNELS_CPU_SCRATCH_H
#define KD_KERNELS_CPU_SCRATCH_H

#include <stddef.h>

enum kd_scratch {
    KD_SCRATCH_ATTENTION, /* one head's packed operands */
    KD_SCRATCH_ROTARY,    /* cosines and sines */
    KD_SCRATCH_CONV,      /* a gradient that is added to another */
    KD_SCRATCH_BATCHNORM, /* what each channel is multiplied by and shifted by */
    KD_SCRATCH_MATMUL,    /* operands and results of small products, transposed */
    KD_N_SCRATCHES
};

/* At least `bytes` of memory aligned to 64. What a call put there is there at the thread's next
 * one, unless that asks for more: then it is new, and zero. */
void *kd_cpu_scratch(enum kd_scratch which, size_t bytes);

void kd_cpu_scratch_release(void); /* the calling thread's */

#endif
