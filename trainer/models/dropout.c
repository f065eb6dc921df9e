/* dropout.c - each value dropped with probability p while training; the mask is that of the sample, on any rank. */
#include "trainer/models/layer.h"

enum { RATE };

extern const struct kd_layer kd_layer_dropout;

static const struct kd_field fields[] = {
    {.name = "p",
     .kind = KD_FIELD_NUMBER,
     .fallback = 0.5,
     .min = 0,
     .max = 1,
     .below_max = true,
     .help = "the probability of dropping a value"},
    {.name = NULL},
};

static int shape(struct kd_node *node, struct kd_error *err)
{
    (void)err;
    node->out = node->in;
    return 0;
}

static void add_mask(const struct kd_emit *e, const float *x, float *y)
{
    kd_emit_add(e, KD_CALL(dropout, .x = x, .y = y, .n_samples = e->n,
                           .size = kd_shape_count(e->node->out), .samples = e->samples,
                           .rate = e->rate, .turn = e->turn, .layer = (uint32_t)e->node->index));
}

static const float *forward(const struct kd_emit *e)
{
    if (!e->training)
        return e->x;
    add_mask(e, e->x, e->y);
    return e->y;
}

static float *backward(const struct kd_emit *e)
{
    add_mask(e, e->dy, e->dy);
    return e->dy;
}

const struct kd_layer kd_layer_dropout = {
    .name = "dropout",
    .summary = "drops values at random while training, and scales up the others",
    .fields = fields,
    .tunable = 1 + RATE,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
