#include "trainer/optim/schedule.h"

static void describe_optimizers(struct kd_json *json)
{
    kd_json_key(json, "optimizers");
    kd_json_open(json, '[');
    for (int i = 0; kd_optimizers[i]; i++) {
        kd_json_open(json, '{');
        kd_json_add_string(json, "name", kd_optimizers[i]->name);
        kd_json_add_string(json, "summary", kd_optimizers[i]->summary);
        kd_fields_describe(kd_optimizers[i]->fields, json);
        kd_json_close(json, '}');
    }
    kd_json_close(json, ']');
}

static void describe_schedules(struct kd_json *json)
{
    kd_json_key(json, "schedules");
    kd_json_open(json, '[');
    for (int i = 0; kd_schedule_kinds[i]; i++) {
        struct kd_field fields[KD_FIELDS_MAX + 1];
        kd_schedule_fields(kd_schedule_kinds[i], fields);
        kd_json_open(json, '{');
        kd_json_add_string(json, "name", kd_schedule_kinds[i]->name);
        kd_json_add_string(json, "summary", kd_schedule_kinds[i]->summary);
        kd_fields_describe(fields, json);
        kd_json_close(json, '}');
    }
    kd_json_close(json, ']');
}

void kd_optim_describe(struct kd_json *json)
{
    kd_json_open(json, '{');
    describe_optimizers(json);
    describe_schedules(json);
    kd_json_close(json, '}');
}
