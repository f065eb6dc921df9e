/* format.h - one data format = one vtable in one file, one line in formats.def.
 *
 * A format names its own fields of the `data:` block; what all formats share (split, normalize,
 * ...) is dataset.h's. */
#ifndef KD_TRAINER_FORMAT_H
#define KD_TRAINER_FORMAT_H

#include <stdbool.h>

#include "coordinator/base/error.h"
#include "trainer/data/table.h"
#include "trainer/option.h"

struct kd_data_source {
    const json_t *block;   /* borrowed: the `data:` object, already checked against the fields */
    const char *base_dir;  /* relative paths start here */
    bool classes;          /* the loss wants labels; else targets */
    bool shares;           /* which are between 0 and 1 */
    bool validation;       /* the separate validation files instead of the training ones */
    bool peek;             /* only the shape is wanted: big files are not read through */
    bool ignores;          /* ignored_label stands for "does not count" */
    int64_t ignored_label; /* becomes -1 */
};

struct kd_data_format {
    const char *name, *summary;
    const struct kd_option
        *fields; /* ends with a NULL name; KD_OPTION_FILE and _FILES are watched */
    const char *const validation_file; /* the field that gives separate validation files, or NULL */

    /* 0 and a filled table (zeroed before), or -1 and a text that names file and place. The caller
     * releases the table in any case. In a peek labels may be left out; max_label_at is then
     * NULL. */
    int (*open)(const struct kd_data_source *source, struct kd_table *table, struct kd_error *err);
};

extern const struct kd_data_format *const kd_data_formats[]; /* NULL-terminated */
const struct kd_data_format *kd_data_format_find(const char *name);

/* base_dir/path, or path where it is absolute; the caller frees. */
char *kd_data_path(const char *base_dir, const char *path);

/* The files that a field names, owned: one path, a list of them, or a folder, whose files matching
 * `pattern` (fnmatch) are taken in the order of their names; a NULL pattern: a folder is no more
 * than a path. */
struct kd_data_files {
    KD_ARR(char *) paths;
};
int kd_data_files_find(struct kd_data_files *files, const json_t *given, const char *base_dir,
                       const char *pattern, struct kd_error *err);
void kd_data_files_release(struct kd_data_files *files);

/* Maps the file (or files, see above) of a field. */
int kd_data_map(const struct kd_data_source *source, const char *field, const char *pattern,
                struct kd_mapping *mapping, struct kd_error *err);

/* Whole file (or its first max_bytes, 0 = all) in memory, NUL-terminated; the caller frees *bytes.
 * -1: the text says what to do about it. */
int kd_data_read(const char *path, size_t max_bytes, char **bytes, size_t *n, struct kd_error *err);

#endif
