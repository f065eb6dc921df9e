/* linear.c - the product of a block of rows, then bias and activation while they are in cache. */
#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/table.h"

typedef void add_bias_fn(float *x, const float *bias, int64_t rows, int64_t columns);

KD_SIMD static void add_bias(float *x, const float *bias, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            x[i * columns + j] += bias[j];
}

KD_SIMD static void add_bias_relu(float *x, const float *bias, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float sum = x[i * columns + j] + bias[j];
            x[i * columns + j] = sum < 0.0f ? 0.0f : sum;
        }
}

KD_SIMD static void add_bias_tanh(float *x, const float *bias, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            x[i * columns + j] = kd_fast_tanh(x[i * columns + j] + bias[j]);
}

/* The activations that are done along with the bias; the others take a pass of their own. */
static add_bias_fn *const fused[] = {
    [KD_ACTIVATION_NONE] = add_bias, [KD_ACTIVATION_RELU] = add_bias_relu,
    [KD_ACTIVATION_GELU] = NULL,     [KD_ACTIVATION_TANH] = add_bias_tanh,
    [KD_ACTIVATION_SILU] = NULL,
};

/* Enough rows that products lose nothing (their packing of the weights is paid anew for each
 * block), few enough that the outputs are still in the second cache when bias and activation
 * follow. */
enum { BLOCK_FLOATS = 1 << 17, BLOCK_ROWS_MIN = 192 };

static int64_t rows_of_block(const struct kd_op_linear *a)
{
    int64_t least = a->n_in > BLOCK_ROWS_MIN ? a->n_in : BLOCK_ROWS_MIN;
    int64_t wanted = BLOCK_FLOATS / (a->n_out > 0 ? a->n_out : 1);
    int64_t n_blocks = a->rows / (wanted > least ? wanted : least);
    return n_blocks > 1 ? (a->rows + n_blocks - 1) / n_blocks : a->rows;
}

static void linear_block(struct kd_queue *queue, const struct kd_op_linear *a)
{
    float *product = a->pre ? a->pre : a->y;
    kd_cpu_matmul(queue, &(struct kd_op_matmul){
                             .a = a->x,
                             .b = a->weight,
                             .c = product,
                             .m = a->rows,
                             .n = a->n_out,
                             .k = a->n_in,
                             .transpose_b = true,
                         });
    if (a->bias && !a->pre && fused[a->activation]) {
        fused[a->activation](product, a->bias, a->rows, a->n_out);
        return;
    }
    if (a->bias)
        add_bias(product, a->bias, a->rows, a->n_out);
    if (a->activation != KD_ACTIVATION_NONE || a->pre)
        kd_cpu_activation(queue, &(struct kd_op_activation){
                                     .x = product,
                                     .y = a->y,
                                     .n = a->rows * a->n_out,
                                     .activation = a->activation,
                                 });
}

void kd_cpu_linear(struct kd_queue *queue, const struct kd_op_linear *a)
{
    int64_t step = rows_of_block(a);
    for (int64_t from = 0; from < a->rows; from += step) {
        struct kd_op_linear block = *a;
        block.rows = a->rows - from < step ? a->rows - from : step;
        block.x = (const float *)block.x + from * a->n_in;
        block.y = (float *)block.y + from * a->n_out;
        if (a->pre)
            block.pre = (float *)block.pre + from * a->n_out;
        linear_block(queue, &block);
    }
}
