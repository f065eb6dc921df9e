/* tree.c - libyaml's events to nodes. One descent per node; the depth limit bounds the
 * recursion. */
#include "coordinator/yaml/tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

struct anchor {
    char *name;
    struct kd_yaml
        *node; /* borrowed; NULL while it is being built: an alias to it would be a cycle */
};

struct builder {
    yaml_parser_t parser;
    struct kd_findings *findings;
    struct kd_source source;
    const char *origin;
    KD_ARR(struct anchor) anchors;
    KD_ARR(struct kd_yaml *) spare; /* keys and refused values: anchors may point into them */
    size_t n_nodes, n_aliases;
    int depth;
};

static struct kd_mark mark_of(const struct builder *b, yaml_mark_t mark)
{
    if (b->origin)
        return (struct kd_mark){0, 0, b->origin};
    return (struct kd_mark){(int)mark.line + 1, (int)mark.column + 1, NULL};
}

/* The bytes at a mark; empty when it lies beyond the end. libyaml counts characters. */
static const char *text_at(const struct builder *b, yaml_mark_t mark, const char **line_start)
{
    const char *p = b->source.text;
    for (size_t line = 0; line < mark.line; line++) {
        const char *newline = strchr(p, '\n');
        if (newline == NULL)
            return *line_start = p + strlen(p);
        p = newline + 1;
    }
    *line_start = p;
    for (size_t column = 0; column < mark.column && *p && *p != '\n'; column++)
        for (p++; ((unsigned char)*p & 0xc0) == 0x80;)
            p++;
    return p;
}

static void plain_syntax_error(struct builder *b, struct kd_mark mark)
{
    const yaml_parser_t *parser = &b->parser;
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    if (parser->context && b->origin == NULL)
        kd_found_error(
            b->findings, mark, "not valid YAML: %s %s that starts in line %zu, column %zu", problem,
            parser->context, parser->context_mark.line + 1, parser->context_mark.column + 1);
    else
        kd_found_error(b->findings, mark, "not valid YAML: %s", problem);
}

/* What libyaml says in its own words, where we know better. */
static void syntax_error(struct builder *b)
{
    const yaml_parser_t *parser = &b->parser;
    struct kd_mark mark = mark_of(b, parser->problem_mark);
    const char *line, *at = text_at(b, parser->problem_mark, &line);
    if (at > line && at[-1] == '$' && *at == '{') {
        if (mark.column > 1)
            mark.column--;
        kd_found_error(b->findings, mark,
                       "inside [ ] or { } YAML reads the { of ${...} as its own: quote the whole "
                       "item, as in \"--lr=${lr}\"");
    } else if (*at == '\t') {
        kd_found_error(b->findings, mark, "a tab: YAML indents with spaces only");
    } else if (parser->problem && strstr(parser->problem, "mapping values are not allowed")) {
        kd_found_error(b->findings, mark,
                       "a second ': ' on this line: quote the text that holds it, or look at the "
                       "indentation of the line above");
    } else {
        plain_syntax_error(b, mark);
    }
}

static int next_event(struct builder *b, yaml_event_t *event)
{
    if (yaml_parser_parse(&b->parser, event))
        return 0;
    syntax_error(b);
    return -1;
}

static struct kd_yaml *refuse(struct builder *b, yaml_mark_t mark, const char *message)
{
    kd_found_error(b->findings, mark_of(b, mark), "%s", message);
    return NULL;
}

static int anchor_find(const struct builder *b, const char *name)
{
    for (size_t i = b->anchors.n; i-- > 0;)
        if (strcmp(b->anchors.items[i].name, name) == 0)
            return (int)i;
    return -1;
}

static size_t count_nodes(const struct kd_yaml *node)
{
    size_t n = 1;
    for (size_t i = 0; i < node->children.n; i++)
        n += count_nodes(node->children.items[i]);
    return n;
}

