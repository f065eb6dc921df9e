/* expand.h - a model as written to the flat list of its nodes: repeats, residual blocks and presets
 * written out.
 *
 *     - repeat: {times: "${depth}", layers: [{linear: {units: 64}}, relu]}      its layers, `times` times over
 *     - residual: {layers: [...], shortcut: [...]}                              layers(x) + shortcut(x); shortcut: x by default
 *     - gpt: {layers: 4, heads: 4, width: 128}                                  a preset: the layers that it stands for
 *
 * All three may be nested. A model is a list of these and of layers, or a single one of them.
 * Everything else is passed on as it is, its settings unread, with the place it was written at for
 * messages. */
#ifndef KD_TRAINER_EXPAND_H
#define KD_TRAINER_EXPAND_H

#include <jansson.h>

#include "coordinator/base/arr.h"
#include "trainer/models/layer.h"

enum { KD_ENTRY_AT_MAX = 192, KD_REPEAT_TIMES_MAX = 1000, KD_ENTRIES_MAX = 10000 };

struct kd_entry {
    const char *name;         /* of the layer */
    const json_t *settings;   /* borrowed; NULL where none are given */
    char at[KD_ENTRY_AT_MAX]; /* JSON pointer of where it is written: "/model/0/repeat/layers/1" */
    bool is_made;             /* by a preset, which stands at `at` */
    int inputs[KD_NODE_INPUTS_MAX]; /* entries before it, or KD_NODE_BATCH */
    int n_inputs;
};

struct kd_entries {
    KD_ARR(struct kd_entry) list;
    json_t *made; /* owned: lists that presets made, which entries borrow from */
};

/* model: the `model:` block. input: what the model is given, for presets; NULL: presets are only
 * checked, and stay as entries of their own name. -1: the text starts with a JSON pointer
 * ("/model/0/repeat/times: ..."); entries is empty. */
int kd_model_expand(const json_t *model, const struct kd_input *input, struct kd_entries *entries,
                    struct kd_error *err);
void kd_entries_release(struct kd_entries *entries);

#endif
