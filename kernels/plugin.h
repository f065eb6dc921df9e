/* plugin.h - how a device comes out of a library that is loaded at run time: libkatydid_cuda.so.
 *
 * The library exports one function, whose name has the version of all this in it, device.h and the
 * ops' arguments included: a program asks for the version that it was built with, so that an older
 * library is "not found" and not a crash. */
#ifndef KD_KERNELS_PLUGIN_H
#define KD_KERNELS_PLUGIN_H

#include "kernels/device.h"

#define KD_CUDA_PLUGIN_LIBRARY  "libkatydid_cuda.so"
#define KD_CUDA_PLUGIN_FUNCTION "kd_cuda_plugin_v4"
#define KD_CUDA_PLUGIN_PATH     "KATYDID_CUDA_PLUGIN" /* environment: the library, wherever it lies */

enum { KD_PLUGIN_ABI = 3 };

struct kd_plugin {
    int abi;               /* KD_PLUGIN_ABI */
    int n_ops;             /* KD_N_OPS */
    size_t call_bytes;     /* sizeof(struct kd_call): arguments of another shape */
    const char *built_for; /* architectures, "75;80;86" */
    const struct kd_device *device;
};

typedef const struct kd_plugin *kd_plugin_fn(void);

/* Loads the library, once, and keeps it: that which the environment names, else the one beside this
 * program. NULL: it is not there, or not of this version, or misses a library. */
const struct kd_plugin *kd_plugin_load(struct kd_error *err);

#endif
