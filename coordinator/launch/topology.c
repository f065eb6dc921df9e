#include "coordinator/launch/topology.h"

/* What is known of each GPU while the pairs are looked at. */
struct end {
    kd_nvml_device device; /* NULL: it cannot be asked */
    struct kd_nvml_pci pci;
    int to_switch; /* active links to NVSwitches */
};

static bool is_same_place(const struct kd_nvml_pci *a, const struct kd_nvml_pci *b)
{
    return a->domain == b->domain && a->bus == b->bus && a->device == b->device;
}

static int find_place(const struct end *ends, int n, const struct kd_nvml_pci *pci)
{
    for (int i = 0; i < n; i++)
        if (ends[i].device && is_same_place(&ends[i].pci, pci))
            return i;
    return -1;
}

/* A MIG instance has no links and no place of its own, and its GPU's would say what it cannot
 * use. */
static void find_ends(const struct kd_nvml *nvml, const struct kd_gpu *gpus, int n,
                      struct end *ends)
{
    for (int i = 0; i < n; i++) {
        kd_nvml_device device = NULL;
        ends[i] = (struct end){0};
        if (gpus[i].is_mig || nvml->by_index((unsigned)gpus[i].index, &device) != 0)
            continue;
        if (nvml->pci && nvml->pci(device, &ends[i].pci) == 0)
            ends[i].device = device;
    }
}

static bool goes_to_switch(const struct kd_nvml *nvml, kd_nvml_device device, unsigned link)
{
    int kind = 0;
    return nvml->link_end && nvml->link_end(device, link, &kind) == 0 && kind == KD_NVML_END_SWITCH;
}

static bool is_active(const struct kd_nvml *nvml, kd_nvml_device device, unsigned link)
{
    int state = 0;
    return nvml->link_state(device, link, &state) == 0 && state != 0;
}

bool kd_gpu_is_on_switch(const struct kd_nvml *nvml, kd_nvml_device device)
{
    for (unsigned link = 0; nvml->link_state && link < KD_NVML_LINKS; link++)
        if (is_active(nvml, device, link) && goes_to_switch(nvml, device, link))
            return true;
    return false;
}

/* One link of GPU i. Its other end may also be a GPU that is hidden from us, or none. */
static void follow_link(const struct kd_nvml *nvml, struct end *ends, int i, unsigned link,
                        struct kd_topology *topology)
{
    struct kd_nvml_pci pci = {0};
    if (!is_active(nvml, ends[i].device, link))
        return;
    if (goes_to_switch(nvml, ends[i].device, link)) {
        ends[i].to_switch++;
        return;
    }
    int j =
        nvml->link_pci(ends[i].device, link, &pci) == 0 ? find_place(ends, topology->n, &pci) : -1;
    if (j >= 0 && j != i)
        topology->pair[i][j].nvlinks++;
}

static void follow_links(const struct kd_nvml *nvml, struct end *ends, struct kd_topology *topology)
{
    if (nvml->link_state == NULL || nvml->link_pci == NULL)
        return;
    for (int i = 0; i < topology->n; i++)
        for (unsigned link = 0; ends[i].device && link < KD_NVML_LINKS; link++)
            follow_link(nvml, ends, i, link, topology);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

/* Puts together what was seen from both ends. */
static struct kd_connection connect(const struct kd_nvml *nvml, const struct end *a,
                                    const struct end *b, int nvlinks)
{
    struct kd_connection connection = {.nvlinks = nvlinks, .pcie = -1};
    int switched = least(a->to_switch, b->to_switch), level;
    if (nvlinks == 0 && switched > 0) {
        connection.nvlinks = switched;
        connection.through_switch = true;
    }
    if (a->device && b->device && nvml->ancestor &&
        nvml->ancestor(a->device, b->device, &level) == 0)
        connection.pcie = level;
    return connection;
}

void kd_topology_find(const struct kd_nvml *nvml, const struct kd_gpu *gpus, int n,
                      struct kd_topology *topology)
{
    static const struct kd_nvml nobody;
    struct end ends[KD_POOL_MAX_GPUS] = {0};
    *topology = (struct kd_topology){.n = n};
    if (nvml != NULL) {
        find_ends(nvml, gpus, n, ends);
        follow_links(nvml, ends, topology);
    }
    for (int j = 1; j < n; j++)
        for (int i = 0; i < j; i++) {
            int nvlinks = most(topology->pair[i][j].nvlinks, topology->pair[j][i].nvlinks);
            struct kd_connection connection =
                connect(nvml ? nvml : &nobody, &ends[i], &ends[j], nvlinks);
            connection.is_apart = gpus[i].is_mig != gpus[j].is_mig;
            topology->pair[i][j] = topology->pair[j][i] = connection;
        }
}

static int score(const struct kd_connection *connection)
{
    enum { NVLINK = 100 };
    if (connection->is_apart)
        return KD_LINK_NEVER;
    if (connection->nvlinks > 0)
        return NVLINK * connection->nvlinks;
    bool is_known = connection->pcie >= KD_NVML_SAME_BOARD && connection->pcie <= KD_NVML_SYSTEM;
    return is_known ? (KD_NVML_SYSTEM - connection->pcie) / 10 : 0;
}

void kd_topology_links(const struct kd_topology *topology, struct kd_links *links)
{
    *links = (struct kd_links){0};
    for (int j = 1; j < topology->n; j++)
        for (int i = 0; i < j; i++)
            kd_links_set(links, i, j, score(&topology->pair[i][j]));
}
