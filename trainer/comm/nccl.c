#include "trainer/comm/nccl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/log.h"
#include "trainer/comm/hardware.h"
#include "trainer/comm/rollcall.h"

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
    /* Rank 0's is everybody's; the others learn whether they have NCCL. */
    bool failed = device->collectives->make_id(comm->rank == 0 ? id : NULL, err) < 0;
    if (kd_comm_any_failed(comm, failed, err))
        return -1;
    comm->backend->broadcast(comm, 0, id, sizeof *id);
    return 0;
}

/* The process can go on, and sum by way of the host. */
static void note_left_thread(struct kd_comm *comm, const struct kd_error *problem)
{
    kd_warn("%s", problem->text);
    comm->leaves_a_thread = true;
}

/* To close it would be to wait for the others. */
static void abort_collective(struct kd_nccl_gang *gang, const struct kd_device *device)
{
    struct kd_error problem;
    if (device->collectives->abort(gang->collective, &problem) < 0)
        note_left_thread(gang->comm, &problem);
}

/* Every rank knows how all have fared when it returns. A rank that only waited in vain has no
 * reason of its own to tell. */
static int come_together(struct kd_nccl_gang *gang, const struct kd_device *device,
                         const struct kd_collective_id *id, struct kd_error *err)
{
    struct kd_comm *comm = gang->comm;
    struct kd_rollcall rollcall;
    bool leaves_a_thread = false;
    struct kd_collective_options options = {.id = *id,
                                            .rank = comm->rank,
                                            .size = comm->size,
                                            .deadline_s = comm->deadline_s,
                                            .is_in_vain = kd_rollcall_is_in_vain,
                                            .ud = &rollcall,
                                            .leaves_a_thread = &leaves_a_thread};
    kd_rollcall_begin(&rollcall, comm);
    bool failed = device->collectives->open(&gang->collective, &options, err) < 0;
    bool has_reason = failed && !rollcall.is_in_vain;
    kd_rollcall_end(&rollcall, has_reason);
    if (leaves_a_thread)
        note_left_thread(comm, err);
    if (!kd_comm_any_failed(comm, has_reason, err))
        return 0;
    if (!failed)
        abort_collective(gang, device);
    return -1;
}

int kd_nccl_gang_open(struct kd_nccl_gang *gang, struct kd_comm *comm,
                      const struct kd_device *device, struct kd_error *err)
{
    struct kd_collective_id id = {0};
    *gang = (struct kd_nccl_gang){.comm = comm};
    if (!device->collectives)
        return kd_fail(err, "nccl sums on GPUs, and the device is %s", device->name);
    if (check_own_gpus(comm, device, err) < 0 || make_id(comm, device, &id, err) < 0 ||
        come_together(gang, device, &id, err) < 0)
        return -1;
    gang->device = device;
    return 0;
}

/* What was trained is told by now: that the end is not clean is no failure of it. */
void kd_nccl_gang_close(struct kd_nccl_gang *gang)
{
    struct kd_error problem;
    if (gang->device && gang->device->collectives->close(gang->collective, &problem) < 0)
        note_left_thread(gang->comm, &problem);
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
