/* npy.c - NumPy arrays, one file each: samples, and labels or targets. */
#include <inttypes.h>
#include <math.h>

#include "kernels/element.h"
#include "trainer/data/labels.h"
#include "trainer/data/npy_header.h"

static const struct kd_option fields[] = {
    {.name = "x",
     .kind = KD_OPTION_FILE,
     .required = true,
     .help = "the samples: [n], [n][features], [n][h][w] or [n][h][w][channels]"},
    {.name = "labels", .kind = KD_OPTION_FILE, .help = "crossEntropy: whole numbers, [n]"},
    {.name = "targets",
     .kind = KD_OPTION_FILE,
     .help = "mse: what to predict, [n] or [n][targets]"},
    {.name = "valX", .kind = KD_OPTION_FILE, .help = "samples to validate on"},
    {.name = "valLabels", .kind = KD_OPTION_FILE, .help = "their labels"},
    {.name = "valTargets", .kind = KD_OPTION_FILE, .help = "their targets"},
    {.name = "channels",
     .kind = KD_OPTION_CHOICE,
     .fallback = "last",
     .choices = (const char *const[]){"last", "first", NULL},
     .help = "where a four-dimensional x has them; first: [n][channels][h][w]"},
    {0},
};

struct npy {
    struct kd_mapping mapping;
    struct kd_npy_header header;
    const char *path;          /* borrowed from the mapping */
    const unsigned char *data; /* the same */
};

static int npy_open(struct npy *npy, const struct kd_data_source *source, const char *field,
                    struct kd_error *err)
{
    if (!json_object_get(source->block, field))
        return kd_fail(err, "%s is missing: a file of %s", field,
                       source->classes ? "labels goes with crossEntropy" : "targets goes with mse");
    if (kd_data_map(source, field, NULL, &npy->mapping, err) < 0)
        return -1;
    npy->path = npy->mapping.files.items[0].path;
    if (kd_npy_header_read(npy->path, kd_mapping_bytes(&npy->mapping, 0),
                           npy->mapping.files.items[0].bytes, &npy->header, err) < 0)
        return -1;
    npy->data = kd_mapping_bytes(&npy->mapping, 0) + npy->header.bytes;
    return 0;
}

static bool is_float(enum kd_element element)
{
    return element == KD_ELEMENT_F32 || element == KD_ELEMENT_F64;
}

/* Where element i stands in the file. */
static int64_t byte_of(const struct npy *npy, int64_t i)
{
    return npy->header.bytes + i * kd_element_bytes(npy->header.element);
}

static int check_finite(const struct npy *npy, struct kd_error *err)
{
    int64_t per_sample = npy->header.n_elements / npy->header.dims[0];
    for (int64_t i = 0; is_float(npy->header.element) && i < npy->header.n_elements; i++) {
        double value = kd_element_at(npy->header.element, npy->data, i);
        if (!isfinite((float)value))
            return kd_fail(err,
                           "%s: sample %" PRId64 ", element %" PRId64 " (byte %" PRId64
                           "): %g is not a finite float32 number",
                           npy->path, i / per_sample, i % per_sample, byte_of(npy, i), value);
    }
    return 0;
}

/* [n][h][w] is an image of one channel. */
static void take_samples(const struct kd_data_source *source, struct npy *x, struct kd_table *table)
{
    const int64_t *d = x->header.dims;
    bool first = x->header.n_dims == 4 && kd_option_choice(fields, source->block, "channels") == 1;
    const struct kd_shape shapes[KD_NPY_DIMS_MAX] = {
        {{1}, 1},
        {{d[1]}, 1},
        {{d[1], d[2], 1}, 3},
        {{d[first ? 2 : 1], d[first ? 3 : 2], d[first ? 1 : 3]}, 3},
    };
    table->shape = shapes[x->header.n_dims - 1];
    table->element = x->header.element;
    table->planes = first ? d[1] : 1;
    table->stride = kd_shape_count(table->shape) * kd_element_bytes(table->element);
    table->mapping = x->mapping;
    x->mapping = (struct kd_mapping){0};
    kd_table_add_part(table, 0, x->header.bytes, d[0]);
}

