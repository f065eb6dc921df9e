/* nccl_abi.h - as much of NCCL's binary interface as is used, since a CUDA toolkit need not bring
 * nccl.h.
 *
 * Source: NCCL's user guide ("NCCL API", "Types") and nccl.h 2.28.9; tests/cuda/test_nccl_abi.sh
 * compares with an nccl.h where there is one. Enumerations are ints here, a stream is a pointer. */
#ifndef KD_KERNELS_CUDA_NCCL_ABI_H
#define KD_KERNELS_CUDA_NCCL_ABI_H

#include <stddef.h>

#include "kernels/collective.h"

enum kd_nccl_result {
    KD_NCCL_SUCCESS = 0,
    KD_NCCL_UNHANDLED_CUDA_ERROR = 1,
    KD_NCCL_SYSTEM_ERROR = 2,
    KD_NCCL_INTERNAL_ERROR = 3,
    KD_NCCL_INVALID_ARGUMENT = 4,
    KD_NCCL_INVALID_USAGE = 5,
    KD_NCCL_REMOTE_ERROR = 6,
    KD_NCCL_IN_PROGRESS = 7,
};

enum { KD_NCCL_FLOAT = 7, KD_NCCL_DOUBLE = 8 }; /* types */
enum { KD_NCCL_SUM = 0 };                       /* operations */

/* The head of ncclConfig_t in its first version, 2.14. NCCL takes `size` bytes of what it gets, and
 * by `version` gives to what came later its defaults: a later library understands this one. */
struct kd_nccl_config {
    size_t size;
    unsigned magic, version;
    int blocking;
};
enum { KD_NCCL_CONFIG_VERSION = 21400 };
#define KD_NCCL_CONFIG_MAGIC 0xcafebeefu

/* As ncclGetVersion tells it: major * 10000 + minor * 100 + patch, but major * 1000 up to 2.8. */
enum { KD_NCCL_OLDEST = 21800, KD_NCCL_CODE_OF_2_9 = 20900 };

struct kd_nccl_comm; /* NCCL's own */

#endif
