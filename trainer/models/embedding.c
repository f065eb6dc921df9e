/* embedding.c - each token to a trained row of numbers. */
#include <inttypes.h>
#include <math.h>

#include "trainer/models/model.h"

enum { SIZE, VOCABULARY, DEVIATION };
enum { WEIGHT };

extern const struct kd_layer kd_layer_embedding;

static const struct kd_field fields[] = {
    {.name = "size",
     .kind = KD_FIELD_INTEGER,
     .fallback = NAN,
     .min = 1,
     .max = 1 << 20,
     .help = "how many values stand for a token"},
    {.name = "vocabulary",
     .kind = KD_FIELD_INTEGER,
     .fallback = 0,
     .min = 0,
     .max = 1 << 24,
     .help = "how many tokens there are; 0: as many as the data has"},
    {.name = "deviation",
     .kind = KD_FIELD_NUMBER,
     .fallback = 0.02,
     .min = 0,
     .max = 10,
     .help = "standard deviation of the start weights"},
    {.name = NULL},
};

static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    int64_t known = model->input.vocabulary, entries = (int64_t)node->settings[VOCABULARY];
    int64_t size = (int64_t)node->settings[SIZE];
    char text[KD_SHAPE_TEXT_MAX];
    if (node->in.n_dims != 1)
        return kd_fail(err, "is given %s, but needs one row of tokens",
                       kd_shape_text(node->in, text));
    if (entries == 0)
        entries = known;
    if (entries < known || entries == 0)
        return kd_fail(err, "has a vocabulary of %" PRId64 ", but the data has %" PRId64 " tokens",
                       entries, known);
    node->out = (struct kd_shape){{node->in.dims[0], size}, .n_dims = 2};
    kd_node_add_parameter(node, "weight", (struct kd_shape){{entries, size}, .n_dims = 2})->bound =
        kd_bound_of_deviation(node->settings[DEVIATION]);
    return 0;
}

static void forward(const struct kd_emit *e)
{
    const struct kd_shape *table = &e->node->parameters[WEIGHT].shape;
    kd_emit_add(e, KD_CALL(embedding, .tokens = e->tokens, .table = kd_emit_weight(e, WEIGHT),
                           .y = e->y, .rows = e->n * kd_shape_count(e->node->in),
                           .columns = table->dims[1], .n_entries = table->dims[0]));
}

static void backward(const struct kd_emit *e)
{
    const struct kd_shape *table = &e->node->parameters[WEIGHT].shape;
    kd_emit_add_aside(e,
                      KD_CALL(embedding_backward, .tokens = e->tokens, .dy = e->dy,
                              .dtable = kd_emit_gradient(e, WEIGHT),
                              .rows = e->n * kd_shape_count(e->node->in), .columns = table->dims[1],
                              .n_entries = table->dims[0], .beta = kd_emit_beta(e, WEIGHT)));
}

const struct kd_layer kd_layer_embedding = {
    .name = "embedding",
    .summary = "a trained row of values for each token",
    .fields = fields,
    .takes_tokens = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
