#include "trainer/models/describe.h"

#include "trainer/models/layer.h"
#include "trainer/models/preset.h"

static void describe(const char *name, const char *summary, const struct kd_field *fields,
                     struct kd_json *json)
{
    kd_json_open(json, '{');
    kd_json_add_string(json, "name", name);
    kd_json_add_string(json, "summary", summary);
    kd_fields_describe(fields, json);
    kd_json_close(json, '}');
}

void kd_models_describe(struct kd_json *json)
{
    kd_json_open(json, '[');
    for (int i = 0; kd_layers[i]; i++)
        describe(kd_layers[i]->name, kd_layers[i]->summary, kd_layers[i]->fields, json);
    kd_json_close(json, ']');
}

void kd_presets_describe(struct kd_json *json)
{
    kd_json_open(json, '[');
    for (int i = 0; kd_presets[i]; i++)
        describe(kd_presets[i]->name, kd_presets[i]->summary, kd_presets[i]->fields, json);
    kd_json_close(json, ']');
}
