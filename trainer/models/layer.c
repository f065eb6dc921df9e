#include "trainer/models/layer.h"

#include <string.h>

#define KD_LAYER(name) extern const struct kd_layer kd_layer_##name;
#include "trainer/models/layers.def"
#undef KD_LAYER

const struct kd_layer *const kd_layers[] = {
#define KD_LAYER(name) &kd_layer_##name,
#include "trainer/models/layers.def"
#undef KD_LAYER
    NULL,
};

const struct kd_layer *kd_layer_find(const char *name)
{
    for (int i = 0; kd_layers[i]; i++)
        if (strcmp(kd_layers[i]->name, name) == 0)
            return kd_layers[i];
    return NULL;
}

void kd_node_add_parameter(struct kd_node *node, const char *name, struct kd_shape shape)
{
    kd_assert(node->n_parameters < KD_LAYER_TENSORS_MAX);
    node->parameters[node->n_parameters++] = (struct kd_parameter){.name = name, .shape = shape};
}
