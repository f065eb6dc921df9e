/* overrides.c - finding the place that an override names, and changing it. */
#include "coordinator/yaml/overrides.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/yaml/json.h"
#include "coordinator/yaml/tree.h"

enum { MOST_STEPS = 16, MOST_NAMES = 100 };
enum verb { SET, ADD, FORCE, TAKE_OUT };

struct override {
    const struct kd_override_rules *rules;
    const char *text; /* as the user typed it */
    enum verb verb;
    char *path; /* cut into steps */
    char *steps[MOST_STEPS];
    int n_steps;
    const char *value; /* NULL = none */
    struct kd_mark mark;
    struct kd_findings *findings;
};

static int fail(const struct override *o, const char *message)
{
    kd_found_error(o->findings, o->mark, "%s", message);
    return -1;
}

/* Lists of named things: an override may start one and add to it by name. */
static bool is_list_of_named(const struct override *o, const char *key)
{
    const char *const *names = o->rules->named_lists;
    for (; key && names && *names; names++)
        if (strcmp(*names, key) == 0)
            return true;
    return false;
}

/* A key goes into JSON later, which would drop it without a word. Values meet the YAML reader's own
 * check. */
static bool is_utf8(const char *text)
{
    json_t *json = json_string(text);
    json_decref(json);
    return json != NULL;
}

static int parse(struct override *o)
{
    const char *p = o->text;
    if (!is_utf8(p))
        return fail(o, "it is not UTF-8 text");
    o->verb = *p == '~' ? TAKE_OUT : strncmp(p, "++", 2) == 0 ? FORCE : *p == '+' ? ADD : SET;
    p += o->verb == FORCE ? 2 : o->verb != SET;
    const char *equals = strchr(p, '=');
    o->value = equals ? equals + 1 : NULL;
    o->path = equals ? kd_strndup(p, (size_t)(equals - p)) : kd_strdup(p);
    if (equals == NULL && o->verb != TAKE_OUT)
        return kd_found_error(o->findings, o->mark, "write it as key=value, as in %s",
                              o->rules->example),
               -1;
    for (char *rest = o->path, *step; (step = strsep(&rest, ".")) != NULL;) {
        if (*step == '\0')
            return fail(o, "a step of the key is empty");
        if (o->n_steps == MOST_STEPS)
            return fail(o, "the key has more than 16 steps");
        o->steps[o->n_steps++] = step;
    }
    return 0;
}

static int item_at(const struct kd_yaml *list, const char *step)
{
    long long index;
    int named = kd_yaml_named_at(list, step);
    if (named >= 0)
        return named;
    bool is_index = kd_integer_parse(step, &index) == 0 && index >= 0;
    return is_index && index < (long long)list->children.n ? (int)index : -1;
}

static int child_at(const struct kd_yaml *node, const char *step)
{
    return node->kind == KD_NODE_LIST ? item_at(node, step) : kd_yaml_key_at(node, step);
}

static struct kd_yaml *through(const struct override *o, struct kd_yaml *node, const char *step)
{
    return o->rules->through ? o->rules->through(node, step) : node;
}

/* What stands in the place of a step that is not there; owned. */
static char *step_hint(const struct kd_yaml *node, const char *step, const char *const *names)
{
    bool is_plain_list = node->kind == KD_NODE_LIST && names[0] == NULL && node->children.n > 0;
    if (is_plain_list)
        return kd_format(": %s is a list with items 0 to %zu", node->key ? node->key : "this",
                         node->children.n - 1);
    if (kd_yaml_is_scalar(node) && node->key)
        return kd_format(": %s is %s and has no fields", node->key, kd_yaml_kind_name(node));
    return kd_suggestion(step, names);
}

static int no_such_step(const struct override *o, const struct kd_yaml *node, const char *step)
{
    const char *names[MOST_NAMES + 1];
    int n = 0;
    for (size_t i = 0; i < node->children.n && n < MOST_NAMES; i++) {
        const struct kd_yaml *name = kd_yaml_get(node->children.items[i], "name");
        if (node->kind == KD_NODE_MAP)
            names[n++] = node->children.items[i]->key;
        else if (name && name->text)
            names[n++] = name->text;
    }
    names[n] = NULL;
    char *hint = step_hint(node, step, names);
    kd_found_error(o->findings, o->mark, "there is no \"%s\" in %s%s", step, o->rules->what, hint);
    free(hint);
    return -1;
}

/* The node that holds the last step. Mappings on the way are made; list items are not. */
static struct kd_yaml *descend(const struct override *o, struct kd_yaml *node)
{
    for (int i = 0; i + 1 < o->n_steps; i++) {
        node = through(o, node, o->steps[i]);
        if (kd_yaml_is_scalar(node) && node->kind != KD_NODE_NULL)
            return no_such_step(o, node, o->steps[i]), NULL;
        int at = child_at(node, o->steps[i]);
        bool may_make = node->kind != KD_NODE_LIST && o->verb != TAKE_OUT;
        if (at < 0 && !may_make)
            return no_such_step(o, node, o->steps[i]), NULL;
        if (at < 0) {
            bool is_list = is_list_of_named(o, o->steps[i]);
            struct kd_yaml *made = kd_yaml_new(is_list ? KD_NODE_LIST : KD_NODE_MAP, o->mark);
            kd_yaml_put(node, o->steps[i], o->mark, &made);
            at = (int)node->children.n - 1;
        }
        node = node->children.items[at];
        if (node->kind == KD_NODE_NULL)
            node->kind = KD_NODE_MAP, free(node->text), node->text = NULL;
    }
    return node;
}

static bool same_value(const struct kd_yaml *a, const struct kd_yaml *b)
{
    json_t *x = kd_yaml_json(a), *y = kd_yaml_json(b);
    bool same = json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return same;
}

