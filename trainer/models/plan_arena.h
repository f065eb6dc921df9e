/* plan_arena.h - the inside of struct kd_plan, for plan.c, plan_calls.c and the optimizers' one entry.
 *
 * All memory here is the device's but what says otherwise. */
#ifndef KD_TRAINER_PLAN_ARENA_H
#define KD_TRAINER_PLAN_ARENA_H

#include "coordinator/base/arr.h"
#include "kernels/device.h"
#include "trainer/models/model.h"
#include "trainer/models/plan.h"

enum { KD_PLAN_SLOTS = 2 };

/* What the host writes before a step and reads after it. */
struct kd_control {
    struct kd_turn turn;
    struct kd_hyper hyper;
    struct kd_loss_sums sums;
    int64_t nonfinite_at;
};

/* The calls of one pass, made for one batch's pointers and size; made anew when another batch comes. */
struct kd_pass {
    KD_ARR(struct kd_call) calls; /* host memory */
    bool training, made;
    const float *x, *targets;
    const int32_t *labels;
    const int64_t *samples;
    int64_t n;
};

struct kd_plan {
    const struct kd_device *device;
    struct kd_queue *queue;
    struct kd_model model;
    enum kd_loss loss;
    int64_t max_batch, n_parameters;

    struct kd_plan_tensor *tensors; /* host memory; by offset, so the last layer comes first */
    struct kd_range *ranges;        /* host memory; one per tensor */
    int n_tensors;

    float *parameters, *gradients;
    float *state[KD_PLAN_SLOTS]; /* made when first asked for */
    float *activations;
    float *upstream[2]; /* gradients of activations, one being read while the other is written */
    float *rates;
    struct kd_control *control;

    struct kd_pass train, evaluate;
    char *nonfinite; /* text of the last find */
};

/* Makes pass->calls for this batch, unless they are made already. */
void kd_pass_make(struct kd_pass *pass, struct kd_plan *plan, const struct kd_batch *batch);

#endif
