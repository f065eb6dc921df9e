#include "coordinator/launch/nvml.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

static const struct {
    const char *symbol;
    size_t offset;
    bool is_needed;
} calls[] = {
#define X(id, symbol, arguments) {#symbol, offsetof(struct kd_nvml, id), true},
    KD_NVML_NEEDED(X)
#undef X
#define X(id, symbol, arguments) {#symbol, offsetof(struct kd_nvml, id), false},
        KD_NVML_OPTIONAL(X)
#undef X
};

static int load(struct kd_nvml *nvml, char *note, size_t note_size)
{
    const char *asked = getenv("KATYDID_NVML");
    *nvml = (struct kd_nvml){0};
    nvml->library = dlopen(asked ? asked : "libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (nvml->library == NULL && asked)
        snprintf(note, note_size, "KATYDID_NVML=%.120s cannot be loaded: %.120s", asked, dlerror());
    else if (nvml->library == NULL)
        snprintf(note, note_size, "no NVIDIA driver (libnvidia-ml.so.1 is not installed)");
    return nvml->library ? 0 : -1;
}

static int find_calls(struct kd_nvml *nvml, char *note, size_t note_size)
{
    for (size_t i = 0; i < KD_COUNT(calls); i++) {
        void *address = dlsym(nvml->library, calls[i].symbol);
        if (address == NULL && calls[i].is_needed) {
            snprintf(note, note_size, "the NVIDIA driver lacks %s", calls[i].symbol);
            return -1;
        }
        memcpy((char *)nvml + calls[i].offset, &address, sizeof address);
    }
    return 0;
}

static int init(struct kd_nvml *nvml, char *note, size_t note_size)
{
    int code = nvml->init();
    void *address = dlsym(nvml->library, "nvmlErrorString");
    const char *(*error_text)(int);
    memcpy(&error_text, &address, sizeof address);
    if (code != 0)
        snprintf(note, note_size, "the NVIDIA driver does not start (nvmlInit: %.120s)",
                 error_text ? error_text(code) : "failed");
    return code != 0 ? -1 : 0;
}

int kd_nvml_open(struct kd_nvml *nvml, char *note, size_t note_size)
{
    if (load(nvml, note, note_size) != 0)
        return -1;
    if (find_calls(nvml, note, note_size) == 0 && init(nvml, note, note_size) == 0)
        return 0;
    dlclose(nvml->library);
    return -1;
}

void kd_nvml_close(struct kd_nvml *nvml)
{
    nvml->shutdown();
    dlclose(nvml->library);
}
