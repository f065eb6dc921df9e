/* plan.h - a model compiled for a fixed batch shape: arenas and a flat list of op calls.
 *
 * The model is the `model:` block of the `trainer:` block, every placeholder filled (expand.h).
 * Compiling checks shapes and gives one arena each for parameters, gradients, optimizer state,
 * running statistics and activations. Parameters and gradients lie flat, in reverse layer order, so
 * a gradient bucket is a contiguous range and the optimizer is one op over one arena.
 *
 * Independent of the number of ranks: dropout masks and initial weights come from a counter RNG
 * keyed by (seed, layer, step, global sample), losses and gradients are divided by the global
 * batch's count, batch-norm statistics are summed over the ranks, so summing the gradient arenas of
 * all ranks gives the gradient of the whole batch for any split of it. */
#ifndef KD_TRAINER_PLAN_H
#define KD_TRAINER_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"
#include "kernels/device.h"
#include "trainer/comm/comm.h"
#include "trainer/models/feed.h"
#include "trainer/models/layer.h"

struct kd_nccl_gang;
struct kd_plan;
struct kd_profile;

enum kd_loss { KD_LOSS_CROSS_ENTROPY, KD_LOSS_MSE, KD_LOSS_BCE };

/* Is there room for a plan on its device? */
enum kd_room {
    KD_ROOM_ENOUGH,
    KD_ROOM_TOO_LITTLE, /* nor would there be if the device were all ours */
    KD_ROOM_TAKEN,      /* others hold what it needs */
};

struct kd_plan_options {
    const json_t *model;   /* borrowed; the `model:` block */
    struct kd_input input; /* n_outputs: classes, or targets of a sample */
    enum kd_loss loss;
    float label_smoothing;
    int64_t max_batch;              /* most local samples in one call */
    const struct kd_device *device; /* the plan opens a queue of it */
    enum kd_precision precision;    /* of that queue */
    int n_sharing;                  /* ranks whose plans lie in the same memory; 0 is 1 */
    struct kd_comm *comm;           /* borrowed; NULL: this rank alone */
    struct kd_nccl_gang *gang;      /* borrowed; what sums on the GPUs, or NULL */
    enum kd_room *room; /* becomes: is it that which keeps it from being made? Or NULL */
};

/* NULL and err: the text starts with a JSON pointer into the model, e.g. "/model/2/linear/units:
 * ...", or with "/precision: ". */
struct kd_plan *kd_plan_new(const struct kd_plan_options *options, struct kd_error *err);
void kd_plan_free(struct kd_plan *plan);

/* Fresh weights for a seed, zero gradients and optimizer state, statistics at their start. */
void kd_plan_reset(struct kd_plan *plan, uint64_t seed);

/* The queue of its device that all its work goes through; what makes its batches uses the same
 * one. */
struct kd_queue *kd_plan_queue(const struct kd_plan *plan);

/* Another queue of its device, for who sends it batches beside its work, and closes it. */
int kd_plan_open_beside(struct kd_plan *plan, struct kd_queue **queue, struct kd_error *err);

/* Of one value as that queue stores it (kernels/precision.h). */
int64_t kd_plan_value_bytes(const struct kd_plan *plan);

/* Marks in that queue for who gives it batches, 0 .. KD_PLAN_MARKS - 1; wait_mark: until what was
 * queued before it is done; is_waited_for: by another queue, and nobody here. */
enum { KD_PLAN_MARKS = 12 };
void kd_plan_mark(struct kd_plan *plan, int i);
void kd_plan_wait_mark(struct kd_plan *plan, int i);
void kd_plan_is_waited_for(struct kd_plan *plan, struct kd_queue *by, int i);
void kd_plan_wait(struct kd_plan *plan); /* until all that was queued is done */

/* Hyperparameters that a new trial of the same shape may change without compiling anew: dropout
 * rates, label smoothing. -1 when the model has another shape than the plan. */
int kd_plan_retune(struct kd_plan *plan, const json_t *model, float label_smoothing,
                   struct kd_error *err);

/* The pointers are memory of the plan's device; what x holds is left alone. One of x and tokens is
 * given. */
struct kd_batch {
    /* What makes the arrays below, before the forward pass; NULL: they are there. */
    const struct kd_feed *feed;
    const void *x;               /* [n][the input's shape], values (kernels/ops.h) */
    const int32_t *tokens;       /* the same, tokens */
    const int32_t *labels;       /* [n][positions], cross-entropy; negative: ignored */
    const int32_t *other_labels; /* mixup's, or NULL */
    const float *targets;        /* [n][n_outputs], mse and bce */
    int64_t n;                   /* local samples, 0 .. max_batch (a rank may have none) */
    int64_t n_global;            /* samples of the whole global batch (of this micro-batch) */
    int64_t
        n_counted; /* rows of the loss, not ignored, of the whole global batch (all micro-batches) */
    float mix;     /* mixup's share of the other sample */
    const int64_t *samples; /* [n] position of each in the global order (key of its dropout mask) */
    const struct kd_turn *turn; /* seed, step, mix and the counts on the device already; or NULL */
    int64_t step;               /* optimizer step (key of its dropout mask) */
    uint64_t seed;
    /* Where one step has several micro-batches: the gradients of all but the first are added to
     * those before, and only the last one begins to sum them over the ranks. Both false: the step's
     * only one. */
    bool follows, precedes;
};

