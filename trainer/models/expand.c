#include "trainer/models/expand.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "trainer/models/preset.h"

enum { DEPTH_MAX = 8 };

struct expansion {
    struct kd_entries *entries;
    const struct kd_input *input;
    struct kd_error *err;
    int last; /* the entry whose output comes next; KD_NODE_BATCH at first */
    int depth;
    const char *preset_at; /* where the preset stands whose layers are read, or NULL */
};

static int expand_list(struct expansion *x, const json_t *list, const char *at);

/* ---- one entry */

static int check_keys(const json_t *settings, const char *const *names, const char *what,
                      const char *at, struct kd_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)settings, key, value)
    {
        bool known = false;
        for (int i = 0; names[i]; i++)
            known |= strcmp(key, names[i]) == 0;
        if (!known)
            return kd_fail(err, "%s/%s: %s takes %s and %s, nothing else", at, key, what, names[0],
                           names[1]);
    }
    return 0;
}

static int push(struct expansion *x, struct kd_entry entry)
{
    if (x->entries->list.n >= KD_ENTRIES_MAX)
        return kd_fail(x->err, "%s: the model has more than %d layers", entry.at, KD_ENTRIES_MAX);
    entry.is_made = x->preset_at != NULL;
    kd_arr_push(&x->entries->list, entry);
    x->last = (int)x->entries->list.n - 1;
    return 0;
}

static int push_layer(struct expansion *x, const char *name, const json_t *settings, const char *at)
{
    struct kd_entry entry = {
        .name = name, .settings = settings, .inputs = {x->last}, .n_inputs = 1};
    snprintf(entry.at, sizeof entry.at, "%s", at);
    return push(x, entry);
}

/* ---- repeat */

static int read_times(const json_t *repeat, const char *at, int *times, struct kd_error *err)
{
    const json_t *given = json_object_get(repeat, "times");
    double value = json_is_number(given) ? json_number_value(given) : NAN;
    if (given == NULL)
        return kd_fail(err, "%s: times is missing: how often its layers stand there", at);
    if (!(value >= 0 && value <= KD_REPEAT_TIMES_MAX && value == floor(value)))
        return kd_fail(err, "%s/times: must be a whole number from 0 to %d", at,
                       KD_REPEAT_TIMES_MAX);
    *times = (int)value;
    return 0;
}

static int expand_inner(struct expansion *x, const json_t *settings, const char *name,
                        const char *at)
{
    char inner_at[KD_ENTRY_AT_MAX];
    snprintf(inner_at, sizeof inner_at, "%.180s/%s", at, name);
    if (x->depth == DEPTH_MAX)
        return kd_fail(x->err, "%s: repeats and residual blocks may be nested %d deep at most", at,
                       DEPTH_MAX);
    x->depth++;
    int result = expand_list(x, json_object_get(settings, name), inner_at);
    x->depth--;
    return result;
}

static int expand_repeat(struct expansion *x, const json_t *settings, const char *at)
{
    static const char *const keys[] = {"times", "layers", NULL};
    int times = 0;
    if (check_keys(settings, keys, "repeat", at, x->err) != 0 ||
        read_times(settings, at, &times, x->err) != 0)
        return -1;
    size_t before = x->entries->list.n;
    int last = x->last;
    /* Once at least, so that a mistake inside is found at depth 0 too. */
    for (int i = 0; i < times || i == 0; i++)
        if (expand_inner(x, settings, "layers", at) != 0)
            return -1;
    if (times == 0) {
        x->entries->list.n = before;
        x->last = last;
    }
    return 0;
}

/* ---- residual */

