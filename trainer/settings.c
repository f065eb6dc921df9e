#include "trainer/settings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/yaml/difference.h"
#include "trainer/data/format.h"
#include "trainer/models/model.h"

enum { ENOUGH = 1000 }; /* bytes of all differences: what to do about them must fit beside them */

/* ---- what it is */

static void fill_defaults(json_t *object, const struct kd_option *table)
{
    for (; table->name; table++) {
        if (table->fallback && !json_object_get(object, table->name))
            json_object_set_new(object, table->name, kd_option_default(table));
        json_t *value = json_object_get(object, table->name);
        if (table->fields && json_is_object(value))
            fill_defaults(value, table->fields);
    }
}

static json_t *given(const struct kd_config *config, const char *name)
{
    return json_object_get(config->block, name);
}

static json_t *data_of(const struct kd_config *config)
{
    json_t *data = json_deep_copy(given(config, "data"));
    fill_defaults(data, kd_data_options);
    fill_defaults(data, config->data.format->fields);
    return data;
}

static json_t *model_of(const struct kd_config *config)
{
    return kd_model_whole(config->model);
}

static json_t *loss_of(const struct kd_config *config)
{
    return json_pack("{s:s, s:f}", "name", config->loss->name, "labelSmoothing",
                     (double)config->label_smoothing);
}

static json_t *batch_size_of(const struct kd_config *config)
{
    return json_integer(config->batch_size);
}

static json_t *optimizer_of(const struct kd_config *config)
{
    return kd_fields_whole(config->optimizer->fields, config->optimizer->name,
                           given(config, "optimizer"));
}

static json_t *schedule_of(const struct kd_config *config)
{
    return kd_schedule_whole(given(config, "schedule"));
}

static json_t *clip_norm_of(const struct kd_config *config)
{
    return json_real((double)config->hyper.clip);
}

/* Absent where none is kept. */
static json_t *average_of(const struct kd_config *config)
{
    return json_incref(given(config, "average"));
}

static json_t *accumulate_of(const struct kd_config *config)
{
    return json_integer(config->accumulate);
}

/* Absent for fp32, as in checkpoints from when there was nothing else. Weights are saved in fp32
 * whichever it is. */
static json_t *precision_of(const struct kd_config *config)
{
    if (config->precision == KD_PRECISION_FP32)
        return NULL;
    return json_string(kd_precision_name(config->precision));
}

static const struct {
    const char *name;
    json_t *(*of)(const struct kd_config *config); /* a new reference, or NULL */
    bool is_identity;                              /* with another one it is another training */
} fields[] = {
    {"data", data_of, true},
    {"model", model_of, true},
    {"loss", loss_of, true},
    {"batchSize", batch_size_of, true},
    {"optimizer", optimizer_of, false},
    {"schedule", schedule_of, false},
    {"clipNorm", clip_norm_of, false},
    {"average", average_of, false},
    {"accumulate", accumulate_of, false},
    {"precision", precision_of, false},
};

json_t *kd_settings_of(const struct kd_config *config)
{
    json_t *settings = json_object();
    for (size_t i = 0; i < KD_COUNT(fields); i++) {
        json_t *value = fields[i].of(config);
        if (value)
            json_object_set_new(settings, fields[i].name, value);
    }
    return settings;
}

/* ---- what has changed */

static bool look_at(const char *base_dir, const char *path, struct stat *info)
{
    char *whole = kd_data_path(base_dir, path);
    bool is_there = stat(whole, info) == 0;
    free(whole);
    return is_there;
}

static bool is_same_file(void *ud, const char *there, const char *now)
{
    struct stat a, b;
    return look_at(ud, there, &a) && look_at(ud, now, &b) && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* To whole lines, or within the first one, but not within a character of UTF-8. */
static void shorten(struct kd_str *lines)
{
    if (lines->length <= ENOUGH)
        return;
    char *text = kd_str_take(lines);
    size_t n = ENOUGH;
    while (n > 0 && text[n] != '\n')
        n--;
    for (n = n ? n : ENOUGH; (text[n] & 0xC0) == 0x80;)
        n--;
    kd_str_addn(lines, text, n);
    kd_str_add(lines, "\n...");
    free(text);
}

void kd_settings_compare(const json_t *there, const json_t *now, const struct kd_config *config,
                         struct kd_str *other, struct kd_str *changed)
{
    const struct kd_difference_rules rules = {.says_the_same = is_same_file,
                                              .ud = config->base_dir};
    for (size_t i = 0; i < KD_COUNT(fields); i++)
        kd_difference_add(fields[i].is_identity ? other : changed, fields[i].name,
                          json_object_get(there, fields[i].name),
                          json_object_get(now, fields[i].name), &rules);
    shorten(other);
    shorten(changed);
}