/* Over the local samples of the step's batches so far; sums over the rows of the loss. */
struct kd_batch_result {
    double loss_sum;
    int64_t n_correct, n_top5, n_counted;
};

/* Forward and backward; the gradient arena gets d(sum of local losses / n_counted)/d(parameters).
 * With several ranks the sum of the gradients over them is under way when it returns;
 * kd_plan_finish ends it. result NULL: nothing is waited for, and kd_plan_note has the sums of the
 * step's batches. */
void kd_plan_backward(struct kd_plan *plan, const struct kd_batch *batch,
                      struct kd_batch_result *result);
void kd_plan_finish(struct kd_plan *plan);

/* What a step came to, noted on the device behind what its queue was given so far, and looked at
 * later, so that the host can be steps ahead. The sums are those of its batches (result NULL
 * above); is_finite: of the gradients [begin, end), as far as this rank has them. At most KD_NOTES
 * are open at a time; they are looked at in order. */
enum { KD_NOTES = 4 };
struct kd_noted {
    struct kd_batch_result result;
    bool is_finite;
};
/* With fp16 a step may have gradients that overflow, which is no misfortune: is_finite is then of
 * the loss of this rank's samples, and of the scale. kd_plan_end_step (plan_step.h) makes a note
 * too. */
int64_t kd_plan_note(struct kd_plan *plan, int64_t begin, int64_t end); /* its number */
void kd_plan_noted(struct kd_plan *plan, int64_t number, struct kd_noted *noted);

/* Forward without dropout, with running statistics. */
void kd_plan_evaluate(struct kd_plan *plan, const struct kd_batch *batch,
                      struct kd_batch_result *result);

/* The flat arenas, memory of the plan's device. Optimizer state: up to two slots (momentum; first
 * and second moment) for this rank's part of the parameters
 * (kd_plan_state_range in plan_update.h), all of them unless the state is sharded. */
int64_t kd_plan_n_parameters(const struct kd_plan *plan);
float *kd_plan_parameters(struct kd_plan *plan);
float *kd_plan_gradients(struct kd_plan *plan);
float *kd_plan_state(struct kd_plan *plan, int slot);

/* Between an arena and host memory, done when they return. */
void kd_plan_read(struct kd_plan *plan, float *host, const float *arena, int64_t n);
void kd_plan_write(struct kd_plan *plan, float *arena, const float *host, int64_t n);

/* May the host use the arenas where they are? */
bool kd_plan_is_on_host(const struct kd_plan *plan);

/* fp16: what the loss is multiplied by (kernels/op_update.h), for checkpoints. */
bool kd_plan_scales_loss(const struct kd_plan *plan);
struct kd_loss_scale kd_plan_loss_scale(struct kd_plan *plan);
void kd_plan_set_loss_scale(struct kd_plan *plan, struct kd_loss_scale loss_scale);

/* Named tensors of the parameter arena, for checkpoints and weight decay (1-D tensors are left
 * alone). */
struct kd_plan_tensor {
    const char *name; /* "layers.0.weight"; borrowed */
    int64_t offset;   /* in floats, into each flat arena */
    int64_t shape[4];
    int n_dims;
};
int kd_plan_n_tensors(const struct kd_plan *plan);
struct kd_plan_tensor kd_plan_tensor_at(const struct kd_plan *plan, int i);

/* The arena of running statistics, and its named tensors. The same on all ranks. */
int64_t kd_plan_n_statistics(const struct kd_plan *plan); /* in floats */
float *kd_plan_statistics(struct kd_plan *plan);
int kd_plan_n_statistic_tensors(const struct kd_plan *plan);
struct kd_plan_tensor kd_plan_statistic_tensor_at(const struct kd_plan *plan, int i);

/* The first non-finite value of parameters or (but for fp16) gradients as text ("gradient of
 * layers.2.weight (linear)"), or NULL. */
const char *kd_plan_find_nonfinite(struct kd_plan *plan);

/* Floating-point operations of forward and backward for n samples, counted from the calls
 * (kernels/flops.h). */
double kd_plan_flops(struct kd_plan *plan, int64_t n);

/* Operations a second that this rank's device reaches in a large product; measured now, some 20
 * ms. */
double kd_plan_peak_flops(struct kd_plan *plan);

int kd_plan_n_ranks(const struct kd_plan *plan);

/* Bytes of the arenas on this rank. */
int64_t kd_plan_bytes(const struct kd_plan *plan);

/* Of the optimizer's state and the average that are not there yet, at most. */
int64_t kd_plan_bytes_to_come(const struct kd_plan *plan);

/* From now on the time of every call is added to *profile (borrowed); NULL: no more. */
void kd_plan_profile(struct kd_plan *plan, struct kd_profile *profile);

#endif
