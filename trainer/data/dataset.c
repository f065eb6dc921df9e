#include "trainer/data/dataset.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/base/str.h"
#include "kernels/element.h"

enum { KEPT_DATASETS = 4 };
static const int64_t PEEK_WHOLE_BYTES = INT64_C(4) << 20;

/* ---- loading */

static bool has_validation_files(const struct kd_data_config *config)
{
    const char *field = config->format->validation_file;
    return field && json_object_get(config->block, field);
}

static int check_table(const struct kd_data_config *config, const struct kd_table *table,
                       struct kd_error *err)
{
    if (table->n >= INT32_MAX)
        return kd_fail(err, "%lld samples: more than 2^31 are not supported%s", (long long)table->n,
                       kd_table_is_tokens(table) ? "; raise stride" : "");
    if (!kd_table_is_tokens(table))
        return kd_augment_check(&config->augment, table, err);
    const json_t *normalize = json_object_get(config->block, "normalize");
    const char *name = json_string_value(normalize);
    if (!config->classes)
        return kd_fail(err, "tokens are predicted as classes; use loss: crossEntropy");
    if (normalize && !(name && strcmp(name, "none") == 0))
        return kd_fail(err, "normalize: tokens have no scale; leave it out");
    if (json_object_get(config->block, "ignoreLabel"))
        return kd_fail(err, "ignoreLabel: tokens have no labels of their own; leave it out");
    return kd_augment_check(&config->augment, table, err);
}

static int open_table(const struct kd_data_config *config, bool validation, bool peek,
                      struct kd_table *table, struct kd_error *err)
{
    const json_t *ignored = json_object_get(config->block, "ignoreLabel");
    struct kd_data_source source = {
        .block = config->block,
        .base_dir = config->base_dir,
        .classes = config->classes,
        .shares = config->shares,
        .validation = validation,
        .peek = peek,
        .ignores = ignored != NULL,
        .ignored_label = kd_option_int(kd_data_options, config->block, "ignoreLabel")};
    *table = (struct kd_table){0};
    if (config->format->open(&source, table, err) == 0 && check_table(config, table, err) == 0)
        return 0;
    kd_table_release(table);
    return -1;
}

static bool is_alike(const struct kd_table *a, const struct kd_table *b)
{
    return kd_shape_equal(a->shape, b->shape) && a->n_targets == b->n_targets &&
           a->vocabulary == b->vocabulary && a->element == b->element && a->planes == b->planes;
}

static int open_validation(const struct kd_data_config *config, struct kd_dataset *dataset,
                           struct kd_error *err)
{
    char text[2][KD_SHAPE_TEXT_MAX];
    struct kd_table *rows = &dataset->rows, *val = &dataset->val_rows;
    if (open_table(config, true, false, val, err) < 0)
        return -1;
    dataset->train = kd_part_whole(rows);
    dataset->val = kd_part_whole(val);
    if (is_alike(rows, val))
        return 0;
    return kd_fail(err,
                   "%s: validation samples have %s numbers (%s) and %lld targets, training samples "
                   "%s (%s) and %lld; they must be alike",
                   config->format->validation_file, kd_shape_text(val->shape, text[0]),
                   kd_element_name(val->element), (long long)val->n_targets,
                   kd_shape_text(rows->shape, text[1]), kd_element_name(rows->element),
                   (long long)rows->n_targets);
}

static int split(const struct kd_data_config *config, struct kd_dataset *dataset,
                 struct kd_error *err)
{
    return kd_part_split(&dataset->rows, kd_data_split_share(config), kd_data_split_seed(config),
                         &dataset->train, &dataset->val, err);
}

static void dataset_free(struct kd_dataset *dataset)
{
    if (!dataset)
        return;
    kd_part_release(&dataset->train);
    kd_part_release(&dataset->val);
    kd_scales_release(&dataset->scales);
    kd_table_release(&dataset->rows);
    kd_table_release(&dataset->val_rows);
    free(dataset->key);
    free(dataset);
}

/* Rows that are ours as floats are put on scale once; those of files whenever they are gathered. */
static void settle_scales(struct kd_dataset *dataset)
{
    if (!dataset->rows.floats)
        return;
    kd_scales_apply(&dataset->scales, &dataset->rows);
    kd_scales_apply(&dataset->scales, &dataset->val_rows);
    kd_scales_release(&dataset->scales);
}

static int check_counts(const struct kd_dataset *dataset, struct kd_error *err)
{
    if (kd_part_count_rows(&dataset->train) > 0 &&
        (dataset->val.n == 0 || kd_part_count_rows(&dataset->val) > 0))
        return 0;
    return kd_fail(err, "ignoreLabel: no sample of the %s part counts",
                   kd_part_count_rows(&dataset->train) > 0 ? "held-out" : "training");
}

static struct kd_dataset *dataset_new(const struct kd_data_config *config, struct kd_error *err)
{
    struct kd_dataset *dataset = KD_NEW(struct kd_dataset);
    struct kd_normalize normalize;
    if (kd_normalize_read(json_object_get(config->block, "normalize"), &normalize, err) < 0 ||
        open_table(config, false, false, &dataset->rows, err) < 0)
        goto failed;
    if ((has_validation_files(config) ? open_validation : split)(config, dataset, err) < 0 ||
        check_counts(dataset, err) < 0 ||
        kd_scales_learn(&dataset->scales, &normalize, &dataset->train, err) < 0)
        goto failed;
    settle_scales(dataset);
    return dataset;
failed:
    dataset_free(dataset);
    return NULL;
}

