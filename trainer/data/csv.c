/* csv.c - numeric CSV: one sample a line, features and a label column (or target columns).
 *
 * Which column is what is settled once, from the first line; then each cell goes where its column
 * says. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/base/str.h"
#include "trainer/data/csv_lines.h"
#include "trainer/data/labels.h"

static const struct kd_option fields[] = {
    {.name = "path", .kind = KD_OPTION_FILE, .required = true, .help = "the CSV file"},
    {.name = "valPath",
     .kind = KD_OPTION_FILE,
     .help = "a separate CSV file to validate on, with the same columns; then split.val is unused"},
    {.name = "header",
     .kind = KD_OPTION_SWITCH,
     .fallback = "\"auto\"",
     .help = "is the first line a header; auto: yes when a cell of it is not a number"},
    {.name = "label",
     .kind = KD_OPTION_COLUMN,
     .fallback = "-1",
     .help = "crossEntropy: the column of class numbers 0, 1, 2, ..."},
    {.name = "targets",
     .kind = KD_OPTION_COLUMNS,
     .fallback = "[-1]",
     .help = "mse: the columns to predict"},
    {.name = "ignore",
     .kind = KD_OPTION_COLUMNS,
     .fallback = "[]",
     .help = "columns to leave out, such as a row's id"},
    {.name = "delimiter",
     .kind = KD_OPTION_CHOICE,
     .fallback = ",",
     .choices = (const char *const[]){",", ";", "\t", "|", " ", NULL},
     .help = "between cells"},
    {0},
};

enum { SHORTEN_AT = 40, PEEK_BYTES = 8 << 20 };

enum role { ROLE_FEATURE, ROLE_LABEL, ROLE_TARGET, ROLE_IGNORED };

struct column {
    enum role role;
    int64_t at; /* among the columns of its role */
};

struct csv {
    const struct kd_data_source *source;
    struct kd_csv_lines lines;
    struct column *columns; /* owned, [n_columns] */
    int64_t n_columns;
    char **names; /* owned, [n_columns]; NULL without a header */
    int64_t n_features, capacity;
    int max_label_line;
    float *x; /* becomes the table's */
    struct kd_table *table;
};

/* Plain integers are most of what data files hold, and strtod is ten times slower. */
static bool parse_number(const char *text, double *value)
{
    const char *p = text + (*text == '-');
    int64_t whole = 0;
    int n_digits = 0;
    for (; *p >= '0' && *p <= '9' && n_digits < 15; n_digits++)
        whole = whole * 10 + (*p++ - '0');
    if (*p == '\0' && n_digits > 0) {
        *value = (double)(*text == '-' ? -whole : whole);
        return true;
    }
    return kd_number_parse(text, value) == 0;
}

static bool has_header(const struct csv *csv)
{
    const json_t *given = json_object_get(csv->source->block, "header");
    if (json_is_boolean(given))
        return json_is_true(given);
    double ignored;
    for (size_t i = 0; i < csv->lines.cells.n; i++) {
        const char *text = csv->lines.cells.items[i].text;
        if (*text && !parse_number(text, &ignored))
            return true;
    }
    return false;
}

static int column_by_name(const struct csv *csv, const char *name, int64_t *at,
                          struct kd_error *err)
{
    if (!csv->names)
        return kd_fail(err, "%s:%d: this is no header line, so column \"%s\" must be an index",
                       csv->lines.path, csv->lines.line, name);
    for (*at = 0; *at < csv->n_columns; ++*at)
        if (strcmp(csv->names[*at], name) == 0)
            return 0;
    const char *near = kd_nearest_name(name, (const char *const *)csv->names);
    return kd_fail(err, "%s:%d: no column is named \"%s\"%s%s%s; there are %lld columns",
                   csv->lines.path, csv->lines.line, name, near ? " (did you mean \"" : "",
                   near ? near : "", near ? "\"?)" : "", (long long)csv->n_columns);
}

static int column_find(const struct csv *csv, const json_t *given, int64_t *at,
                       struct kd_error *err)
{
    if (json_is_string(given))
        return column_by_name(csv, json_string_value(given), at, err);
    int64_t index = json_integer_value(given);
    *at = index < 0 ? csv->n_columns + index : index;
    if (*at >= 0 && *at < csv->n_columns)
        return 0;
    return kd_fail(err,
                   "%s:%d: there is no column %lld: the first line has %lld columns (0 to %lld)",
                   csv->lines.path, csv->lines.line, (long long)index, (long long)csv->n_columns,
                   (long long)csv->n_columns - 1);
}

