/* nvml_standin.c - plays NVIDIA's management library for machines that are not there: KATYDID_NVML
 * names this library, and NVML_STANDIN the machine of the table below. In the folder
 * NVML_STANDIN_DIR, where it is given, a test and this library tell each other things by files: the
 * library makes `read-GPU` when that GPU's telemetry is read; it takes away `xid-GPU` and gives the
 * number in it as an error of that GPU; the GPU is lost while there is `lost-GPU`, and reading it
 * does not come back while there is `hang-GPU`. Signatures and values are those of NVML's public
 * interface, version 12. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { GPUS_MAX = 8, INSTANCES = 7 };
enum {
    OK = 0,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    TIMEOUT = 10,
    IS_LOST = 15,
    MISMATCH = 18
};
enum { END_GPU = 0, END_SWITCH = 2 };

struct pci {
    char legacy_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
};

static const struct machine {
    const char *name, *gpu;
    int n_gpus;
    const char *lanes;     /* "03:2": two NVLinks between 0 and 3 */
    int to_switch;         /* links of each GPU to NVSwitches */
    int ancestor;          /* of the first half and of the second; between them all is SYSTEM */
    const char *instances; /* "1:0,1,3": GPU 1 is in MIG mode and has these instances */
    int init;
} machines[] = {
    {"station", "Tesla V100-DGXS-32GB", 4, "01:1 02:1 03:2 12:2 13:1 23:1", 0, 30, "", OK},
    {"nvswitch", "NVIDIA H100 80GB HBM3", 8, "", 18, 40, "", OK},
    {"pcie", "NVIDIA A10", 2, "", 0, 30, "", OK},
    {"pascal", "Tesla P100-PCIE-16GB", 2, "", 0, 30, "", OK},
    {"sockets", "NVIDIA A10", 4, "", 0, 20, "", OK},
    {"single", "NVIDIA A10", 1, "", 0, 30, "", OK},
    {"mig", "NVIDIA A100-SXM4-40GB", 1, "", 0, 30, "0:0,1,3", OK},
    {"mixed", "NVIDIA A100-SXM4-40GB", 4, "02:12", 0, 40, "1:0,1 3:2", OK},
    {"uncut", "NVIDIA A100-SXM4-40GB", 1, "", 0, 30, "0:", OK},
    {"half", "NVIDIA A100-SXM4-40GB", 2, "", 0, 30, "1:", OK},
    {"none", "", 0, "", 0, 30, "", OK},
    {"mismatch", "", 0, "", 0, 30, "", MISMATCH},
};

struct device {
    int gpu, instance; /* -1: the GPU itself */
};

static const struct machine *machine;
static struct device gpus[GPUS_MAX], instances[GPUS_MAX][INSTANCES];

/* Declared and defined at once: the library's header is not at hand. */
#define CALL(name, ...)                                                                            \
    int name(__VA_ARGS__);                                                                         \
    int name(__VA_ARGS__)

/* The path of a file of the folder; false: there is no folder. */
static bool file_of(char path[512], const char *what, int gpu)
{
    const char *dir = getenv("NVML_STANDIN_DIR");
    snprintf(path, 512, "%s/%s-%d", dir ? dir : "", what, gpu);
    return dir != NULL;
}

static void tell(const char *what, int gpu)
{
    char path[512];
    FILE *file = file_of(path, what, gpu) ? fopen(path, "we") : NULL;
    if (file != NULL)
        fclose(file);
}

static bool is_lost(int gpu)
{
    char path[512];
    return file_of(path, "lost", gpu) && access(path, F_OK) == 0;
}

CALL(nvmlInit_v2, void)
{
    const char *name = getenv("NVML_STANDIN");
    machine = NULL;
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++)
        if (name && strcmp(machines[i].name, name) == 0)
            machine = &machines[i];
    for (int i = 0; i < GPUS_MAX; i++) {
        gpus[i] = (struct device){i, -1};
        for (int j = 0; j < INSTANCES; j++)
            instances[i][j] = (struct device){i, j};
    }
    return machine ? machine->init : NOT_FOUND;
}

CALL(nvmlShutdown, void)
{
    machine = NULL;
    return OK;
}

const char *nvmlErrorString(int code);
const char *nvmlErrorString(int code)
{
    return code == MISMATCH ? "Driver/library version mismatch" : "Not Found";
}

CALL(nvmlSystemGetDriverVersion, char *text, unsigned size)
{
    snprintf(text, size, "535.129.03");
    return OK;
}

CALL(nvmlSystemGetCudaDriverVersion_v2, int *version)
{
    *version = 12020;
    return OK;
}

