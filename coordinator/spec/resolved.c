/* resolved.c - a document as text again, after overrides have changed its tree. */
#include "coordinator/base/json.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/digest.h"

static void write_node(struct kd_json *json, const struct kd_yaml *node)
{
    switch (node->kind) {
    case KD_NODE_STRING:
        kd_json_string(json, node->text);
        return;
    case KD_NODE_NULL:
        kd_json_null(json);
        return;
    case KD_NODE_BOOL:
        kd_json_bool(json, node->number != 0);
        return;
    case KD_NODE_NUMBER:
        kd_json_raw(json, node->text); /* as written: a command line may show it */
        return;
    default:
        break;
    }
    bool is_map = node->kind == KD_NODE_MAP;
    kd_json_open(json, is_map ? '{' : '[');
    for (size_t i = 0; i < node->children.n; i++) {
        if (is_map)
            kd_json_key(json, node->children.items[i]->key);
        write_node(json, node->children.items[i]);
    }
    kd_json_close(json, is_map ? '}' : ']');
}

char *kd_resolved(const struct kd_yaml *root)
{
    struct kd_str out = {0};
    struct kd_json json = kd_json_to(&out);
    write_node(&json, root);
    return kd_str_take(&out);
}
