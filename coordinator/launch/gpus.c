/* gpus.c - the GPUs of this host, asked of NVML at run time. */
#include "coordinator/launch/gpus.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

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

/* In place: without blanks around it. */
static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        text[--length] = '\0';
    return text;
}

static int find_uuid(const struct kd_gpu *gpus, int n, const char *entry)
{
    int found = -1, n_found = 0;
    for (int i = 0; i < n; i++) {
        if (strcmp(gpus[i].uuid, entry) == 0)
            return i;
        if (strncmp(gpus[i].uuid, entry, strlen(entry)) == 0)
            found = i, n_found++;
    }
    return n_found == 1 ? found : -1;
}

static int find_index(const struct kd_gpu *gpus, int n, const char *entry)
{
    long long index;
    if (kd_integer_parse(entry, &index) != 0)
        return -1;
    for (int i = 0; i < n; i++)
        if (gpus[i].index == index)
            return i;
    return -1;
}

int kd_gpus_visible(struct kd_gpu *gpus, int n, const char *visible)
{
    if (visible == NULL)
        return n;
    bool *is_seen = KD_NEW_ARRAY(bool, (size_t)n + 1);
    char *copy = kd_strdup(visible), *rest = copy, *entry;
    int kept = 0;
    while ((entry = strsep(&rest, ",")) != NULL) {
        entry = trimmed(entry);
        bool is_uuid = strncmp(entry, "GPU-", 4) == 0;
        int at = is_uuid ? find_uuid(gpus, n, entry) : find_index(gpus, n, entry);
        if (at < 0)
            break;
        is_seen[at] = true;
    }
    for (int i = 0; i < n; i++)
        if (is_seen[i])
            gpus[kept++] = gpus[i];
    free(copy);
    free(is_seen);
    return kept;
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
        gpus[n++] = gpu;
    }
    nvml.shutdown();
    if (n == 0)
        snprintf(note, note_size, "the NVIDIA driver knows no GPU");
    return n;
}

static int find_stand_ins(struct kd_gpu *gpus, int most, const char *count, char *note,
                          size_t note_size)
{
    int n = 0;
    for (int wanted = atoi(count); n < wanted && n < most; n++) {
        gpus[n] = (struct kd_gpu){.index = n};
        snprintf(gpus[n].uuid, sizeof gpus[n].uuid, "GPU-stand-in-%d", n);
        snprintf(gpus[n].name, sizeof gpus[n].name, "stand-in GPU");
    }
    if (n == 0)
        snprintf(note, note_size, "KATYDID_FAKE_GPUS=%.80s", count);
    return n;
}

int kd_gpus_find(struct kd_gpu *gpus, int most, char *note, size_t note_size)
{
    const char *fake = getenv("KATYDID_FAKE_GPUS"), *visible = getenv("CUDA_VISIBLE_DEVICES");
    note[0] = '\0';
    int n = fake ? find_stand_ins(gpus, most, fake, note, note_size)
                 : find_real(gpus, most, note, note_size);
    int kept = kd_gpus_visible(gpus, n, visible);
    if (n > 0 && kept == 0)
        snprintf(note, note_size, "no GPU is visible (CUDA_VISIBLE_DEVICES=%.80s)", visible);
    return kept;
}
