/* block_file.c - reading the file of a training, filling its placeholders, and saying where it is
 * wrong. */
#include "trainer/block_file.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "coordinator/base/str.h"
#include "coordinator/yaml/document.h"
#include "coordinator/yaml/json.h"
#include "coordinator/yaml/overrides.h"
#include "coordinator/yaml/piece.h"

/* Seen by nobody else: the nodes of models/ and those of a file have one name. */
struct kd_block_file {
    const char *path;
    const char *const *settings;
    char *text;
    struct kd_yaml *root;
    struct kd_yaml *block; /* in root */
    struct kd_findings findings;
};

static void print_problem(void *ud, bool is_warning, char *text)
{
    (void)ud;
    (void)is_warning;
    fprintf(stderr, "%s\n", text);
    free(text);
}

static void show(struct kd_block_file *file)
{
    int n = kd_findings_show(&file->findings, print_problem, NULL);
    if (n > 1)
        fprintf(stderr, "%d errors\n", n);
}

/* ---- the document */

static bool ends_in(const char *path, const char *extension)
{
    size_t n = strlen(path), length = strlen(extension);
    return n > length && strcasecmp(path + n - length, extension) == 0;
}

static bool is_json(const struct kd_block_file *file)
{
    const char *start = file->text + strspn(file->text, " \t\r\n");
    if (ends_in(file->path, ".json"))
        return *start != '\0'; /* the reader of documents has a better word for nothing */
    return *start == '{' && !ends_in(file->path, ".yaml") && !ends_in(file->path, ".yml");
}

/* YAML's reader knows the places; what is wrong with JSON is better said by JSON's. */
static int check_json(struct kd_block_file *file)
{
    json_error_t where;
    json_t *json = json_loadb(file->text, file->findings.source.length, JSON_DECODE_ANY, &where);
    json_decref(json);
    if (json)
        return 0;
    kd_found_error(&file->findings, (struct kd_mark){where.line, where.column, NULL},
                   "not valid JSON: %s", where.text);
    return -1;
}

static int load(struct kd_block_file *file)
{
    bool is_stdin = strcmp(file->path, "-") == 0;
    struct kd_source *source = &file->findings.source;
    struct kd_error err;
    *source = (struct kd_source){is_stdin ? "stdin" : file->path, "", 0, "a trainer block"};
    file->text = is_stdin ? kd_document_read_fd(STDIN_FILENO, &source->length, &err)
                          : kd_document_read(file->path, &source->length, &err);
    if (file->text == NULL) {
        kd_found_error(&file->findings, (struct kd_mark){0}, "%s", err.text);
        return -1;
    }
    source->text = file->text;
    bool is_whole = source->length <= KD_TREE_MAX_BYTES; /* what is cut off is no JSON either */
    if (is_whole && is_json(file) && check_json(file) < 0)
        return -1;
    file->root = kd_document_parse(&file->findings);
    return file->findings.n_errors ? -1 : 0;
}

/* ---- the block in it */

static int refuse_experiment(struct kd_block_file *file, const struct kd_yaml *sign)
{
    const char *name = file->findings.source.file;
    kd_found_error(&file->findings, sign->key_mark,
                   "\"%s\" belongs to an Experiment, and katydid-trainer trains one configuration: "
                   "search with `katydid run %s`, do one trial of it with `katydid try %s`, or "
                   "give only what stands under trainer:",
                   sign->key, name, name);
    return -1;
}

static int find_block(struct kd_block_file *file)
{
    static const char *const signs[] = {"apiVersion", "kind", "spec", "trialTemplate"};
    struct kd_yaml *root = file->root;
    for (size_t i = 0; i < KD_COUNT(signs); i++) {
        int at = kd_yaml_key_at(root, signs[i]);
        if (at >= 0)
            return refuse_experiment(file, root->children.items[at]);
    }
    int at = kd_yaml_key_at(root, "trainer");
    file->block = at >= 0 ? root->children.items[at] : root;
    for (size_t i = 0; at >= 0 && i < root->children.n; i++)
        if ((int)i != at)
            kd_found_error(&file->findings, root->children.items[i]->key_mark,
                           "\"%s\" beside \"trainer\": the fields of a trainer block belong under "
                           "trainer:",
                           root->children.items[i]->key);
    if (file->block->kind != KD_NODE_MAP)
        kd_found_error(&file->findings, file->block->mark,
                       "a trainer block must be a mapping of fields (data, model, ...), not %s",
                       kd_yaml_kind_name(file->block));
    return file->findings.n_errors ? -1 : 0;
}

/* ---- placeholders and settings */

/* ${trialParameters.lr} is ${lr}, as in a spec. */
static void drop_prefix(struct kd_piece *piece)
{
    size_t prefix = strlen(KD_KATIB_PREFIX);
    if (piece->length > prefix && strncmp(piece->start, KD_KATIB_PREFIX, prefix) == 0)
        piece->start += prefix, piece->length -= prefix;
}

