/* plugin.c - the one function of libkatydid_cuda.so that others see. */
#include "kernels/plugin.h"

extern const struct kd_device kd_device_cuda;
extern const char kd_cuda_architectures[];

const char kd_cuda_architectures[] = KD_CUDA_ARCHITECTURES;

kd_plugin_fn kd_cuda_plugin_v4;

const struct kd_plugin *kd_cuda_plugin_v4(void)
{
    static const struct kd_plugin plugin = {
        .abi = KD_PLUGIN_ABI,
        .n_ops = KD_N_OPS,
        .call_bytes = sizeof(struct kd_call),
        .built_for = kd_cuda_architectures,
        .device = &kd_device_cuda,
    };
    return &plugin;
}
