/* self.c - one rank alone: every sum is done already. Nothing is linked up, so starting costs
 * nothing (an MPI singleton's MPI_Init takes 22 ms and more). */
#include "trainer/comm/comm.h"

static int open_self(struct kd_comm *comm, struct kd_error *err)
{
    if (comm->size > 1)
        return kd_fail(err, "self is for one rank alone, and here are %d; use auto", comm->size);
    return 0;
}

static void close_self(struct kd_comm *comm)
{
    (void)comm;
}

static void start_sum(struct kd_comm *comm, float *values, int64_t n)
{
    (void)comm, (void)values, (void)n;
}

static void start_sum_of_shares(struct kd_comm *comm, float *all, int64_t n_all, int64_t at,
                                int64_t n)
{
    (void)comm, (void)all, (void)n_all, (void)at, (void)n;
}

static void progress(struct kd_comm *comm)
{
    (void)comm;
}

static void finish_sums(struct kd_comm *comm)
{
    (void)comm;
}

static void sum_floats(struct kd_comm *comm, float *values, int64_t n)
{
    (void)comm, (void)values, (void)n;
}

static void sum_doubles(struct kd_comm *comm, double *values, int64_t n)
{
    (void)comm, (void)values, (void)n;
}

static void gather_floats(struct kd_comm *comm, float *values, int64_t n)
{
    (void)comm, (void)values, (void)n;
}

static void broadcast(struct kd_comm *comm, int root, void *bytes, int64_t n)
{
    (void)comm, (void)root, (void)bytes, (void)n;
}

static void wait_broadcast(struct kd_comm *comm, void *bytes, int64_t n)
{
    (void)comm, (void)bytes, (void)n;
}

static void barrier(struct kd_comm *comm)
{
    (void)comm;
}

const struct kd_comm_backend kd_comm_self = {
    .name = "self",
    .summary = "one rank alone",
    .open = open_self,
    .close = close_self,
    .alloc_floats = kd_comm_alloc_plain,
    .free_floats = kd_comm_free_plain,
    .start_sum = start_sum,
    .start_sum_of_shares = start_sum_of_shares,
    .progress = progress,
    .finish_sums = finish_sums,
    .sum_floats = sum_floats,
    .sum_doubles = sum_doubles,
    .gather_floats = gather_floats,
    .broadcast = broadcast,
    .wait_broadcast = wait_broadcast,
    .barrier = barrier,
};
