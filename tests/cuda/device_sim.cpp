/* device_sim.cpp - the registry of devices of test programs that link kd_sim: the CUDA device on
 * the shim, and no other. */
#include <string.h>

#include "kernels/cuda/table.h"

extern "C" {
extern const struct kd_device kd_device_cuda;
extern const char kd_cuda_architectures[];
}

const char kd_cuda_architectures[] = "none";

static struct kd_device named(const char *name, struct kd_device device)
{
    device.name = name;
    return device;
}

static const struct kd_device sim = named("sim", kd_device_cuda);

const struct kd_device *const kd_devices[] = {&sim, NULL};

const struct kd_device *kd_device_find(const char *name, struct kd_error *err)
{
    if (strcmp(name, sim.name) == 0)
        return &sim;
    kd_fail(err, "unknown device \"%s\"; this program has: sim", name);
    return NULL;
}
