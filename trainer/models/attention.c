/* attention.c - causal attention in several heads (Vaswani et al.: "Attention is all you need",
 * 2017): each position gets a mixture of the values at the positions up to it. Its input holds
 * queries, keys and values side by side, as a linear layer gives them; what follows, another linear
 * layer, mixes the heads. */
#include <inttypes.h>
#include <math.h>

#include "trainer/models/layer.h"

enum { HEADS, ROTARY, BASE };

extern const struct kd_layer kd_layer_attention;

static const struct kd_field fields[] = {
    {.name = "heads",
     .kind = KD_FIELD_INTEGER,
     .fallback = NAN,
     .min = 1,
     .max = 1024,
     .help = "into how many parts the values are split, each with weights of its own"},
    {.name = "rotary",
     .kind = KD_FIELD_SWITCH,
     .fallback = 0,
     .help =
         "whether queries and keys are turned by their positions, instead of a positions layer"},
    {.name = "base",
     .kind = KD_FIELD_NUMBER,
     .fallback = 10000,
     .min = 1,
     .max = 1e9,
     .help = "of the rotary positions: the slowest turn takes about 2 pi times as many positions"},
    {.name = NULL},
};

static bool is_rotary(const struct kd_node *node)
{
    return node->settings[ROTARY] != 0;
}

static int64_t n_heads(const struct kd_node *node)
{
    return (int64_t)node->settings[HEADS];
}

static int64_t head_size(const struct kd_node *node)
{
    return kd_shape_last(node->in) / (3 * n_heads(node));
}

static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    (void)model;
    char text[KD_SHAPE_TEXT_MAX];
    int64_t step = 3 * n_heads(node) * (is_rotary(node) ? 2 : 1);
    if (node->in.n_dims != 2 || kd_shape_last(node->in) % step != 0)
        return kd_fail(err,
                       "is given %s, but needs positions x (queries, keys and values of %" PRId64
                       " heads%s), a multiple of %" PRId64
                       ": let a linear layer with three times the width stand before it",
                       kd_shape_text(node->in, text), n_heads(node),
                       is_rotary(node) ? " of even size" : "", step);
    node->out = node->in;
    node->out.dims[1] /= 3;
    return 0;
}

/* Kept for the backward pass: the weights' logarithmic sums, and queries and keys once they are
 * turned. */
static void prepare(struct kd_node *node)
{
    node->scratch = n_heads(node) * node->in.dims[0];
    if (!is_rotary(node))
        return;
    node->kept = kd_shape_count(node->in);
    node->reads = KD_READS_Y;
}

static void add_turn(const struct kd_emit *e, void *qkv, bool inverse)
{
    kd_emit_add(e, KD_CALL(rotary, .qkv = qkv, .n = e->n, .length = e->node->in.dims[0],
                           .n_heads = n_heads(e->node), .size = head_size(e->node),
                           .base = (float)e->node->settings[BASE], .inverse = inverse));
}

static void forward(const struct kd_emit *e)
{
    const struct kd_node *node = e->node;
    if (is_rotary(node)) {
        kd_emit_add(e, KD_CALL(activation, .x = e->x[0], .y = e->kept,
                               .n = e->n * kd_shape_count(node->in),
                               .activation = KD_ACTIVATION_NONE));
        add_turn(e, e->kept, false);
    }
    kd_emit_add(e, KD_CALL(attention, .qkv = is_rotary(node) ? e->kept : e->x[0], .y = e->y,
                           .log_sum = e->scratch, .n = e->n, .length = node->in.dims[0],
                           .n_heads = n_heads(node), .size = head_size(node)));
}

static void backward(const struct kd_emit *e)
{
    const struct kd_node *node = e->node;
    if (!e->dx[0])
        return;
    kd_emit_add(
        e, KD_CALL(attention_backward, .dy = e->dy, .qkv = is_rotary(node) ? e->kept : e->x[0],
                   .y = e->y, .log_sum = e->scratch, .dqkv = e->dx[0], .n = e->n,
                   .length = node->in.dims[0], .n_heads = n_heads(node), .size = head_size(node)));
    if (is_rotary(node))
        add_turn(e, e->dx[0], true);
}

const struct kd_layer kd_layer_attention = {
    .name = "attention",
    .summary = "causal attention over queries, keys and values, which a linear layer before gives",
    .fields = fields,
    .backward_reads = KD_READS_X | KD_READS_Y,
    .shape = shape,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