CALL(nvmlDeviceGetCount_v2, unsigned *count)
{
    *count = (unsigned)machine->n_gpus;
    return OK;
}

CALL(nvmlDeviceGetHandleByIndex_v2, unsigned index, struct device **device)
{
    if (index >= (unsigned)machine->n_gpus)
        return INVALID_ARGUMENT;
    if (is_lost((int)index))
        return IS_LOST;
    *device = &gpus[index];
    return OK;
}

CALL(nvmlDeviceGetUUID, const struct device *device, char *text, unsigned size)
{
    if (is_lost(device->gpu))
        return IS_LOST;
    if (device->instance < 0)
        snprintf(text, size, "GPU-5748a0b1-0000-0000-0000-00000000000%d", device->gpu);
    else
        snprintf(text, size, "MIG-feee0c61-0000-0000-000%d-00000000000%d", device->gpu,
                 device->instance);
    return OK;
}

CALL(nvmlDeviceGetName, const struct device *device, char *text, unsigned size)
{
    snprintf(text, size, "%s%s", machine->gpu, device->instance < 0 ? "" : " MIG 1g.5gb");
    return OK;
}

CALL(nvmlDeviceGetMemoryInfo, const struct device *device, unsigned long long memory[3])
{
    if (is_lost(device->gpu))
        return IS_LOST;
    memory[0] = (device->instance < 0 ? 32ULL : 5ULL) << 30;
    memory[2] = ((unsigned long long)device->gpu + 1) << 30;
    memory[1] = memory[0] - memory[2];
    return OK;
}

/* ---- telemetry: each GPU takes 200 W more than the one before it; an instance has a temperature
 * and memory only ---- */

CALL(nvmlDeviceGetPowerUsage, const struct device *device, unsigned *milliwatts)
{
    if (is_lost(device->gpu))
        return IS_LOST;
    *milliwatts = 200000u * ((unsigned)device->gpu + 1);
    return device->instance < 0 ? OK : NOT_SUPPORTED;
}

CALL(nvmlDeviceGetTotalEnergyConsumption, const struct device *device,
     unsigned long long *millijoules)
{
    if (is_lost(device->gpu))
        return IS_LOST;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    *millijoules = (unsigned long long)(seconds * 200000 * (device->gpu + 1));
    bool is_before_volta = strncmp(machine->gpu, "Tesla P", 7) == 0;
    return device->instance < 0 && !is_before_volta ? OK : NOT_SUPPORTED;
}

CALL(nvmlDeviceGetUtilizationRates, const struct device *device, unsigned percent[2])
{
    if (is_lost(device->gpu))
        return IS_LOST;
    percent[0] = 60 + (unsigned)device->gpu;
    percent[1] = 20;
    return device->instance < 0 ? OK : NOT_SUPPORTED;
}

CALL(nvmlDeviceGetTemperature, const struct device *device, int sensor, unsigned *celsius)
{
    if (is_lost(device->gpu))
        return IS_LOST;
    char path[512];
    while (file_of(path, "hang", device->gpu) && access(path, F_OK) == 0)
        usleep(10000);
    *celsius = 50 + (unsigned)device->gpu;
    tell("read", device->gpu);
    return sensor == 0 ? OK : INVALID_ARGUMENT;
}

CALL(nvmlDeviceGetPciInfo_v3, const struct device *device, struct pci *pci)
{
    *pci = (struct pci){.domain = 1, .bus = 7 + 0x10 * (unsigned)device->gpu};
    snprintf(pci->id, sizeof pci->id, "%08X:%02X:00.0", pci->domain, pci->bus);
    return OK;
}

/* The GPU at the other end of a link, -1: a switch, -2: nothing. */
static int end_of(const struct device *device, unsigned link)
{
    const char *text = machine->lanes;
    int i, j, lanes, length, at = 0;
    while (sscanf(text, " %1d%1d:%d%n", &i, &j, &lanes, &length) == 3) {
        int other = i == device->gpu ? j : j == device->gpu ? i : -1;
        at += other >= 0 ? lanes : 0;
        if (other >= 0 && (int)link < at)
            return other;
        text += length;
    }
    return (int)link < at + machine->to_switch ? -1 : -2;
}

CALL(nvmlDeviceGetNvLinkState, const struct device *device, unsigned link, int *is_active)
{
    if (machine->lanes[0] == '\0' && machine->to_switch == 0)
        return NOT_SUPPORTED;
    *is_active = end_of(device, link) != -2;
    return OK;
}

