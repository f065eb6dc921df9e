/* data_fixture.h - for tests of data: a data set from a block, its samples as batches, and small
 * files in the real formats. */
#ifndef KD_TESTS_TRAINER_DATA_FIXTURE_H
#define KD_TESTS_TRAINER_DATA_FIXTURE_H

#include "tests/trainer/support.h"
#include "trainer/data/loader.h"

struct loaded {
    struct kd_datasets datasets;
    const struct kd_dataset *dataset;
    struct kd_data_config config;
    struct kd_loader loader;
    struct kd_error err;
    json_t *block;
};

/* Value i of the batch's samples, on the CPU. */
static inline float x_of(const struct kd_batch *batch, int64_t i)
{
    return ((const float *)batch->x)[i];
}

/* The block is JSON with ' for ". */
static inline json_t *block_of(const char *text)
{
    json_error_t where;
    char *copy = kd_strdup(text);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_t *block = json_loads(copy, 0, &where);
    if (!block)
        fail_msg("%s: %s", text, where.text);
    free(copy);
    return block;
}

static inline void load(struct loaded *loaded, const struct folder *folder, const char *block,
                        bool classes)
{
    struct kd_problems problems = {0};
    *loaded = (struct loaded){.block = block_of(block), .config = {.classes = classes}};
    kd_data_check(loaded->block, folder->path, &loaded->config, &problems);
    if (kd_problems_fail(&problems, &loaded->err) == 0)
        loaded->dataset = kd_datasets_get(&loaded->datasets, &loaded->config, &loaded->err);
    kd_problems_release(&problems);
    kd_loader_init(&loaded->loader, kd_device_find("cpu", NULL));
}

static inline void load_sound(struct loaded *loaded, const struct folder *folder, const char *block,
                              bool classes)
{
    load(loaded, folder, block, classes);
    if (!loaded->dataset)
        fail_msg("%s: %s", block, loaded->err.text);
}

static inline void unload(struct loaded *loaded)
{
    kd_loader_release(&loaded->loader);
    kd_datasets_release(&loaded->datasets);
    json_decref(loaded->block);
}

static inline void assert_refused(const struct folder *folder, const char *block, bool classes,
                                  const char *error)
{
    struct loaded loaded;
    load(&loaded, folder, block, classes);
    if (loaded.dataset)
        fail_msg("%s is accepted; wanted: %s", block, error);
    if (!strstr(loaded.err.text, error))
        fail_msg("%s: \"%s\" is not in: %s", block, error, loaded.err.text);
    unload(&loaded);
}

/* A whole part in its order as one batch, as validation sees it. */
static inline struct kd_batch batch_of_part(struct loaded *loaded, const struct kd_part *part)
{
    struct kd_batch batch = {0};
    kd_loader_prepare(&loaded->loader, NULL, loaded->dataset, &loaded->config.augment, part->n);
    struct kd_draw draw = {.part = part, .n = part->n, .n_micro = part->n, .end = part->n};
    kd_loader_fill(&loaded->loader, &draw, &batch);
    kd_loader_make(&loaded->loader, &batch);
    return batch;
}

/* ---- files */

/* A growing file. */
static inline void put(struct kd_str *bytes, const void *data, size_t n)
{
    kd_str_addn(bytes, data, n);
}

static inline void put_u32(struct kd_str *bytes, uint32_t value)
{
    put(bytes, &value, sizeof value);
}

static inline void put_big(struct kd_str *bytes, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        kd_str_addc(bytes, (char)(value >> shift));
}

static inline void save(struct kd_str *bytes, const struct folder *folder, const char *name)
{
    free(file_write(folder, name, kd_str_text(bytes), bytes->length));
    kd_str_release(bytes);
}

/* n records of CIFAR, labels 0, 1, 2, ... modulo classes, pixel p of channel c of record r is r + 7
 * c + p modulo 256. */
