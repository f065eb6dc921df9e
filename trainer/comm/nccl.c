#include "trainer/comm/nccl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/log.h"
#include "trainer/comm/hardware.h"

static int check_own_gpus(struct kd_comm *comm, const struct kd_device *device,
                          struct kd_error *err)
{
    double *all = kd_hardware_of_ranks(comm, device);
    int status = 0;
    for (int a = 0; a < comm->size && status == 0; a++)
        for (int b = a + 1; b < comm->size && status == 0; b++)
            if (all[a] == all[b])
                status = kd_fail(err,
                                 "ranks %d and %d have the same GPU, and NCCL needs one for each: "
                                 "start fewer ranks, or sum through the host (comm: shm or mpi)",
                                 a, b);
    free(all);
    return status;
}

/* ---- coming together */

static int make_id(struct kd_comm *comm, const struct kd_device *device,
                   struct kd_collective_id *id, struct kd_error *err)
{
    bool failed = device->collectives->make_id(id, err) < 0; /* on every rank, as it loads NCCL */
    if (kd_comm_any_failed(comm, failed, err))
        return -1;
    comm->backend->broadcast(comm, 0, id, sizeof *id);
    return 0;
}

int kd_nccl_gang_open(struct kd_nccl_gang *gang, struct kd_comm *comm,
                      const struct kd_device *device, struct kd_error *err)
{
    struct kd_collective_id id = {0};
    if (!device->collectives)
        return kd_fail(err, "nccl sums on GPUs, and the device is %s", device->name);
    if (check_own_gpus(comm, device, err) < 0 || make_id(comm, device, &id, err) < 0)
        return -1;
    bool failed = device->collectives->open(&gang->collective, &id, comm->rank, comm->size,
                                            comm->deadline_s, err) < 0;
    if (!failed)
        gang->device = device;
    gang->rank = comm->rank;
    if (!kd_comm_any_failed(comm, failed, err))
        return 0;
    kd_nccl_gang_close(gang);
    return -1;
}

void kd_nccl_gang_close(struct kd_nccl_gang *gang)
{
    struct kd_error problem;
    if (gang->device && gang->device->collectives->close(gang->collective, &problem) < 0)
        kd_warn("%s", problem.text);
    *gang = (struct kd_nccl_gang){0};
}

/* ---- failing */

void kd_nccl_gang_wait(struct kd_nccl_gang *gang, struct kd_queue *queue, int mark)
{
    struct kd_error problem;
    if (gang->device->collectives->wait(gang->collective, queue, mark, &problem) == 0)
        return;
    kd_log(KD_LOG_ERROR, "the gang ends, to go on from its last checkpoint: %s", problem.text);
    _exit(EXIT_FAILURE); /* without MPI's farewell, for which it would wait */
}
