/* plan.h - a model compiled for a fixed batch shape: arenas and a flat list of op calls.
 *
 * The model is the JSON list of layers of the `trainer:` block, [{"linear": {"units": 64}}, {"relu": {}}, ...], every
 * placeholder filled. Compiling checks shapes and gives one arena each for parameters, gradients, optimizer state and
 * activations. Parameters and gradients lie flat, in reverse layer order, so a gradient bucket is a contiguous range
 * and the optimizer is one op over one arena.
 *
 * Independent of the number of ranks: dropout masks and initial weights come from a counter RNG keyed by
 * (seed, layer, step, global sample), losses and gradients are divided by the global batch's count, so summing the
 * gradient arenas of all ranks gives the gradient of the whole batch for any split of it. */
#ifndef KD_TRAINER_PLAN_H
#define KD_TRAINER_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"

struct kd_plan;

enum kd_loss { KD_LOSS_CROSS_ENTROPY, KD_LOSS_MSE };

struct kd_plan_options {
    const json_t *model; /* borrowed; the list of layers */
    int64_t n_features;  /* of one sample, flat */
    int64_t n_targets;   /* cross-entropy: number of classes; mse: targets per sample */
    enum kd_loss loss;
    int64_t max_batch;  /* most local samples in one call */
    const char *device; /* "cpu" */
};

/* NULL and err: the text starts with a JSON pointer into the model, e.g. "/model/2/linear/units: ...". */
struct kd_plan *kd_plan_new(const struct kd_plan_options *options, struct kd_error *err);
void kd_plan_free(struct kd_plan *plan);

/* Fresh weights for a seed (He for relu/gelu, Glorot otherwise), zero gradients and optimizer state. */
void kd_plan_reset(struct kd_plan *plan, uint64_t seed);

/* Hyperparameters that a new trial of the same shape may change without compiling anew: dropout rates. -1 when the
 * model has another shape than the plan. */
int kd_plan_retune(struct kd_plan *plan, const json_t *model, struct kd_error *err);

/* The pointers are memory of the plan's device; what x holds is left alone. */
struct kd_batch {
    const float *x;         /* [n][n_features] */
    const int32_t *labels;  /* [n], cross-entropy */
    const float *targets;   /* [n][n_targets], mse */
    int64_t n;              /* local samples, 0 .. max_batch (a rank may have none) */
    int64_t n_global;       /* samples of the whole global batch */
    const int64_t *samples; /* [n] position of each in the global order (key of its dropout mask) */
    int64_t step;           /* optimizer step (key of its dropout mask) */
    uint64_t seed;
};

struct kd_batch_result {
    double loss_sum; /* over the n local samples */
    int64_t n_correct;
};

/* Forward and backward; the gradient arena is overwritten with d(sum of local losses / n_global)/d(parameters). */
void kd_plan_backward(struct kd_plan *plan, const struct kd_batch *batch,
                      struct kd_batch_result *result);

/* Forward without dropout. */
void kd_plan_evaluate(struct kd_plan *plan, const struct kd_batch *batch,
                      struct kd_batch_result *result);

/* The flat arenas. Optimizer state: up to two slots of n_parameters each (momentum; first and second moment). */
int64_t kd_plan_n_parameters(const struct kd_plan *plan);
float *kd_plan_parameters(struct kd_plan *plan);
float *kd_plan_gradients(struct kd_plan *plan);
float *kd_plan_state(struct kd_plan *plan, int slot);

/* Named tensors of the parameter arena, for checkpoints and weight decay (1-D tensors are left alone). */
struct kd_plan_tensor {
    const char *name; /* "layers.0.weight"; borrowed */
    int64_t offset;   /* in floats, into each flat arena */
    int64_t shape[4];
    int n_dims;
};
int kd_plan_n_tensors(const struct kd_plan *plan);
struct kd_plan_tensor kd_plan_tensor_at(const struct kd_plan *plan, int i);

/* The first non-finite value of parameters or gradients as text ("gradient of layers.2.weight"), or NULL. */
const char *kd_plan_find_nonfinite(struct kd_plan *plan);

#endif