static int set_role(struct csv *csv, const json_t *given, enum role role, int64_t nth,
                    struct kd_error *err)
{
    int64_t at = 0;
    if (column_find(csv, given, &at, err) < 0)
        return -1;
    if (csv->columns[at].role != ROLE_FEATURE)
        return kd_fail(err, "%s: column %lld is named twice among label, targets and ignore",
                       csv->lines.path, (long long)at);
    csv->columns[at] = (struct column){role, nth};
    return 0;
}

static int set_roles(struct csv *csv, const char *field, enum role role, int64_t *n,
                     struct kd_error *err)
{
    const json_t *list = json_object_get(csv->source->block, field), *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        if (set_role(csv, item, role, (int64_t)i, err) < 0)
            return -1;
    }
    *n = (int64_t)json_array_size(list);
    return 0;
}

static int set_answer_columns(struct csv *csv, struct kd_error *err)
{
    const json_t *block = csv->source->block;
    json_t *last = json_integer(-1);
    int status = 0;
    if (csv->source->classes) {
        const json_t *label = json_object_get(block, "label");
        status = set_role(csv, label ? label : last, ROLE_LABEL, 0, err);
    } else if (json_array_size(json_object_get(block, "targets")) > 0) {
        status = set_roles(csv, "targets", ROLE_TARGET, &csv->table->n_targets, err);
    } else {
        csv->table->n_targets = 1;
        status = set_role(csv, last, ROLE_TARGET, 0, err);
    }
    json_decref(last);
    return status;
}

static int settle_columns(struct csv *csv, struct kd_error *err)
{
    int64_t n_ignored;
    csv->columns = KD_NEW_ARRAY(struct column, csv->n_columns);
    if (set_roles(csv, "ignore", ROLE_IGNORED, &n_ignored, err) < 0 ||
        set_answer_columns(csv, err) < 0)
        return -1;
    int64_t n_features = 0;
    for (int64_t i = 0; i < csv->n_columns; i++)
        if (csv->columns[i].role == ROLE_FEATURE)
            csv->columns[i].at = n_features++;
    csv->n_features = n_features;
    if (n_features == 0)
        return kd_fail(err,
                       "%s:%d: no column is left as a feature: the first line has %lld; is the "
                       "delimiter right?",
                       csv->lines.path, csv->lines.line, (long long)csv->n_columns);
    return 0;
}

static void take_names(struct csv *csv)
{
    csv->names = KD_NEW_ARRAY(char *, csv->n_columns + 1);
    for (int64_t i = 0; i < csv->n_columns; i++)
        csv->names[i] = kd_strdup(csv->lines.cells.items[i].text);
}

static void grow(struct csv *csv)
{
    struct kd_table *table = csv->table;
    if (table->n < csv->capacity)
        return;
    csv->capacity = csv->capacity ? csv->capacity * 2 : 256;
    size_t n = (size_t)csv->capacity;
    csv->x = kd_realloc_array(csv->x, n, sizeof(float) * (size_t)csv->n_features);
    if (csv->source->classes)
        table->labels = kd_realloc_array(table->labels, n, sizeof(int32_t));
    else
        table->targets =
            kd_realloc_array(table->targets, n, sizeof(float) * (size_t)table->n_targets);
}

static int fail_cell(const struct csv *csv, int64_t column, const char *what, struct kd_error *err)
{
    const char *text = csv->lines.cells.items[column].text;
    bool cut = strlen(text) > SHORTEN_AT;
    const char *name = csv->names ? csv->names[column] : NULL;
    return kd_fail(err, "%s:%d: column %lld%s%s%s: \"%.*s%s\" %s", csv->lines.path, csv->lines.line,
                   (long long)column, name ? " (" : "", name ? name : "", name ? ")" : "",
                   SHORTEN_AT, text, cut ? "..." : "", what);
}

static int take_label(struct csv *csv, int64_t column, double value, struct kd_error *err)
{
    struct kd_table *table = csv->table;
    int32_t before = table->max_label;
    if (kd_labels_take(table, csv->source, table->n, value, KD_LABEL_MAX) < 0)
        return fail_cell(csv, column, "is not a class number (0, 1, 2, ...)", err);
    if (table->max_label > before)
        csv->max_label_line = csv->lines.line;
    return 0;
}

