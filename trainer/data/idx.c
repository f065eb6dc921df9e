/* idx.c - MNIST's IDX files: images and labels as unsigned bytes.
 *
 * Layout (the MNIST page of LeCun, Cortes, Burges): two zero bytes, a type (8 = unsigned byte), the
 * number of dimensions, each dimension as a big-endian 32-bit count, then the bytes. */
#include <inttypes.h>

#include "trainer/data/labels.h"

static const struct kd_option fields[] = {
    {.name = "images",
     .kind = KD_OPTION_FILE,
     .required = true,
     .help = "IDX file of samples: unsigned bytes, 2 to 4 dimensions, the first counts samples"},
    {.name = "labels",
     .kind = KD_OPTION_FILE,
     .required = true,
     .help = "IDX file of labels: unsigned bytes, 1 dimension"},
    {.name = "valImages", .kind = KD_OPTION_FILE, .help = "samples to validate on (MNIST's t10k)"},
    {.name = "valLabels", .kind = KD_OPTION_FILE, .help = "their labels"},
    {0},
};

enum { TYPE_BYTE = 8, MAX_DIMS = 4, BYTE_MAX = 255 };

struct idx {
    struct kd_mapping mapping;
    const char *path; /* borrowed from the mapping */
    int64_t header;   /* bytes before the data */
    int n_dims;
    int64_t dims[MAX_DIMS];
    int64_t per_sample; /* product of the dimensions after the first */
};

static uint32_t big_endian(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int check_magic(struct idx *idx, int min_dims, int max_dims, struct kd_error *err)
{
    const unsigned char *b = kd_mapping_bytes(&idx->mapping, 0);
    int64_t n_bytes = idx->mapping.files.items[0].bytes;
    if (n_bytes < 4)
        return kd_fail(err, "%s: %" PRId64 " bytes are too few for an IDX file", idx->path,
                       n_bytes);
    if (b[0] != 0 || b[1] != 0 || b[2] != TYPE_BYTE || b[3] < min_dims || b[3] > max_dims)
        return kd_fail(err,
                       "%s: byte 0: magic %02x%02x%02x%02x is not that of an IDX file of unsigned "
                       "bytes with %d to %d dimensions (000008%02x)",
                       idx->path, b[0], b[1], b[2], b[3], min_dims, max_dims, (unsigned)max_dims);
    idx->n_dims = b[3];
    idx->header = 4 + 4 * (int64_t)idx->n_dims;
    return 0;
}

static int check_size(struct idx *idx, struct kd_error *err)
{
    const unsigned char *b = kd_mapping_bytes(&idx->mapping, 0);
    int64_t n_bytes = idx->mapping.files.items[0].bytes, total = 1;
    if (n_bytes < idx->header)
        return kd_fail(err, "%s: the header is cut off at byte %" PRId64, idx->path, n_bytes);
    for (int i = 0; i < idx->n_dims; i++) {
        idx->dims[i] = big_endian(b + 4 + 4 * i);
        if (idx->dims[i] == 0 || total > (INT64_C(1) << 40) / idx->dims[i])
            return kd_fail(err, "%s: byte %d: dimension %d is %" PRId64, idx->path, 4 + 4 * i, i,
                           idx->dims[i]);
        total *= idx->dims[i];
    }
    idx->per_sample = total / idx->dims[0];
    if (total != n_bytes - idx->header)
        return kd_fail(err, "%s: %" PRId64 " bytes, but its header promises %" PRId64, idx->path,
                       n_bytes, total + idx->header);
    return 0;
}

static int idx_open(struct idx *idx, const struct kd_data_source *source, const char *field,
                    int min_dims, int max_dims, struct kd_error *err)
{
    if (kd_data_map(source, field, NULL, &idx->mapping, err) < 0)
        return -1;
    idx->path = idx->mapping.files.items[0].path;
    return check_magic(idx, min_dims, max_dims, err) < 0 ? -1 : check_size(idx, err);
}

/* Two dimensions are an image of one channel. */
static struct kd_shape shape_of(const struct idx *images)
{
    if (images->n_dims == 2)
        return (struct kd_shape){{images->per_sample}, 1};
    int64_t channels = images->n_dims == 4 ? images->dims[3] : 1;
    return (struct kd_shape){{images->dims[1], images->dims[2], channels}, 3};
}

static int take_labels(const struct kd_data_source *source, const struct idx *labels,
                       struct kd_table *table, struct kd_error *err)
{
    const unsigned char *bytes = kd_mapping_bytes(&labels->mapping, 0) + labels->header;
    kd_labels_begin(table, source);
    for (int64_t i = 0; i < table->n; i++)
        if (kd_labels_take(table, source, i, bytes[i], BYTE_MAX) < 0) /* every byte is a class */
            return kd_fail(err, "%s: byte %" PRId64 ": target %" PRId64 " is %d" KD_TARGET_NO_SHARE,
                           labels->path, labels->header + i, i, bytes[i]);
    return kd_labels_end(
        table, labels->path,
        kd_format("%s: byte %" PRId64, labels->path, labels->header + table->max_label_i), err);
}

static int take(const struct kd_data_source *source, struct idx *images, const struct idx *labels,
                struct kd_table *table, struct kd_error *err)
{
    if (images->dims[0] != labels->dims[0])
        return kd_fail(err, "%s has %" PRId64 " samples but %s has %" PRId64 " labels",
                       images->path, images->dims[0], labels->path, labels->dims[0]);
    table->shape = shape_of(images);
    table->element = KD_ELEMENT_U8;
    table->planes = 1;
    table->stride = images->per_sample;
    table->mapping = images->mapping;
    images->mapping = (struct kd_mapping){0};
    kd_table_add_part(table, 0, images->header, images->dims[0]);
    return take_labels(source, labels, table, err);
}

static int open_idx(const struct kd_data_source *source, struct kd_table *table,
                    struct kd_error *err)
{
    struct idx images = {0}, labels = {0};
    int status = -1;
    if (source->validation && !json_object_get(source->block, "valLabels"))
        return kd_fail(err, "valLabels is missing: valImages needs its labels");
    if (idx_open(&images, source, source->validation ? "valImages" : "images", 2, MAX_DIMS, err) ==
            0 &&
        idx_open(&labels, source, source->validation ? "valLabels" : "labels", 1, 1, err) == 0)
        status = take(source, &images, &labels, table, err);
    kd_mapping_close(&images.mapping);
    kd_mapping_close(&labels.mapping);
    return status;
}

const struct kd_data_format kd_data_format_idx = {
    .name = "idx",
    .summary = "MNIST's IDX files of unsigned bytes: images and labels",
    .fields = fields,
    .validation_file = "valImages",
    .open = open_idx,
};
