/* not_yet.cpp - ops that are being written: weak, so that the real ones win. Goes away with the last of them. */
#include "kernels/cuda/table.h"
#include <stdio.h>
#include <stdlib.h>
#define KD_OP(name, summary)                                                                       \
    extern "C"                                                                                     \
        __attribute__((weak)) void kd_cuda_##name(struct kd_queue *, const struct kd_op_##name *)  \
    {                                                                                              \
        fprintf(stderr, "not written yet: " #name "\n");                                           \
        exit(3);                                                                                   \
    }
#include "kernels/ops.def"
