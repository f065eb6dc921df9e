/* table.h - the one way in which commands print tables: aligned columns, --json, or --csv.
 *
 *     struct kd_table table = {0};
 *     kd_table_column(&table, "trial");
 *     kd_table_column(&table, "state");
 *     kd_table_int(&table, 3), kd_table_text(&table, "Running");       one row, cell after cell
 *     kd_table_print(&table, usage.format, stdout);
 *     kd_table_release(&table);
 *
 * Numbers stand right and text left. JSON is {"schema":1,"rows":[{column: value}]} with typed
 * values and null for an empty cell; CSV is RFC 4180 with a header line. For people, text is made
 * safe for a terminal and cut to its first line, and a number to six digits; JSON and CSV carry
 * them as they are. */
#ifndef KD_COMMANDS_TABLE_H
#define KD_COMMANDS_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum kd_format { KD_FORMAT_AS_TABLE, KD_FORMAT_AS_JSON, KD_FORMAT_AS_CSV };
enum kd_style { KD_STYLE_PLAIN, KD_STYLE_GOOD, KD_STYLE_BAD, KD_STYLE_WARN, KD_STYLE_DIM };
enum { KD_JSON_SCHEMA = 1 };

struct kd_cell {
    enum { KD_CELL_NONE, KD_CELL_TEXT, KD_CELL_NUMBER, KD_CELL_INT } kind;
    enum kd_style style;
    char *text; /* owned */
    double number;
    int64_t integer;
};

struct kd_table {
    char **columns; /* owned; also the JSON keys */
    int n_columns;
    struct kd_cell *cells; /* owned; row after row */
    int n_cells, capacity;
};

void kd_table_release(struct kd_table *table);
void kd_table_column(struct kd_table *table, const char *name); /* before the first cell */
int kd_table_find_column(const struct kd_table *table, const char *name); /* -1 = none */
int kd_table_rows(const struct kd_table *table);

void kd_table_text(struct kd_table *table, const char *text); /* copied; NULL is an empty cell */
void kd_table_number(struct kd_table *table, double value);
void kd_table_int(struct kd_table *table, int64_t value);
void kd_table_none(struct kd_table *table);
void kd_table_time(struct kd_table *table, double seconds); /* ISO 8601 UTC; 0 is an empty cell */
void kd_table_style(struct kd_table *table, enum kd_style style); /* of the last cell */

/* Stable; numbers before text, NaN and empty cells last either way. */
void kd_table_sort(struct kd_table *table, int column, bool descending);
void kd_table_limit(struct kd_table *table, int n_rows);

void kd_table_print(const struct kd_table *table, enum kd_format format, FILE *out);

/* "2026-11-21T09:29:55Z"; "-" for 0. */
const char *kd_time_text(double seconds, char buffer[32]);

#endif
