/* flow.h - which buffers the nodes of a model read and write in a training step, and how long each
 * buffer lives.
 *
 * Time runs over the forward pass (node i at i), the loss (at n), and the backward pass (node i at
 * 2n - i). A buffer that holds an output lives until its last reader, the gradient of an output
 * from the first one that contributes to it until its own node's backward pass. A gradient that
 * comes from several readers (a residual block's input) is added up; where a gradient is handed on
 * unchanged (a residual block's two ways), both ways share one buffer for as long as nobody writes
 * to it. */
#ifndef KD_TRAINER_FLOW_H
#define KD_TRAINER_FLOW_H

#include "coordinator/base/arr.h"
#include "trainer/models/model.h"

enum { KD_NO_BUFFER = -1 };

struct kd_buffer {
    int64_t per_sample, fixed; /* its size in bytes */
    int first, last;           /* in time, both inclusive */
    int64_t at;                /* in bytes from the start of the arena; layout.h's */
};

/* What becomes of the gradient of one input. */
struct kd_flow_dx {
    int written;   /* by the layer, or KD_NO_BUFFER: nobody needs it, or it is only handed on */
    bool added;    /* the layer adds to what is there */
    int sum_of[2]; /* then the sum of these two buffers ... */
    int sum_in;    /* ... is put here; KD_NO_BUFFER: there is nothing to sum */
};

struct kd_node_flow {
    int y;       /* buffer of the output; a view and its input share one */
    int kept;    /* per sample; or KD_NO_BUFFER, as are */
    int scratch; /* per sample */
    int fixed;
    int dy;        /* gradient of the output; KD_NO_BUFFER: nobody needs it, no backward pass */
    int dy_before; /* dy is a copy of this one, which others still need; or KD_NO_BUFFER */
    struct kd_flow_dx dx[KD_NODE_INPUTS_MAX];
};

struct kd_flow {
    struct kd_node_flow *nodes; /* owned, one for each of the model's */
    KD_ARR(struct kd_buffer) buffers;
    int loss_dy; /* where the loss writes its gradient: over the output itself, or over a copy of it */
};

/* value_bytes: of one value as it is stored (kernels/precision.h). */
void kd_flow_plan(struct kd_flow *flow, const struct kd_model *model, int64_t value_bytes);
void kd_flow_release(struct kd_flow *flow);

#endif
