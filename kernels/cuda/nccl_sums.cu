/* nccl_sums.cu - what a communicator is given: sums over all ranks, of all values or of each rank's
 * share, and the shares gathered. Each stands in the flight record, and where a queue records, with
 * the recording, to be entered at each replay. */
#include <stdlib.h>

#include "kernels/cuda/nccl_comm.h"
#include "kernels/cuda/recording.h"

extern "C" {
#include "coordinator/base/clock.h"
}

/* ---- sums */

/* Places count all collectives of the process, so that a queue needs to know but one number
 * (table.h). */
static void note(struct kd_collective *c, struct kd_queue *queue, struct kd_nccl_record_entry entry)
{
    static int64_t n_places;
    entry.issued_us = kd_clock_mono_us();
    entry.place = queue->last_collective = ++n_places;
    kd_nccl_record_add(&c->record, entry);
}

/* One that a recording has: it is issued whenever that is replayed. */
struct recorded_call {
    struct kd_collective *c;
    struct kd_nccl_record_entry entry;
};

static bool can_be_issued(void *ud)
{
    return !((struct recorded_call *)ud)->c->has_failed;
}

static void is_issued(void *ud, struct kd_queue *queue)
{
    struct recorded_call *call = (struct recorded_call *)ud;
    note(call->c, queue, call->entry);
}

static void is_dropped(void *ud)
{
    ((struct recorded_call *)ud)->c->n_recorded--;
    free(ud);
}

static void keep(struct kd_collective *c, struct kd_nccl_record_entry entry)
{
    struct recorded_call *call = KD_NEW(struct recorded_call);
    *call = {c, entry};
    c->n_recorded++;
    kd_cuda_keep_recorded({can_be_issued, is_issued, is_dropped, call});
}

/* False where there is nothing to do: on all ranks alike, but for one that has failed. */
static bool begin(struct kd_collective *c, struct kd_queue *queue, const char *kind, int64_t n,
                  size_t size)
{
    struct kd_nccl_record_entry entry = {
        .kind = kind, .count = n, .bytes = n * (int64_t)size, .issued_us = 0, .place = 0};
    if (c->has_failed || n == 0)
        return false;
    if (kd_cuda_is_recorded(queue))
        keep(c, entry);
    else
        note(c, queue, entry);
    return true;
}

static void sum(struct kd_collective *c, struct kd_queue *queue, void *values, int64_t n, int type)
{
    int result = c->nccl->ncclAllReduce(values, values, (size_t)n, type, KD_NCCL_SUM, c->comm,
                                        queue->stream);
    kd_nccl_settle(c, result, "ncclAllReduce");
}

void kd_nccl_sum_floats(struct kd_collective *c, struct kd_queue *queue, float *values, int64_t n)
{
    if (begin(c, queue, "sum_floats", n, sizeof *values))
        sum(c, queue, values, n, KD_NCCL_FLOAT);
}

void kd_nccl_sum_doubles(struct kd_collective *c, struct kd_queue *queue, double *values, int64_t n)
{
    if (begin(c, queue, "sum_doubles", n, sizeof *values))
        sum(c, queue, values, n, KD_NCCL_DOUBLE);
}

/* ---- shares */

static int64_t share_begin(const struct kd_collective *c, int64_t n_all, int owner)
{
    return n_all * owner / c->size;
}

/* Calls of one group: they are issued together, and once the group is open it has to be closed. */
struct group {
    struct kd_collective *c;
    const char *call;
    int result;
};

static struct group group_begin(struct kd_collective *c, const char *call)
{
    return {c, call, c->nccl->ncclGroupStart()};
}

static bool group_goes_on(const struct group *group)
{
    return group->result == KD_NCCL_SUCCESS || group->result == KD_NCCL_IN_PROGRESS;
}

static void group_end(struct group *group)
{
    int ended = group->c->nccl->ncclGroupEnd();
    kd_nccl_settle(group->c, group_goes_on(group) ? ended : group->result, group->call);
}

/* Each owner's piece of the stretch is summed for that rank alone. */
static void sum_pieces(struct kd_collective *c, cudaStream_t stream, float *all, int64_t n_all,
                       int64_t at, int64_t n)
{
    struct group group = group_begin(c, "a group of ncclReduce");
    for (int owner = 0; owner < c->size && group_goes_on(&group); owner++) {
        int64_t from = kd_max(share_begin(c, n_all, owner), at);
        int64_t to = kd_min(share_begin(c, n_all, owner + 1), at + n);
        if (from < to)
            group.result = c->nccl->ncclReduce(all + from, all + from, (size_t)(to - from),
                                               KD_NCCL_FLOAT, KD_NCCL_SUM, owner, c->comm, stream);
    }
    group_end(&group);
}

void kd_nccl_sum_of_shares(struct kd_collective *c, struct kd_queue *queue, float *all,
                           int64_t n_all, int64_t at, int64_t n)
{
    if (!begin(c, queue, "sum_of_shares", n, sizeof *all))
        return;
    if (n < n_all || n_all % c->size != 0) {
        sum_pieces(c, queue->stream, all, n_all, at, n);
        return;
    }
    int64_t n_each = n_all / c->size;
    int result = c->nccl->ncclReduceScatter(all, all + c->rank * n_each, (size_t)n_each,
                                            KD_NCCL_FLOAT, KD_NCCL_SUM, c->comm, queue->stream);
    kd_nccl_settle(c, result, "ncclReduceScatter");
}

static void gather_pieces(struct kd_collective *c, cudaStream_t stream, float *all, int64_t n_all)
{
    struct group group = group_begin(c, "a group of ncclBroadcast");
    for (int owner = 0; owner < c->size && group_goes_on(&group); owner++) {
        int64_t from = share_begin(c, n_all, owner), to = share_begin(c, n_all, owner + 1);
        if (from < to)
            group.result = c->nccl->ncclBroadcast(all + from, all + from, (size_t)(to - from),
                                                  KD_NCCL_FLOAT, owner, c->comm, stream);
    }
    group_end(&group);
}

void kd_nccl_gather(struct kd_collective *c, struct kd_queue *queue, float *all, int64_t n_all)
{
    if (!begin(c, queue, "gather", n_all, sizeof *all))
        return;
    if (n_all % c->size != 0) {
        gather_pieces(c, queue->stream, all, n_all);
        return;
    }
    int64_t n_each = n_all / c->size;
    int result = c->nccl->ncclAllGather(all + c->rank * n_each, all, (size_t)n_each, KD_NCCL_FLOAT,
                                        c->comm, queue->stream);
    kd_nccl_settle(c, result, "ncclAllGather");
}
