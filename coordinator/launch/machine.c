#include "coordinator/launch/machine.h"

#include <hwloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/launch/gpus.h"

/* "0,64": the CPU numbers in the set, empty when none. */
static char *cpu_list(hwloc_const_cpuset_t set)
{
    struct kd_str text = {0};
    int cpu;
    hwloc_bitmap_foreach_begin(cpu, set) kd_str_addf(&text, "%s%d", text.length ? "," : "", cpu);
    hwloc_bitmap_foreach_end();
    return kd_str_take(&text);
}

static void find_cores(struct kd_machine *machine, hwloc_topology_t topology)
{
    hwloc_cpuset_t mine = hwloc_bitmap_alloc();
    hwloc_get_cpubind(topology, mine, HWLOC_CPUBIND_PROCESS);
    int n = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
    for (int i = 0; i < n && machine->n_cpus < KD_POOL_MAX_CPUS; i++) {
        hwloc_obj_t core = hwloc_get_obj_by_type(topology, HWLOC_OBJ_CORE, (unsigned)i);
        hwloc_cpuset_t usable = hwloc_bitmap_dup(core->cpuset);
        hwloc_bitmap_and(usable, usable, mine);
        if (!hwloc_bitmap_iszero(usable))
            machine->cpus[machine->n_cpus++] = cpu_list(usable);
        hwloc_bitmap_free(usable);
    }
    hwloc_bitmap_free(mine);
}

/* A machine that hides its cores still has CPUs. */
static void fall_back_to_cpus(struct kd_machine *machine)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = 0; i < n && machine->n_cpus < KD_POOL_MAX_CPUS; i++)
        machine->cpus[machine->n_cpus++] = kd_format("%ld", i);
}

static void find_gpus(struct kd_machine *machine)
{
    struct kd_topology *topology = KD_NEW(struct kd_topology);
    machine->n_gpus = kd_gpus_find(machine->gpus, KD_POOL_MAX_GPUS, topology, machine->gpu_note,
                                   sizeof machine->gpu_note);
    kd_topology_links(topology, &machine->links);
    free(topology);
}

void kd_machine_find(struct kd_machine *machine)
{
    *machine = (struct kd_machine){0};
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) == 0) {
        if (hwloc_topology_load(topology) == 0)
            find_cores(machine, topology);
        hwloc_topology_destroy(topology);
    }
    if (machine->n_cpus == 0)
        fall_back_to_cpus(machine);
    machine->memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGE_SIZE);
    find_gpus(machine);
}

void kd_machine_release(struct kd_machine *machine)
{
    for (int i = 0; i < machine->n_cpus; i++)
        free(machine->cpus[i]);
    machine->n_cpus = 0;
}