static int expand_residual(struct expansion *x, const json_t *settings, const char *at)
{
    static const char *const keys[] = {"layers", "shortcut", NULL};
    int from = x->last;
    if (check_keys(settings, keys, "residual", at, x->err) != 0 ||
        expand_inner(x, settings, "layers", at) != 0)
        return -1;
    struct kd_entry join = {.name = "residual", .inputs = {x->last, from}, .n_inputs = 2};
    snprintf(join.at, sizeof join.at, "%s", at);
    if (json_object_get(settings, "shortcut")) {
        x->last = from;
        if (expand_inner(x, settings, "shortcut", at) != 0)
            return -1;
        join.inputs[1] = x->last;
    }
    if (join.inputs[0] == from || join.inputs[1] == KD_NODE_BATCH)
        return kd_fail(x->err,
                       "%s: a residual block needs layers of its own, and one before it: a linear, "
                       "conv2d or embedding",
                       at);
    return push(x, join);
}

/* ---- presets */

static int expand_preset(struct expansion *x, const struct kd_preset *preset,
                         const json_t *settings, const char *at)
{
    double values[KD_FIELDS_MAX];
    if (kd_fields_read(preset->fields, settings, NULL, at, values, x->err) != 0)
        return -1;
    if (!x->input)
        return push_layer(x, preset->name, settings, at);
    struct kd_input input = *x->input;
    if (input.n_outputs < 1) /* the data were only looked at: any number will do for the check */
        input.n_outputs = 1;
    json_t *list = preset->layers(values, &input, x->err);
    if (!list)
        return kd_error_prefix(x->err, "%s", at);
    json_array_append_new(x->entries->made, list);
    x->preset_at = at;
    int result = expand_list(x, list, at);
    x->preset_at = NULL;
    return result;
}

/* ---- any of them */

static int expand_one(struct expansion *x, const char *name, const json_t *settings, const char *at)
{
    const struct kd_preset *preset = kd_preset_find(name);
    if (strcmp(name, "repeat") == 0)
        return expand_repeat(x, settings, at);
    if (strcmp(name, "residual") == 0)
        return expand_residual(x, settings, at);
    if (preset && x->depth == DEPTH_MAX)
        return kd_fail(x->err, "%s: is nested too deep", at);
    return preset ? expand_preset(x, preset, settings, at) : push_layer(x, name, settings, at);
}

/* An entry is {"relu": {}}, or just "relu" when there is nothing to set. */
static int expand_entry(struct expansion *x, const json_t *entry, const char *at)
{
    char full_at[KD_ENTRY_AT_MAX];
    const char *name = json_string_value(entry);
    const json_t *settings = NULL;
    if (!name && json_is_object(entry) && json_object_size(entry) == 1) {
        void *only = json_object_iter((json_t *)entry);
        name = json_object_iter_key(only);
        settings = json_object_iter_value(only);
    }
    if (!name)
        return kd_fail(x->err,
                       "%s: a layer is one name with its settings, such as "
                       "{\"linear\": {\"units\": 64}}",
                       at);
    snprintf(full_at, sizeof full_at, "%.150s/%.40s", at, name);
    return expand_one(x, name, settings, x->preset_at ? x->preset_at : full_at);
}

static int expand_list(struct expansion *x, const json_t *list, const char *at)
{
    if (!json_is_array(list) || json_array_size(list) == 0)
        return kd_fail(x->err,
                       "%s: must be a list of at least one layer, such as "
                       "[{\"linear\": {\"units\": 10}}]",
                       at);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char entry_at[KD_ENTRY_AT_MAX];
        snprintf(entry_at, sizeof entry_at, "%.170s/%zu", at, i);
        if (expand_entry(x, json_array_get(list, i), entry_at) != 0)
            return -1;
    }
    return 0;
}

int kd_model_expand(const json_t *model, const struct kd_input *input, struct kd_entries *entries,
                    struct kd_error *err)
{
    *entries = (struct kd_entries){.made = json_array()};
    struct expansion x = {.entries = entries, .input = input, .err = err, .last = KD_NODE_BATCH};
    bool single = json_is_string(model) || json_object_size(model) == 1;
    if ((single ? expand_entry : expand_list)(&x, model, "/model") == 0)
        return 0;
    kd_entries_release(entries);
    return -1;
}

void kd_entries_release(struct kd_entries *entries)
{
    kd_arr_release(&entries->list);
    json_decref(entries->made);
    *entries = (struct kd_entries){0};
}