CALL(nvmlDeviceGetNvLinkRemoteDeviceType, const struct device *device, unsigned link, int *type)
{
    *type = end_of(device, link) == -1 ? END_SWITCH : END_GPU;
    return OK;
}

CALL(nvmlDeviceGetNvLinkRemotePciInfo_v2, const struct device *device, unsigned link,
     struct pci *pci)
{
    int other = end_of(device, link);
    return other < 0 ? NOT_SUPPORTED : nvmlDeviceGetPciInfo_v3(&gpus[other], pci);
}

CALL(nvmlDeviceGetTopologyCommonAncestor, const struct device *a, const struct device *b,
     int *level)
{
    enum { SYSTEM = 50 };
    int half = machine->n_gpus / 2;
    *level = machine->n_gpus > 2 && (a->gpu < half) != (b->gpu < half) ? SYSTEM : machine->ancestor;
    return OK;
}

/* The instances of this GPU as text after "N:"; NULL: it is not in MIG mode. */
static const char *cut_of(const struct device *device)
{
    char key[8];
    snprintf(key, sizeof key, "%d:", device->gpu);
    const char *at = strstr(machine->instances, key);
    return at ? at + strlen(key) : NULL;
}

CALL(nvmlDeviceGetMigMode, const struct device *device, unsigned *now, unsigned *pending)
{
    if (machine->instances[0] == '\0')
        return NOT_SUPPORTED;
    *now = *pending = cut_of(device) != NULL;
    return OK;
}

CALL(nvmlDeviceGetMaxMigDeviceCount, const struct device *device, unsigned *count)
{
    *count = cut_of(device) ? INSTANCES : 0;
    return OK;
}

CALL(nvmlDeviceGetMigDeviceHandleByIndex, const struct device *device, unsigned index,
     struct device **instance)
{
    const char *cut = cut_of(device);
    size_t length = strcspn(cut, " ");
    for (size_t i = 0; i < length; i++)
        if (cut[i] == (char)('0' + index)) {
            *instance = &instances[device->gpu][index];
            return OK;
        }
    return NOT_FOUND;
}

/* ---- errors ---- */

struct event {
    struct device *device;
    unsigned long long type, data;
    unsigned instance, compute_instance;
};

enum { XID_EVENT = 8 };
static bool is_watched[GPUS_MAX];

CALL(nvmlEventSetCreate, void **set)
{
    *set = is_watched;
    memset(is_watched, 0, sizeof is_watched);
    return OK;
}

CALL(nvmlEventSetFree, void *set)
{
    return set == is_watched ? OK : INVALID_ARGUMENT;
}

CALL(nvmlDeviceRegisterEvents, const struct device *device, unsigned long long types, void *set)
{
    if (set != is_watched || types != XID_EVENT || device->instance >= 0)
        return INVALID_ARGUMENT;
    is_watched[device->gpu] = true;
    return OK;
}

/* The number in `xid-GPU`, once; 0: no error. An Xid in MIG mode may name an instance after it: "94
 * 1". */
static unsigned take_xid(int gpu, unsigned *instance)
{
    char path[512];
    unsigned xid = 0;
    *instance = ~0u;
    FILE *file = file_of(path, "xid", gpu) ? fopen(path, "re") : NULL;
    if (file == NULL)
        return 0;
    if (fscanf(file, "%u %u", &xid, instance) < 1)
        xid = 0;
    fclose(file);
    if (xid != 0)
        unlink(path);
    return xid;
}

CALL(nvmlEventSetWait_v2, const void *set, struct event *event, unsigned milliseconds)
{
    bool some_is_lost = false;
    if (set != is_watched || milliseconds != 0)
        return INVALID_ARGUMENT;
    for (int i = 0; i < machine->n_gpus; i++) {
        unsigned instance, xid = is_watched[i] ? take_xid(i, &instance) : 0;
        if (xid != 0) {
            *event = (struct event){&gpus[i], XID_EVENT, xid, instance, ~0u};
            return OK;
        }
        some_is_lost = some_is_lost || (is_watched[i] && is_lost(i));
    }
    return some_is_lost ? IS_LOST : TIMEOUT;
}

CALL(nvmlDeviceGetGpuInstanceId, const struct device *instance, unsigned *id)
{
    *id = (unsigned)instance->instance;
    return OK;
}

/* ---- and two more libraries that only say their version, for `katydid doctor` ---- */

CALL(ncclGetVersion, int *version)
{
    *version = 22304;
    return OK;
}

size_t cublasLtGetVersion(void);
size_t cublasLtGetVersion(void)
{
    return 120805;
}
