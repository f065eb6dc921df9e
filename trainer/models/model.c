#include "trainer/models/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "trainer/models/expand.h"
#include "trainer/models/preset.h"

enum { NAMES_MAX = 96 };

static int fail_unknown_layer(const struct kd_entry *entry, struct kd_error *err)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    int n = 0;
    for (int i = 0; kd_layers[i] && n < NAMES_MAX; i++)
        names[n++] = kd_layers[i]->name;
    for (int i = 0; kd_presets[i] && n < NAMES_MAX; i++)
        names[n++] = kd_presets[i]->name;
    return kd_fail_unknown(err, entry->at, "layer", entry->name, names);
}

static struct kd_shape input_shape(const struct kd_model *model, const struct kd_node *node)
{
    int from = node->inputs[0];
    return from == KD_NODE_BATCH ? model->input.shape : model->nodes[from].out;
}

static int check_tokens(const struct kd_model *model, const struct kd_node *node,
                        struct kd_error *err)
{
    bool given = node->inputs[0] == KD_NODE_BATCH && model->input.tokens;
    if (given && !node->layer->takes_tokens)
        return kd_fail(err, "the data are tokens, so the first layer must be an embedding");
    if (!given && node->layer->takes_tokens)
        return kd_fail(err, "needs tokens, which text and token files give; it is here given %s",
                       node->inputs[0] == KD_NODE_BATCH ? "the numbers of a sample"
                                                        : "the output of another layer");
    return 0;
}

static int find_layer(struct kd_node *node, const struct kd_entry *entry, struct kd_error *err)
{
    node->layer = kd_layer_find(entry->name);
    if (!node->layer)
        return fail_unknown_layer(entry, err);
    return kd_fields_read(node->layer->fields, entry->settings, NULL, entry->at, node->settings,
                          err);
}

static int place_error(const struct kd_entry *entry, struct kd_error *err)
{
    if (entry->is_made)
        return kd_error_prefix(err, "%s: its layer %s", entry->at, entry->name);
    return kd_error_prefix(err, "%s", entry->at);
}

static int read_node(struct kd_model *model, struct kd_node *node, const struct kd_entry *entry,
                     struct kd_error *err)
{
    if (find_layer(node, entry, err) != 0)
        return -1;
    node->n_inputs = entry->n_inputs;
    memcpy(node->inputs, entry->inputs, sizeof node->inputs);
    node->in = input_shape(model, node);
    if (check_tokens(model, node, err) != 0 || node->layer->shape(node, model, err) != 0)
        return place_error(entry, err);
    return 0;
}

/* How many nodes read the output of node i. */
static int n_readers(const struct kd_model *model, int i)
{
    int n = 0;
    for (int k = i + 1; k < model->n_nodes; k++)
        for (int j = 0; j < model->nodes[k].n_inputs; j++)
            n += model->nodes[k].inputs[j] == i;
    return n;
}

static void fuse(struct kd_model *model)
{
    for (int i = 0; i + 1 < model->n_nodes; i++) {
        struct kd_node *node = &model->nodes[i], *next = node + 1;
        enum kd_activation kind = next->layer->activation;
        if (kind == KD_ACTIVATION_NONE || !(node->layer->fuses & 1u << kind) ||
            next->inputs[0] != i || n_readers(model, i) != 1)
            continue;
        node->fused = kind;
        next->absorbed = true;
    }
}

static bool has_trained_input(const struct kd_model *model, const struct kd_node *node)
{
    for (int j = 0; j < node->n_inputs; j++)
        if (node->inputs[j] != KD_NODE_BATCH && model->nodes[node->inputs[j]].trains)
            return true;
    return false;
}

static void prepare(struct kd_model *model)
{
    for (int i = 0; i < model->n_nodes; i++) {
        struct kd_node *node = &model->nodes[i];
        node->reads = node->layer->backward_reads;
        node->spoils_dy = node->layer->spoils_dy;
        node->trains = node->n_parameters > 0 || has_trained_input(model, node);
        if (node->layer->prepare)
            node->layer->prepare(node);
        if (node->layer->tunable)
            node->rate_at = model->n_rates++;
    }
}

static int read_nodes(struct kd_model *model, const struct kd_entries *entries,
                      struct kd_error *err)
{
    if (entries->list.n == 0)
        return kd_fail(err, "/model: its repeats leave no layer");
    model->nodes = KD_NEW_ARRAY(struct kd_node, entries->list.n);
    for (int i = 0; i < (int)entries->list.n; i++) {
        model->nodes[i] = (struct kd_node){.index = i};
        if (read_node(model, &model->nodes[i], &entries->list.items[i], err) != 0)
            return -1;
        model->n_nodes = i + 1;
    }
    return 0;
}

int kd_model_read(struct kd_model *model, const json_t *block, const struct kd_input *input,
                  struct kd_error *err)
{
    struct kd_entries entries = {0};
    *model = (struct kd_model){.input = *input};
    if (kd_model_expand(block, input, &entries, err) != 0)
        return -1;
    int result = read_nodes(model, &entries, err);
    kd_entries_release(&entries);
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

static json_t *whole_entry(const struct kd_entry *entry)
{
    const struct kd_preset *preset = kd_preset_find(entry->name);
    const struct kd_field *fields = preset ? preset->fields : kd_layer_find(entry->name)->fields;
    json_t *settings = kd_fields_whole(fields, NULL, entry->settings);
    for (int i = 0; i < entry->n_inputs && entry->n_inputs > 1; i++)
        json_object_set_new(settings, i == 0 ? "from" : "and", json_integer(entry->inputs[i]));
    return json_pack("{s:o}", entry->name, settings);
}

json_t *kd_model_whole(const json_t *block)
{
    struct kd_entries entries;
    struct kd_error err;
    json_t *list = json_array();
    if (kd_model_expand(block, NULL, &entries, &err) < 0)
        kd_bug("a model that was checked is not sound: %s", err.text);
    for (size_t i = 0; i < entries.list.n; i++)
        json_array_append_new(list, whole_entry(&entries.list.items[i]));
    kd_entries_release(&entries);
    return list;
}

int kd_model_check_settings(const json_t *block, struct kd_error *err)
{
    struct kd_entries entries = {0};
    int result = kd_model_expand(block, NULL, &entries, err);
    for (size_t i = 0; result == 0 && i < entries.list.n; i++) {
        struct kd_node node = {0};
        if (!kd_preset_find(entries.list.items[i].name))
            result = find_layer(&node, &entries.list.items[i], err);
    }
    kd_entries_release(&entries);
    return result;
}

static int check_same_node(const struct kd_node *a, const struct kd_node *b, struct kd_error *err)
{
    if (a->layer != b->layer || memcmp(a->inputs, b->inputs, sizeof a->inputs) != 0)
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

struct kd_shape kd_model_out(const struct kd_model *model)
{
    return model->nodes[model->n_nodes - 1].out;
}
