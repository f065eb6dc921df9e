/* device_cuda.c - the registry of devices of test_ops_cuda: the GPU, and no other. */
#include <string.h>

#include "kernels/device.h"

extern const struct kd_device kd_device_cuda;

const struct kd_device *const kd_devices[] = {&kd_device_cuda, NULL};

const struct kd_device *kd_device_find(const char *name, struct kd_error *err)
{
    if (strcmp(name, kd_device_cuda.name) == 0)
        return &kd_device_cuda;
    kd_fail(err, "unknown device \"%s\"; this program has: cuda", name);
    return NULL;
}
