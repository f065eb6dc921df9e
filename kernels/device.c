#include "kernels/device.h"

#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

#define KD_DEVICE(name) extern const struct kd_device kd_device_##name;
#include "kernels/devices.def"
#undef KD_DEVICE

const struct kd_device *const kd_devices[] = {
#define KD_DEVICE(name) &kd_device_##name,
#include "kernels/devices.def"
#undef KD_DEVICE
    NULL,
};

static int unknown_device(const char *name, struct kd_error *err)
{
    struct kd_str names = {0};
    for (int i = 0; kd_devices[i]; i++)
        kd_str_addf(&names, "%s%s", i ? ", " : "", kd_devices[i]->name);
    kd_fail(err, "unknown device \"%s\"; this build has: %s", name, kd_str_text(&names));
    kd_str_release(&names);
    return -1;
}

const struct kd_device *kd_device_find(const char *name, struct kd_error *err)
{
    for (int i = 0; kd_devices[i]; i++)
        if (strcmp(kd_devices[i]->name, name) == 0)
            return kd_devices[i];
    unknown_device(name, err);
    return NULL;
}
