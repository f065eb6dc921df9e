#include "trainer/models/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "trainer/models/expand.h"

enum { POINTER_MAX = KD_ENTRY_AT_MAX + 64 };

static int fail_unknown_layer(const char *at, const char *name, struct kd_error *err)
{
    const char *names[64] = {NULL};
    for (int i = 0; kd_layers[i] && i < 63; i++)
        names[i] = kd_layers[i]->name;
    return kd_fail_unknown(err, at, "layer", name, names);
}

/* An entry is {"relu": {}}, or just "relu" when there is nothing to set. */
static int read_entry(const json_t *entry, const char *at, const char **name,
                      const json_t **settings, struct kd_error *err)
{
    *name = json_string_value(entry);
    *settings = NULL;
    if (*name)
        return 0;
    if (!json_is_object(entry) || json_object_size(entry) != 1)
        return kd_fail(err,
                       "%s: a layer is one name with its settings, such as "
                       "{\"linear\": {\"units\": 64}}",
                       at);
    void *only = json_object_iter((json_t *)entry);
    *name = json_object_iter_key(only);
    *settings = json_object_iter_value(only);
    return 0;
}

static int read_node(struct kd_node *node, const struct kd_entry *entry, struct kd_error *err)
{
    char at[POINTER_MAX];
    const char *name;
    const json_t *settings;
    if (read_entry(entry->layer, entry->at, &name, &settings, err) != 0)
        return -1;
    node->layer = kd_layer_find(name);
    if (!node->layer)
        return fail_unknown_layer(entry->at, name, err);
    snprintf(at, sizeof at, "%s/%s", entry->at, node->layer->name);
    if (kd_fields_read(node->layer->fields, settings, NULL, at, node->settings, err) != 0)
        return -1;
    return node->layer->shape(node, err) == 0 ? 0 : kd_error_prefix(err, "%s", at);
}

static void fuse(struct kd_model *model)
{
    for (int i = 0; i + 1 < model->n_nodes; i++) {
        struct kd_node *node = &model->nodes[i], *next = node + 1;
        if (!node->layer->fuses || next->layer->activation == KD_ACTIVATION_NONE)
            continue;
        node->fused = next->layer->activation;
        next->absorbed = true;
    }
}

static void prepare(struct kd_model *model)
{
    for (int i = 0; i < model->n_nodes; i++) {
        struct kd_node *node = &model->nodes[i];
        if (node->layer->prepare)
            node->layer->prepare(node);
        if (node->layer->tunable)
            node->rate_at = model->n_rates++;
    }
}

static int read_nodes(struct kd_model *model, const kd_entries *entries, struct kd_shape in,
                      struct kd_error *err)
{
    model->n_nodes = (int)entries->n;
    model->nodes = KD_NEW_ARRAY(struct kd_node, entries->n);
    for (int i = 0; i < model->n_nodes; i++) {
        model->nodes[i] = (struct kd_node){.index = i, .in = i ? model->nodes[i - 1].out : in};
        if (read_node(&model->nodes[i], &entries->items[i], err) != 0)
            return -1;
    }
    return 0;
}

int kd_model_read(struct kd_model *model, const json_t *list, struct kd_shape in,
                  struct kd_error *err)
{
    kd_entries entries = {0};
    *model = (struct kd_model){0};
    if (!json_is_array(list) || json_array_size(list) == 0)
        return kd_fail(err, "/model: must be a list of at least one layer, such as "
                            "[{\"linear\": {\"units\": 10}}]");
    if (kd_model_expand(list, &entries, err) != 0)
        return -1;
    int result = entries.n > 0 ? read_nodes(model, &entries, in, err)
                               : kd_fail(err, "/model: its repeats leave no layer");
    kd_arr_release(&entries);
    if (result != 0) {
        kd_model_release(model);
        return -1;
    }
    fuse(model);
    prepare(model);
    return 0;
}

void kd_model_release(struct kd_model *model)
{
    free(model->nodes);
    *model = (struct kd_model){0};
}

static int check_same_node(const struct kd_node *a, const struct kd_node *b, struct kd_error *err)
{
    if (a->layer != b->layer)
        return kd_fail(err, "/model/%d: is %s where the plan has %s", a->index, b->layer->name,
                       a->layer->name);
    for (int i = 0; a->layer->fields && a->layer->fields[i].name; i++)
        if (i + 1 != a->layer->tunable && a->settings[i] != b->settings[i])
            return kd_fail(err, "/model/%d/%s/%s: is %g where the plan has %g", a->index,
                           a->layer->name, a->layer->fields[i].name, b->settings[i],
                           a->settings[i]);
    return 0;
}

int kd_model_check_same(const struct kd_model *model, const struct kd_model *other,
                        struct kd_error *err)
{
    if (model->n_nodes != other->n_nodes)
        return kd_fail(err, "/model: has %d layers where the plan has %d", other->n_nodes,
                       model->n_nodes);
    for (int i = 0; i < model->n_nodes; i++)
        if (check_same_node(&model->nodes[i], &other->nodes[i], err) != 0)
            return -1;
    return 0;
}

float kd_node_rate(const struct kd_node *node)
{
    kd_assert(node->layer->tunable);
    double rate = node->settings[node->layer->tunable - 1];
    return fminf((float)rate, 0x1.fffffep-1f); /* rounding must not make it 1 */
}
