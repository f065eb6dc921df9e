/* op_make_rest.c - arguments of the ops that begin and end a step: kernels/op_data.h, op_loss.h,
 * op_update.h. */
#include <inttypes.h>

#include "tests/bench/rates/op_make.h"

static void shape_of_matrix(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64 "x%" PRId64, d[0], d[1]);
}

/* ---- batches. A data set has this many times the samples of a batch, which lie anywhere in it. */
enum { BATCHES = 4 };

/* n, size, planes */
struct kd_call op_make_gather(struct desk *desk, const int64_t *d)
{
    int64_t n = d[0], size = d[1], planes = d[2];
    shape_of_matrix(desk, d);
    desk->moved += n * size; /* one byte an element, of those samples alone */
    return KD_CALL(gather, .source = desk_keep(desk, BATCHES * n * size), .element = KD_ELEMENT_U8,
                   .rows = desk_in_int64(desk, n, BATCHES * n), .n = n, .stride = size,
                   .size = size, .planes = planes, .center = desk_in(desk, planes),
                   .factor = desk_in(desk, planes), .n_scales = planes,
                   .y = desk_values_out(desk, n * size));
}

/* n, length */
struct kd_call op_make_gather_tokens(struct desk *desk, const int64_t *d)
{
    int64_t n = d[0], length = d[1], token = sizeof(uint16_t);
    shape_of_matrix(desk, d);
    desk->moved += n * (length + 1) * token;
    return KD_CALL(gather_tokens, .source = desk_keep(desk, (BATCHES * n * length + 1) * token),
                   .element = KD_ELEMENT_U16, .rows = desk_in_int64(desk, n, BATCHES * n), .n = n,
                   .stride = length, .length = length,
                   .tokens = desk_out_bytes(desk, n * length * (int64_t)sizeof(int32_t)),
                   .labels = desk_out_bytes(desk, n * length * (int64_t)sizeof(int32_t)));
}

/* n, h = w, channels */
struct kd_call op_make_augment(struct desk *desk, const int64_t *d)
{
    int64_t size = d[0] * d[1] * d[1] * d[2];
    desk_shape(desk, "%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64, d[0], d[1], d[1], d[2]);
    return KD_CALL(augment, .x = desk_values_in(desk, size), .y = desk_values_out(desk, size),
                   .n = d[0], .h = d[1], .w = d[1], .channels = d[2],
                   .samples = desk_in_samples(desk, d[0]), .turn = desk_in_turn(desk, d[0], d[0]),
                   .crop = 4, .cutout = 8, .flip = true);
}

/* n */
struct kd_call op_make_mix(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64, d[0]);
    return KD_CALL(mix, .x = desk_values_change(desk, d[0]), .other = desk_values_in(desk, d[0]),
                   .n = d[0], .turn = desk_in_turn(desk, 1, 1));
}

/* ---- losses: rows, classes or targets */

struct kd_call op_make_cross_entropy(struct desk *desk, const int64_t *d)
{
    shape_of_matrix(desk, d);
    return KD_CALL(cross_entropy, .logits = desk_values_change(desk, d[0] * d[1]),
                   .labels = desk_in_int32(desk, d[0], d[1]), .rows = d[0], .n_classes = d[1],
                   .turn = desk_in_turn(desk, d[0], d[0]),
                   .sums = desk_out_bytes(desk, sizeof(struct kd_loss_sums)), .backward = true);
}

struct kd_call op_make_bce(struct desk *desk, const int64_t *d)
{
    shape_of_matrix(desk, d);
    return KD_CALL(bce, .y = desk_values_change(desk, d[0] * d[1]),
                   .targets = desk_in(desk, d[0] * d[1]), .rows = d[0], .n_targets = d[1],
                   .turn = desk_in_turn(desk, d[0], d[0]),
                   .sums = desk_out_bytes(desk, sizeof(struct kd_loss_sums)), .backward = true);
}

struct kd_call op_make_mse(struct desk *desk, const int64_t *d)
{
    struct kd_call call = op_make_bce(desk, d);
    call.op = KD_OP_mse; /* their arguments are the same */
    return call;
}

/* ---- updates of an arena: n, ranges */

static void shape_of_arena(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64 " in %" PRId64, d[0], d[1]);
}

