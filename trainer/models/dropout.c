/* dropout.c - each value dropped with probability p while training; the mask is that of the sample,
 * on any rank. */
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

/* A byte for each value: whether it is kept. */
static void prepare(struct kd_node *node)
{
    node->scratch = (kd_shape_count(node->out) + 3) / 4;
}

static void forward(const struct kd_emit *e)
{
    int64_t size = kd_shape_count(e->node->out);
    if (e->training)
        kd_emit_add(e,
                    KD_CALL(dropout, .x = e->x[0], .y = e->y, .kept = (uint8_t *)e->scratch,
                            .n_samples = e->n, .size = size, .samples = e->samples, .rate = e->rate,
                            .turn = e->turn, .layer = (uint32_t)e->node->index));
    else
        kd_emit_add(e, KD_CALL(activation, .x = e->x[0], .y = e->y, .n = e->n * size,
                               .activation = KD_ACTIVATION_NONE));
}

static void backward(const struct kd_emit *e)
{
    if (e->dx[0])
        kd_emit_add(e, KD_CALL(dropout_backward, .dy = e->dy, .kept = (const uint8_t *)e->scratch,
                               .dx = e->dx[0], .n = e->n * kd_shape_count(e->node->out),
                               .rate = e->rate));
}

const struct kd_layer kd_layer_dropout = {
    .name = "dropout",
    .summary = "drops values at random while training, and scales up the others",
    .fields = fields,
    .tunable = 1 + RATE,
    .dx_over_dy = true,
    .shape = kd_shape_as_input,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
