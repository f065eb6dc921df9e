/* model.h - a list of layers read from JSON, its shapes checked and its activations fused. Knows no memory: laying out
 * arenas is plan.c's. */
#ifndef KD_TRAINER_MODEL_H
#define KD_TRAINER_MODEL_H

#include <jansson.h>

#include "trainer/models/layer.h"

struct kd_model {
    struct kd_node *nodes; /* owned */
    int n_nodes;
    int n_rates; /* tunable values */
};

/* `in` is the shape of one sample. -1: the text starts with a JSON pointer ("/model/2/linear/units: ..."). */
int kd_model_read(struct kd_model *model, const json_t *list, struct kd_shape in,
                  struct kd_error *err);
void kd_model_release(struct kd_model *model);

/* Whether the two differ in tunable settings only; -1 names the first other difference. */
int kd_model_check_same(const struct kd_model *model, const struct kd_model *other,
                        struct kd_error *err);

/* The value of a node's tunable setting; the node's layer must have one. */
float kd_node_rate(const struct kd_node *node);

#endif
