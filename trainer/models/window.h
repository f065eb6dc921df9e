/* window.h - what layers that slide a square window over an image have in common: their settings,
 * shapes and messages. */
#ifndef KD_TRAINER_WINDOW_H
#define KD_TRAINER_WINDOW_H

#include "trainer/models/layer.h"

struct kd_sliding {
    int64_t kernel, stride, padding;
};

/* Sets node->out to that of the window with so many channels. -1: what it is given is no image, or
 * smaller than the window. */
int kd_sliding_shape(struct kd_node *node, struct kd_sliding sliding, int64_t channels_out,
                     struct kd_error *err);

/* For op calls on n samples of the node's input. */
struct kd_window kd_sliding_window(const struct kd_node *node, struct kd_sliding sliding,
                                   int64_t n);

/* The settings of the pooling layers, and what they say: size, stride (0: size) and padding (at
 * most half of size). */
extern const struct kd_field kd_pool_fields[];
struct kd_sliding kd_pool_sliding(const struct kd_node *node);
int kd_pool_shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err);

#endif
