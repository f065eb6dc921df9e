#include "trainer/models/describe.h"

#include "trainer/models/layer.h"

void kd_models_describe(struct kd_json *json)
{
    kd_json_open(json, '[');
    for (int i = 0; kd_layers[i]; i++) {
        kd_json_open(json, '{');
        kd_json_add_string(json, "name", kd_layers[i]->name);
        kd_json_add_string(json, "summary", kd_layers[i]->summary);
        kd_fields_describe(kd_layers[i]->fields, json);
        kd_json_close(json, '}');
    }
    kd_json_close(json, ']');
}
