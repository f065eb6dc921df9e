#include "coordinator/commands/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/base/error.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

void kd_table_release(struct kd_table *table)
{
    for (int i = 0; i < table->n_columns; i++)
        free(table->columns[i]);
    for (int i = 0; i < table->n_cells; i++)
        free(table->cells[i].text);
    free(table->columns);
    free(table->cells);
    *table = (struct kd_table){0};
}

void kd_table_column(struct kd_table *table, const char *name)
{
    kd_assert(table->n_cells == 0);
    table->columns =
        kd_realloc_array(table->columns, (size_t)table->n_columns + 1, sizeof *table->columns);
    table->columns[table->n_columns++] = kd_strdup(name);
}

int kd_table_find_column(const struct kd_table *table, const char *name)
{
    for (int i = 0; i < table->n_columns; i++)
        if (strcmp(table->columns[i], name) == 0)
            return i;
    return -1;
}

int kd_table_rows(const struct kd_table *table)
{
    return table->n_columns == 0 ? 0 : table->n_cells / table->n_columns;
}

static void add(struct kd_table *table, struct kd_cell cell)
{
    if (table->n_cells == table->capacity) {
        table->capacity = table->capacity * 2 + 64;
        table->cells =
            kd_realloc_array(table->cells, (size_t)table->capacity, sizeof *table->cells);
    }
    table->cells[table->n_cells++] = cell;
}

void kd_table_text(struct kd_table *table, const char *text)
{
    if (text == NULL)
        kd_table_none(table);
    else
        add(table, (struct kd_cell){.kind = KD_CELL_TEXT, .text = kd_strdup(text)});
}

void kd_table_number(struct kd_table *table, double value)
{
    char buffer[KD_NUMBER_MAX];
    add(table, (struct kd_cell){.kind = KD_CELL_NUMBER,
                                .text = kd_strdup(kd_number_text(value, buffer)),
                                .number = value});
}

void kd_table_int(struct kd_table *table, int64_t value)
{
    add(table, (struct kd_cell){.kind = KD_CELL_INT,
                                .text = kd_format("%lld", (long long)value),
                                .number = (double)value,
                                .integer = value});
}

void kd_table_none(struct kd_table *table)
{
    add(table, (struct kd_cell){.kind = KD_CELL_NONE});
}

void kd_table_time(struct kd_table *table, double seconds)
{
    char buffer[32];
    kd_table_text(table, seconds > 0 ? kd_time_text(seconds, buffer) : NULL);
}

void kd_table_style(struct kd_table *table, enum kd_style style)
{
    kd_assert(table->n_cells > 0);
    table->cells[table->n_cells - 1].style = style;
}

const char *kd_time_text(double seconds, char buffer[32])
{
    time_t whole = (time_t)seconds;
    struct tm parts;
    if (seconds <= 0 || gmtime_r(&whole, &parts) == NULL ||
        strftime(buffer, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return "-";
    return buffer;
}

/* 0 a number, 1 text, 2 what has no order */
static int rank(const struct kd_cell *cell)
{
    if (cell->kind == KD_CELL_TEXT)
        return 1;
    return cell->kind == KD_CELL_NONE || isnan(cell->number) ? 2 : 0;
}

struct sort_key {
    const struct kd_cell *cell;
    int row, sign;
};

static int compare(const void *left, const void *right)
{
    const struct sort_key *a = left, *b = right;
    int rank_a = rank(a->cell), rank_b = rank(b->cell), order = 0;
    if (rank_a != rank_b)
        return rank_a - rank_b;
    if (rank_a == 0)
        order = (a->cell->number > b->cell->number) - (a->cell->number < b->cell->number);
    else if (rank_a == 1)
        order = strcmp(a->cell->text, b->cell->text);
    return order != 0 ? order * a->sign : a->row - b->row;
}

void kd_table_sort(struct kd_table *table, int column, bool descending)
{
    int rows = kd_table_rows(table), width = table->n_columns;
    struct sort_key *keys = KD_NEW_ARRAY(struct sort_key, (size_t)rows + 1);
    struct kd_cell *sorted = KD_NEW_ARRAY(struct kd_cell, (size_t)table->n_cells + 1);
    for (int row = 0; row < rows; row++)
        keys[row] =
            (struct sort_key){&table->cells[row * width + column], row, descending ? -1 : 1};
    qsort(keys, (size_t)rows, sizeof *keys, compare);
    for (int row = 0; row < rows; row++)
        memcpy(&sorted[row * width], &table->cells[keys[row].row * width],
               (size_t)width * sizeof *sorted);
    free(keys);
    free(table->cells);
    table->cells = sorted;
    table->capacity = table->n_cells + 1;
}

void kd_table_limit(struct kd_table *table, int n_rows)
{
    while (kd_table_rows(table) > n_rows)
        for (int i = 0; i < table->n_columns; i++)
            free(table->cells[--table->n_cells].text);
}
