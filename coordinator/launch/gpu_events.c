#include "coordinator/launch/gpu_events.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/launch/topology.h"

static bool has_uuid(const struct kd_nvml *nvml, kd_nvml_device device, const char *wanted,
                     int *code)
{
    char uuid[KD_NVML_NAME] = "";
    *code = nvml->uuid(device, uuid, sizeof uuid);
    return *code == 0 && strcmp(uuid, wanted) == 0;
}

static bool find_instance(const struct kd_nvml *nvml, kd_nvml_device whole, const char *uuid,
                          kd_nvml_device *instance)
{
    unsigned count = 0;
    int code;
    if (nvml->mig_count == NULL || nvml->mig_by_index == NULL ||
        nvml->mig_count(whole, &count) != 0)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (nvml->mig_by_index(whole, i, instance) == 0 && has_uuid(nvml, *instance, uuid, &code))
            return true;
    return false;
}

/* Is it this one, or an instance of it? */
static bool try_index(const struct kd_nvml *nvml, const struct kd_gpu *gpu, unsigned index,
                      struct kd_gpu_handles *handles, int i, int *code)
{
    kd_nvml_device whole, device;
    *code = nvml->by_index(index, &whole);
    if (*code != 0)
        return false;
    device = whole;
    bool found = gpu->is_mig ? find_instance(nvml, whole, gpu->uuid, &device)
                             : has_uuid(nvml, whole, gpu->uuid, code);
    if (!found)
        return false;
    handles->device[i] = device;
    handles->whole[i] = whole;
    return true;
}

/* By its number, which says whether it is lost; a driver that lost one may number the others anew.
 * Not by UUID: of that NVML knows nothing any more once any GPU is lost. */
static void find_handle(const struct kd_nvml *nvml, const struct kd_gpu *gpu,
                        struct kd_gpu_handles *handles, int i)
{
    unsigned count = 0;
    int code, ignored;
    handles->instance[i] = UINT_MAX;
    bool found = try_index(nvml, gpu, (unsigned)gpu->index, handles, i, &code);
    nvml->count(&count);
    for (unsigned index = 0; index < count && !found; index++)
        found = try_index(nvml, gpu, index, handles, i, &ignored);
    handles->is_gone[i] = !found && code == KD_NVML_GPU_IS_LOST;
    bool is_instance = found && gpu->is_mig && nvml->instance_id;
    if (is_instance && nvml->instance_id(handles->device[i], &handles->instance[i]) != 0)
        handles->instance[i] = UINT_MAX;
}

static bool has_events(const struct kd_nvml *nvml)
{
    return nvml->events_new && nvml->events_free && nvml->events_of && nvml->events_next;
}

/* Before anything happens, since a link that has failed leads nowhere. */
static void look_for_switches(const struct kd_nvml *nvml, const struct kd_gpu *gpus,
                              struct kd_gpu_handles *handles)
{
    bool has_switch = false;
    for (int i = 0; i < handles->n; i++) {
        bool is_whole = handles->whole[i] != NULL && !gpus[i].is_mig;
        handles->is_on_switch[i] = is_whole && kd_gpu_is_on_switch(nvml, handles->whole[i]);
        has_switch = has_switch || handles->is_on_switch[i];
    }
    if (has_switch)
        kd_kernel_log_open(&handles->log); /* where that is not allowed `katydid doctor` says so */
}

void kd_gpu_events_open(const struct kd_nvml *nvml, const struct kd_gpu *gpus, int n,
                        struct kd_gpu_handles *handles)
{
    *handles = (struct kd_gpu_handles){.n = n};
    for (int i = 0; i < n; i++)
        find_handle(nvml, &gpus[i], handles, i);
    look_for_switches(nvml, gpus, handles);
    if (!has_events(nvml) || nvml->events_new(&handles->events) != 0)
        handles->events = NULL;
    /* One that does not tell its errors is watched by its readings. */
    for (int i = 0; i < n && handles->events; i++)
        if (handles->whole[i] != NULL)
            nvml->events_of(handles->whole[i], KD_NVML_XID_EVENT, handles->events);
}

void kd_gpu_events_close(const struct kd_nvml *nvml, struct kd_gpu_handles *handles)
{
    if (handles->events != NULL)
        nvml->events_free(handles->events);
    handles->events = NULL;
    kd_kernel_log_close(&handles->log);
}

static bool is_hit(const struct kd_gpu_handles *handles, int i, const struct kd_nvml_event *event)
{
    bool is_of_another_instance = event->instance != UINT_MAX && handles->instance[i] != UINT_MAX &&
                                  event->instance != handles->instance[i];
    return handles->whole[i] != NULL && handles->whole[i] == event->device &&
           !is_of_another_instance;
}

static bool is_lost(const struct kd_nvml *nvml, const struct kd_gpu_handles *handles, int i)
{
    unsigned long long memory[3];
    return handles->is_gone[i] || (handles->device[i] != NULL &&
                                   nvml->memory(handles->device[i], memory) == KD_NVML_GPU_IS_LOST);
}

/* Whoever waits for events hears that some GPU is lost, not which. */
static int find_lost(const struct kd_nvml *nvml, struct kd_gpu_handles *handles,
                     struct kd_gpu_fault *faults, int most)
{
    int n = 0;
    for (int i = 0; i < handles->n && n < most; i++) {
        if (handles->is_lost[i] || !is_lost(nvml, handles, i))
            continue;
        handles->is_lost[i] = true;
        faults[n++] = (struct kd_gpu_fault){.gpu = i, .xid = KD_XID_LOST};
    }
    return n;
}

static bool some_is_gone(const struct kd_gpu_handles *handles)
{
    bool some = false;
    for (int i = 0; i < handles->n; i++)
        some = some || (handles->is_gone[i] && !handles->is_lost[i]);
    return some;
}

/* An NVSwitch's error: of every GPU behind one, or of none that is known. */
static int add_switch_faults(const struct kd_gpu_handles *handles, const struct kd_sxid *sxid,
                             struct kd_gpu_fault *faults)
{
    struct kd_gpu_fault fault = {.gpu = KD_NO_GPU, .xid = sxid->number};
    int n = 0;
    snprintf(fault.text, sizeof fault.text, "NVSwitch %s reported SXid %d, %s", sxid->place,
             sxid->number, sxid->detail);
    if (kd_xid_effect(sxid->number) != KD_XID_FAILS)
        faults[n++] = fault;
    else
        for (fault.gpu = 0; fault.gpu < handles->n; fault.gpu++)
            if (handles->is_on_switch[fault.gpu])
                faults[n++] = fault;
    return n;
}

int kd_gpu_events_take(const struct kd_nvml *nvml, struct kd_gpu_handles *handles,
                       struct kd_gpu_fault *faults, int most)
{
    struct kd_nvml_event event;
    struct kd_sxid sxid;
    int n = 0, code = 0;
    while (handles->events != NULL && n + handles->n <= most &&
           (code = nvml->events_next(handles->events, &event, 0)) == 0)
        for (int i = 0; i < handles->n && event.type == KD_NVML_XID_EVENT; i++)
            if (is_hit(handles, i, &event))
                faults[n++] = (struct kd_gpu_fault){.gpu = i, .xid = (int)event.data};
    if (code == KD_NVML_GPU_IS_LOST || some_is_gone(handles))
        n += find_lost(nvml, handles, faults + n, most - n);
    while (n + handles->n <= most && kd_kernel_log_next(&handles->log, &sxid))
        n += add_switch_faults(handles, &sxid, faults + n);
    return n;
}
