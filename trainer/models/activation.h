/* activation.h - what relu, gelu, silu and tanh have in common when no layer before them does them
 * along the way. */
#ifndef KD_TRAINER_ACTIVATION_H
#define KD_TRAINER_ACTIVATION_H

#include "trainer/models/layer.h"

void kd_activation_prepare(struct kd_node *node);
void kd_activation_forward(const struct kd_emit *e);
void kd_activation_backward(const struct kd_emit *e);

/* One vtable: KD_ACTIVATION_LAYER(relu, KD_ACTIVATION_RELU, "max(x, 0)") */
#define KD_ACTIVATION_LAYER(layer_name, kind, text)                                                \
    extern const struct kd_layer kd_layer_##layer_name;                                            \
    const struct kd_layer kd_layer_##layer_name = {                                                \
        .name = #layer_name,                                                                       \
        .summary = text,                                                                           \
        .activation = kind,                                                                        \
        .dx_over_dy = true,                                                                        \
        .shape = kd_shape_as_input,                                                                \
        .prepare = kd_activation_prepare,                                                          \
        .forward = kd_activation_forward,                                                          \
        .backward = kd_activation_backward,                                                        \
    }

#endif
