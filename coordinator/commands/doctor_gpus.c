/* doctor_gpus.c - the driver, the GPUs that trials can be given or why there are none, and how they
 * are connected. */
#include "coordinator/commands/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/command.h"
#include "coordinator/launch/gpus.h"
#include "coordinator/launch/kernel_log.h"
#include "coordinator/store/place.h"
#include "coordinator/store/query.h"

/* Why there is none is said once, by the check of the GPUs. */
void kd_check_driver(struct kd_doctor *doctor)
{
    struct kd_nvml nvml;
    char note[256], version[KD_NVML_NAME] = "of unknown version";
    int cuda = 0;
    if (kd_nvml_open(&nvml, note, sizeof note) != 0)
        return;
    if (nvml.driver_version)
        nvml.driver_version(version, sizeof version);
    if (nvml.cuda_version)
        nvml.cuda_version(&cuda);
    kd_nvml_close(&nvml);
    if (cuda > 0)
        kd_doctor_add(doctor, "driver", KD_HEALTH_OK, "NVIDIA %s, runs CUDA up to %d.%d", version,
                      cuda / 1000, cuda % 1000 / 10);
    else
        kd_doctor_add(doctor, "driver", KD_HEALTH_OK, "NVIDIA %s", version);
}

/* ---- how they are connected ---- */

/* A way between two GPUs, in words; nvidia-smi topo has the same abbreviations. NULL: not known. */
static const char *way_text(const struct kd_connection *way, char text[64])
{
    static const struct {
        int level;
        const char *name;
    } ancestors[] = {
        {KD_NVML_SAME_BOARD, "on one board"},
        {KD_NVML_ONE_PCIE_SWITCH, "through one switch (PIX)"},
        {KD_NVML_PCIE_SWITCHES, "through switches (PXB)"},
        {KD_NVML_HOST_BRIDGE, "through a host bridge (PHB)"},
        {KD_NVML_NUMA_NODE, "across a NUMA node (NODE)"},
        {KD_NVML_SYSTEM, "across CPU sockets (SYS)"},
    };
    if (way->nvlinks > 0) {
        snprintf(text, 64, "%d NVLink%s%s", way->nvlinks, way->nvlinks > 1 ? "s" : "",
                 way->through_switch ? " through NVSwitches" : "");
        return text;
    }
    for (size_t i = 0; i < KD_COUNT(ancestors); i++)
        if (ancestors[i].level == way->pcie) {
            snprintf(text, 64, "PCIe %s", ancestors[i].name);
            return text;
        }
    return NULL;
}

static bool is_same_way(const struct kd_connection *a, const struct kd_connection *b)
{
    return a->nvlinks == b->nvlinks && a->through_switch == b->through_switch &&
           (a->nvlinks > 0 || a->pcie == b->pcie);
}

/* The pairs that are connected like i and j, the first such pair: "0-3 1-2", or "every pair". */
static void add_pairs(struct kd_str *text, const struct kd_topology *topology,
                      const struct kd_gpu *gpus, int i, int j)
{
    enum { MOST = 800 }; /* characters, of a line that holds 1,000 */
    const struct kd_connection *way = &topology->pair[i][j];
    int n_pairs = 0, n_like = 0;
    for (int a = 0; a < topology->n; a++)
        for (int b = a + 1; b < topology->n; b++) {
            if (gpus[a].is_mig || gpus[b].is_mig)
                continue;
            n_pairs++;
            if (!is_same_way(way, &topology->pair[a][b]))
                continue;
            n_like++;
            if (text->length < MOST)
                kd_str_addf(text, " %d-%d", gpus[a].index, gpus[b].index);
        }
    if (n_like == n_pairs && n_pairs > 1) {
        kd_str_clear(text);
        kd_str_add(text, " every pair");
    } else if (text->length >= MOST) {
        kd_str_addf(text, " ... (%d pairs)", n_like);
    }
}

static bool is_listed(const struct kd_topology *topology, const struct kd_gpu *gpus, int i, int j)
{
    for (int a = 0; a <= i; a++)
        for (int b = a + 1; b < (a < i ? topology->n : j); b++)
            if (!gpus[a].is_mig && !gpus[b].is_mig &&
                is_same_way(&topology->pair[a][b], &topology->pair[i][j]))
                return true;
    return false;
}

static void add_way(struct kd_doctor *doctor, const struct kd_topology *topology,
                    const struct kd_gpu *gpus, int i, int j)
{
    char way[64];
    struct kd_str pairs = {0};
    if (way_text(&topology->pair[i][j], way) == NULL)
        return;
    add_pairs(&pairs, topology, gpus, i, j);
    if (topology->pair[i][j].nvlinks > 0)
        kd_doctor_add(doctor, "nvlink", KD_HEALTH_OK, "gpu%s: %s", pairs.text, way);
    else
        kd_doctor_add(doctor, "nvlink", KD_HEALTH_NOTE,
                      "gpu%s: none, %s: gangs on them sum gradients slower than over NVLink",
                      pairs.text, way);
    kd_str_release(&pairs);
}

