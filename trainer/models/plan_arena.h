/* plan_arena.h - the inside of struct kd_plan, for plan*.c and the optimizers' one entry.
 *
 * All memory here is the device's but what says otherwise. */
#ifndef KD_TRAINER_PLAN_ARENA_H
#define KD_TRAINER_PLAN_ARENA_H

#include "coordinator/base/arr.h"
#include "kernels/device.h"
#include "kernels/replay.h"
#include "trainer/comm/exchange.h"
#include "trainer/models/flow.h"
#include "trainer/models/model.h"
#include "trainer/models/plan.h"
#include "trainer/models/plan_aside.h"
#include "trainer/models/plan_update.h"

enum { KD_PLAN_SLOTS = 2 };

/* Of each kind: micro-batches that do not divide the batch have two sizes, and so have those of an
 * epoch's last one. */
enum { KD_PASSES_KEPT = 4 };

/* Floats of gradients that are summed over the ranks at once, while the backward pass goes on: 1
 * MB. */
enum { KD_BUCKET_FLOATS = 1 << 18 };

/* What the host reads after a step, or on a host device before its update. */
struct kd_note {
    struct kd_loss_sums sums;
    int64_t nonfinite_at;            /* -1: all are finite */
    struct kd_loss_scale loss_scale; /* fp16, of the step that comes: 1 and never used without it */
};

/* What the host writes before a step and reads after it. */
struct kd_control {
    struct kd_turn turn;
    struct kd_hyper hyper;
    struct kd_note note;
    double sum_squares; /* of the gradient */
    float gradient_scale, gradient_norm;
    int64_t nonfinite_at;
};

enum kd_step_kind {
    KD_STEP_CALL,
    KD_STEP_SUM_DOUBLES, /* over the ranks, at once */
    KD_STEP_START_SUM,   /* gradients [at, at + n) are complete: their sum over the ranks begins */
};

/* One step of a pass. */
struct kd_step {
    enum kd_step_kind kind;
    int node; /* whose it is; the number of nodes: the loss; KD_NODE_BATCH: the batch's feed */
    bool backward;
    bool is_aside, joins; /* plan_aside.h */
    struct kd_call call;
    double *doubles;
    int64_t at, n;
    struct kd_replay replay; /* of what from here on the queue can do by itself */
};

enum kd_pass_kind {
    KD_PASS_EVALUATE,
    KD_PASS_ONLY,   /* the only micro-batch of a step */
    KD_PASS_FIRST,  /* of several */
    KD_PASS_MIDDLE, /* likewise */
    KD_PASS_LAST,   /* likewise */
    KD_N_PASSES
};

/* The steps of one pass, made for one batch's pointers and size. */
struct kd_pass {
    /* Of a step that ends with this pass (plan_step.h): [has a scale][measures the norm]. */
    struct kd_replay ends[2][2];
    KD_ARR(struct kd_step) steps; /* host memory */
    enum kd_pass_kind kind;
    int64_t used;          /* when, counted in passes; 0: never made */
    struct kd_batch batch; /* its pointers and sizes */
    struct kd_feed feed;   /* and its feed, of which batch.feed is none */
};

struct kd_plan {
    const struct kd_device *device;
    struct kd_queue *queue;
    struct kd_comm *comm; /* borrowed; NULL: alone */
    struct kd_model model;
    struct kd_flow flow;
    enum kd_loss loss;
    enum kd_precision precision;
    bool scales_loss;  /* fp16 */
    enum kd_room room; /* is it that which keeps it from being made? */
    int n_sharing;     /* ranks in the same memory of a device, this one included */
    int64_t max_batch, n_parameters, n_factors, n_statistics, n_sums, activation_bytes, value_bytes;

    struct kd_plan_tensor *tensors; /* host memory; by offset, so the last layer comes first */
    int *tensor_nodes;              /* host memory; whose they are */
    struct kd_range *ranges;        /* host memory; one per tensor */
    int n_tensors;
    KD_ARR(struct kd_plan_tensor) statistic_tensors;

