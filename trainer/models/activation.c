#include "trainer/models/activation.h"

int kd_activation_shape(struct kd_node *node, struct kd_error *err)
{
    (void)err;
    node->out = node->in;
    return 0;
}

const float *kd_activation_forward(const struct kd_emit *e)
{
    kd_emit_add(e,
                KD_CALL(activation, .x = e->x, .y = e->y, .n = e->n * kd_shape_count(e->node->out),
                        .activation = e->node->layer->activation));
    return e->y;
}

float *kd_activation_backward(const struct kd_emit *e)
{
    enum kd_activation kind = e->node->layer->activation;
    kd_emit_add(e, KD_CALL(activation_backward, .dy = e->dy,
                           .saved = kind == KD_ACTIVATION_GELU ? e->x : e->y, .dx = e->dy,
                           .n = e->n * kd_shape_count(e->node->out), .activation = kind));
    return e->dy;
}
