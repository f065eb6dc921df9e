#include "trainer/data/dataset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/base/rng.h"
#include "coordinator/base/str.h"
#include "trainer/data/normalize.h"

enum { KEPT_DATASETS = 4 };
static const int64_t PEEK_WHOLE_BYTES = INT64_C(4) << 20;
static const uint64_t SPLIT_STREAM = UINT64_C(0x73706C74) << 32;

static const struct kd_option split_fields[] = {
    {.name = "val",
     .kind = KD_OPTION_NUMBER,
     .fallback = "0.2",
     .min = 0,
     .max = 0.95,
     .help = "share of the samples held out for validation; 0: none, and no val_ metrics"},
    {.name = "seed",
     .kind = KD_OPTION_INT,
     .fallback = "0",
     .min = 0,
     .max = 9007199254740991.0,
     .help = "which samples are held out; keep it fixed so that trials compare"},
    {0},
};

const struct kd_option kd_data_options[] = {
    {.name = "format", .kind = KD_OPTION_OWN, .required = true, .help = "the data format's name"},
    {.name = "split",
     .kind = KD_OPTION_OBJECT,
     .fallback = "{}",
     .fields = split_fields,
     .help = "the held-out part"},
    {.name = "normalize",
     .kind = KD_OPTION_OWN,
     .fallback = "\"standard\"",
     .help = "features: none, standard (mean 0, deviation 1), minmax (0 to 1), or a number that "
             "every feature is multiplied by; learnt from the training part only"},
    {0},
};

/* ---- checking */

static const struct kd_data_format *check_format(const json_t *block, struct kd_problems *problems)
{
    const json_t *given = json_object_get(block, "format");
    const char *names[32];
    struct kd_str all = {0};
    int n = 0;
    for (; kd_data_formats[n]; n++) {
        names[n] = kd_data_formats[n]->name;
        kd_str_addf(&all, "%s%s", n ? ", " : "", names[n]);
    }
    names[n] = NULL;
    const char *name = json_string_value(given);
    const struct kd_data_format *format = name ? kd_data_format_find(name) : NULL;
    const char *near = name ? kd_nearest_name(name, names) : NULL;
    if (!given)
        kd_problems_add(problems, "/data", "format is missing: one of %s", kd_str_text(&all));
    else if (!name)
        kd_problems_add(problems, "/data/format", "format must be a name, one of %s",
                        kd_str_text(&all));
    else if (!format)
        kd_problems_add(problems, "/data/format",
                        "there is no data format \"%s\"%s%s%s; there are: %s", name,
                        near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "",
                        kd_str_text(&all));
    kd_str_release(&all);
    return format;
}

static void check_files(const struct kd_data_config *config, struct kd_problems *problems)
{
    for (const struct kd_option *field = config->format->fields; field->name; field++) {
        const char *given = json_string_value(json_object_get(config->block, field->name));
        if (field->kind != KD_OPTION_FILE || !given)
            continue;
        struct stat info;
        char *path = kd_data_path(config->base_dir, given);
        char *pointer = kd_format("/data/%s", field->name);
        if (stat(path, &info) < 0)
            kd_problems_add(problems, pointer, "%s: %m; relative paths start from %s", path,
                            config->base_dir && config->base_dir[0] ? config->base_dir : ".");
        free(pointer);
        free(path);
    }
}

void kd_data_check(const json_t *block, const char *base_dir, struct kd_data_config *config,
                   struct kd_problems *problems)
{
    *config =
        (struct kd_data_config){.block = block, .base_dir = base_dir, .classes = config->classes};
    if (!json_is_object(block)) {
        kd_problems_add(problems, "/data", "must be an object, not %s", kd_json_kind_name(block));
        return;
    }
    config->format = check_format(block, problems);
    if (!config->format)
        return;
    bool sound = kd_options_check(
        (const struct kd_option *const[]){kd_data_options, config->format->fields, NULL}, block,
        "/data", problems);
    struct kd_error err;
    struct kd_normalize ignored;
    if (kd_normalize_read(json_object_get(block, "normalize"), &ignored, &err) < 0)
        kd_problems_add(problems, "/data/normalize", "%s", err.text);
    if (sound)
        check_files(config, problems);
}

/* ---- loading */

static bool has_validation_file(const struct kd_data_config *config)
{
    return json_object_get(config->block, config->format->validation_file) != NULL;
}