/* ---- keeping */

static void add_to_key(void *ud, const char *field, const char *path)
{
    struct stat info;
    (void)field;
    if (stat(path, &info) == 0)
        kd_str_addf(ud, " %s %lld %lld.%09ld %llu", path, (long long)info.st_size,
                    (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                    (unsigned long long)info.st_ino);
}

/* The block without what only batches see, the loss's kind, and what the file system says of each
 * file. */
static char *key_of(const struct kd_data_config *config)
{
    struct kd_str key = {0};
    json_t *block = json_copy((json_t *)config->block);
    json_object_del(block, "augment");
    char *text = json_dumps(block, JSON_COMPACT | JSON_SORT_KEYS);
    kd_str_addf(&key, "%d %d %s", config->classes, config->shares, text);
    free(text);
    json_decref(block);
    kd_data_each_file(config, add_to_key, &key);
    return kd_str_take(&key);
}

void kd_datasets_release(struct kd_datasets *datasets)
{
    for (size_t i = 0; i < datasets->kept.n; i++)
        dataset_free(datasets->kept.items[i]);
    kd_arr_release(&datasets->kept);
}

static struct kd_dataset *take_kept(struct kd_datasets *datasets, size_t at)
{
    struct kd_dataset *dataset = datasets->kept.items[at];
    datasets->kept.n--;
    for (size_t i = at; i < datasets->kept.n; i++)
        datasets->kept.items[i] = datasets->kept.items[i + 1];
    return dataset;
}

static struct kd_dataset *take_by_key(struct kd_datasets *datasets, const char *key)
{
    for (size_t i = 0; i < datasets->kept.n; i++)
        if (strcmp(datasets->kept.items[i]->key, key) == 0)
            return take_kept(datasets, i);
    return NULL;
}

/* Takes the key over. */
static struct kd_dataset *make(struct kd_datasets *datasets, const struct kd_data_config *config,
                               char *key, struct kd_error *err)
{
    if (datasets->kept.n == KEPT_DATASETS)
        dataset_free(take_kept(datasets, 0));
    struct kd_dataset *dataset = dataset_new(config, err);
    if (dataset)
        dataset->key = key;
    else
        free(key);
    return dataset;
}

const struct kd_dataset *kd_datasets_get(struct kd_datasets *datasets,
                                         const struct kd_data_config *config, struct kd_error *err)
{
    char *key = key_of(config);
    struct kd_dataset *dataset = take_by_key(datasets, key);
    if (dataset)
        free(key);
    else
        dataset = make(datasets, config, key, err);
    if (!dataset)
        return NULL;
    kd_arr_push(&datasets->kept, dataset);
    /* A kept one was checked with the augmentation of its first trial. */
    return kd_augment_check(&config->augment, &dataset->rows, err) == 0 ? dataset : NULL;
}

/* ---- shapes */

static void add_label(struct kd_data_shape *shape, int32_t max_label, const char *at)
{
    if (!at || max_label <= shape->max_label)
        return;
    shape->max_label = max_label;
    snprintf(shape->max_label_at, sizeof shape->max_label_at, "%s", at);
}

static void shape_of(const struct kd_table *rows, struct kd_data_shape *shape)
{
    *shape = (struct kd_data_shape){.shape = rows->shape,
                                    .vocabulary = rows->vocabulary,
                                    .n_targets = rows->n_targets,
                                    .max_label = -1};
    if (kd_table_is_tokens(rows))
        add_label(shape, (int32_t)rows->vocabulary - 1, "the vocabulary");
    add_label(shape, rows->max_label, rows->max_label_at);
}

void kd_dataset_shape(const struct kd_dataset *dataset, struct kd_data_shape *shape)
{
    shape_of(&dataset->rows, shape);
    add_label(shape, dataset->val_rows.max_label, dataset->val_rows.max_label_at);
}

static void add_size(void *ud, const char *field, const char *path)
{
    struct stat info;
    int64_t *total = ud;
    (void)field;
    if (stat(path, &info) == 0)
        *total += info.st_size;
}

static int peek_whole(const struct kd_data_config *config, struct kd_data_shape *shape,
                      struct kd_error *err)
{
    struct kd_dataset *dataset = dataset_new(config, err);
    if (!dataset)
        return -1;
    kd_dataset_shape(dataset, shape);
    dataset_free(dataset);
    return 0;
}

int kd_data_peek(const struct kd_data_config *config, struct kd_data_shape *shape,
                 struct kd_error *err)
{
    int64_t total = 0;
    struct kd_table rows;
    kd_data_each_file(config, add_size, &total);
    if (total > 0 && total <= PEEK_WHOLE_BYTES)
        return peek_whole(config, shape, err);
    if (open_table(config, false, true, &rows, err) < 0)
        return -1;
    shape_of(&rows, shape);
    kd_table_release(&rows);
    return 0;
}
