#include "tests/bench/search/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

/* One file being read. */
struct reader {
    struct table *table;
    const char *path;
    int line;
    size_t n_points; /* of the grid; 0 until the first row */
};

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->params.n; i++)
        free(table->params.items[i].name);
    kd_arr_release(&table->params);
    for (int i = 0; i < TABLE_COLUMNS; i++)
        free(table->columns[i]);
    free(table->step_s);
    free(table);
}

size_t table_row(const struct table *table, const double *point)
{
    size_t row = 0;
    for (size_t i = 0; i < table->params.n; i++)
        row = row * (size_t)table->params.items[i].n + (size_t)point[i];
    return row;
}

static char *next_word(char **rest)
{
    char *word = NULL;
    do
        word = strsep(rest, " \t\r\n");
    while (word && word[0] == '\0');
    return word;
}

static int read_parameter(struct reader *r, char *rest, struct kd_error *err)
{
    struct table_param param = {.name = kd_strdup(next_word(&rest))};
    char *word;
    double number;
    while ((word = next_word(&rest))) {
        param.is_choice |= kd_number_parse(word, &number) < 0;
        param.n++;
    }
    kd_arr_push(&r->table->params, param);
    if (!param.name || param.n == 0 || r->n_points > 0)
        return kd_fail(err, "%s:%d: a parameter needs a name and values, before the first row",
                       r->path, r->line);
    return 0;
}

static int read_number(struct reader *r, char *rest, int *number, struct kd_error *err)
{
    long long value;
    char *word = next_word(&rest);
    if (!word || kd_integer_parse(word, &value) < 0 || value < 1 || value > 1000000)
        return kd_fail(err, "%s:%d: \"%s\" is not a number from 1 to 1000000", r->path, r->line,
                       word ? word : "");
    *number = (int)value;
    return 0;
}

/* The header is over: room for every point. */
static void begin_rows(struct reader *r)
{
    struct table *table = r->table;
    r->n_points = 1;
    for (size_t i = 0; i < table->params.n; i++)
        r->n_points *= (size_t)table->params.items[i].n;
    size_t n_cells = r->n_points * (size_t)table->n_steps;
    table->columns[TABLE_OBJECTIVE] = KD_NEW_ARRAY(double, n_cells);
    if (table->has_curves) {
        table->columns[TABLE_LOSS] = KD_NEW_ARRAY(double, n_cells);
        table->step_s = KD_NEW_ARRAY(double, r->n_points);
    }
}

static int read_cell(struct table *table, size_t at, const char *word)
{
    int errors, loss;
    if (strcmp(word, "-") == 0) {
        table->columns[TABLE_ERRORS][at] = table->columns[TABLE_LOSS][at] = INFINITY;
        return 0;
    }
    if (sscanf(word, "%d:%d", &errors, &loss) != 2)
        return -1;
    table->columns[TABLE_ERRORS][at] = (double)errors / table->n_samples;
    table->columns[TABLE_LOSS][at] = 1e-4 * loss;
    return 0;
}

static int read_row(struct reader *r, char *line, struct kd_error *err)
{
    struct table *table = r->table;
    if (r->n_points == 0)
        begin_rows(r);
    if (table->n_rows == r->n_points)
        return kd_fail(err, "%s:%d: the grid has %zu points, and this is one more", r->path,
                       r->line, r->n_points);
    size_t row = table->n_rows++;
    char *word = next_word(&line);
    double number;
    if (kd_number_parse(word, &number) < 0)
        return kd_fail(err, "%s:%d: \"%s\" is not a number", r->path, r->line, word);
    if (!table->has_curves) {
        table->columns[TABLE_OBJECTIVE][row] = number;
        return 0;
    }
    table->step_s[row] = 1e-6 * number;
    for (int step = 0; step < table->n_steps; step++) {
        word = next_word(&line);
        if (!word || read_cell(table, row * (size_t)table->n_steps + (size_t)step, word) < 0)
            return kd_fail(err, "%s:%d: epoch %d of %d: \"%s\" is not errors:loss", r->path,
                           r->line, step + 1, table->n_steps, word ? word : "");
    }
    return 0;
}

static int read_line(struct reader *r, char *line, struct kd_error *err)
{
    char *rest = line;
    size_t length = strcspn(line, " \t\r\n");
    if (line[0] == '#' || length == 0)
        return 0;
    if (strncmp(line, "parameter ", length + 1) == 0)
        return next_word(&rest), read_parameter(r, rest, err);
    if (strncmp(line, "epochs ", length + 1) == 0) {
        r->table->has_curves = true;
        return next_word(&rest), read_number(r, rest, &r->table->n_steps, err);
    }
    if (strncmp(line, "samples ", length + 1) == 0)
        return next_word(&rest), read_number(r, rest, &r->table->n_samples, err);
    return read_row(r, line, err);
}

struct table *table_read(const char *path, struct kd_error *err)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        kd_fail_errno(err, "%s", path);
        return NULL;
    }
    struct reader r = {.table = KD_NEW(struct table), .path = path};
    r.table->n_steps = r.table->n_samples = 1;
    char *line = NULL;
    size_t room = 0;
    int status = 0;
    while (status == 0 && getline(&line, &room, file) >= 0) {
        r.line++;
        status = read_line(&r, line, err);
    }
    if (status == 0 && (r.n_points == 0 || r.table->n_rows < r.n_points))
        status = kd_fail(err, "%s: %zu rows for %zu points", path, r.table->n_rows, r.n_points);
    free(line);
    fclose(file);
    if (status == 0)
        return r.table;
    table_free(r.table);
    return NULL;
}