static struct kd_call update(struct desk *desk, const int64_t *d, enum kd_op op, int n_slots)
{
    shape_of_arena(desk, d);
    struct kd_call call =
        KD_CALL(adamw, .parameters = desk_change(desk, d[0]), .gradients = desk_in(desk, d[0]),
                .state = {desk_out(desk, d[0]), n_slots > 1 ? desk_out(desk, d[0]) : NULL},
                .ranges = desk_ranges(desk, d[0], (int)d[1]), .n_ranges = (int)d[1],
                .hyper = desk_in_hyper(desk), .scale = desk_in_float(desk, 1));
    desk->moved += n_slots * d[0] * (int64_t)sizeof(float); /* the state was read, too */
    call.op = op;                                           /* their arguments are the same */
    return call;
}

struct kd_call op_make_sgd(struct desk *desk, const int64_t *d)
{
    return update(desk, d, KD_OP_sgd, 1);
}

struct kd_call op_make_adamw(struct desk *desk, const int64_t *d)
{
    return update(desk, d, KD_OP_adamw, 2);
}

struct kd_call op_make_lion(struct desk *desk, const int64_t *d)
{
    return update(desk, d, KD_OP_lion, 1);
}

struct kd_call op_make_lamb_direction(struct desk *desk, const int64_t *d)
{
    shape_of_arena(desk, d);
    struct kd_call call = KD_CALL(
        lamb_direction, .parameters = desk_in(desk, d[0]), .gradients = desk_change(desk, d[0]),
        .state = {desk_out(desk, d[0]), desk_out(desk, d[0])},
        .norms = desk_out_doubles(desk, 2 * d[1]), .ranges = desk_ranges(desk, d[0], (int)d[1]),
        .n_ranges = (int)d[1], .hyper = desk_in_hyper(desk), .scale = desk_in_float(desk, 1));
    desk->moved += 2 * d[0] * (int64_t)sizeof(float);
    return call;
}

struct kd_call op_make_lamb_apply(struct desk *desk, const int64_t *d)
{
    shape_of_arena(desk, d);
    return KD_CALL(lamb_apply, .parameters = desk_change(desk, d[0]),
                   .direction = desk_in(desk, d[0]), .norms = desk_in_doubles(desk, 2 * d[1]),
                   .ranges = desk_ranges(desk, d[0], (int)d[1]), .n_ranges = (int)d[1],
                   .hyper = desk_in_hyper(desk));
}

/* n */
struct kd_call op_make_average(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64, d[0]);
    return KD_CALL(average, .x = desk_in(desk, d[0]), .average = desk_change(desk, d[0]), .n = d[0],
                   .hyper = desk_in_hyper(desk));
}

/* n */
struct kd_call op_make_sum_squares(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64, d[0]);
    return KD_CALL(sum_squares, .x = desk_in(desk, d[0]), .n = d[0],
                   .sum = desk_out_doubles(desk, 1));
}

struct kd_call op_make_clip(struct desk *desk, const int64_t *d)
{
    (void)d;
    desk_shape(desk, "1");
    return KD_CALL(clip, .sum_squares = desk_in_doubles(desk, 1), .scale = desk_out(desk, 1),
                   .norm = desk_out(desk, 1), .hyper = desk_in_hyper(desk));
}

/* n */
struct kd_call op_make_copy(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64, d[0]);
    return KD_CALL(copy, .x = desk_in(desk, d[0]), .y = desk_out(desk, d[0]), .n = d[0]);
}

/* n, ranges */
struct kd_call op_make_round(struct desk *desk, const int64_t *d)
{
    shape_of_arena(desk, d);
    return KD_CALL(round, .x = desk_in(desk, d[0]),
                   .y = desk_values_out(desk, d[0] + KD_ROUND_TO * d[1]),
                   .ranges = desk_ranges(desk, d[0], (int)d[1]), .n_ranges = (int)d[1]);
}

struct kd_call op_make_unscale(struct desk *desk, const int64_t *d)
{
    (void)d;
    desk_shape(desk, "1");
    return KD_CALL(unscale, .sum_squares = desk_in_doubles(desk, 1),
                   .loss = desk_keep(desk, sizeof(struct kd_loss_scale)),
                   .scale = desk_out(desk, 1), .norm = desk_out(desk, 1),
                   .hyper = desk_keep(desk, sizeof(struct kd_hyper)));
}
