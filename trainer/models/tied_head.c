/* tied_head.c - one value for each token of the vocabulary, from the embedding's own weights
 * (Press, Wolf: "Using the output embedding to improve language models", 2017). */
#include <inttypes.h>

#include "trainer/models/model.h"

enum { WEIGHT };

extern const struct kd_layer kd_layer_tiedHead;

static const struct kd_node *find_embedding(const struct kd_model *model, int before)
{
    for (int i = 0; i < before; i++)
        if (model->nodes[i].layer->takes_tokens)
            return &model->nodes[i];
    return NULL;
}

static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    const struct kd_node *embedding = find_embedding(model, node->index);
    char text[KD_SHAPE_TEXT_MAX];
    if (!embedding)
        return kd_fail(err, "there is no embedding before it whose weights it could share: use "
                            "linear");
    struct kd_shape table = embedding->parameters[WEIGHT].shape;
    if (kd_shape_last(node->in) != table.dims[1])
        return kd_fail(
            err, "is given %s, but needs the embedding's size, %" PRId64 ", as its last dimension",
            kd_shape_text(node->in, text), table.dims[1]);
    node->out = node->in;
    node->out.dims[node->out.n_dims - 1] = table.dims[0];
    struct kd_parameter *weight = kd_node_add_parameter(node, "weight", table);
    weight->tied_node = 1 + embedding->index;
    weight->tied_at = WEIGHT;
    return 0;
}

static struct kd_op_matmul product(const struct kd_emit *e)
{
    return (struct kd_op_matmul){
        .m = e->n * (kd_shape_count(e->node->in) / kd_shape_last(e->node->in)),
        .n = kd_shape_last(e->node->in),
        .k = kd_shape_last(e->node->out),
    };
}

static void forward(const struct kd_emit *e)
{
    struct kd_op_matmul p = product(e);
    kd_emit_add(e, KD_CALL(linear, .x = e->x[0], .weight = kd_emit_factor(e, WEIGHT), .y = e->y,
                           .rows = p.m, .n_in = p.n, .n_out = p.k));
}

static void backward(const struct kd_emit *e)
{
    struct kd_op_matmul p = product(e);
    kd_emit_add_aside(e, KD_CALL(matmul, .a = e->dy, .b = e->x[0], .c = kd_emit_gradient(e, WEIGHT),
                                 .m = p.k, .n = p.n, .k = p.m, .transpose_a = true,
                                 .to_floats = true, .beta = kd_emit_beta(e, WEIGHT)));
    if (e->dx[0])
        kd_emit_add(e, KD_CALL(matmul, .a = e->dy, .b = kd_emit_factor(e, WEIGHT), .c = e->dx[0],
                               .m = p.m, .n = p.n, .k = p.k, .beta = e->beta_dx[0]));
}

const struct kd_layer kd_layer_tiedHead = {
    .name = "tiedHead",
    .summary = "a value for each token of the vocabulary, from the embedding's weights",
    .backward_reads = KD_READS_X,
    .adds_dx = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