static int take_cell(struct csv *csv, int64_t column, struct kd_error *err)
{
    struct kd_table *table = csv->table;
    const char *text = csv->lines.cells.items[column].text;
    const struct column *place = &csv->columns[column];
    double value;
    if (place->role == ROLE_IGNORED)
        return 0;
    if (!parse_number(text, &value))
        return fail_cell(csv, column, *text ? "is not a number" : "an empty cell is not a number",
                         err);
    if (!isfinite(value) || !isfinite((float)value))
        return fail_cell(csv, column, "is not a finite float32 number", err);
    if (place->role == ROLE_LABEL)
        return take_label(csv, column, value, err);
    if (place->role == ROLE_TARGET && kd_target_is_no_share(csv->source, value))
        return fail_cell(csv, column, "is a target" KD_TARGET_NO_SHARE, err);
    if (place->role == ROLE_TARGET)
        table->targets[table->n * table->n_targets + place->at] = (float)value;
    else
        csv->x[table->n * csv->n_features + place->at] = (float)value;
    return 0;
}

static int take_row(struct csv *csv, struct kd_error *err)
{
    int64_t n_cells = (int64_t)csv->lines.cells.n;
    if (n_cells != csv->n_columns)
        return kd_fail(err, "%s:%d: a %s row: %lld cells where the first line has %lld",
                       csv->lines.path, csv->lines.line,
                       n_cells < csv->n_columns ? "short" : "long", (long long)n_cells,
                       (long long)csv->n_columns);
    grow(csv);
    for (int64_t i = 0; i < n_cells; i++)
        if (take_cell(csv, i, err) < 0)
            return -1;
    csv->table->n++;
    return 0;
}

static int take_first_line(struct csv *csv, struct kd_error *err)
{
    int got = kd_csv_lines_next(&csv->lines, err);
    if (got < 0)
        return -1;
    csv->n_columns = (int64_t)csv->lines.cells.n;
    if (got == 0)
        return kd_fail(err, "%s: the data file has no line with data", csv->lines.path);
    bool header = has_header(csv);
    if (header)
        take_names(csv);
    if (settle_columns(csv, err) < 0)
        return -1;
    return header ? 0 : take_row(csv, err);
}

static int take_lines(struct csv *csv, struct kd_error *err)
{
    int64_t most = csv->source->peek ? 1 : INT64_MAX;
    if (take_first_line(csv, err) < 0)
        return -1;
    while (csv->table->n < most) {
        int got = kd_csv_lines_next(&csv->lines, err);
        if (got < 0 || (got > 0 && take_row(csv, err) < 0))
            return -1;
        if (got == 0)
            break;
    }
    if (csv->table->n == 0)
        return kd_fail(err, "%s: only a header line, no data", csv->lines.path);
    char *at = csv->source->peek ? NULL : kd_format("%s:%d", csv->lines.path, csv->max_label_line);
    return kd_labels_end(csv->table, csv->lines.path, at, err);
}

/* The rows as they were read become the table's own. */
static void give_rows(struct csv *csv)
{
    struct kd_table *table = csv->table;
    table->shape = (struct kd_shape){{csv->n_features}, 1};
    table->element = KD_ELEMENT_F32;
    kd_table_own(table, csv->x, csv->n_features * (int64_t)sizeof(float));
    table->floats = csv->x;
    csv->x = NULL;
}

static void csv_release(struct csv *csv)
{
    for (int64_t i = 0; csv->names && i < csv->n_columns; i++)
        free(csv->names[i]);
    free(csv->names);
    free(csv->columns);
    free(csv->x);
    kd_csv_lines_release(&csv->lines);
}

static int open_csv(const struct kd_data_source *source, struct kd_table *table,
                    struct kd_error *err)
{
    char *path =
        kd_data_path(source->base_dir, kd_option_text(fields, source->block,
                                                      source->validation ? "valPath" : "path"));
    struct csv csv = {.source = source, .table = table};
    char *text;
    size_t n;
    table->max_label = -1;
    int status = kd_data_read(path, source->peek ? PEEK_BYTES : 0, &text, &n, err);
    if (status == 0) {
        kd_csv_lines_init(&csv.lines, path, text, n,
                          kd_option_text(fields, source->block, "delimiter")[0]);
        status = take_lines(&csv, err);
        if (status == 0)
            give_rows(&csv);
        csv_release(&csv);
        free(text);
    }
    free(path);
    return status;
}

const struct kd_data_format kd_data_format_csv = {
    .name = "csv",
    .summary = "numbers in a text file, one sample a line; a header line is optional",
    .fields = fields,
    .validation_file = "valPath",
    .open = open_csv,
};
