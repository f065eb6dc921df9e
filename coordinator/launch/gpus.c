/* gpus.c - the GPUs of this host, asked of NVML at run time. */
#include "coordinator/launch/gpus.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

/* The five calls of NVML's stable C interface that are needed (nvml.h, API version 2 names). */
struct nvml {
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *);
    int (*by_index)(unsigned, void **);
    int (*uuid)(void *, char *, unsigned);
    int (*name)(void *, char *, unsigned);
    int (*memory)(void *, unsigned long long[3]); /* total, free, used */
};

static int load(struct nvml *nvml, char *note, size_t note_size)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        snprintf(note, note_size, "no NVIDIA driver (libnvidia-ml.so.1 is not installed)");
        return -1;
    }
    const struct {
        const char *symbol;
        void *target;
    } calls[] = {
        {"nvmlInit_v2", &nvml->init},
        {"nvmlShutdown", &nvml->shutdown},
        {"nvmlDeviceGetCount_v2", &nvml->count},
        {"nvmlDeviceGetHandleByIndex_v2", &nvml->by_index},
        {"nvmlDeviceGetUUID", &nvml->uuid},
        {"nvmlDeviceGetName", &nvml->name},
        {"nvmlDeviceGetMemoryInfo", &nvml->memory},
    };
    for (size_t i = 0; i < KD_COUNT(calls); i++) {
        void *address = dlsym(library, calls[i].symbol);
        if (address == NULL) {
            snprintf(note, note_size, "the NVIDIA driver lacks %s", calls[i].symbol);
            return -1;
        }
        memcpy(calls[i].target, &address, sizeof address);
    }
    return 0;
}

/* CUDA_VISIBLE_DEVICES holds indices or UUIDs (or their beginnings), up to the first that fits nothing. */
static int is_visible(const struct kd_gpu *gpu, const char *visible)
{
    if (visible == NULL)
        return 1;
    char *copy = kd_strdup(visible), *rest = copy, *entry;
    int found = 0;
    while (!found && (entry = strsep(&rest, ",")) != NULL) {
        if (strncmp(entry, "GPU-", 4) == 0)
            found = strncmp(entry, gpu->uuid, strlen(entry)) == 0;
        else
            found = *entry != '\0' && atoi(entry) == gpu->index;
    }
    free(copy);
    return found;
}

static int find_real(struct kd_gpu *gpus, int most, char *note, size_t note_size)
{
    struct nvml nvml;
    unsigned count = 0;
    if (load(&nvml, note, note_size) != 0)
        return 0;
    if (nvml.init() != 0) {
        snprintf(note, note_size, "the NVIDIA driver does not start (nvmlInit failed)");
        return 0;
    }
    nvml.count(&count);
    int n = 0;
    for (unsigned i = 0; i < count && n < most; i++) {
        struct kd_gpu gpu = {.index = (int)i};
        unsigned long long memory[3] = {0};
        void *device;
        if (nvml.by_index(i, &device) != 0)
            continue;
        nvml.uuid(device, gpu.uuid, sizeof gpu.uuid);
        nvml.name(device, gpu.name, sizeof gpu.name);
        nvml.memory(device, memory);
        gpu.memory_bytes = (int64_t)memory[0];
        if (is_visible(&gpu, getenv("CUDA_VISIBLE_DEVICES")))
            gpus[n++] = gpu;
    }
    nvml.shutdown();
    if (n == 0)
        snprintf(note, note_size, "no GPU is visible (CUDA_VISIBLE_DEVICES=%.80s)",
                 getenv("CUDA_VISIBLE_DEVICES") ? getenv("CUDA_VISIBLE_DEVICES") : "");
    return n;
}

int kd_gpus_find(struct kd_gpu *gpus, int most, char *note, size_t note_size)
{
    const char *fake = getenv("KATYDID_FAKE_GPUS");
    note[0] = '\0';
    if (fake == NULL)
        return find_real(gpus, most, note, note_size);
    int n = atoi(fake);
    for (int i = 0; i < n && i < most; i++) {
        gpus[i] = (struct kd_gpu){.index = i};
        snprintf(gpus[i].uuid, sizeof gpus[i].uuid, "GPU-stand-in-%d", i);
        snprintf(gpus[i].name, sizeof gpus[i].name, "stand-in GPU");
    }
    return n < most ? n : most;
}
