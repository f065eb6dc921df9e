/* table_print.c - the three forms of a table. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/commands/safe_text.h"
#include "coordinator/commands/table.h"

static const char *const escapes[] = {[KD_STYLE_PLAIN] = "",
                                      [KD_STYLE_GOOD] = "\033[32m",
                                      [KD_STYLE_BAD] = "\033[31m",
                                      [KD_STYLE_WARN] = "\033[33m",
                                      [KD_STYLE_DIM] = "\033[2m"};

static const struct kd_cell *cell_at(const struct kd_table *table, int row, int column)
{
    return &table->cells[row * table->n_columns + column];
}

static char *safe(const char *text)
{
    struct kd_str out = {0};
    kd_safe_add(&out, text, strlen(text), false);
    return kd_str_take(&out);
}

/* Of a text of several lines a person sees the first, of a number six digits; JSON and CSV have
 * them all. */
static char *shown(const struct kd_cell *cell)
{
    struct kd_str out = {0};
    if (cell->kind == KD_CELL_NONE)
        return kd_strdup("-");
    if (cell->kind == KD_CELL_NUMBER)
        return kd_format("%.6g", cell->number);
    size_t line = strcspn(cell->text, "\n");
    kd_safe_add(&out, cell->text, line, false);
    kd_str_add(&out, cell->text[line] == '\0' ? "" : " ...");
    return kd_str_take(&out);
}

static bool is_numeric(const struct kd_table *table, int column)
{
    bool any = false;
    for (int row = 0; row < kd_table_rows(table); row++) {
        if (cell_at(table, row, column)->kind == KD_CELL_TEXT)
            return false;
        any |= cell_at(table, row, column)->kind != KD_CELL_NONE;
    }
    return any;
}

static int width_of(const struct kd_table *table, int column)
{
    char *title = safe(table->columns[column]);
    int width = kd_text_width(title);
    free(title);
    for (int row = 0; row < kd_table_rows(table); row++) {
        char *text = shown(cell_at(table, row, column));
        int here = kd_text_width(text);
        width = here > width ? here : width;
        free(text);
    }
    return width;
}

struct layout {
    int *widths;
    bool *numeric;
    bool colour;
};

/* Nothing is put after the last column, so that lines end with their text. */
static void put_cell(FILE *out, const struct layout *layout, int column, bool is_last,
                     const char *text, const char *escape)
{
    int pad = layout->widths[column] - kd_text_width(text);
    if (layout->numeric[column])
        fprintf(out, "%*s", pad, "");
    fprintf(out, "%s%s%s", layout->colour ? escape : "", text,
            layout->colour && *escape ? "\033[0m" : "");
    if (is_last)
        fputc('\n', out);
    else
        fprintf(out, "%*s", layout->numeric[column] ? 2 : pad + 2, "");
}

static void print_aligned(const struct kd_table *table, FILE *out)
{
    int n = table->n_columns;
    struct layout layout = {KD_NEW_ARRAY(int, (size_t)n + 1), KD_NEW_ARRAY(bool, (size_t)n + 1),
                            kd_wants_colour(out)};
    for (int c = 0; c < n; c++) {
        layout.widths[c] = width_of(table, c);
        layout.numeric[c] = is_numeric(table, c);
    }
    for (int c = 0; c < n; c++) {
        char *title = safe(table->columns[c]);
        put_cell(out, &layout, c, c == n - 1, title, "\033[1m");
        free(title);
    }
    for (int row = 0; row < kd_table_rows(table); row++)
        for (int c = 0; c < n; c++) {
            const struct kd_cell *cell = cell_at(table, row, c);
            char *text = shown(cell);
            put_cell(out, &layout, c, c == n - 1, text, escapes[cell->style]);
            free(text);
        }
    free(layout.widths);
    free(layout.numeric);
}

static void put_json(struct kd_json *json, const struct kd_cell *cell)
{
    if (cell->kind == KD_CELL_NUMBER)
        kd_json_number(json, cell->number);
    else if (cell->kind == KD_CELL_INT)
        kd_json_int(json, cell->integer);
    else
        kd_json_string(json, cell->text);
}

static void print_json(const struct kd_table *table, FILE *out)
{
    struct kd_str text = {0};
    struct kd_json json = kd_json_to(&text);
    kd_json_open(&json, '{');
    kd_json_add_int(&json, "schema", KD_JSON_SCHEMA);
    kd_json_key(&json, "rows");
    kd_json_open(&json, '[');
    for (int row = 0; row < kd_table_rows(table); row++) {
        kd_json_open(&json, '{');
        for (int c = 0; c < table->n_columns; c++) {
            kd_json_key(&json, table->columns[c]);
            put_json(&json, cell_at(table, row, c));
        }
        kd_json_close(&json, '}');
    }
    kd_json_close(&json, ']');
    kd_json_close(&json, '}');
    fprintf(out, "%s\n", kd_str_text(&text));
    kd_str_release(&text);
}

static void put_csv(FILE *out, const char *text, bool is_last)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
    } else {
        fputc('"', out);
        for (; *text; text++)
            fprintf(out, *text == '"' ? "\"\"" : "%c", *text);
        fputc('"', out);
    }
    fputs(is_last ? "\r\n" : ",", out);
}

static void print_csv(const struct kd_table *table, FILE *out)
{
    int n = table->n_columns;
    for (int c = 0; c < n; c++)
        put_csv(out, table->columns[c], c == n - 1);
    for (int row = 0; row < kd_table_rows(table); row++)
        for (int c = 0; c < n; c++) {
            const struct kd_cell *cell = cell_at(table, row, c);
            put_csv(out, cell->kind == KD_CELL_NONE ? "" : cell->text, c == n - 1);
        }
}

void kd_table_print(const struct kd_table *table, enum kd_format format, FILE *out)
{
    static void (*const printers[])(const struct kd_table *, FILE *) = {
        [KD_FORMAT_AS_TABLE] = print_aligned,
        [KD_FORMAT_AS_JSON] = print_json,
        [KD_FORMAT_AS_CSV] = print_csv,
    };
    printers[format](table, out);
}
