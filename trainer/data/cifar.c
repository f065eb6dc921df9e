/* cifar.c - CIFAR-10 and CIFAR-100, the binary version (Krizhevsky: "Learning multiple layers of
 * features from tiny images", 2009).
 *
 * A record is one label byte (CIFAR-100: two, coarse and fine) and 3,072 bytes of an image: 32 x 32
 * red, then green, then blue. */
#include <inttypes.h>

#include "trainer/data/labels.h"

enum { SIDE = 32, CHANNELS = 3, IMAGE_BYTES = SIDE * SIDE * CHANNELS };

static const struct kd_option cifar10_fields[] = {
    {.name = "batches",
     .kind = KD_OPTION_FILES,
     .required = true,
     .help = "a file, a list of files, or the folder with data_batch_1.bin to data_batch_5.bin"},
    {.name = "valBatches",
     .kind = KD_OPTION_FILES,
     .help = "what to validate on: a file, a list, or the folder with test_batch.bin; then "
             "split.val is unused"},
    {0},
};

static const struct kd_option cifar100_fields[] = {
    {.name = "batches",
     .kind = KD_OPTION_FILES,
     .required = true,
     .help = "a file, a list of files, or the folder with train.bin"},
    {.name = "valBatches",
     .kind = KD_OPTION_FILES,
     .help = "what to validate on: a file, a list, or the folder with test.bin; then split.val is "
             "unused"},
    {.name = "label",
     .kind = KD_OPTION_CHOICE,
     .fallback = "fine",
     .choices = (const char *const[]){"fine", "coarse", NULL},
     .help = "the 100 classes or the 20 groups of them"},
    {0},
};

struct layout {
    int64_t n_label_bytes, label_byte; /* how many; which one counts */
    int most;                          /* the largest class */
    const char *names[2];              /* of a folder's files: training, validation */
};

static int add_files(const struct layout *layout, struct kd_table *table, struct kd_error *err)
{
    table->stride = layout->n_label_bytes + IMAGE_BYTES;
    for (size_t i = 0; i < table->mapping.files.n; i++) {
        const struct kd_mapped_file *file = &table->mapping.files.items[i];
        if (file->bytes % table->stride != 0)
            return kd_fail(err,
                           "%s: %" PRId64 " bytes are %" PRId64 " records of %" PRId64
                           " bytes and %" PRId64 " more; is it cut off, or not the binary version?",
                           file->path, file->bytes, file->bytes / table->stride, table->stride,
                           file->bytes % table->stride);
        kd_table_add_part(table, i, layout->n_label_bytes, file->bytes / table->stride);
    }
    return 0;
}

/* "data_batch_1.bin: record 1 (byte 3073)", the label of sample i. */
static char *place_of(const struct layout *layout, const struct kd_table *table, int64_t i)
{
    int64_t at = kd_table_at(table, i) - layout->n_label_bytes + layout->label_byte;
    size_t file = table->mapping.files.n - 1;
    while (table->mapping.files.items[file].at > at)
        file--;
    at -= table->mapping.files.items[file].at;
    return kd_format("%s: record %" PRId64 " (byte %" PRId64 ")",
                     table->mapping.files.items[file].path, at / table->stride, at);
}

static int take_labels(const struct layout *layout, const struct kd_data_source *source,
                       struct kd_table *table, struct kd_error *err)
{
    kd_labels_begin(table, source);
    for (int64_t i = 0; i < table->n; i++) {
        const char *sample = table->source + kd_table_at(table, i);
        unsigned char label = (unsigned char)sample[layout->label_byte - layout->n_label_bytes];
        if (kd_labels_take(table, source, i, label, layout->most) < 0) {
            char *place = place_of(layout, table, i);
            if (kd_target_is_no_share(source, label))
                kd_fail(err, "%s: target %d" KD_TARGET_NO_SHARE, place, label);
            else
                kd_fail(err,
                        "%s: label %d is not one of the classes 0 to %d; is this the right format?",
                        place, label, layout->most);
            free(place);
            return -1;
        }
    }
    char *place = place_of(layout, table, table->max_label_i);
    return kd_labels_end(table, table->mapping.files.items[0].path, place, err);
}

static int open_cifar(const struct layout *layout, const struct kd_data_source *source,
                      struct kd_table *table, struct kd_error *err)
{
    table->shape = (struct kd_shape){{SIDE, SIDE, CHANNELS}, 3};
    table->element = KD_ELEMENT_U8;
    table->planes = CHANNELS;
    if (kd_data_map(source, source->validation ? "valBatches" : "batches",
                    layout->names[source->validation], &table->mapping, err) < 0 ||
        add_files(layout, table, err) < 0)
        return -1;
    if (source->peek) {
        table->n_targets = source->classes ? 0 : 1;
        return 0;
    }
    return take_labels(layout, source, table, err);
}

static int open_cifar10(const struct kd_data_source *source, struct kd_table *table,
                        struct kd_error *err)
{
    static const struct layout layout = {
        .n_label_bytes = 1, .most = 9, .names = {"data_batch_*.bin", "test_batch.bin"}};
    return open_cifar(&layout, source, table, err);
}

static int open_cifar100(const struct kd_data_source *source, struct kd_table *table,
                         struct kd_error *err)
{
    static const struct layout layouts[] = {
        {.n_label_bytes = 2, .label_byte = 1, .most = 99, .names = {"train.bin", "test.bin"}},
        {.n_label_bytes = 2, .label_byte = 0, .most = 19, .names = {"train.bin", "test.bin"}},
    };
    return open_cifar(&layouts[kd_option_choice(cifar100_fields, source->block, "label")], source,
                      table, err);
}

const struct kd_data_format kd_data_format_cifar10 = {
    .name = "cifar10",
    .summary = "CIFAR-10's binary files: 32 x 32 colour images in 10 classes",
    .fields = cifar10_fields,
    .validation_file = "valBatches",
    .open = open_cifar10,
};

const struct kd_data_format kd_data_format_cifar100 = {
    .name = "cifar100",
    .summary = "CIFAR-100's binary files: 32 x 32 colour images in 100 classes, or 20 coarse ones",
    .fields = cifar100_fields,
    .validation_file = "valBatches",
    .open = open_cifar100,
};
