/* op_make_dense.c - arguments of the ops of kernels/op_dense.h. */
#include <inttypes.h>

#include "tests/bench/rates/op_make.h"

const char *op_activation_name(int64_t activation)
{
    static const char *const names[] = {
        [KD_ACTIVATION_NONE] = "",      [KD_ACTIVATION_RELU] = " relu",
        [KD_ACTIVATION_GELU] = " gelu", [KD_ACTIVATION_TANH] = " tanh",
        [KD_ACTIVATION_SILU] = " silu",
    };
    return names[activation];
}

/* The backward of these reads what they were applied to. */
static bool needs_input(int64_t activation)
{
    return activation == KD_ACTIVATION_GELU || activation == KD_ACTIVATION_SILU;
}

/* m, n, k, is a transposed (it makes the gradient of a weight then), is b transposed */
struct kd_call op_make_matmul(struct desk *desk, const int64_t *d)
{
    int64_t m = d[0], n = d[1], k = d[2];
    desk_shape(desk, "%" PRId64 "x%" PRId64 "x%" PRId64 " %c%c", m, n, k, d[3] ? 't' : 'n',
               d[4] ? 't' : 'n');
    return KD_CALL(matmul, .a = desk_values_in(desk, m * k), .b = desk_values_in(desk, k * n),
                   .c = d[3] ? desk_out(desk, m * n) : desk_values_out(desk, m * n), .m = m, .n = n,
                   .k = k, .transpose_a = d[3], .transpose_b = d[4], .to_floats = d[3]);
}

/* rows, n_in, n_out, activation */
struct kd_call op_make_linear(struct desk *desk, const int64_t *d)
{
    int64_t rows = d[0], n_in = d[1], n_out = d[2];
    desk_shape(desk, "%" PRId64 "x%" PRId64 " -> %" PRId64 "%s", rows, n_in, n_out,
               op_activation_name(d[3]));
    return KD_CALL(linear, .x = desk_values_in(desk, rows * n_in),
                   .weight = desk_values_in(desk, n_out * n_in),
                   .bias = desk_values_in(desk, n_out), .y = desk_values_out(desk, rows * n_out),
                   .pre = needs_input(d[3]) ? desk_values_out(desk, rows * n_out) : NULL,
                   .rows = rows, .n_in = n_in, .n_out = n_out,
                   .activation = (enum kd_activation)d[3]);
}

/* n, activation */
struct kd_call op_make_activation(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64 "%s", d[0], op_activation_name(d[1]));
    return KD_CALL(activation, .x = desk_values_in(desk, d[0]), .y = desk_values_out(desk, d[0]),
                   .n = d[0], .activation = (enum kd_activation)d[1]);
}

/* n, activation */
struct kd_call op_make_activation_backward(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64 "%s", d[0], op_activation_name(d[1]));
    return KD_CALL(activation_backward, .dy = desk_values_in(desk, d[0]),
                   .saved = desk_values_in(desk, d[0]), .dx = desk_values_out(desk, d[0]),
                   .n = d[0], .activation = (enum kd_activation)d[1]);
}

/* rows, columns */
struct kd_call op_make_column_sum(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64 "x%" PRId64, d[0], d[1]);
    return KD_CALL(column_sum, .x = desk_values_in(desk, d[0] * d[1]), .sums = desk_out(desk, d[1]),
                   .rows = d[0], .columns = d[1]);
}

/* n */
struct kd_call op_make_add(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64, d[0]);
    return KD_CALL(add, .a = desk_values_in(desk, d[0]), .b = desk_values_in(desk, d[0]),
                   .y = desk_values_out(desk, d[0]), .n = d[0]);
}

/* rows, columns */
struct kd_call op_make_add_row(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64 "x%" PRId64, d[0], d[1]);
    return KD_CALL(add_row, .x = desk_values_in(desk, d[0] * d[1]), .row = desk_in(desk, d[1]),
                   .y = desk_values_out(desk, d[0] * d[1]), .rows = d[0], .columns = d[1]);
}

/* n_samples, size */
struct kd_call op_make_dropout(struct desk *desk, const int64_t *d)
{
    int64_t n = d[0] * d[1];
    desk_shape(desk, "%" PRId64 "x%" PRId64, d[0], d[1]);
    return KD_CALL(dropout, .x = desk_values_in(desk, n), .y = desk_values_out(desk, n),
                   .kept = desk_out_bytes(desk, n), .n_samples = d[0], .size = d[1],
                   .samples = desk_in_samples(desk, d[0]), .rate = desk_in_float(desk, 0.2f),
                   .turn = desk_in_turn(desk, d[0], d[0]));
}

/* n_samples, size */
struct kd_call op_make_dropout_backward(struct desk *desk, const int64_t *d)
{
    int64_t n = d[0] * d[1];
    desk_shape(desk, "%" PRId64 "x%" PRId64, d[0], d[1]);
    return KD_CALL(dropout_backward, .dy = desk_values_in(desk, n),
                   .kept = desk_in_bytes(desk, n, 2), .dx = desk_values_out(desk, n), .n = n,
                   .rate = desk_in_float(desk, 0.2f));
}

/* n */
struct kd_call op_make_fill(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64, d[0]);
    return KD_CALL(fill, .x = desk_out(desk, d[0]), .n = d[0]);
}

/* n */
struct kd_call op_make_init_uniform(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64, d[0]);
    return KD_CALL(init_uniform, .x = desk_out(desk, d[0]), .n = d[0], .bound = 1);
}

/* n */
struct kd_call op_make_find_nonfinite(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64, d[0]);
    return KD_CALL(find_nonfinite, .x = desk_in(desk, d[0]), .n = d[0],
                   .at = desk_out_bytes(desk, sizeof(int64_t)));
}
