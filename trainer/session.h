/* session.h - what a warm trainer keeps from one trial to the next: ranks, data sets, the compiled
 * plan, buffers.
 *
 * A trial of another shape compiles a new plan; one of the same shape (other rates, other learning
 * rate, other seed) takes the one that is there. */
#ifndef KD_TRAINER_SESSION_H
#define KD_TRAINER_SESSION_H

#include "trainer/comm/comm.h"
#include "trainer/comm/nccl.h"
#include "trainer/config.h"
#include "trainer/data/loader.h"
#include "trainer/speed.h"

struct kd_session {
    struct kd_comm *comm; /* borrowed */
    struct kd_datasets datasets;
    struct kd_plan *plan;
    struct kd_speed speed;          /* of the plan */
    struct kd_plan_options plan_is; /* what the plan was made for; its model is not kept */
    enum kd_room room; /* is it that for which the last trial could not be prepared on this rank? */

    struct kd_loader loader; /* this rank's part of one batch */
    int64_t max_batch;
    KD_ARR(int32_t) order; /* the epoch's permutation of the training part */

    struct kd_nccl_gang gang; /* where ranks sum on their GPUs; opened when a trial first does */
    bool sums_on_gpus;        /* this trial's ranks do */
    bool gang_failed;         /* auto does not try again */
    int n_sharing;            /* ranks on this rank's device */
    const struct kd_device *device; /* of the plan and the loader */
    char *device_is;                /* what was chosen: "auto"; NULL: nothing yet */
};

void kd_session_init(struct kd_session *session, struct kd_comm *comm);
void kd_session_release(struct kd_session *session);

/* From now on the backend of this name (or "auto") makes the ranks' calls; collective. -1 on all
 * ranks or on none. "nccl": that of "auto", and kd_session_choose_sums has the rest. */
int kd_session_choose_comm(struct kd_session *session, const char *name, struct kd_error *err);

/* A GPU that others hold the memory of is waited for: that of a gang which was killed is free again
 * in a moment. So many seconds; then room says that it is taken. */
#define KD_GPU_PATIENCE "KATYDID_GPU_PATIENCE" /* environment; without it 10 */

/* From now on plans run on the device of this name; "auto": a GPU where every rank has one it can
 * use, else the CPU. Collective. -1 on all ranks or on none: a text that says what is missing. */
int kd_session_choose_device(struct kd_session *session, const char *name, struct kd_error *err);

/* After the two above: whether several ranks sum on their GPUs. comm "auto": where they can;
 * "nccl": they must. Collective, -1 on all ranks or on none. */
int kd_session_choose_sums(struct kd_session *session, const char *comm, struct kd_error *err);

/* When one rank could not prepare, all begin the next trial alike. */
void kd_session_drop_plan(struct kd_session *session);

/* Gets the data, checks the model against them, and has a plan and buffers ready. Not collective.
 * *dataset is borrowed until the next call. */
int kd_session_prepare(struct kd_session *session, const struct kd_config *config,
                       const struct kd_dataset **dataset, struct kd_error *err);

/* This rank's share (first and end are set here) of a global batch or micro-batch, into the
 * loader's memory and *batch. */
void kd_session_load(struct kd_session *session, struct kd_draw draw, struct kd_batch *batch);

#endif
