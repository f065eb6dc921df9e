#include "trainer/comm/hardware.h"

#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"

double *kd_hardware_of_ranks(struct kd_comm *comm, const struct kd_device *device)
{
    char text[KD_IDENTITY_MAX];
    device->identity(text);
    uint64_t hash = 0;
    for (const char *c = text; *c; c++)
        hash = kd_hash2(hash, (unsigned char)*c);
    double *all = KD_NEW_ARRAY(double, (size_t)comm->size);
    all[comm->rank] = (double)(hash >> 12);
    comm->backend->sum_doubles(comm, all, comm->size);
    return all;
}

int kd_ranks_on_device(struct kd_comm *comm, const struct kd_device *device)
{
    if (comm->size == 1 || device->is_host)
        return 1;
    double *all = kd_hardware_of_ranks(comm, device);
    int n = 0;
    for (int rank = 0; rank < comm->size; rank++)
        n += all[rank] == all[comm->rank];
    free(all);
    return n;
}
