/* csv_lines.h - a CSV text as lines of cells, in place: no copy, no allocation per row. */
#ifndef KD_TRAINER_CSV_LINES_H
#define KD_TRAINER_CSV_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/error.h"

struct kd_csv_cell {
    char *text; /* NUL-terminated once cut; blanks and surrounding quotes removed */
};

struct kd_csv_lines {
    const char *path; /* borrowed, for messages */
    char *at, *end;
    char delimiter;
    int line;                         /* of the cells, from 1 */
    KD_ARR(struct kd_csv_cell) cells; /* of the present line */
};

/* Begins at the text's start (after a byte order mark). The text is cut up in the process. */
void kd_csv_lines_init(struct kd_csv_lines *lines, const char *path, char *text, size_t n,
                       char delimiter);
void kd_csv_lines_release(struct kd_csv_lines *lines);

/* The next line that is not blank: 1 and its cells, 0 at the end, -1 for a byte that no text
 * has. */
int kd_csv_lines_next(struct kd_csv_lines *lines, struct kd_error *err);

#endif
