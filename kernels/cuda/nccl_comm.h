/* nccl_comm.h - a communicator of NCCL as nccl.cu, which opens it, waits and closes it, and
 * nccl_sums.cu, which gives it sums, see it. */
#ifndef KD_KERNELS_CUDA_NCCL_COMM_H
#define KD_KERNELS_CUDA_NCCL_COMM_H

#include "kernels/cuda/table.h"

extern "C" {
#include "kernels/cuda/nccl_library.h"
#include "kernels/cuda/nccl_record.h"
}

struct kd_collective {
    const struct kd_nccl *nccl;
    struct kd_nccl_comm *comm; /* NULL: aborted, or left as it is */
    bool has_failed;           /* for the reason in failure: nothing is done any more */
    int n_recorded;            /* sums that recordings have, which are not dropped yet */
    bool is_closing;           /* what hangs now is left behind, and the process goes on */
    bool leaves_a_thread;      /* that hangs in NCCL: one of its ends was left behind */
    int rank, size;
    int gpu;      /* CUDA's number of the one that it was opened on */
    bool is_open; /* all ranks have come together; what hangs before is left behind too */
    double deadline_s;
    bool (*is_in_vain)(void *ud); /* to wait for the others: while they come together; or NULL */
    void *ud;
    struct kd_nccl_record record;
    struct kd_error failure;
};

/* What has become of `call`, which returned `result`: asked for until the deadline. -1: it has
 * failed, and the communicator with it. */
int kd_nccl_settle(struct kd_collective *c, int result, const char *call);

/* struct kd_collectives has what they do. */
void kd_nccl_sum_floats(struct kd_collective *c, struct kd_queue *queue, float *values, int64_t n);
void kd_nccl_sum_doubles(struct kd_collective *c, struct kd_queue *queue, double *values,
                         int64_t n);
void kd_nccl_sum_of_shares(struct kd_collective *c, struct kd_queue *queue, float *all,
                           int64_t n_all, int64_t at, int64_t n);
void kd_nccl_gather(struct kd_collective *c, struct kd_queue *queue, float *all, int64_t n_all);

#endif