static int take_out(const struct override *o, struct kd_yaml *parent, int at,
                    const struct kd_yaml *value)
{
    if (at < 0)
        return no_such_step(o, parent, o->steps[o->n_steps - 1]);
    if (value && !same_value(parent->children.items[at], value))
        return fail(o, "it has another value: leave out =value to remove it in any case");
    kd_yaml_remove_at(parent, (size_t)at);
    return 0;
}

/* A scalar given to a named item is its `value`: algorithm.algorithmSettings.gamma=0.3. */
static void set_item(const struct override *o, struct kd_yaml *list, int at, struct kd_yaml **value)
{
    const char *name = o->steps[o->n_steps - 1];
    struct kd_yaml *item = at >= 0 ? list->children.items[at] : NULL;
    if (item && !(item->kind == KD_NODE_MAP && kd_yaml_is_scalar(*value))) {
        kd_yaml_free(item);
        list->children.items[at] = *value;
        *value = NULL;
        return;
    }
    if (item == NULL) {
        item = (*value)->kind == KD_NODE_MAP ? *value : kd_yaml_new(KD_NODE_MAP, o->mark);
        struct kd_yaml *its_name = kd_yaml_new_scalar(name, false, o->mark);
        kd_yaml_put(item, "name", o->mark, &its_name);
        kd_arr_push(&list->children, item);
    }
    if (item == *value)
        *value = NULL;
    else
        kd_yaml_put(item, "value", o->mark, value);
}

static int set(const struct override *o, struct kd_yaml *parent, int at, struct kd_yaml **value)
{
    const char *step = o->steps[o->n_steps - 1];
    long long index;
    if (o->verb == ADD && at >= 0)
        return fail(o, "it is there already: drop the + to change it");
    if (kd_yaml_is_scalar(parent))
        return no_such_step(o, parent, step);
    if (parent->kind == KD_NODE_MAP) {
        kd_yaml_put(parent, step, o->mark, value);
        return 0;
    }
    if (at < 0 && (kd_integer_parse(step, &index) == 0 || !is_list_of_named(o, parent->key)))
        return no_such_step(o, parent, step);
    set_item(o, parent, at, value);
    return 0;
}

static void apply(struct override *o, struct kd_yaml *root)
{
    struct kd_yaml *value = NULL;
    if (parse(o) != 0)
        return;
    if (o->value && (value = kd_tree_parse_value(o->value, o->text, o->findings)) == NULL)
        return;
    struct kd_yaml *parent = descend(o, root);
    if (parent) {
        const char *last = o->steps[o->n_steps - 1];
        parent = through(o, parent, last);
        int at = child_at(parent, last);
        if (o->verb == TAKE_OUT)
            take_out(o, parent, at, value);
        else
            set(o, parent, at, &value);
    }
    kd_yaml_free(value);
}

void kd_override_apply(struct kd_yaml *root, const char *text,
                       const struct kd_override_rules *rules, struct kd_findings *findings)
{
    struct override o = {.rules = rules, .text = text, .findings = findings, .mark = {0, 0, text}};
    apply(&o, root);
    free(o.path);
}

/* ---- a field that the root has not, elsewhere ---- */

struct place {
    const char *name; /* borrowed from the tree */
    char *path;       /* owned */
    int depth;
};

typedef KD_ARR(struct place) place_list;

enum { MOST_PLACES = 1000 };

static const char *own_name(const struct kd_yaml *node)
{
    const struct kd_yaml *name = kd_yaml_get(node, "name");
    return node->key ? node->key : name ? name->text : NULL;
}

/* Everything below the node, with the path by which an override reaches it; an item without a name
 * goes by its index. */
static void find_places(const struct kd_yaml *node, const char *path, int depth, place_list *places)
{
    for (size_t i = 0; i < node->children.n && places->n < MOST_PLACES; i++) {
        const struct kd_yaml *child = node->children.items[i];
        bool is_name_of_item = node->key == NULL && child->key && strcmp(child->key, "name") == 0;
        const char *name = own_name(child), *dot = depth > 0 ? "." : "";
        char *below =
            name ? kd_format("%s%s%s", path, dot, name) : kd_format("%s%s%zu", path, dot, i);
        find_places(child, below, depth + 1, places);
        if (name && depth > 0 && !is_name_of_item)
            kd_arr_push(places, (struct place){name, below, depth});
        else
            free(below);
    }
}

static const struct place *shallowest(const place_list *places, const char *name)
{
    const struct place *best = NULL;
    for (size_t i = 0; name && i < places->n; i++) {
        const struct place *place = &places->items[i];
        if (strcmp(place->name, name) == 0 && (best == NULL || place->depth < best->depth))
            best = place;
    }
    return best;
}

static const char *nearest(const place_list *places, const char *name)
{
    KD_ARR(const char *) names = {0};
    for (size_t i = 0; i < places->n; i++)
        kd_arr_push(&names, places->items[i].name);
    kd_arr_push(&names, NULL);
    const char *near = kd_nearest_name(name, names.items);
    kd_arr_release(&names);
    return near;
}

char *kd_override_hint(const struct kd_yaml *root, const char *name, bool is_near)
{
    place_list places = {0};
    if (root)
        find_places(root, "", 0, &places);
    const struct place *place = shallowest(&places, name);
    if (place == NULL && is_near)
        place = shallowest(&places, nearest(&places, name));
    char *hint = place ? kd_format("; did you mean \"%s\"?", place->path) : NULL;
    for (size_t i = 0; i < places.n; i++)
        free(places.items[i].path);
    kd_arr_release(&places);
    return hint;
}
