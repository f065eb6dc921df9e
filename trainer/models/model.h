/* model.h - a model read from JSON into a graph of nodes: shapes checked, activations fused. Knows
 * no memory: laying out arenas is plan.c's. */
#ifndef KD_TRAINER_MODEL_H
#define KD_TRAINER_MODEL_H

#include <jansson.h>

#include "trainer/models/layer.h"

struct kd_model {
    struct kd_input input;
    struct kd_node
        *nodes; /* owned; every node comes after its inputs, the last one's output is the model's */
    int n_nodes;
    int n_rates; /* tunable values */
};

/* -1: the text starts with a JSON pointer ("/model/2/linear/units: ..."). */
int kd_model_read(struct kd_model *model, const json_t *block, const struct kd_input *input,
                  struct kd_error *err);
void kd_model_release(struct kd_model *model);

/* The mistakes that can be seen without knowing the data: names, settings, nesting. */
int kd_model_check_settings(const json_t *block, struct kd_error *err);

/* The layers in their order, repeats and residual blocks written out and every setting with its
 * value: [{"linear": {...}}, ...]. Presets stand as they are, since what they stand for hangs on
 * the data. For a block that kd_model_check_settings took; a new reference. */
json_t *kd_model_whole(const json_t *block);

/* Whether the two differ in tunable settings only; -1 names the first other difference. */
int kd_model_check_same(const struct kd_model *model, const struct kd_model *other,
                        struct kd_error *err);

/* The value of a node's tunable setting; the node's layer must have one. */
float kd_node_rate(const struct kd_node *node);

struct kd_shape kd_model_out(const struct kd_model *model); /* of one sample */

#endif
