#include "trainer/describe.h"

#include "kernels/plugin.h"
#include "trainer/comm/comm.h"
#include "trainer/config.h"
#include "trainer/models/describe.h"
#include "trainer/report.h"

static void describe_named(struct kd_json *json, const char *name, const char *summary)
{
    kd_json_open(json, '{');
    kd_json_add_string(json, "name", name);
    kd_json_add_string(json, "summary", summary);
    kd_json_close(json, '}');
}

static void describe_data(struct kd_json *json)
{
    kd_json_key(json, "data");
    kd_json_open(json, '{');
    kd_options_describe(kd_data_options, json);
    kd_json_key(json, "formats");
    kd_json_open(json, '[');
    for (int i = 0; kd_data_formats[i]; i++) {
        kd_json_open(json, '{');
        kd_json_add_string(json, "name", kd_data_formats[i]->name);
        kd_json_add_string(json, "summary", kd_data_formats[i]->summary);
        kd_options_describe(kd_data_formats[i]->fields, json);
        kd_json_close(json, '}');
    }
    kd_json_close(json, ']');
    kd_json_close(json, '}');
}

/* Settings of the long form, {name: crossEntropy, labelSmoothing: 0.1}, are for labels; its first
 * field is the name. */
static void describe_loss(struct kd_json *json, const struct kd_loss_kind *loss)
{
    kd_json_open(json, '{');
    kd_json_add_string(json, "name", loss->name);
    kd_json_add_string(json, "summary", loss->summary);
    if (loss->classes)
        kd_options_describe(kd_loss_options + 1, json);
    kd_json_close(json, '}');
}

static void describe_losses(struct kd_json *json)
{
    kd_json_key(json, "losses");
    kd_json_open(json, '[');
    for (int i = 0; kd_losses[i].name; i++)
        describe_loss(json, &kd_losses[i]);
    kd_json_close(json, ']');
}

/* The GPU's only where its library is there. */
static void describe_devices(struct kd_json *json)
{
    struct kd_error absent;
    const struct kd_plugin *plugin = kd_plugin_load(&absent);
    kd_json_key(json, "devices");
    kd_json_open(json, '[');
    for (int i = 0; kd_devices[i]; i++)
        describe_named(json, kd_devices[i]->name, kd_devices[i]->summary);
    if (plugin) {
        kd_json_open(json, '{');
        kd_json_add_string(json, "name", plugin->device->name);
        kd_json_add_string(json, "summary", plugin->device->summary);
        kd_json_add_string(json, "architectures", plugin->built_for);
        kd_json_close(json, '}');
    }
    kd_json_close(json, ']');
}

static void describe_backends(struct kd_json *json)
{
    kd_json_key(json, "backends");
    kd_json_open(json, '[');
    for (int i = 0; kd_comm_backends[i]; i++)
        describe_named(json, kd_comm_backends[i]->name, kd_comm_backends[i]->summary);
    kd_json_close(json, ']');
}

static void describe_metrics(struct kd_json *json)
{
    kd_json_key(json, "metrics");
    kd_json_open(json, '[');
    for (int i = 0; i < KD_N_METRICS; i++)
        describe_named(json, kd_metrics[i].name, kd_metrics[i].summary);
    kd_json_close(json, ']');
}

/* optim/ gives one object {"optimizers", "schedules"}; its members become ours. */
static void describe_optim(struct kd_json *json)
{
    struct kd_str text = {0};
    struct kd_json own = kd_json_to(&text);
    kd_optim_describe(&own);
    json_t *object = json_loads(kd_str_text(&text), 0, NULL), *value;
    const char *name;
    json_object_foreach(object, name, value)
    {
        char *member = json_dumps(value, JSON_COMPACT);
        kd_json_add_raw(json, name, member);
        free(member);
    }
    json_decref(object);
    kd_str_release(&text);
}

void kd_describe_trainer(struct kd_str *out)
{
    struct kd_json json = kd_json_to(out);
    kd_json_open(&json, '{');
    kd_json_add_string(&json, "version", KATYDID_VERSION);
    kd_json_key(&json, "trainer");
    kd_json_open(&json, '{');
    kd_options_describe(kd_config_options, &json);
    kd_json_close(&json, '}');
    describe_data(&json);
    kd_json_key(&json, "layers");
    kd_models_describe(&json);
    kd_json_key(&json, "presets");
    kd_presets_describe(&json);
    describe_losses(&json);
    describe_optim(&json);
    describe_devices(&json);
    describe_backends(&json);
    describe_metrics(&json);
    kd_json_close(&json, '}');
    kd_str_addc(out, '\n');
}
