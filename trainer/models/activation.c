#include "trainer/models/activation.h"

/* relu and tanh are told from their output, the others from their input. */
static bool is_told_from_input(enum kd_activation kind)
{
    return kind == KD_ACTIVATION_GELU || kind == KD_ACTIVATION_SILU;
}

void kd_activation_prepare(struct kd_node *node)
{
    node->reads = is_told_from_input(node->layer->activation) ? KD_READS_X : KD_READS_Y;
}

void kd_activation_forward(const struct kd_emit *e)
{
    kd_emit_add(e, KD_CALL(activation, .x = e->x[0], .y = e->y,
                           .n = e->n * kd_shape_count(e->node->out),
                           .activation = e->node->layer->activation));
}

void kd_activation_backward(const struct kd_emit *e)
{
    enum kd_activation kind = e->node->layer->activation;
    if (e->dx[0])
        kd_emit_add(e, KD_CALL(activation_backward, .dy = e->dy,
                               .saved = is_told_from_input(kind) ? e->x[0] : e->y, .dx = e->dx[0],
                               .n = e->n * kd_shape_count(e->node->out), .activation = kind));
}