static size_t tree_depth(const struct kd_yaml *node)
{
    size_t deepest = 0;
    for (size_t i = 0; i < node->children.n; i++) {
        size_t depth = tree_depth(node->children.items[i]);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static struct kd_yaml *alias_node(struct builder *b, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    int at = anchor_find(b, name);
    if (at < 0)
        return kd_found_error(b->findings, mark_of(b, event->start_mark),
                              "the alias *%s has no anchor &%s above it", name, name),
               NULL;
    const struct kd_yaml *target = b->anchors.items[at].node;
    if (target == NULL)
        return refuse(b, event->start_mark, "an alias inside its own anchor has no end");
    if (++b->n_aliases > KD_TREE_MAX_ALIASES)
        return refuse(b, event->start_mark, "more than 1000 aliases");
    b->n_nodes += count_nodes(target);
    if (b->n_nodes > KD_TREE_MAX_NODES)
        return refuse(b, event->start_mark, "the aliases expand to more than 200000 values");
    if (b->depth + tree_depth(target) > KD_TREE_MAX_DEPTH)
        return refuse(b, event->start_mark, "nested deeper than 64 levels");
    struct kd_yaml *copy = kd_yaml_copy(target);
    free(copy->key);
    copy->key = NULL;
    return copy;
}

static struct kd_yaml *scalar_node(struct builder *b, const yaml_event_t *event)
{
    static const char core[] = "tag:yaml.org,2002:";
    const char *text = (const char *)event->data.scalar.value;
    const char *tag = (const char *)event->data.scalar.tag;
    if (strlen(text) != event->data.scalar.length)
        return refuse(b, event->start_mark, "a NUL character inside a text");
    bool is_core = tag && strncmp(tag, core, strlen(core)) == 0;
    if (tag && strcmp(tag, "!") != 0 && !is_core)
        return kd_found_error(b->findings, mark_of(b, event->start_mark),
                              "the tag %s: tags have no meaning here", tag),
               NULL;
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool is_string = tag && (!is_core || strcmp(tag + strlen(core), "str") == 0);
    return kd_yaml_new_scalar(text, is_core ? !is_string : is_plain && !is_string,
                              mark_of(b, event->start_mark));
}

static struct kd_yaml *build(struct builder *b, yaml_event_t *event);

static struct kd_yaml *next_node(struct builder *b, yaml_event_type_t end, bool *ended)
{
    yaml_event_t event;
    if (next_event(b, &event) != 0)
        return NULL;
    *ended = event.type == end;
    struct kd_yaml *node = *ended ? NULL : build(b, &event);
    yaml_event_delete(&event);
    return node;
}

static int fill_list(struct builder *b, struct kd_yaml *list)
{
    for (bool ended = false;;) {
        struct kd_yaml *item = next_node(b, YAML_SEQUENCE_END_EVENT, &ended);
        if (item == NULL)
            return ended ? 0 : -1;
        kd_yaml_push(list, &item);
    }
}

/* 0: use it; 1: a repeat, found and to be left out; -1: give up. */
static int check_key(struct builder *b, const struct kd_yaml *map, const struct kd_yaml *key)
{
    if (!kd_yaml_is_scalar(key))
        return kd_found_error(b->findings, key->mark, "a key must be a plain text, not %s",
                              kd_yaml_kind_name(key)),
               -1;
    if (strcmp(key->text, "<<") == 0)
        return kd_found_error(b->findings, key->mark,
                              "<< merges are not part of YAML 1.2: write the fields out, or use an "
                              "alias for a whole value"),
               -1;
    if (map->children.n >= KD_TREE_MAX_KEYS)
        return kd_found_error(b->findings, key->mark, "more than 1000 keys in one mapping"), -1;
    int before = kd_yaml_key_at(map, key->text);
    if (before >= 0) {
        const struct kd_yaml *first = map->children.items[before];
        kd_found_error(b->findings, key->mark,
                       "the key \"%s\" is there twice: first in line %d, column %d; keep one",
                       key->text, first->key_mark.line, first->key_mark.column);
    }
    return before >= 0 ? 1 : 0;
}

static int fill_map(struct builder *b, struct kd_yaml *map)
{
    for (bool ended = false, never = false;;) {
        struct kd_yaml *key = next_node(b, YAML_MAPPING_END_EVENT, &ended);
        if (key == NULL)
            return ended ? 0 : -1;
        kd_arr_push(&b->spare, key);
        int verdict = check_key(b, map, key);
        struct kd_yaml *value = verdict < 0 ? NULL : next_node(b, YAML_NO_EVENT, &never);
        if (value == NULL)
            return -1;
        if (verdict == 0)
            kd_yaml_put(map, key->text, key->mark, &value);
        else
            kd_arr_push(&b->spare, value);
    }
}

static struct kd_yaml *collection(struct builder *b, const yaml_event_t *event)
{
    bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
    if (b->depth >= KD_TREE_MAX_DEPTH)
        return refuse(b, event->start_mark, "nested deeper than 64 levels");
    struct kd_yaml *node =
        kd_yaml_new(is_list ? KD_NODE_LIST : KD_NODE_MAP, mark_of(b, event->start_mark));
    b->depth++;
    int failed = is_list ? fill_list(b, node) : fill_map(b, node);
    b->depth--;
    if (failed) {
        kd_yaml_free(node);
        return NULL;
    }
    return node;
}

static const char *anchor_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return (const char *)event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return (const char *)event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return (const char *)event->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static struct kd_yaml *build(struct builder *b, yaml_event_t *event)
{
    if (++b->n_nodes > KD_TREE_MAX_NODES)
        return refuse(b, event->start_mark, "more than 200000 values");
    const char *name = anchor_of(event);
    size_t at = b->anchors.n;
    if (name)
        kd_arr_push(&b->anchors, (struct anchor){kd_strdup(name), NULL});
    struct kd_yaml *node = event->type == YAML_ALIAS_EVENT    ? alias_node(b, event)
                           : event->type == YAML_SCALAR_EVENT ? scalar_node(b, event)
                                                              : collection(b, event);
    if (name)
        b->anchors.items[at].node = node;
    return node;
}

/* Up to the first node, which it builds; NULL without a finding when the stream is empty. */
static struct kd_yaml *first_document(struct builder *b)
{
    for (;;) {
        yaml_event_t event;
        if (next_event(b, &event) != 0)
            return NULL;
        struct kd_yaml *node = NULL;
        bool is_prologue =
            event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT;
        if (!is_prologue && event.type != YAML_STREAM_END_EVENT)
            node = build(b, &event);
        yaml_event_delete(&event);
        if (!is_prologue)
            return node;
    }
}

/* After the document nothing but the end may come. */
static int end_of_stream(struct builder *b)
{
    for (;;) {
        yaml_event_t event;
        if (next_event(b, &event) != 0)
            return -1;
        yaml_event_type_t type = event.type;
        struct kd_mark mark = mark_of(b, event.start_mark);
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return 0;
        if (type == YAML_DOCUMENT_START_EVENT)
            return kd_found_error(b->findings, mark,
                                  "a second document: a file holds one; split it"),
                   -1;
    }
}

static struct kd_yaml *parse(struct builder *b)
{
    int n_before = b->findings->n_errors;
    yaml_parser_initialize(&b->parser);
    yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b->parser, (const unsigned char *)b->source.text,
                                 b->source.length);
    struct kd_yaml *node = first_document(b);
    if (node)
        end_of_stream(b);
    for (size_t i = 0; i < b->anchors.n; i++)
        free(b->anchors.items[i].name);
    kd_arr_release(&b->anchors);
    for (size_t i = 0; i < b->spare.n; i++)
        kd_yaml_free(b->spare.items[i]);
    kd_arr_release(&b->spare);
    yaml_parser_delete(&b->parser);
    if (b->findings->n_errors > n_before) {
        kd_yaml_free(node);
        return NULL;
    }
    return node;
}

struct kd_yaml *kd_tree_parse(struct kd_findings *findings)
{
    struct builder b = {.findings = findings, .source = findings->source};
    return parse(&b);
}

struct kd_yaml *kd_tree_parse_value(const char *text, const char *origin,
                                    struct kd_findings *findings)
{
    struct builder b = {
        .findings = findings, .origin = origin, .source = {origin, text, strlen(text), NULL}};
    int n_before = findings->n_errors;
    struct kd_yaml *node = parse(&b);
    if (node == NULL && findings->n_errors == n_before)
        node = kd_yaml_new_scalar("", false, (struct kd_mark){0, 0, origin});
    return node;
}
