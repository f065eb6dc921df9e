/* preset_mlp.c - hidden layers of equal width, then one value per class or target. */
#include "trainer/models/preset.h"

enum { LAYERS, UNITS, ACTIVATION, DROPOUT };

static const char *const activations[] = {"relu", "gelu", "silu", "tanh", NULL};

extern const struct kd_preset kd_preset_mlp;

static const struct kd_field fields[] = {
    {.name = "layers",
     .kind = KD_FIELD_INTEGER,
     .fallback = 2,
     .min = 0,
     .max = 1000,
     .help = "how many hidden layers"},
    {.name = "units",
     .kind = KD_FIELD_INTEGER,
     .fallback = 64,
     .min = 1,
     .max = 1 << 20,
     .help = "values that each of them gives"},
    {.name = "activation",
     .kind = KD_FIELD_CHOICE,
     .choices = activations,
     .help = "what follows each of them"},
    {.name = "dropout",
     .kind = KD_FIELD_NUMBER,
     .fallback = 0,
     .min = 0,
     .max = 1,
     .below_max = true,
     .help = "the probability of dropping a hidden value"},
    {.name = NULL},
};

static json_t *linear(int64_t units)
{
    return json_pack("{s:{s:I}}", "linear", "units", (json_int_t)units);
}

static json_t *layers(const double *values, const struct kd_input *input, struct kd_error *err)
{
    (void)err;
    json_t *list = json_array();
    if (input->shape.n_dims > 1)
        json_array_append_new(list, json_string("flatten"));
    for (int i = 0; i < (int)values[LAYERS]; i++) {
        json_array_append_new(list, linear((int64_t)values[UNITS]));
        json_array_append_new(list, json_string(activations[(int)values[ACTIVATION]]));
        json_array_append_new(list, json_pack("{s:{s:f}}", "dropout", "p", values[DROPOUT]));
    }
    json_array_append_new(list, linear(input->n_outputs));
    return list;
}

const struct kd_preset kd_preset_mlp = {
    .name = "mlp",
    .summary = "a multilayer perceptron",
    .fields = fields,
    .layers = layers,
};
