/* op_make_sequence.c - arguments of the ops of kernels/op_sequence.h. */
#include <inttypes.h>

#include "tests/bench/rates/op_make.h"

static void shape_of_matrix(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64 "x%" PRId64, d[0], d[1]);
}

/* rows, columns */
struct kd_call op_make_layernorm(struct desk *desk, const int64_t *d)
{
    shape_of_matrix(desk, d);
    return KD_CALL(layernorm, .x = desk_values_in(desk, d[0] * d[1]), .weight = desk_in(desk, d[1]),
                   .bias = desk_in(desk, d[1]), .y = desk_values_out(desk, d[0] * d[1]),
                   .saved = desk_out(desk, 2 * d[0]), .rows = d[0], .columns = d[1],
                   .epsilon = 1e-5f);
}

/* rows, columns */
struct kd_call op_make_add_layernorm(struct desk *desk, const int64_t *d)
{
    shape_of_matrix(desk, d);
    return KD_CALL(add_layernorm, .a = desk_values_in(desk, d[0] * d[1]),
                   .b = desk_values_in(desk, d[0] * d[1]),
                   .sum = desk_values_out(desk, d[0] * d[1]), .weight = desk_in(desk, d[1]),
                   .bias = desk_in(desk, d[1]), .y = desk_values_out(desk, d[0] * d[1]),
                   .saved = desk_out(desk, 2 * d[0]), .rows = d[0], .columns = d[1],
                   .epsilon = 1e-5f);
}

/* rows, columns */
struct kd_call op_make_layernorm_backward(struct desk *desk, const int64_t *d)
{
    shape_of_matrix(desk, d);
    return KD_CALL(layernorm_backward, .dy = desk_values_in(desk, d[0] * d[1]),
                   .x = desk_values_in(desk, d[0] * d[1]), .saved = desk_in(desk, 2 * d[0]),
                   .weight = desk_in(desk, d[1]), .dx = desk_values_out(desk, d[0] * d[1]),
                   .dweight = desk_out(desk, d[1]), .dbias = desk_out(desk, d[1]), .rows = d[0],
                   .columns = d[1]);
}

/* ---- embedding: rows, columns, n_entries. Of the table only the rows that are named must be
 * read. */

static void shape_of_embedding(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64 "x%" PRId64 " of %" PRId64, d[0], d[1], d[2]);
}

struct kd_call op_make_embedding(struct desk *desk, const int64_t *d)
{
    int64_t row_bytes = d[1] * (int64_t)sizeof(float);
    shape_of_embedding(desk, d);
    desk->moved += (d[0] < d[2] ? d[0] : d[2]) * row_bytes;
    return KD_CALL(embedding, .tokens = desk_in_int32(desk, d[0], d[2]),
                   .table = desk_keep(desk, d[2] * row_bytes),
                   .y = desk_values_out(desk, d[0] * d[1]), .rows = d[0], .columns = d[1],
                   .n_entries = d[2]);
}

struct kd_call op_make_embedding_backward(struct desk *desk, const int64_t *d)
{
    shape_of_embedding(desk, d);
    return KD_CALL(embedding_backward, .tokens = desk_in_int32(desk, d[0], d[2]),
                   .dy = desk_values_in(desk, d[0] * d[1]), .dtable = desk_out(desk, d[2] * d[1]),
                   .rows = d[0], .columns = d[1], .n_entries = d[2]);
}

/* ---- heads: n, length, n_heads, size */

static void shape_of_heads(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64 "x%" PRId64 ", %" PRId64 " heads of %" PRId64, d[0], d[1], d[2],
               d[3]);
}

/* A third of it, the values, is left alone. */
struct kd_call op_make_rotary(struct desk *desk, const int64_t *d)
{
    int64_t n = d[0] * d[1] * d[2] * d[3];
    shape_of_heads(desk, d);
    void *qkv = desk_values_change(desk, 3 * n);
    desk->moved -= 2 * n * kd_precision_bytes(desk->precision);
    return KD_CALL(rotary, .qkv = qkv, .n = d[0], .length = d[1], .n_heads = d[2], .size = d[3],
                   .base = 10000);
}

struct kd_call op_make_attention(struct desk *desk, const int64_t *d)
{
    int64_t n = d[0] * d[1] * d[2] * d[3];
    shape_of_heads(desk, d);
    return KD_CALL(attention, .qkv = desk_values_in(desk, 3 * n), .y = desk_values_out(desk, n),
                   .log_sum = desk_out(desk, n / d[3]), .n = d[0], .length = d[1], .n_heads = d[2],
                   .size = d[3]);
}

struct kd_call op_make_attention_backward(struct desk *desk, const int64_t *d)
{
    int64_t n = d[0] * d[1] * d[2] * d[3];
    shape_of_heads(desk, d);
    return KD_CALL(attention_backward, .dy = desk_values_in(desk, n),
                   .qkv = desk_values_in(desk, 3 * n), .y = desk_values_in(desk, n),
                   .log_sum = desk_in(desk, n / d[3]), .dqkv = desk_values_out(desk, 3 * n),
                   .n = d[0], .length = d[1], .n_heads = d[2], .size = d[3]);
}
