/* format.h - one data format = one vtable in one file, one line in formats.def.
 *
 * A format names its own fields of the `data:` block; what all formats share (split, normalize) is dataset.h's. */
#ifndef KD_TRAINER_FORMAT_H
#define KD_TRAINER_FORMAT_H

#include <stdbool.h>

#include "coordinator/base/error.h"
#include "trainer/data/table.h"
#include "trainer/option.h"

struct kd_data_source {
    const json_t *block;  /* borrowed: the `data:` object, already checked against the fields */
    const char *base_dir; /* relative paths start here */
    bool classes;         /* the loss wants labels; else targets */
    bool validation;      /* the separate validation files instead of the training ones */
    int64_t max_rows;     /* 0: all; 1 is enough to learn the shape */
};

struct kd_data_format {
    const char *name, *summary;
    const struct kd_option *fields;    /* ends with a NULL name; KD_OPTION_FILE ones are watched */
    const char *const validation_file; /* the field that gives a separate validation file */

    /* 0 and a filled table, or -1 and a text that names file and line. The caller releases the table. */
    int (*load)(const struct kd_data_source *source, struct kd_table *table, struct kd_error *err);
};

extern const struct kd_data_format *const kd_data_formats[]; /* NULL-terminated */
const struct kd_data_format *kd_data_format_find(const char *name);

/* base_dir/path, or path where it is absolute; the caller frees. */
char *kd_data_path(const char *base_dir, const char *path);

/* Whole file (or its first max_bytes, 0 = all) in memory, NUL-terminated; the caller frees *bytes. -1: the text says
 * what to do about it. */
int kd_data_read(const char *path, size_t max_bytes, char **bytes, size_t *n, struct kd_error *err);

#endif
