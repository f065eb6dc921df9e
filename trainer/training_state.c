#include "trainer/training_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/base/json.h"

void kd_training_state_release(struct kd_training_state *state)
{
    json_decref(state->reports);
    json_decref(state->settings);
    kd_arr_release(&state->kept);
    *state = (struct kd_training_state){0};
}

/* ---- writing */

static void add_window(struct kd_json *json, const struct kd_report_window *window)
{
    const double *values = &window->loss_sum;
    kd_json_key(json, "window");
    kd_json_open(json, '[');
    for (int i = 0; i < KD_WINDOW_VALUES; i++)
        kd_json_number(json, values[i]);
    kd_json_close(json, ']');
}

static void add_kept(struct kd_json *json, const struct kd_training_state *state)
{
    kd_json_key(json, "kept");
    kd_json_open(json, '[');
    for (size_t i = 0; i < state->kept.n; i++) {
        kd_json_open(json, '[');
        kd_json_int(json, state->kept.items[i].step);
        kd_json_number(json, state->kept.items[i].score);
        kd_json_close(json, ']');
    }
    kd_json_close(json, ']');
}

static void add_json(struct kd_json *json, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    kd_assert(text != NULL);
    kd_json_add_raw(json, key, text);
    free(text);
}

char *kd_training_state_text(const struct kd_training_state *state)
{
    struct kd_str text = {0};
    struct kd_json json = kd_json_to(&text);
    char seed[32]; /* as text: 64 bits do not fit JSON's numbers */
    snprintf(seed, sizeof seed, "%" PRIu64, state->seed);
    kd_json_open(&json, '{');
    kd_json_add_int(&json, "step", state->step);
    kd_json_add_int(&json, "updates", state->updates);
    kd_json_add_int(&json, "steps_per_epoch", state->steps_per_epoch);
    kd_json_add_string(&json, "seed", seed);
    kd_json_add_string(&json, "optimizer", state->optimizer);
    if (state->loss_scale > 0) {
        kd_json_add_number(&json, "loss_scale", state->loss_scale);
        kd_json_add_int(&json, "loss_scale_good", state->loss_scale_good);
        kd_json_add_int(&json, "loss_scale_left_out", state->loss_scale_left_out);
    }
    add_window(&json, &state->window);
    add_kept(&json, state);
    if (state->settings)
        add_json(&json, "settings", state->settings);
    add_json(&json, "reports", state->reports);
    kd_json_close(&json, '}');
    return kd_str_take(&text);
}

/* ---- reading */

static int read_number(const json_t *json, double *value)
{
    *value = json_number_value(json);
    return json_is_string(json)   ? kd_number_parse(json_string_value(json), value)
           : json_is_number(json) ? 0
                                  : -1;
}

static int read_window(const json_t *json, struct kd_report_window *window)
{
    double *values = &window->loss_sum;
    if (json_array_size(json) != KD_WINDOW_VALUES)
        return -1;
    for (size_t i = 0; i < KD_WINDOW_VALUES; i++)
        if (read_number(json_array_get(json, i), &values[i]) < 0)
            return -1;
    return 0;
}

static int read_kept(const json_t *json, struct kd_training_state *state)
{
    size_t i;
    const json_t *pair;
    json_array_foreach(json, i, pair)
    {
        struct kd_kept kept = {.step = json_integer_value(json_array_get(pair, 0))};
        if (read_number(json_array_get(pair, 1), &kept.score) < 0)
            return -1;
        kd_arr_push(&state->kept, kept);
    }
    return json_is_array(json) ? 0 : -1;
}

static int read_all(const json_t *json, struct kd_training_state *state)
{
    json_int_t step, updates, per_epoch;
    const char *seed;
    json_t *window, *kept, *reports;
    if (json_unpack((json_t *)json, "{s:I, s:I, s:I, s:s, s:o, s:o, s:o}", "step", &step, "updates",
                    &updates, "steps_per_epoch", &per_epoch, "seed", &seed, "window", &window,
                    "kept", &kept, "reports", &reports) < 0)
        return -1;
    state->step = step;
    state->updates = updates;
    state->steps_per_epoch = per_epoch;
    char *end;
    state->seed = strtoull(seed, &end, 10);
    state->reports = json_incref(reports);
    state->loss_scale = json_number_value(json_object_get(json, "loss_scale"));
    state->loss_scale_good = json_integer_value(json_object_get(json, "loss_scale_good"));
    state->loss_scale_left_out = json_integer_value(json_object_get(json, "loss_scale_left_out"));
    state->settings = json_incref(json_object_get(json, "settings"));
    return *seed == '\0' || *end != '\0' || step < 0 || updates < 0 || per_epoch < 1 ||
                   !json_is_array(reports) || read_window(window, &state->window) < 0 ||
                   read_kept(kept, state) < 0
               ? -1
               : 0;
}

int kd_training_state_read(const json_t *json, struct kd_training_state *state,
                           struct kd_error *err)
{
    struct kd_training_state read = {.optimizer = state->optimizer, .n_slots = state->n_slots};
    if (read_all(json, &read) == 0) {
        *state = read;
        return 0;
    }
    kd_training_state_release(&read);
    return kd_fail(err, "its state is not of the form that this version writes");
}
