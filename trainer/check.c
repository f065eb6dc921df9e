#include "trainer/check.h"

#include <string.h>

/* Compiles the model for one sample, which checks every shape. */
static int check_plan(const struct kd_config *config, const struct kd_data_shape *shape,
                      struct kd_input input, int64_t n_outputs, struct kd_error *err)
{
    input.n_outputs =
        shape->n_targets ? shape->n_targets : n_outputs; /* with labels the model says */
    struct kd_plan_options options = {.model = config->model,
                                      .input = input,
                                      .loss = config->loss->loss,
                                      .max_batch = 1,
                                      .device = kd_device_find("cpu", NULL)};
    struct kd_plan *plan = kd_plan_new(&options, err);
    kd_plan_free(plan);
    return plan ? 0 : -1;
}

static void check_fit(const struct kd_config *config, struct kd_problems *problems)
{
    struct kd_data_shape shape;
    struct kd_error err;
    if (kd_data_peek(&config->data, &shape, &err) < 0) {
        kd_problems_add(problems, "/data", "%s", err.text);
        return;
    }
    struct kd_input input = kd_config_input(&shape);
    int64_t n_outputs = kd_config_n_outputs(config, &input, &err);
    if (n_outputs < 0 || check_plan(config, &shape, input, n_outputs, &err) < 0)
        kd_problems_add_error(problems, "/model", &err);
    else if (kd_config_check_labels(n_outputs, shape.max_label, shape.max_label_at, &err) < 0)
        kd_problems_add(problems, "/data", "%s", err.text);
}

static bool concerns(const struct kd_problems *problems, const char *prefix)
{
    for (size_t i = 0; i < problems->list.n; i++)
        if (strncmp(problems->list.items[i].pointer, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

void kd_check_trainer(json_t *block, const char *base_dir, struct kd_problems *problems)
{
    struct kd_config config;
    kd_config_read(&config, block, base_dir, problems);
    if (config.data.format && config.model && !concerns(problems, "/data") &&
        !concerns(problems, "/model"))
        check_fit(&config, problems);
    kd_config_release(&config);
}

int kd_check_answer(const json_t *request, struct kd_str *answer, struct kd_error *err)
{
    json_t *block = json_object_get(request, "trainer");
    const char *base_dir = json_string_value(json_object_get(request, "base_dir"));
    if (!block)
        return kd_fail(err, "a check must be {\"trainer\": {...}, \"base_dir\": \"...\"}");
    struct kd_problems problems = {0};
    kd_check_trainer(block, base_dir ? base_dir : ".", &problems);
    struct kd_json json = kd_json_to(answer);
    kd_json_open(&json, '{');
    kd_json_key(&json, "errors");
    kd_json_open(&json, '[');
    for (size_t i = 0; i < problems.list.n; i++) {
        kd_json_open(&json, '{');
        kd_json_add_string(&json, "pointer", problems.list.items[i].pointer);
        kd_json_add_string(&json, "message", problems.list.items[i].message);
        kd_json_close(&json, '}');
    }
    kd_json_close(&json, ']');
    kd_json_close(&json, '}');
    kd_problems_release(&problems);
    return 0;
}