static int take_labels(const struct kd_data_source *source, const struct npy *labels,
                       struct kd_table *table, struct kd_error *err)
{
    const struct kd_npy_header *header = &labels->header;
    if (header->n_dims != 1 || is_float(header->element))
        return kd_fail(err, "%s: labels must be whole numbers in one dimension, not %d of %s",
                       labels->path, header->n_dims, kd_element_name(header->element));
    kd_labels_begin(table, source);
    for (int64_t i = 0; i < table->n; i++) {
        double value = kd_element_at(header->element, labels->data, i);
        if (kd_labels_take(table, source, i, value, KD_LABEL_MAX) < 0)
            return kd_fail(err,
                           "%s: label %" PRId64 " (byte %" PRId64
                           ") is %.0f, not a class number (0, 1, 2, ...)",
                           labels->path, i, byte_of(labels, i), value);
    }
    return kd_labels_end(table, labels->path,
                         kd_format("%s: label %" PRId64 " (byte %" PRId64 ")", labels->path,
                                   table->max_label_i, byte_of(labels, table->max_label_i)),
                         err);
}

static int take_targets(const struct kd_data_source *source, const struct npy *targets,
                        struct kd_table *table, struct kd_error *err)
{
    const struct kd_npy_header *header = &targets->header;
    if (header->n_dims > 2)
        return kd_fail(err, "%s: targets must have one or two dimensions, not %d", targets->path,
                       header->n_dims);
    if (check_finite(targets, err) < 0)
        return -1;
    table->n_targets = header->n_dims == 2 ? header->dims[1] : 1;
    table->targets = KD_NEW_ARRAY(float, (size_t)header->n_elements);
    for (int64_t i = 0; i < header->n_elements; i++) {
        double value = kd_element_at(header->element, targets->data, i);
        if (kd_target_is_no_share(source, value))
            return kd_fail(err,
                           "%s: sample %" PRId64 ", target %" PRId64 " (byte %" PRId64
                           ") is %g" KD_TARGET_NO_SHARE,
                           targets->path, i / table->n_targets, i % table->n_targets,
                           byte_of(targets, i), value);
        table->targets[i] = (float)value;
    }
    return 0;
}

static int take(const struct kd_data_source *source, struct npy *x, const struct npy *answers,
                struct kd_table *table, struct kd_error *err)
{
    if (x->header.dims[0] != answers->header.dims[0])
        return kd_fail(err, "%s has %" PRId64 " samples but %s has %" PRId64, x->path,
                       x->header.dims[0], answers->path, answers->header.dims[0]);
    if (!source->peek && check_finite(x, err) < 0)
        return -1;
    take_samples(source, x, table);
    if (source->classes)
        return take_labels(source, answers, table, err);
    return take_targets(source, answers, table, err);
}

static int open_npy(const struct kd_data_source *source, struct kd_table *table,
                    struct kd_error *err)
{
    static const char *const names[2][3] = {{"x", "labels", "targets"},
                                            {"valX", "valLabels", "valTargets"}};
    const char *const *name = names[source->validation];
    struct npy x = {0}, answers = {0};
    int status = -1;
    if (npy_open(&x, source, name[0], err) == 0 &&
        npy_open(&answers, source, name[source->classes ? 1 : 2], err) == 0)
        status = take(source, &x, &answers, table, err);
    kd_mapping_close(&x.mapping);
    kd_mapping_close(&answers.mapping);
    return status;
}

const struct kd_data_format kd_data_format_npy = {
    .name = "npy",
    .summary = "NumPy arrays (.npy): samples, and labels or targets",
    .fields = fields,
    .validation_file = "valX",
    .open = open_npy,
};