static inline void cifar_write(const struct folder *folder, const char *name, int n,
                               int n_label_bytes, int classes)
{
    struct kd_str bytes = {0};
    for (int r = 0; r < n; r++) {
        for (int i = 0; i < n_label_bytes; i++)
            kd_str_addc(&bytes, (char)((r + i) % classes));
        for (int j = 0; j < 3072; j++)
            kd_str_addc(&bytes, (char)(r + 7 * (j / 1024) + j % 1024));
    }
    save(&bytes, folder, name);
}

/* As numpy.save writes it, version 1; the dictionary is given whole. */
static inline void npy_write(const struct folder *folder, const char *name, const char *dictionary,
                             const void *data, size_t n)
{
    struct kd_str bytes = {0};
    size_t length = strlen(dictionary) + 1;
    size_t padded = (10 + length + 63) / 64 * 64 - 10;
    put(&bytes, "\x93NUMPY\x01\x00", 8);
    kd_str_addc(&bytes, (char)(padded & 255));
    kd_str_addc(&bytes, (char)(padded >> 8));
    kd_str_add(&bytes, dictionary);
    for (size_t i = length; i < padded; i++)
        kd_str_addc(&bytes, ' ');
    kd_str_addc(&bytes, '\n');
    put(&bytes, data, n);
    save(&bytes, folder, name);
}

/* As llm.c writes them: token i is i modulo 50. */
static inline void llmc_write(const struct folder *folder, const char *name, int magic, int version,
                              int n_promised, int n)
{
    struct kd_str bytes = {0};
    put_u32(&bytes, (uint32_t)magic);
    put_u32(&bytes, (uint32_t)version);
    put_u32(&bytes, (uint32_t)n_promised);
    for (int i = 3; i < 256; i++)
        put_u32(&bytes, 0);
    for (uint32_t i = 0; i < (uint32_t)n; i++) {
        uint32_t token = i % 50;
        put(&bytes, &token, version == 1 ? 2 : 4);
    }
    save(&bytes, folder, name);
}

/* Six images of 4 x 5 as "i" (bytes 0, 1, 2, ...), labels 0, 1, 2, 0, 1, 2 as "l". */
static inline void idx_files(const struct folder *folder)
{
    struct kd_str images = {0}, labels = {0};
    put(&images, "\0\0\x08\x03", 4), put(&labels, "\0\0\x08\x01", 4);
    put_big(&images, 6), put_big(&images, 4), put_big(&images, 5), put_big(&labels, 6);
    for (int i = 0; i < 6 * 20; i++)
        kd_str_addc(&images, (char)(i % 251));
    for (int i = 0; i < 6; i++)
        kd_str_addc(&labels, (char)(i % 3));
    save(&images, folder, "i"), save(&labels, folder, "l");
}

/* A folder as it is unpacked, and one file of CIFAR-100. */
static inline void cifar_files(const struct folder *folder)
{
    cifar_write(folder, "data_batch_1.bin", 4, 1, 10);
    cifar_write(folder, "data_batch_2.bin", 3, 1, 10);
    cifar_write(folder, "test_batch.bin", 2, 1, 10);
    cifar_write(folder, "train.bin", 5, 2, 20);
}

/* Six samples of eight numbers as "x.npy", labels 0, 1, 2, 0, 1, 2 as "l.npy". */
static inline void npy_files(const struct folder *folder)
{
    float x[6 * 8];
    int64_t labels[6] = {0, 1, 2, 0, 1, 2};
    for (int i = 0; i < 48; i++)
        x[i] = (float)i / 4;
    npy_write(folder, "x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 8), }", x,
              sizeof x);
    npy_write(folder, "l.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (6,), }", labels,
              sizeof labels);
}

static inline struct kd_str file_read(const struct folder *folder, const char *name)
{
    struct kd_str bytes = {0};
    char *path = kd_format("%s/%s", folder->path, name), chunk[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        kd_str_addn(&bytes, chunk, n);
    fclose(file);
    free(path);
    return bytes;
}

#endif
