/* metric_line.c - finding `name=value`, `name: value`, JSON and the user's own patterns in a line
 * of output. */
#include "coordinator/spec/metric_line.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/filter.h"

enum { LONGEST_NUMBER = 400, LONGEST_FILTERED = 1 << 16, N_STEP_NAMES = 3 };

static const char *const step_names[N_STEP_NAMES] = {"step", "global_step", "epoch"};

struct kd_line_scanner {
    const char **names; /* the objective's first; borrowed from the experiment */
    size_t *lengths;
    int n_names;
    struct kd_filter **filters;
    int n_filters;
};

/* One line being scanned. */
struct scan {
    struct kd_line_scanner *scanner;
    struct kd_line_point *points;
    int n, most;
    int64_t steps[N_STEP_NAMES];
    bool has_step[N_STEP_NAMES];
};

struct kd_line_scanner *kd_line_scanner_new(const struct kd_experiment *experiment,
                                            struct kd_error *err)
{
    const struct kd_objective *objective = &experiment->objective;
    const struct kd_metrics_collector *collector = &experiment->template.collector;
    struct kd_line_scanner *scanner = KD_NEW(struct kd_line_scanner);
    scanner->n_names = 1 + objective->n_additional;
    scanner->names = KD_NEW_ARRAY(const char *, (size_t)scanner->n_names);
    scanner->lengths = KD_NEW_ARRAY(size_t, (size_t)scanner->n_names);
    scanner->filters = KD_NEW_ARRAY(struct kd_filter *, (size_t)collector->n_filters + 1);
    for (int i = 0; i < scanner->n_names; i++) {
        scanner->names[i] = i == 0 ? objective->metric : objective->additional[i - 1];
        scanner->lengths[i] = strlen(scanner->names[i]);
    }
    for (int i = 0; i < collector->n_filters; i++) {
        scanner->filters[i] = kd_filter_new(collector->filters[i], err);
        if (scanner->filters[i] == NULL) {
            kd_line_scanner_free(scanner);
            return NULL;
        }
        scanner->n_filters++;
    }
    return scanner;
}

void kd_line_scanner_free(struct kd_line_scanner *scanner)
{
    if (scanner == NULL)
        return;
    for (int i = 0; i < scanner->n_filters; i++)
        kd_filter_free(scanner->filters[i]);
    free(scanner->filters);
    free(scanner->lengths);
    free(scanner->names);
    free(scanner);
}

static int name_find(const struct kd_line_scanner *scanner, const char *name, size_t length)
{
    for (int i = 0; i < scanner->n_names; i++)
        if (scanner->lengths[i] == length && memcmp(scanner->names[i], name, length) == 0)
            return i;
    return -1;
}

static int step_find(const char *name, size_t length)
{
    for (int i = 0; i < N_STEP_NAMES; i++)
        if (strlen(step_names[i]) == length && memcmp(step_names[i], name, length) == 0)
            return i;
    return -1;
}

static void add_point(struct scan *scan, int name, double value)
{
    if (scan->n < scan->most)
        scan->points[scan->n++] =
            (struct kd_line_point){.name = scan->scanner->names[name], .value = value};
}

/* A step is a whole count; `epoch: 0.52` of a progress line is none. */
static void note_step(struct scan *scan, int step, double value)
{
    if (value < 0 || value > 0x1p53 || value != floor(value) || scan->has_step[step])
        return;
    scan->has_step[step] = true;
    scan->steps[step] = (int64_t)value;
}

static bool is_wanted(const struct scan *scan, const char *name, size_t length)
{
    return name_find(scan->scanner, name, length) >= 0 || step_find(name, length) >= 0;
}

static void take_value(struct scan *scan, const char *name, size_t length, double value)
{
    int at = name_find(scan->scanner, name, length), step = step_find(name, length);
    if (at >= 0)
        add_point(scan, at, value);
    if (step >= 0)
        note_step(scan, step, value);
}

