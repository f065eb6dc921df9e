/* nvml.h - NVIDIA's management library, loaded at run time: no toolkit is needed to build, no
 * driver to run.
 *
 * Names, values and the structures are those of NVML's public C interface, API version 12 (CUDA
 * 12.2; documented at docs.nvidia.com/deploy/nvml-api). Every call gives 0 when it succeeded. The
 * library is KATYDID_NVML, else libnvidia-ml.so.1. */
#ifndef KD_LAUNCH_NVML_H
#define KD_LAUNCH_NVML_H

#include <stddef.h>

enum {
    KD_NVML_LINKS = 18, /* NVLinks of a GPU, at most */
    KD_NVML_NAME = 96,  /* bytes of a name, a UUID or a version */

    KD_NVML_GPU_IS_LOST =
        15, /* what a call gives: it has fallen off the bus, or cannot be reached */

    KD_NVML_XID_EVENT =
        8, /* type of the events: a critical error, whose number (Xid) is the data */

    KD_NVML_END_SWITCH = 2, /* what is at the other end of a link, beside 0, a GPU: an NVSwitch */

    /* The nearest that two GPUs have in common on the way between them. */
    KD_NVML_SAME_BOARD = 0,
    KD_NVML_ONE_PCIE_SWITCH = 10,
    KD_NVML_PCIE_SWITCHES = 20,
    KD_NVML_HOST_BRIDGE = 30,
    KD_NVML_NUMA_NODE = 40,
    KD_NVML_SYSTEM = 50,
};

struct kd_nvml_pci {
    char legacy_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
};

struct kd_nvml_event {
    void *device;
    unsigned long long type, data;
    unsigned instance, compute_instance; /* of a GPU in MIG mode; all bits set: of none */
};

typedef void *kd_nvml_device; /* of the library; valid until it is closed */

/* id, name in the library, arguments: without these it is of no use to us */
#define KD_NVML_NEEDED(X)                                                                          \
    X(init, nvmlInit_v2, (void))                                                                   \
    X(shutdown, nvmlShutdown, (void))                                                              \
    X(count, nvmlDeviceGetCount_v2, (unsigned *))                                                  \
    X(by_index, nvmlDeviceGetHandleByIndex_v2, (unsigned, kd_nvml_device *))                       \
    X(uuid, nvmlDeviceGetUUID, (kd_nvml_device, char *, unsigned))                                 \
    X(name, nvmlDeviceGetName, (kd_nvml_device, char *, unsigned))                                 \
    X(memory, nvmlDeviceGetMemoryInfo, (kd_nvml_device, unsigned long long[3] /* total first */))

/* NULL where the driver is older */
#define KD_NVML_OPTIONAL(X)                                                                        \
    X(driver_version, nvmlSystemGetDriverVersion, (char *, unsigned))                              \
    X(cuda_version, nvmlSystemGetCudaDriverVersion_v2, (int * /* 12040 is 12.4 */))                \
    X(pci, nvmlDeviceGetPciInfo_v3, (kd_nvml_device, struct kd_nvml_pci *))                        \
    X(link_state, nvmlDeviceGetNvLinkState, (kd_nvml_device, unsigned, int * /* 1 = active */))    \
    X(link_end, nvmlDeviceGetNvLinkRemoteDeviceType, (kd_nvml_device, unsigned, int *))            \
    X(link_pci, nvmlDeviceGetNvLinkRemotePciInfo_v2,                                               \
      (kd_nvml_device, unsigned, struct kd_nvml_pci *))                                            \
    X(ancestor, nvmlDeviceGetTopologyCommonAncestor, (kd_nvml_device, kd_nvml_device, int *))      \
    X(mig_mode, nvmlDeviceGetMigMode, (kd_nvml_device, unsigned *, unsigned * /* pending */))      \
    X(mig_count, nvmlDeviceGetMaxMigDeviceCount, (kd_nvml_device, unsigned *))                     \
    X(mig_by_index, nvmlDeviceGetMigDeviceHandleByIndex,                                           \
      (kd_nvml_device, unsigned, kd_nvml_device *))                                                \
    X(utilization, nvmlDeviceGetUtilizationRates,                                                  \
      (kd_nvml_device, unsigned[2] /* percent of the time: computing, moving memory */))           \
    X(temperature, nvmlDeviceGetTemperature, (kd_nvml_device, int /* 0 = the GPU */, unsigned *))  \
    X(power, nvmlDeviceGetPowerUsage, (kd_nvml_device, unsigned * /* mW */))                       \
    X(instance_id, nvmlDeviceGetGpuInstanceId, (kd_nvml_device, unsigned *))                       \
    X(events_new, nvmlEventSetCreate, (void **))                                                   \
    X(events_free, nvmlEventSetFree, (void *))                                                     \
    X(events_of, nvmlDeviceRegisterEvents, (kd_nvml_device, unsigned long long, void *))           \
    X(events_next, nvmlEventSetWait_v2, (void *, struct kd_nvml_event *, unsigned /* ms */))       \
    X(energy, nvmlDeviceGetTotalEnergyConsumption,                                                 \
      (kd_nvml_device, unsigned long long * /* mJ since the driver was loaded */))

struct kd_nvml {
    void *library;
#define X(id, symbol, arguments) int(*id) arguments;
    KD_NVML_NEEDED(X)
    KD_NVML_OPTIONAL(X)
#undef X
};

/* -1: note says why there is no driver to ask. */
int kd_nvml_open(struct kd_nvml *nvml, char *note, size_t note_size);
void kd_nvml_close(struct kd_nvml *nvml);

#endif
