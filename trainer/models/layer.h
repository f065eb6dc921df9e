/* layer.h - one kind of layer = one vtable in one file, one line in layers.def.
 *
 * A layer says what shape it makes of its input, which tensors it has, what must live until its
 * backward pass, and which op calls are its passes. It allocates nothing and runs nothing: the plan
 * lays out the arenas and runs the calls. */
#ifndef KD_TRAINER_LAYER_H
#define KD_TRAINER_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"
#include "kernels/ops.h"
#include "kernels/tensor.h"
#include "trainer/models/field.h"

enum {
    KD_LAYER_TENSORS_MAX = 8,
    KD_LAYER_STATISTICS_MAX = 2,
    KD_NODE_INPUTS_MAX = 2,
    KD_NODE_BATCH = -1, /* in place of a node: the batch itself */
};

struct kd_model;

/* What a model is given for one sample, and what is asked of its end. Features are [f], images
 * [h][w][channels], tokens [t]. */
struct kd_input {
    struct kd_shape shape;
    bool tokens;        /* whole numbers below vocabulary; the first layer must look them up */
    int64_t vocabulary; /* of tokens */
    int64_t n_outputs;  /* classes, or targets; 0: not known */
    int64_t positions;  /* labels of one sample: 1, or one for every token; 0 counts as 1 */
};

/* A trained tensor of a layer. Its start is uniform in [-bound, bound), or `start` everywhere where
 * bound is 0. */
struct kd_parameter {
    const char *name; /* "weight" */
    struct kd_shape shape;
    float bound, start;
    int tied_node; /* 1 + the node whose parameter `tied_at` this one is; 0: it is this node's own */
    int tied_at;
    /* The plan's: where it begins in the flat arenas, in floats; its place among the plan's
     * tensors; and where it begins among the factors of products, in values. */
    int64_t offset;
    int tensor;
    int64_t factor_at;
};

/* A tensor that is kept but not trained: running statistics. */
struct kd_statistic {
    const char *name; /* "running_mean" */
    int64_t n;
    float start;
    int64_t offset; /* in floats into the arena of statistics; set by the plan */
};

enum kd_reads { KD_READS_X = 1, KD_READS_Y = 2 };

/* A layer at its place in a model. */
struct kd_node {
    const struct kd_layer *layer;
    int index; /* in the model: the key of its random numbers and part of its tensors' names */
    int inputs[KD_NODE_INPUTS_MAX]; /* nodes before it, or KD_NODE_BATCH */
    int n_inputs;
    double settings[KD_FIELDS_MAX]; /* in the order of layer->fields */
    struct kd_shape in, out;        /* of one sample; `in` of the first input */
    struct kd_parameter parameters[KD_LAYER_TENSORS_MAX];
    int n_parameters;
    struct kd_statistic statistics[KD_LAYER_STATISTICS_MAX];
    int n_statistics;
    enum kd_activation fused; /* the activation that follows and is done by this layer */
    bool absorbed;            /* an activation that its predecessor does */
    unsigned reads;           /* layer->backward_reads; `prepare` may change it */
    bool spoils_dy;           /* layer->spoils_dy; likewise */
    int64_t kept;    /* values per sample kept from forward to backward, beside its output */
    int64_t scratch; /* floats per sample kept likewise */
    int64_t fixed;   /* floats kept likewise, whatever the number of samples */
    int64_t n_sums;  /* doubles, kept likewise */

    /* The plan's. */
    int64_t sums_at;
    int rate_at; /* its number among the tunable values in device memory, for layers that have one */
    bool trains; /* it or a node before it has parameters */
};

