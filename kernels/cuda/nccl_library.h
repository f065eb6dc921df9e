/* nccl_library.h - NCCL, loaded when a gang first needs it, and kept: it is large, and threads of
 * its own may run in it. */
#ifndef KD_KERNELS_CUDA_NCCL_LIBRARY_H
#define KD_KERNELS_CUDA_NCCL_LIBRARY_H

#include "kernels/cuda/nccl_abi.h"

#define KD_NCCL_PATH    "KATYDID_NCCL" /* environment: the library's file, instead of the next */
#define KD_NCCL_LIBRARY "libnccl.so.2" /* where the loader finds it */

struct kd_nccl {
    int version; /* as ncclGetVersion tells it */
#define KD_NCCL_CALL(result, name, parameters) result(*name) parameters;
#include "kernels/cuda/nccl_calls.def"
#undef KD_NCCL_CALL
};

/* NULL: there is none, or it is too old, or it lacks a call; what was tried and what to do. The
 * next call tries again. By one thread of the process. */
const struct kd_nccl *kd_nccl_get(struct kd_error *err);

#endif
