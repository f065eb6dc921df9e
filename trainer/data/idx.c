/* idx.c - MNIST's IDX files: images and labels as unsigned bytes.
 *
 * Layout (the MNIST page of LeCun, Cortes, Burges): two zero bytes, a type (8 = unsigned byte), the number of dimensions,
 * each dimension as a big-endian 32-bit count, then the bytes. */
#include <inttypes.h>
#include <string.h>

#include "trainer/data/format.h"

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

enum { TYPE_BYTE = 8, MAX_DIMS = 4 };

struct idx {
    char *path;  /* owned */
    char *bytes; /* owned; the data begin at bytes + header */
    size_t n_bytes, header;
    int n_dims;
    int64_t dims[MAX_DIMS];
    int64_t per_sample; /* product of the dimensions after the first */
};

static void idx_release(struct idx *idx)
{
    free(idx->path);
    free(idx->bytes);
}

static uint32_t big_endian(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int check_magic(struct idx *idx, int min_dims, int max_dims, struct kd_error *err)
{
    const unsigned char *b = (const unsigned char *)idx->bytes;
    if (idx->n_bytes >= 2 && b[0] == 0x1F && b[1] == 0x8B)
        return kd_fail(err, "%s: is compressed with gzip; run gunzip on it first", idx->path);
    if (idx->n_bytes < 4)
        return kd_fail(err, "%s: %zu bytes are too few for an IDX file", idx->path, idx->n_bytes);
    if (b[0] != 0 || b[1] != 0 || b[2] != TYPE_BYTE || b[3] < min_dims || b[3] > max_dims)
        return kd_fail(err,
                       "%s: byte 0: magic %02x%02x%02x%02x is not that of an IDX file of unsigned "
                       "bytes with %d to %d dimensions (000008%02x)",
                       idx->path, b[0], b[1], b[2], b[3], min_dims, max_dims, (unsigned)max_dims);
    idx->n_dims = b[3];
    idx->header = 4 + 4 * (size_t)idx->n_dims;
    return 0;
}

static int check_size(struct idx *idx, struct kd_error *err)
{
    if (idx->n_bytes < idx->header)
        return kd_fail(err, "%s: the header is cut off at byte %zu", idx->path, idx->n_bytes);
    int64_t total = 1;
    for (int i = 0; i < idx->n_dims; i++) {
        idx->dims[i] = big_endian(idx->bytes + 4 + 4 * i);
        if (idx->dims[i] == 0 || idx->dims[i] > INT64_C(1) << 40 ||
            total > (INT64_C(1) << 40) / idx->dims[i])
            return kd_fail(err, "%s: byte %d: dimension %d is %" PRId64, idx->path, 4 + 4 * i, i,
                           idx->dims[i]);
        total *= idx->dims[i];
    }
    idx->per_sample = total / idx->dims[0];
    if ((uint64_t)total != idx->n_bytes - idx->header)
        return kd_fail(err, "%s: %zu bytes, but its header promises %" PRId64, idx->path,
                       idx->n_bytes, total + (int64_t)idx->header);
    return 0;
}

static int idx_open(struct idx *idx, const struct kd_data_source *source, const char *field,
                    int min_dims, int max_dims, struct kd_error *err)
{
    idx->path = kd_data_path(source->base_dir, kd_option_text(fields, source->block, field));
    if (kd_data_read(idx->path, 0, &idx->bytes, &idx->n_bytes, err) < 0 ||
        check_magic(idx, min_dims, max_dims, err) < 0)
        return -1;
    return check_size(idx, err);
}

static void take_images(const struct idx *images, int64_t n, struct kd_table *table)
{
    const unsigned char *pixels = (const unsigned char *)images->bytes + images->header;
    table->n = n;
    table->n_features = images->per_sample;
    table->x = kd_alloc_array((size_t)(n * images->per_sample), sizeof(float));
    for (int64_t i = 0; i < n * images->per_sample; i++)
        table->x[i] = pixels[i];
}

static void take_classes(const struct idx *labels, struct kd_table *table)
{
    const unsigned char *bytes = (const unsigned char *)labels->bytes + labels->header;
    int64_t max_at = 0;
    table->labels = KD_NEW_ARRAY(int32_t, (size_t)table->n);
    for (int64_t i = 0; i < table->n; i++) {
        table->labels[i] = bytes[i];
        if (bytes[i] > bytes[max_at])
            max_at = i;
    }
    table->max_label = bytes[max_at];
    table->max_label_at = kd_format("%s: byte %zu", labels->path, labels->header + (size_t)max_at);
}

static void take_targets(const struct idx *labels, struct kd_table *table)
{
    const unsigned char *bytes = (const unsigned char *)labels->bytes + labels->header;
    table->n_targets = 1;
    table->targets = KD_NEW_ARRAY(float, (size_t)table->n);
    for (int64_t i = 0; i < table->n; i++)
        table->targets[i] = bytes[i];
}

static int take(const struct kd_data_source *source, const struct idx *images,
                const struct idx *labels, struct kd_table *table, struct kd_error *err)
{
    if (images->dims[0] != labels->dims[0])
        return kd_fail(err, "%s has %" PRId64 " samples but %s has %" PRId64 " labels",
                       images->path, images->dims[0], labels->path, labels->dims[0]);
    int64_t n = images->dims[0];
    if (source->max_rows > 0 && n > source->max_rows)
        n = source->max_rows;
    take_images(images, n, table);
    if (source->classes)
        take_classes(labels, table);
    else
        take_targets(labels, table);
    return 0;
}

static int load(const struct kd_data_source *source, struct kd_table *table, struct kd_error *err)
{
    struct idx images = {0}, labels = {0};
    int status = -1;
    *table = (struct kd_table){0};
    if (source->validation && !json_object_get(source->block, "valLabels"))
        return kd_fail(err, "valLabels is missing: valImages needs its labels");
    if (idx_open(&images, source, source->validation ? "valImages" : "images", 2, MAX_DIMS, err) ==
            0 &&
        idx_open(&labels, source, source->validation ? "valLabels" : "labels", 1, 1, err) == 0)
        status = take(source, &images, &labels, table, err);
    idx_release(&images);
    idx_release(&labels);
    return status;
}

const struct kd_data_format kd_data_format_idx = {
    .name = "idx",
    .summary = "MNIST's IDX files of unsigned bytes: images and labels",
    .fields = fields,
    .validation_file = "valImages",
    .load = load,
};
