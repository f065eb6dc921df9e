/* gpus.c - the GPUs of this host, asked of NVML at run time. */
#include "coordinator/launch/gpus.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

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
        if (!gpus[i].is_mig && strncmp(gpus[i].uuid, entry, strlen(entry)) == 0)
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
        bool is_uuid = strncmp(entry, "GPU-", 4) == 0 || strncmp(entry, "MIG-", 4) == 0;
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

char *kd_gpus_list(const struct kd_gpu *gpus, const int *chosen, int n)
{
    struct kd_str text = {0};
    for (int i = 0; i < n; i++) {
        const struct kd_gpu *gpu = &gpus[chosen[i]];
        kd_str_add(&text, i ? "," : "");
        if (gpu->has_no_number)
            kd_str_add(&text, gpu->uuid);
        else
            kd_str_addf(&text, "%d", gpu->index);
    }
    return kd_str_take(&text);
}

/* ---- asking NVML ---- */

static struct kd_gpu describe(const struct kd_nvml *nvml, kd_nvml_device device, unsigned index)
{
    struct kd_gpu gpu = {.index = (int)index};
    unsigned long long memory[3] = {0};
    nvml->uuid(device, gpu.uuid, sizeof gpu.uuid);
    nvml->name(device, gpu.name, sizeof gpu.name);
    nvml->memory(device, memory);
    gpu.memory_bytes = (int64_t)memory[0];
    return gpu;
}

static bool is_in_mig_mode(const struct kd_nvml *nvml, kd_nvml_device device)
{
    unsigned now = 0, pending;
    return nvml->mig_mode && nvml->mig_count && nvml->mig_by_index &&
           nvml->mig_mode(device, &now, &pending) == 0 && now == 1;
}

/* The instances that somebody made; none is no slot, since CUDA cannot use such a GPU as a whole.
 * The places of instances that there could be are empty in between. */
static int find_instances(const struct kd_nvml *nvml, kd_nvml_device device, unsigned index,
                          struct kd_gpu *gpus, int most)
{
    unsigned count = 0;
    int n = 0;
    nvml->mig_count(device, &count);
    for (unsigned i = 0; i < count && n < most; i++) {
        kd_nvml_device instance;
        if (nvml->mig_by_index(device, i, &instance) != 0)
            continue;
        gpus[n] = describe(nvml, instance, index);
        gpus[n++].is_mig = true;
    }
    return n;
}

/* One GPU: itself, or its instances. How many were written; note says why none. */
static int find_one(const struct kd_nvml *nvml, unsigned index, struct kd_gpu *gpus, int most,
                    char *note, size_t note_size)
{
    kd_nvml_device device;
    char uuid[KD_NVML_NAME];
    int code = nvml->by_index(index, &device);
    if (code == 0)
        code =
            nvml->uuid(device, uuid, sizeof uuid); /* of a lost one the handle may still be had */
    if (code == KD_NVML_GPU_IS_LOST)
        snprintf(note, note_size,
                 "GPU %u is lost, says the NVIDIA driver: reset it (nvidia-smi --gpu-reset) or "
                 "restart the machine",
                 index);
    else if (code != 0)
        snprintf(note, note_size, "the NVIDIA driver cannot reach GPU %u", index);
    if (code != 0)
        return 0;
    if (!is_in_mig_mode(nvml, device)) {
        gpus[0] = describe(nvml, device, index);
        return 1;
    }
    int n = find_instances(nvml, device, index, gpus, most);
    if (n == 0)
        snprintf(note, note_size,
                 "GPU %u is in MIG mode and has no instances (nvidia-smi mig -cgi makes some)",
                 index);
    return n;
}

static int find_all(const struct kd_nvml *nvml, struct kd_gpu *gpus, int most, char *note,
                    size_t note_size)
{
    unsigned count = 0;
    int n = 0;
    if (nvml->count(&count) != 0 || count == 0)
        snprintf(note, note_size, "the NVIDIA driver knows no GPU");
    for (unsigned i = 0; i < count && n < most; i++)
        n += find_one(nvml, i, gpus + n, most - n, note, note_size);
    return n;
}

/* An instance never has a number. Nor does a whole GPU beside instances: as long as CUDA shows any
 * of them it counts no others (NVIDIA's MIG user guide, "CUDA Device Enumeration"), so that what a
 * number means there is not said. */
static void take_numbers(struct kd_gpu *gpus, int n)
{
    bool has_instances = false;
    for (int i = 0; i < n; i++)
        has_instances = has_instances || gpus[i].is_mig;
    for (int i = 0; i < n; i++)
        gpus[i].has_no_number = has_instances;
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

/* CUDA_VISIBLE_DEVICES is applied before connections are looked at, so that those are of the GPUs
 * that are left. */
static int keep_visible(struct kd_gpu *gpus, int n, char *note, size_t note_size)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    int kept = kd_gpus_visible(gpus, n, visible);
    if (n > 0 && kept == 0)
        snprintf(note, note_size, "no GPU is visible (CUDA_VISIBLE_DEVICES=%.80s)", visible);
    return kept;
}

int kd_gpus_find(struct kd_gpu *gpus, int most, struct kd_topology *topology, char *note,
                 size_t note_size)
{
    const char *fake = getenv("KATYDID_FAKE_GPUS");
    struct kd_nvml nvml;
    note[0] = '\0';
    if (!fake && kd_nvml_open(&nvml, note, note_size) != 0) {
        kd_topology_find(NULL, gpus, 0, topology);
        return 0;
    }
    int n = fake ? find_stand_ins(gpus, most, fake, note, note_size)
                 : find_all(&nvml, gpus, most, note, note_size);
    take_numbers(gpus, n);
    n = keep_visible(gpus, n, note, note_size);
    kd_topology_find(fake ? NULL : &nvml, gpus, n, topology);
    if (!fake)
        kd_nvml_close(&nvml);
    return n;
}
