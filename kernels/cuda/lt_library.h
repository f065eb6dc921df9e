/* lt_library.h - cuBLASLt, loaded when a product first needs it, and kept. */
#ifndef KD_KERNELS_CUDA_LT_LIBRARY_H
#define KD_KERNELS_CUDA_LT_LIBRARY_H

#include "coordinator/base/error.h"
#include "kernels/cuda/lt_abi.h"

/* Environment: the library's file, instead of the loader's libcublasLt.so.<major>; a name that
 * there is not, such as "none", turns it off. */
#define KD_LT_PATH "KATYDID_CUBLASLT"

struct kd_lt {
    size_t version; /* as cublasLtGetVersion tells it */
#define KD_LT_CALL(result, name, parameters) result(*name) parameters;
#include "kernels/cuda/lt_calls.def"
#undef KD_LT_CALL
};

/* The one of CUDA `major` (12, 13) where there are several, since each brings code for other GPUs.
 * NULL: there is none, or it is too old, or it lacks a call; what was tried and what to do. The
 * next call tries again. By one thread of the process. */
const struct kd_lt *kd_lt_get(int major, struct kd_error *err);

#endif
