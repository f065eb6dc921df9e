#include "kernels/device.h"

#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "kernels/plugin.h"

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
        kd_str_addf(&names, "%s, ", kd_devices[i]->name);
    kd_fail(err, "unknown device \"%s\"; there are: %scuda", name, kd_str_text(&names));
    kd_str_release(&names);
    return -1;
}

const struct kd_device *kd_device_find(const char *name, struct kd_error *err)
{
    for (int i = 0; kd_devices[i]; i++)
        if (strcmp(kd_devices[i]->name, name) == 0)
            return kd_devices[i];
    if (strcmp(name, "cuda") == 0) {
        const struct kd_plugin *plugin = kd_plugin_load(err);
        return plugin ? plugin->device : NULL;
    }
    unknown_device(name, err);
    return NULL;
}
