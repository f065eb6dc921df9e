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

static void add_mask(const struct kd_emit *e, const float *x, float *y)
{
    kd_emit_add(e, KD_CALL(dropout, .x = x, .y = y, .n_samples = e->n,
                           .size = kd_shape_count(e->node->out), .samples = e->samples,
                           .rate = e->rate, .turn = e->turn, .layer = (uint32_t)e->node->index));
}

static void forward(const struct kd_emit *e)
{
    if (e->training)
        add_mask(e, e->x[0], e->y);
    else
        kd_emit_add(e, KD_CALL(activation, .x = e->x[0], .y = e->y,
                               .n = e->n * kd_shape_count(e->node->out),
                               .activation = KD_ACTIVATION_NONE));
}

static void backward(const struct kd_emit *e)
{
    if (e->dx[0])
        add_mask(e, e->dy, e->dx[0]);
}

const struct kd_layer kd_layer_dropout = {
    .name = "dropout",
    .summary = "drops values at random while training, and scales up the others",
    .fields = fields,
    .tunable = 1 + RATE,
    .dx_over_dy = true,
    .shape = kd_shape_as_input,
    .forward = forward,
    .backward = backward,
};
