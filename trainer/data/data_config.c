#include "trainer/data/data_config.h"

#include <string.h>
#include <sys/stat.h>

#include "coordinator/base/str.h"
#include "trainer/data/normalize.h"

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
     .help = "each feature, or channel of images: none, standard (mean 0, deviation 1), minmax (0 "
             "to 1), a number to multiply by, or {mean: [..], deviation: [..]} in the file's own "
             "numbers; learnt from the training part only"},
    {.name = "augment",
     .kind = KD_OPTION_OBJECT,
     .fallback = "{}",
     .fields = kd_augment_options,
     .help = "random changes of the training samples"},
    {.name = "ignoreLabel",
     .kind = KD_OPTION_INT,
     .min = INT32_MIN,
     .max = INT32_MAX,
     .help = "samples with this label do not count in the loss"},
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

struct file_check {
    const struct kd_data_config *config;
    struct kd_problems *problems;
};

static void check_file(void *ud, const char *field, const char *path)
{
    struct file_check *check = ud;
    const char *base_dir = check->config->base_dir;
    struct stat info;
    if (stat(path, &info) == 0)
        return;
    char *pointer = kd_format("/data/%s", field);
    kd_problems_add(check->problems, pointer, "%s: %m; relative paths start from %s", path,
                    base_dir && base_dir[0] ? base_dir : ".");
    free(pointer);
}

void kd_data_check(const json_t *block, const char *base_dir, struct kd_data_config *config,
                   struct kd_problems *problems)
{
    *config = (struct kd_data_config){
        .block = block, .base_dir = base_dir, .classes = config->classes, .shares = config->shares};
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
    if (!sound)
        return;
    config->augment = kd_augment_read(json_object_get(block, "augment"));
    kd_data_each_file(config, check_file, &(struct file_check){config, problems});
}

double kd_data_split_share(const struct kd_data_config *config)
{
    return kd_option_number(split_fields, json_object_get(config->block, "split"), "val");
}

uint64_t kd_data_split_seed(const struct kd_data_config *config)
{
    return (uint64_t)kd_option_int(split_fields, json_object_get(config->block, "split"), "seed");
}

void kd_data_each_file(const struct kd_data_config *config, kd_data_file_fn *visit, void *ud)
{
    for (const struct kd_option *field = config->format->fields; field->name; field++) {
        struct kd_data_files files;
        if (field->kind != KD_OPTION_FILE && field->kind != KD_OPTION_FILES)
            continue;
        kd_data_files_find(&files, json_object_get(config->block, field->name), config->base_dir,
                           field->kind == KD_OPTION_FILES ? "*" : NULL, NULL);
        for (size_t i = 0; i < files.paths.n; i++)
            visit(ud, field->name, files.paths.items[i]);
        kd_data_files_release(&files);
    }
}
