#include "trainer/models/expand.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

static int expand_list(const json_t *list, const char *at, int depth, kd_entries *entries,
                       struct kd_error *err);

static int read_times(const json_t *repeat, const char *at, int *times, struct kd_error *err)
{
    const json_t *given = json_object_get(repeat, "times");
    double value = json_is_number(given) ? json_number_value(given) : NAN;
    if (given == NULL)
        return kd_fail(err, "%s: times is missing: how often its layers stand there", at);
    if (!(value >= 0 && value <= KD_REPEAT_TIMES_MAX && value == floor(value)))
        return kd_fail(err, "%s/times: must be a whole number from 0 to %d", at,
                       KD_REPEAT_TIMES_MAX);
    *times = (int)value;
    return 0;
}

static int check_keys(const json_t *repeat, const char *at, struct kd_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)repeat, key, value)
    {
        if (strcmp(key, "times") != 0 && strcmp(key, "layers") != 0)
            return kd_fail(err, "%s/%s: repeat takes times and layers, nothing else", at, key);
    }
    return 0;
}

static int expand_repeat(const json_t *repeat, const char *at, int depth, kd_entries *entries,
                         struct kd_error *err)
{
    char layers_at[KD_ENTRY_AT_MAX];
    int times = 0;
    if (depth == DEPTH_MAX)
        return kd_fail(err, "%s: repeats may be nested %d deep at most", at, DEPTH_MAX);
    if (check_keys(repeat, at, err) != 0 || read_times(repeat, at, &times, err) != 0)
        return -1;
    snprintf(layers_at, sizeof layers_at, "%.180s/layers", at);
    size_t before = entries->n;
    /* Once at least, so that a mistake inside is found at depth 0 too. */
    for (int i = 0; i < times || i == 0; i++)
        if (expand_list(json_object_get(repeat, "layers"), layers_at, depth + 1, entries, err) != 0)
            return -1;
    if (times == 0)
        entries->n = before;
    return 0;
}

static int expand_list(const json_t *list, const char *at, int depth, kd_entries *entries,
                       struct kd_error *err)
{
    if (!json_is_array(list) || json_array_size(list) == 0)
        return kd_fail(err,
                       "%s: must be a list of at least one layer, such as "
                       "[{\"linear\": {\"units\": 10}}]",
                       at);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct kd_entry entry = {.layer = json_array_get(list, i)};
        const json_t *repeat = json_object_get(entry.layer, "repeat");
        snprintf(entry.at, sizeof entry.at, "%.170s/%zu", at, i);
        if (entries->n >= KD_ENTRIES_MAX)
            return kd_fail(err, "%s: the model has more than %d layers", entry.at, KD_ENTRIES_MAX);
        if (repeat == NULL || json_object_size(entry.layer) != 1) {
            kd_arr_push(entries, entry);
            continue;
        }
        strncat(entry.at, "/repeat", sizeof entry.at - strlen(entry.at) - 1);
        if (expand_repeat(repeat, entry.at, depth, entries, err) != 0)
            return -1;
    }
    return 0;
}

int kd_model_expand(const json_t *list, kd_entries *entries, struct kd_error *err)
{
    *entries = (kd_entries){0};
    if (expand_list(list, "/model", 0, entries, err) == 0)
        return 0;
    kd_arr_release(entries);
    return -1;
}