    struct kd_aside aside;
    struct kd_exchange exchange; /* over the ranks; parameters and gradients are its memory */
    float *parameters, *gradients;
    float *state[KD_PLAN_SLOTS]; /* made when first asked for; this rank's part (plan_update.h) */
    float *average;              /* of the weights, or NULL */
    double *norms;               /* [n_tensors][2] */
    struct kd_range
        *own_ranges; /* host memory; ranges cut to this rank's part; NULL: not prepared */
    struct kd_update_options update;
    char *factors; /* the weights as products read them (kd_op_round); NULL: as they are */
    float *statistics;
    char *activations;
    double *sums;
    float *rates; /* tunable settings; the last one is the label smoothing */
    struct kd_control *control;
    struct kd_note *notes; /* [KD_NOTES], host memory, pinned: what was copied from the control's */
    int64_t n_notes;

    struct kd_pass passes[KD_N_PASSES][KD_PASSES_KEPT];
    int64_t n_passes;               /* run so far */
    struct kd_replay updates[2][2]; /* of the optimizer, as struct kd_pass has its ends */
    int64_t look_begin, look_end;   /* what gradients the recorded ends look at */
    struct kd_profile *profile;     /* borrowed, or NULL */
    char *nonfinite;                /* text of the last find */
};

/* The pass of this kind for this batch: one that is there, or made in the place of the one that was
 * not used for longest. */
struct kd_pass *kd_pass_for(struct kd_plan *plan, enum kd_pass_kind kind,
                            const struct kd_batch *batch);

/* Begins a pass: the one for this batch, whose turn the device has. */
struct kd_pass *kd_pass_begin(struct kd_plan *plan, enum kd_pass_kind kind,
                              const struct kd_batch *batch);
void kd_pass_run(struct kd_plan *plan, struct kd_pass *pass);
void kd_pass_run_step(struct kd_plan *plan, const struct kd_step *step);
enum kd_pass_kind kd_pass_kind_of(const struct kd_batch *batch); /* in training */

/* Makes pass->steps for this batch. */
void kd_pass_make(struct kd_pass *pass, struct kd_plan *plan, const struct kd_batch *batch);

/* Calls that one op can do together become one (plan_fuse.c). */
void kd_pass_fuse(struct kd_pass *pass, int64_t value_bytes);
void kd_pass_release(struct kd_pass *pass, struct kd_plan *plan);

static inline bool kd_plan_has_ranks(const struct kd_plan *plan)
{
    return plan->comm && plan->comm->size > 1;
}

/* ---- what a step ends with: plan_step.c puts it together */

/* Looks for what is not finite among gradients [begin, end), on the device. */
void kd_plan_look(struct kd_plan *plan, int64_t begin, int64_t end);
struct kd_call kd_plan_look_call(struct kd_plan *plan, int64_t begin, int64_t end);
/* What the device's note says now, for kd_plan_noted: its number. */
int64_t kd_plan_send_note(struct kd_plan *plan);

/* Gradients are multiplied by a scale, or the step left out; their norm is measured. */
struct kd_update_kind {
    bool scales, measures;
};
struct kd_update_kind kd_update_kind_of(const struct kd_plan *plan, const struct kd_hyper *hyper,
                                        bool with_norm);
/* The calls of an update whose hyperparameters the device has. */
void kd_plan_queue_update(struct kd_plan *plan, struct kd_update_kind kind);

/* A few bytes of the device's, there when it returns; by the ranks' deadline. */
void kd_plan_fetch(struct kd_plan *plan, void *host, const void *device, size_t bytes);

/* One op, now, on the plan's device: for what no pass has among its steps. */
static inline void kd_plan_call(struct kd_plan *plan, struct kd_call call)
{
    kd_call_run(&call, plan->device->ops, plan->queue);
}

#endif