/* One line for each way in which two GPUs are connected. */
static void add_connections(struct kd_doctor *doctor, const struct kd_topology *topology,
                            const struct kd_gpu *gpus)
{
    for (int i = 0; i < topology->n; i++)
        for (int j = i + 1; j < topology->n; j++)
            if (!gpus[i].is_mig && !gpus[j].is_mig && !is_listed(topology, gpus, i, j))
                add_way(doctor, topology, gpus, i, j);
}

static bool is_switched(const struct kd_topology *topology)
{
    for (int i = 0; i < topology->n; i++)
        for (int j = 0; j < topology->n; j++)
            if (topology->pair[i][j].through_switch)
                return true;
    return false;
}

static void add_switches(struct kd_doctor *doctor, const struct kd_topology *topology)
{
    static struct kd_kernel_log log; /* large */
    if (!is_switched(topology))
        return;
    if (kd_kernel_log_open(&log) == 0)
        kd_doctor_add(doctor, "nvswitch", KD_HEALTH_OK, "errors (SXid) are read from %s",
                      kd_kernel_log_path());
    else
        kd_doctor_add(doctor, "nvswitch", KD_HEALTH_NOTE,
                      "%s cannot be read (%s): errors of NVSwitches (SXid) go unnoticed; allow it "
                      "with `sysctl kernel.dmesg_restrict=0` or CAP_SYSLOG, and show it to a "
                      "container with --device",
                      kd_kernel_log_path(), strerror(errno));
    kd_kernel_log_close(&log);
}

/* ---- what happened to them ---- */

static bool is_here(const struct kd_gpu *gpus, int n, const char *uuid)
{
    for (int i = 0; i < n; i++)
        if (strcmp(gpus[i].uuid, uuid) == 0)
            return true;
    return false;
}

/* Of each GPU that is here the newest failure in the database, if there is one: the driver itself
 * forgets them. */
static void add_failures(struct kd_doctor *doctor, struct kd_store *store,
                         const struct kd_gpu *gpus, int n)
{
    struct kd_gpu_failure *failures;
    struct kd_error err;
    char time[32];
    int n_failures;
    kd_query_gpu_failures(store, 0, &failures, &n_failures, &err); /* those that could be read */
    for (int i = 0; i < n_failures; i++) {
        bool is_newest = true;
        for (int j = i + 1; j < n_failures; j++)
            is_newest = is_newest && strcmp(failures[i].uuid, failures[j].uuid) != 0;
        if (is_newest && is_here(gpus, n, failures[i].uuid))
            kd_doctor_add(doctor, "gpu", KD_HEALTH_NOTE,
                          "%s, at %s under '%s': if nobody has mended it, keep trials off it with "
                          "CUDA_VISIBLE_DEVICES",
                          failures[i].text, kd_time_text(failures[i].at, time),
                          failures[i].experiment);
    }
    kd_gpu_failures_free(failures, n_failures);
}

static void add_history(struct kd_doctor *doctor, const struct kd_gpu *gpus, int n)
{
    struct kd_error err;
    char *path = kd_place_resolve(kd_database_path(doctor->db), &err);
    struct kd_store *store =
        path && n > 0 && access(path, F_OK) == 0 ? kd_store_open_readonly(path, &err) : NULL;
    if (store != NULL) /* why it cannot be read says the check of the database */
        add_failures(doctor, store, gpus, n);
    kd_store_close(store);
    free(path);
}

void kd_check_gpus(struct kd_doctor *doctor)
{
    static struct kd_gpu gpus[KD_POOL_MAX_GPUS];
    static struct kd_topology topology;
    char note[256] = "", memory[32];
    bool has_instances = false;
    int n = kd_gpus_find(gpus, KD_POOL_MAX_GPUS, &topology, note, sizeof note);
    for (int i = 0; i < n; i++) {
        kd_doctor_add(doctor, "gpu", KD_HEALTH_OK, "%d: %s, %s, %s", gpus[i].index, gpus[i].name,
                      kd_bytes_text(gpus[i].memory_bytes, memory), gpus[i].uuid);
        has_instances = has_instances || gpus[i].is_mig;
    }
    if (n == 0)
        kd_doctor_add(doctor, "gpu", KD_HEALTH_NOTE, "none: %s; trials run on the CPU", note);
    else if (*note)
        kd_doctor_add(doctor, "gpu", KD_HEALTH_NOTE, "%s", note);
    if (has_instances)
        kd_doctor_add(doctor, "gpu", KD_HEALTH_NOTE,
                      "MIG instances are slots of their own: CUDA shows a process one of them and "
                      "NCCL connects none, so a trial should ask for gpus: 1");
    add_history(doctor, gpus, n);
    add_connections(doctor, &topology, gpus);
    add_switches(doctor, &topology);
}
