/* layer.h - one kind of layer = one vtable in one file, one line in layers.def.
 *
 * A layer says what shape it makes of its input, which parameter tensors it has, and which op calls are its forward and
 * backward pass. It allocates nothing and runs nothing: the plan lays out the arenas and runs the calls. */
#ifndef KD_TRAINER_LAYER_H
#define KD_TRAINER_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"
#include "kernels/ops.h"
#include "kernels/tensor.h"
#include "trainer/models/field.h"

enum { KD_LAYER_TENSORS_MAX = 4 };

/* A parameter of a layer. bound is that of its uniform start, 0 = starts at zero. */
struct kd_parameter {
    const char *name; /* "weight" */
    struct kd_shape shape;
    float bound;
    int64_t offset; /* in floats into the flat arenas; set by the plan */
};

/* A layer at its place in a model. */
struct kd_node {
    const struct kd_layer *layer;
    int index; /* in the model's list: the key of its random numbers and part of its tensors' names */
    double settings[KD_FIELDS_MAX]; /* in the order of layer->fields */
    struct kd_shape in, out;        /* of one sample */
    struct kd_parameter parameters[KD_LAYER_TENSORS_MAX];
    int n_parameters;
    enum kd_activation fused; /* the activation that follows and is done by this layer */
    bool absorbed;            /* an activation that its predecessor does */
    int64_t scratch; /* floats per sample it keeps from forward to backward, beside its output */

    /* The plan's, in floats per sample from the start of the activation arena. */
    int64_t output_at, scratch_at;
    int rate_at; /* its number among the tunable values in device memory, for layers that have one */
};

/* What a layer needs to write its calls; the pointers are device memory. */
struct kd_emit {
    const struct kd_node *node;
    int64_t n; /* samples */
    bool training;
    const float *x;
    float *y, *scratch;
    float *dy;        /* may be destroyed */
    float *dx;        /* NULL when nobody needs it */
    float *weights;   /* the parameter arena; a tensor is at weights + its offset */
    float *gradients; /* likewise */
    const float *rate;
    const int64_t *samples;
    const struct kd_turn *turn;
    void (*add)(void *ud, struct kd_call call);
    void *ud;
};

struct kd_layer {
    const char *name, *summary;
    const struct kd_field *fields; /* ends with a NULL name; NULL = no fields */
    enum kd_activation activation; /* what it is, for layers that are one */
    bool fuses;                    /* does an activation that follows itself: node->fused */
    int tunable; /* 1 + the field read from device memory at every step; 0 = none */

    /* From in and settings: out and parameters. -1: the shape it got and the shape it needs (no pointer). */
    int (*shape)(struct kd_node *node, struct kd_error *err);
    /* Once node->fused is known: start bounds of the parameters, scratch. May be NULL. */
    void (*prepare)(struct kd_node *node);
    /* Adds the calls, and returns where the output is: e->y, or e->x when there is nothing to do. */
    const float *(*forward)(const struct kd_emit *e);
    /* Adds the calls, and returns where the input's gradient is: e->dx, or e->dy when it was made in place. */
    float *(*backward)(const struct kd_emit *e);
};

extern const struct kd_layer *const kd_layers[]; /* NULL-terminated */
const struct kd_layer *kd_layer_find(const char *name);

static inline void kd_emit_add(const struct kd_emit *e, struct kd_call call)
{
    e->add(e->ud, call);
}

/* For layer->shape: adds a tensor to the node. */
void kd_node_add_parameter(struct kd_node *node, const char *name, struct kd_shape shape);

#endif