static bool sets(const char *setting, const char *name, size_t length)
{
    return strncmp(setting, name, length) == 0 && setting[length] == '=';
}

static bool names_placeholder(const struct kd_yaml *node, const char *setting)
{
    const char *cursor = node->kind == KD_NODE_STRING ? node->text : "";
    struct kd_piece piece;
    while (kd_piece_next(&cursor, false, &piece)) {
        drop_prefix(&piece);
        if (piece.kind == KD_PIECE_PLACEHOLDER && sets(setting, piece.start, piece.length))
            return true;
    }
    for (size_t i = 0; i < node->children.n; i++)
        if (names_placeholder(node->children.items[i], setting))
            return true;
    return false;
}

static void apply_settings(struct kd_block_file *file)
{
    static const struct kd_override_rules rules = {.what = "the trainer block",
                                                   .example = "optimizer.lr=0.01"};
    for (const char *const *setting = file->settings; setting && *setting; setting++)
        if (!names_placeholder(file->block, *setting))
            kd_override_apply(file->block, *setting, &rules, &file->findings);
}

/* The last one given; NULL and a finding when there is none. */
static const char *value_of(struct kd_block_file *file, const struct kd_yaml *node,
                            const struct kd_piece *piece)
{
    const char *value = NULL;
    for (const char *const *setting = file->settings; setting && *setting; setting++)
        if (sets(*setting, piece->start, piece->length))
            value = *setting + piece->length + 1;
    if (!value)
        kd_found_error(&file->findings, node->mark,
                       "the placeholder ${%.*s} has no value: add %.*s=VALUE to the command line",
                       (int)piece->length, piece->start, (int)piece->length, piece->start);
    return value;
}

/* False: something was found. */
static bool add_pieces(struct kd_block_file *file, const struct kd_yaml *node, struct kd_str *out)
{
    const char *cursor = node->text, *value;
    struct kd_piece piece;
    while (kd_piece_next(&cursor, false, &piece)) {
        if (piece.kind == KD_PIECE_TEXT) {
            kd_str_addn(out, piece.start, piece.length);
            continue;
        }
        if (piece.kind == KD_PIECE_OPEN) {
            kd_found_error(&file->findings, node->mark,
                           "${ without its }: write $${ for a plain ${");
            return false;
        }
        drop_prefix(&piece);
        if ((value = value_of(file, node, &piece)) == NULL)
            return false;
        kd_str_add(out, value);
    }
    return true;
}

static json_t *filled_text(void *ud, const struct kd_yaml *node)
{
    struct kd_block_file *file = ud;
    struct kd_str text = {0};
    struct kd_piece piece;
    json_t *json = NULL;
    if (add_pieces(file, node, &text)) {
        bool is_alone = kd_piece_alone(node->text, false, &piece);
        json = is_alone ? kd_typed_json(kd_str_text(&text)) : json_string(kd_str_text(&text));
        if (!json)
            kd_found_error(&file->findings, node->mark, "what fills it is not UTF-8 text");
    }
    kd_str_release(&text);
    return json;
}

/* ---- all of it */

struct kd_block_file *kd_block_file_new(const char *path, const char *const *settings)
{
    struct kd_block_file *file = KD_NEW(struct kd_block_file);
    file->path = path;
    file->settings = settings;
    return file;
}

void kd_block_file_free(struct kd_block_file *file)
{
    if (file == NULL)
        return;
    kd_yaml_free(file->root);
    free(file->text);
    free(file);
}

json_t *kd_block_file_read(struct kd_block_file *file)
{
    json_t *json = NULL;
    if (load(file) == 0 && find_block(file) == 0) {
        apply_settings(file);
        json = kd_yaml_json_with(file->block, filled_text, file);
    }
    if (file->findings.n_errors == 0)
        return json;
    show(file);
    json_decref(json);
    return NULL;
}

/* NULL, or where else in the block a field is that a setting wanted at its top; the caller
 * frees. */
static char *hint_for(const struct kd_block_file *file, const struct kd_problem *problem,
                      struct kd_mark mark)
{
    bool is_unknown = strncmp(problem->message, "unknown field ", 14) == 0;
    bool is_at_top = strrchr(problem->pointer, '/') == problem->pointer;
    if (!mark.origin || !is_unknown || !is_at_top)
        return NULL;
    return kd_override_hint(file->block, problem->pointer + 1,
                            strstr(problem->message, "did you mean") == NULL);
}

void kd_block_file_refuse(struct kd_block_file *file, const struct kd_problems *problems)
{
    for (size_t i = 0; i < problems->list.n; i++) {
        const struct kd_problem *problem = &problems->list.items[i];
        struct kd_mark mark = kd_yaml_mark_at(file->block, problem->pointer);
        char *hint = hint_for(file, problem, mark);
        int n = (int)strcspn(problem->message, hint ? ";" : "");
        kd_found_error(&file->findings, mark, "%s%s%.*s%s", problem->pointer,
                       *problem->pointer ? ": " : "", n, problem->message, hint ? hint : "");
        free(hint);
    }
    show(file);
}