static int load(const struct kd_data_config *config, bool validation, int64_t max_rows,
                struct kd_table *table, struct kd_error *err)
{
    struct kd_data_source source = {.block = config->block,
                                    .base_dir = config->base_dir,
                                    .classes = config->classes,
                                    .validation = validation,
                                    .max_rows = max_rows};
    if (config->format->load(&source, table, err) < 0)
        return -1;
    if (table->n < INT32_MAX)
        return 0;
    kd_table_release(table);
    return kd_fail(err, "more than 2^31 samples are not supported");
}

/* Row `from` of one table to row `to` of another of the same shape. */
static void copy_row(const struct kd_table *source, int64_t from, struct kd_table *target,
                     int64_t to)
{
    size_t f = (size_t)source->n_features, t = (size_t)source->n_targets;
    memcpy(target->x + (size_t)to * f, source->x + (size_t)from * f, f * sizeof(float));
    if (source->labels)
        target->labels[to] = source->labels[from];
    else
        memcpy(target->targets + (size_t)to * t, source->targets + (size_t)from * t,
               t * sizeof(float));
}

static struct kd_table table_like(const struct kd_table *source, int64_t n)
{
    struct kd_table table = {.n = n,
                             .n_features = source->n_features,
                             .n_targets = source->n_targets,
                             .max_label = source->max_label,
                             .max_label_at = kd_strdup(source->max_label_at)};
    table.x = kd_alloc_array((size_t)(n * source->n_features), sizeof(float));
    if (source->labels)
        table.labels = kd_alloc_array((size_t)n, sizeof(int32_t));
    else
        table.targets = kd_alloc_array((size_t)(n * source->n_targets), sizeof(float));
    return table;
}

static void shuffle(int32_t *order, int64_t n, uint64_t seed)
{
    struct kd_rng rng = kd_rng_at(seed, SPLIT_STREAM);
    for (int64_t i = 0; i < n; i++)
        order[i] = (int32_t)i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)kd_rng_below(&rng, (uint64_t)i + 1);
        int32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

/* The first n_val samples of the shuffled order are held out. */
static int split(const struct kd_data_config *config, struct kd_dataset *dataset,
                 struct kd_error *err)
{
    const json_t *block = json_object_get(config->block, "split");
    double share = kd_option_number(split_fields, block, "val");
    uint64_t seed = (uint64_t)kd_option_int(split_fields, block, "seed");
    int64_t n = dataset->rows.n, n_val = llround((double)n * share);
    if (share > 0 && n_val == 0)
        n_val = 1;
    if (n_val >= n)
        return kd_fail(err, "split.val: %g of %lld samples leaves none to train on", share,
                       (long long)n);
    dataset->n_val = n_val;
    dataset->n_train = n - n_val;
    if (n_val == 0)
        return 0;
    struct kd_table sorted = table_like(&dataset->rows, n);
    int32_t *order = KD_NEW_ARRAY(int32_t, (size_t)n);
    shuffle(order, n, seed);
    for (int64_t i = 0; i < n; i++)
        copy_row(&dataset->rows, order[i], &sorted, i < n_val ? dataset->n_train + i : i - n_val);
    free(order);
    kd_table_release(&dataset->rows);
    dataset->rows = sorted;
    return 0;
}

static void append(struct kd_dataset *dataset, const struct kd_table *val)
{
    struct kd_table both = table_like(&dataset->rows, dataset->rows.n + val->n);
    for (int64_t i = 0; i < dataset->rows.n; i++)
        copy_row(&dataset->rows, i, &both, i);
    for (int64_t i = 0; i < val->n; i++)
        copy_row(val, i, &both, dataset->rows.n + i);
    if (val->labels && val->max_label > both.max_label) {
        both.max_label = val->max_label;
        free(both.max_label_at);
        both.max_label_at = kd_strdup(val->max_label_at);
    }
    dataset->n_train = dataset->rows.n;
    dataset->n_val = val->n;
    kd_table_release(&dataset->rows);
    dataset->rows = both;
}