/* What a layer needs to write its calls; the pointers are device memory. */
struct kd_emit {
    const struct kd_node *node;
    int64_t n; /* samples */
    bool training;
    const void *x[KD_NODE_INPUTS_MAX]; /* values, as the device's queue stores them (ops.h) */
    const int32_t *tokens;             /* the batch's, where the node's input is tokens */
    void *y, *kept;                    /* values */
    float *scratch, *fixed;
    double *sums;
    void *dy;                          /* values; overwritten by layers that say spoils_dy only */
    void *dx[KD_NODE_INPUTS_MAX];      /* values; NULL when nobody needs it */
    float beta_dx[KD_NODE_INPUTS_MAX]; /* 1: dx is added to; only for layers that say adds_dx */
    const float *rate;
    const int64_t *samples;
    const struct kd_turn *turn;
    const struct kd_emit_target *target; /* where calls go; for the functions below */
};

void kd_emit_add(const struct kd_emit *e, struct kd_call call);
/* Backward: a call that reads no more than dy, the inputs and what was kept, and gives a gradient
 * of a parameter that only such calls give. It may be done beside what follows (plan_aside.h). */
void kd_emit_add_aside(const struct kd_emit *e, struct kd_call call);
/* The same of weights whose gradient is most of the node's work: beside dx, where there is one. */
void kd_emit_add_weights(const struct kd_emit *e, struct kd_call call);

/* At this point of the pass the values are summed over all ranks. */
void kd_emit_sum_doubles(const struct kd_emit *e, double *values, int64_t n);

/* Parameter p of the node, the same as products read it (values), its gradient, and whether that is
 * overwritten (0) or added to (1): it is added to when another node shares the tensor or an earlier
 * micro-batch came before. Ask for beta once a pass, right before the call that writes. */
float *kd_emit_weight(const struct kd_emit *e, int p);
const void *kd_emit_factor(const struct kd_emit *e, int p);
float *kd_emit_gradient(const struct kd_emit *e, int p);
float kd_emit_beta(const struct kd_emit *e, int p);
float *kd_emit_statistic(const struct kd_emit *e, int s);

struct kd_layer {
    const char *name, *summary;
    const struct kd_field *fields; /* ends with a NULL name; NULL = no fields */
    enum kd_activation activation; /* what it is, for layers that are one */
    unsigned
        fuses;   /* set (1 << activation) of those that may follow and be done by it: node->fused */
    int tunable; /* 1 + the field read from device memory at every step; 0 = none */
    bool takes_tokens; /* its input is tokens; all others take floats */

    unsigned backward_reads; /* kd_reads: what must live until the backward pass */
    bool spoils_dy;          /* backward overwrites dy */
    bool adds_dx;            /* backward can add to dx (beta_dx) */
    bool dx_over_dy;         /* backward may be given dx == dy */
    bool is_view;            /* y is x under another shape: no calls, no memory */
    bool passes_dy;          /* the gradient of every input is dy itself: no backward calls */
    /* Directly after it, this one's call becomes one with its own (plan_fuse.c), so that its inputs
     * live until then; or NULL. */
    const struct kd_layer *joined_by;

    /* From in and settings: out, parameters, statistics. -1: the shape it got and the shape it
     * needs (no pointer). */
    int (*shape)(struct kd_node *node, const struct kd_model *model, struct kd_error *err);
    /* Once node->fused is known: start bounds of the parameters, scratch, sums. May be NULL. */
    void (*prepare)(struct kd_node *node);
    void (*forward)(const struct kd_emit *e);
    void (*backward)(const struct kd_emit *e);
};

extern const struct kd_layer *const kd_layers[]; /* NULL-terminated */
const struct kd_layer *kd_layer_find(const char *name);

/* Its output is its input's memory: it has no calls and no buffer of its own. */
bool kd_node_is_alias(const struct kd_node *node);

/* For layer->shape: adds a tensor to the node. The result is valid until the next call. */
struct kd_parameter *kd_node_add_parameter(struct kd_node *node, const char *name,
                                           struct kd_shape shape);
void kd_node_add_statistic(struct kd_node *node, const char *name, int64_t n, float start);

/* Uniform numbers in [-bound, bound) have this standard deviation. */
float kd_bound_of_deviation(double deviation);

/* The shape that most layers make: that of their input. */
int kd_shape_as_input(struct kd_node *node, const struct kd_model *model, struct kd_error *err);

#endif
