/* activation.h - what relu, gelu and tanh have in common when no layer before them does them along the way. */
#ifndef KD_TRAINER_ACTIVATION_H
#define KD_TRAINER_ACTIVATION_H

#include "trainer/models/layer.h"

int kd_activation_shape(struct kd_node *node, struct kd_error *err);
const float *kd_activation_forward(const struct kd_emit *e);
float *kd_activation_backward(const struct kd_emit *e);

/* One vtable: KD_ACTIVATION_LAYER(relu, KD_ACTIVATION_RELU, "max(x, 0)") */
#define KD_ACTIVATION_LAYER(layer_name, kind, text)                                                \
    extern const struct kd_layer kd_layer_##layer_name;                                            \
    const struct kd_layer kd_layer_##layer_name = {                                                \
        .name = #layer_name,                                                                       \
        .summary = text,                                                                           \
        .activation = kind,                                                                        \
        .shape = kd_activation_shape,                                                              \
        .forward = kd_activation_forward,                                                          \
        .backward = kd_activation_backward,                                                        \
    }

#endif