static int add_validation(const struct kd_data_config *config, struct kd_dataset *dataset,
                          struct kd_error *err)
{
    struct kd_table val;
    if (load(config, true, 0, &val, err) < 0)
        return -1;
    int status = 0;
    if (val.n_features != dataset->rows.n_features || val.n_targets != dataset->rows.n_targets)
        status = kd_fail(err,
                         "%s: the validation file has %lld features and %lld targets, the "
                         "training file %lld and %lld",
                         config->format->validation_file, (long long)val.n_features,
                         (long long)val.n_targets, (long long)dataset->rows.n_features,
                         (long long)dataset->rows.n_targets);
    else
        append(dataset, &val);
    kd_table_release(&val);
    return status;
}

static void dataset_free(struct kd_dataset *dataset)
{
    if (!dataset)
        return;
    kd_table_release(&dataset->rows);
    free(dataset->key);
    free(dataset);
}

static struct kd_dataset *dataset_new(const struct kd_data_config *config, struct kd_error *err)
{
    struct kd_dataset *dataset = KD_NEW(struct kd_dataset);
    struct kd_normalize normalize;
    if (kd_normalize_read(json_object_get(config->block, "normalize"), &normalize, err) < 0 ||
        load(config, false, 0, &dataset->rows, err) < 0)
        goto failed;
    if ((has_validation_file(config) ? add_validation : split)(config, dataset, err) < 0)
        goto failed;
    kd_normalize_apply(&normalize, &dataset->rows, dataset->n_train);
    return dataset;
failed:
    dataset_free(dataset);
    return NULL;
}

/* ---- keeping */

/* The block itself, the loss's kind, and what the file system says of each file. */
static char *key_of(const struct kd_data_config *config)
{
    struct kd_str key = {0};
    char *block = json_dumps(config->block, JSON_COMPACT | JSON_SORT_KEYS);
    kd_str_addf(&key, "%d %s", config->classes, block);
    free(block);
    for (const struct kd_option *field = config->format->fields; field->name; field++) {
        const char *given = json_string_value(json_object_get(config->block, field->name));
        if (field->kind != KD_OPTION_FILE || !given)
            continue;
        struct stat info = {0};
        char *path = kd_data_path(config->base_dir, given);
        if (stat(path, &info) == 0)
            kd_str_addf(&key, " %s %lld %lld.%09ld %llu", path, (long long)info.st_size,
                        (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                        (unsigned long long)info.st_ino);
        free(path);
    }
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

const struct kd_dataset *kd_datasets_get(struct kd_datasets *datasets,
                                         const struct kd_data_config *config, struct kd_error *err)
{
    char *key = key_of(config);
    struct kd_dataset *dataset = take_by_key(datasets, key);
    if (dataset) {
        free(key);
    } else {
        if (datasets->kept.n == KEPT_DATASETS)
            dataset_free(take_kept(datasets, 0));
        dataset = dataset_new(config, err);
        if (!dataset) {
            free(key);
            return NULL;
        }
        dataset->key = key;
    }
    kd_arr_push(&datasets->kept, dataset);
    return dataset;
}

static bool is_small(const struct kd_data_config *config)
{
    int64_t total = 0;
    for (const struct kd_option *field = config->format->fields; field->name; field++) {
        const char *given = json_string_value(json_object_get(config->block, field->name));
        struct stat info;
        char *path =
            field->kind == KD_OPTION_FILE && given ? kd_data_path(config->base_dir, given) : NULL;
        if (path && stat(path, &info) == 0)
            total += info.st_size;
        free(path);
    }
    return total <= PEEK_WHOLE_BYTES;
}

static void shape_of(const struct kd_table *rows, bool whole, struct kd_data_shape *shape)
{
    *shape = (struct kd_data_shape){.n_features = rows->n_features,
                                    .n_targets = rows->n_targets,
                                    .max_label = whole && rows->labels ? rows->max_label : -1};
    if (rows->max_label_at)
        snprintf(shape->max_label_at, sizeof shape->max_label_at, "%s", rows->max_label_at);
}

int kd_data_peek(const struct kd_data_config *config, struct kd_data_shape *shape,
                 struct kd_error *err)
{
    if (is_small(config)) {
        struct kd_dataset *dataset = dataset_new(config, err);
        if (!dataset)
            return -1;
        shape_of(&dataset->rows, true, shape);
        dataset_free(dataset);
        return 0;
    }
    struct kd_table rows;
    if (load(config, false, 1, &rows, err) < 0)
        return -1;
    shape_of(&rows, false, shape);
    kd_table_release(&rows);
    return 0;
}
