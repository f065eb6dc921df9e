/* table.h - the samples of a data set as they lie in their files: a view, in the files' own element
 * type.
 *
 * What a sample is: features {f}, an image {h, w, c} (channels last, however the file has it), or a
 * run of tokens {t}. Samples stay where they are (mapped files, or memory that the table owns) and
 * become numbers a batch at a time, by the op gather. Either labels (classes 0, 1, 2, ...; -1:
 * ignored) or targets (numbers) go with features and images; the label of a token is the one after
 * it. */
#ifndef KD_TRAINER_TABLE_H
#define KD_TRAINER_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/op_data.h"
#include "kernels/tensor.h"
#include "trainer/data/mapping.h"

enum { KD_LABEL_MAX = 1 << 24 };

/* Samples that lie at equal distances; a file has one of these. */
struct kd_table_part {
    int64_t first; /* its first sample */
    int64_t at;    /* where that one begins, in bytes from the source */
};

struct kd_table {
    int64_t n; /* samples */
    struct kd_shape shape;
    int64_t vocabulary; /* of tokens; 0: features or images */
    enum kd_element element;
    int64_t planes; /* 3: the file has whole planes of red, green, blue; else 1 */

    const char *source; /* where offsets begin */
    int64_t stride;     /* bytes from a sample to the next */
    KD_ARR(struct kd_table_part) parts;

    int32_t *labels; /* owned, [n], or NULL */
    int64_t n_targets;
    float *targets; /* owned, [n][n_targets], or NULL */
    int64_t n_ignored;
    int32_t max_label;
    int64_t max_label_i; /* the sample that has it */
    char *
        max_label_at; /* owned: "digits.csv:12", where it stands; NULL while no label was looked at */

    struct kd_mapping mapping;
    void *owned;   /* source, where nothing is mapped */
    float *floats; /* owned as float32 rows: they may be changed in place; else NULL */
};

void kd_table_release(struct kd_table *table);

/* Its samples are what the table owns, in one piece: n, shape, element and labels are the caller's
 * to set. */
void kd_table_own(struct kd_table *table, void *memory, int64_t bytes_each);

/* Adds samples of the mapped file that begin at byte `header` of it. */
void kd_table_add_part(struct kd_table *table, size_t file, int64_t header, int64_t n);

/* Where sample i begins, in bytes from the source. */
int64_t kd_table_at(const struct kd_table *table, int64_t i);

static inline bool kd_table_is_tokens(const struct kd_table *table)
{
    return table->vocabulary > 0;
}

static inline bool kd_table_is_images(const struct kd_table *table)
{
    return !kd_table_is_tokens(table) && table->shape.n_dims == 3;
}

/* Samples rows[0 .. n-1] as they are in the file, as floats in the order of their shape; not for
 * tokens. */
void kd_table_floats(const struct kd_table *table, const int32_t *rows, int64_t n, float *out);

#endif