static bool is_word_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_name_character(char c)
{
    return is_word_character(c) || (c && strchr("-/.|@", c) != NULL);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(const char *text)
{
    text += strspn(text, "+-");
    return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

/* What may stand behind digits: nothing, other than word characters, or a unit (`12ms`). Half of a
 * longer number is none: 1_000, 1,000, 0,5, 1k2. */
static bool ends_number(const char *rest)
{
    if (*rest == ',')
        return !is_digit(rest[1]);
    while (is_word_character(*rest) && !is_digit(*rest) && *rest != '_')
        rest++;
    return !is_word_character(*rest);
}

/* The number that text starts with; false when it starts with none. A word that merely begins like
 * one ("nano", "info") is none, and neither is hexadecimal, in which strtod sees more than people
 * do. */
static bool leading_number(const char *text, const char *end, double *value)
{
    char buffer[LONGEST_NUMBER + 1], *stop;
    size_t length = (size_t)(end - text) < LONGEST_NUMBER ? (size_t)(end - text) : LONGEST_NUMBER;
    memcpy(buffer, text, length);
    buffer[length] = '\0';
    char first = buffer[strspn(buffer, "+-")];
    if (length == 0 || !(first == '.' || is_word_character(first)) || is_hex(buffer))
        return false;
    *value = strtod(buffer, &stop);
    if (stop == buffer || stop == buffer + LONGEST_NUMBER)
        return false;
    return first == '.' || is_digit(first) ? ends_number(stop) : !is_word_character(*stop);
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p;
}

static bool is_quote(const char *p, const char *end)
{
    return p < end && (*p == '"' || *p == '\'');
}

/* The name that ends just before a separator: blanks and a quote may stand between. */
static const char *name_before(const char *line, const char *separator, size_t *length)
{
    const char *end = separator;
    while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (end > line && is_quote(end - 1, end))
        end--;
    const char *start = end;
    while (start > line && is_name_character(start[-1]))
        start--;
    *length = (size_t)(end - start);
    return start;
}

static void scan_text(struct scan *scan, const char *line, const char *end)
{
    for (const char *p = line; p < end; p++) {
        size_t length;
        double value;
        if (*p != '=' && *p != ':')
            continue;
        const char *name = name_before(line, p, &length);
        if (length == 0 || !is_wanted(scan, name, length))
            continue;
        const char *at = skip_blanks(p + 1, end);
        at += is_quote(at, end);
        if (leading_number(at, end, &value))
            take_value(scan, name, length, value);
    }
}

static bool json_number(const json_t *json, double *value)
{
    if (json_is_number(json)) {
        *value = json_number_value(json);
        return true;
    }
    const char *text = json_string_value(json);
    return text && !is_hex(text) && kd_number_parse(text, value) == 0;
}

/* false: the line is no JSON object. Python writes NaN into its JSON, which is none: then the text
 * rules find it. */
static bool scan_json(struct scan *scan, const char *line, const char *end)
{
    const char *start = skip_blanks(line, end);
    if (start == end || *start != '{')
        return false;
    json_t *object = json_loadb(start, (size_t)(end - start), 0, NULL);
    const char *key;
    json_t *item;
    json_object_foreach(object, key, item)
    {
        double value;
        if (json_number(item, &value))
            take_value(scan, key, strlen(key), value);
    }
    bool is_object = json_is_object(object);
    json_decref(object);
    return is_object;
}

/* Katib's default pattern matches `loss=nan` with an empty value: then the number is read from
 * where it should be. */
static void scan_filter(struct scan *scan, struct kd_filter *filter, const char *line,
                        size_t length)
{
    struct kd_filter_match match;
    for (size_t from = 0; kd_filter_next(filter, line, length, &from, &match);) {
        bool is_empty = match.value_end <= match.value;
        int name = match.name_end > match.name
                       ? name_find(scan->scanner, line + match.name, match.name_end - match.name)
                       : -1;
        double value;
        if (name >= 0 && leading_number(line + match.value,
                                        line + (is_empty ? length : match.value_end), &value))
            add_point(scan, name, value);
    }
}

static void put_step(struct scan *scan)
{
    for (int i = 0; i < N_STEP_NAMES; i++) {
        if (!scan->has_step[i])
            continue;
        for (int k = 0; k < scan->n; k++) {
            scan->points[k].has_step = true;
            scan->points[k].step = scan->steps[i];
        }
        return;
    }
}

static void scan_filters(struct scan *scan, const char *line, size_t length)
{
    struct scan steps_only = {.scanner = scan->scanner};
    if (length > LONGEST_FILTERED)
        length = LONGEST_FILTERED;
    for (int i = 0; i < scan->scanner->n_filters; i++)
        scan_filter(scan, scan->scanner->filters[i], line, length);
    if (scan->n == 0)
        return;
    if (!scan_json(&steps_only, line, line + length))
        scan_text(&steps_only, line, line + length);
    memcpy(scan->steps, steps_only.steps, sizeof scan->steps);
    memcpy(scan->has_step, steps_only.has_step, sizeof scan->has_step);
}

int kd_line_scan(struct kd_line_scanner *scanner, const char *line, size_t length,
                 struct kd_line_point *points, int most)
{
    struct scan scan = {.scanner = scanner, .points = points, .most = most};
    if (length == 0)
        return 0;
    if (scanner->n_filters > 0)
        scan_filters(&scan, line, length);
    else if (!scan_json(&scan, line, line + length))
        scan_text(&scan, line, line + length);
    put_step(&scan);
    return scan.n;
}
