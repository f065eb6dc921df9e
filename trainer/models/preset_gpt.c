/* preset_gpt.c - a decoder-only transformer: layer normalisation before each block, exact gelu,
 * start weights as in GPT-2 (Radford et al.: "Language models are unsupervised multitask learners",
 * 2019, 2.3). */
#include <inttypes.h>
#include <math.h>

#include "trainer/models/preset.h"

enum { LAYERS, HEADS, WIDTH, DROPOUT, ROTARY, TIED };

extern const struct kd_preset kd_preset_gpt;

static const struct kd_field fields[] = {
    {.name = "layers",
     .kind = KD_FIELD_INTEGER,
     .fallback = 4,
     .min = 0,
     .max = 1000,
     .help = "how many blocks, each attention and two linear layers"},
    {.name = "heads",
     .kind = KD_FIELD_INTEGER,
     .fallback = 4,
     .min = 1,
     .max = 1024,
     .help = "heads of attention; the width must be a multiple of it"},
    {.name = "width",
     .kind = KD_FIELD_INTEGER,
     .fallback = 128,
     .min = 1,
     .max = 1 << 18,
     .help = "values at each position"},
    {.name = "dropout",
     .kind = KD_FIELD_NUMBER,
     .fallback = 0,
     .min = 0,
     .max = 1,
     .below_max = true,
     .help = "the probability of dropping a value after the embedding and at the end of each way "
             "of a block"},
    {.name = "rotary",
     .kind = KD_FIELD_SWITCH,
     .fallback = 0,
     .help = "whether positions turn queries and keys, instead of being learned"},
    {.name = "tied",
     .kind = KD_FIELD_SWITCH,
     .fallback = 1,
     .help = "whether the last layer shares the embedding's weights"},
    {.name = NULL},
};

static const double deviation = 0.02;

static int check(const double *values, const struct kd_input *input, struct kd_error *err)
{
    int64_t width = (int64_t)values[WIDTH], heads = (int64_t)values[HEADS];
    int64_t step = heads * (values[ROTARY] != 0 ? 2 : 1);
    char text[KD_SHAPE_TEXT_MAX];
    if (!input->tokens)
        return kd_fail(err,
                       "is given %s numbers, but needs tokens, which text and token files give",
                       kd_shape_text(input->shape, text));
    if (width % step != 0)
        return kd_fail(err,
                       "width %" PRId64 " is not a multiple of %" PRId64 ": %" PRId64 " heads%s",
                       width, step, heads, values[ROTARY] != 0 ? " of an even size" : "");
    return 0;
}

static json_t *linear(int64_t units, double start_deviation)
{
    return json_pack("{s:{s:I,s:f}}", "linear", "units", (json_int_t)units, "deviation",
                     start_deviation);
}

/* Without a rate there is nothing to do, and it is not free. */
static void append_dropout(json_t *list, const double *values)
{
    if (values[DROPOUT] > 0)
        json_array_append_new(list, json_pack("{s:{s:f}}", "dropout", "p", values[DROPOUT]));
}

/* The last linear layer of a way of a block adds to the sum of all blocks before: 2 layers of
 * them. */
static void append_end(json_t *list, const double *values)
{
    double n_summed = fmax(2 * values[LAYERS], 1);
    json_array_append_new(list, linear((int64_t)values[WIDTH], deviation / sqrt(n_summed)));
    append_dropout(list, values);
}

static json_t *residual(json_t *layers)
{
    return json_pack("{s:{s:o}}", "residual", "layers", layers);
}

static json_t *attention_way(const double *values)
{
    json_t *list = json_array();
    json_array_append_new(list, json_string("layernorm"));
    json_array_append_new(list, linear(3 * (int64_t)values[WIDTH], deviation));
    json_array_append_new(list,
                          json_pack("{s:{s:I,s:b}}", "attention", "heads",
                                    (json_int_t)values[HEADS], "rotary", values[ROTARY] != 0));
    append_end(list, values);
    return residual(list);
}

static json_t *feed_forward_way(const double *values)
{
    json_t *list = json_array();
    json_array_append_new(list, json_string("layernorm"));
    json_array_append_new(list, linear(4 * (int64_t)values[WIDTH], deviation));
    json_array_append_new(list, json_string("gelu"));
    append_end(list, values);
    return residual(list);
}

static json_t *head(const double *values, const struct kd_input *input)
{
    int64_t n = input->n_outputs > 0 ? input->n_outputs : input->vocabulary;
    return values[TIED] != 0 ? json_string("tiedHead")
                             : json_pack("{s:{s:I,s:b,s:f}}", "linear", "units", (json_int_t)n,
                                         "bias", false, "deviation", deviation);
}

static json_t *layers(const double *values, const struct kd_input *input, struct kd_error *err)
{
    if (check(values, input, err) != 0)
        return NULL;
    json_t *list = json_array();
    json_array_append_new(list,
                          json_pack("{s:{s:I}}", "embedding", "size", (json_int_t)values[WIDTH]));
    if (values[ROTARY] == 0)
        json_array_append_new(list, json_string("positions"));
    append_dropout(list, values);
    for (int i = 0; i < (int)values[LAYERS]; i++) {
        json_array_append_new(list, attention_way(values));
        json_array_append_new(list, feed_forward_way(values));
    }
    json_array_append_new(list, json_string("layernorm"));
    json_array_append_new(list, head(values, input));
    return list;
}

const struct kd_preset kd_preset_gpt = {
    .name = "gpt",
    .summary = "a transformer over tokens, each position predicting the next token",
    .fields = fields,
    .layers = layers,
};
