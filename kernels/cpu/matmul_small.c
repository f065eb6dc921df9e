/* matmul_small.c - products in tiles of registers, of operands that are packed only where they lie
 * the wrong way.
 *
 * A tile is up to 16 rows of one vector of the result, or up to 12 rows of two (without AVX-512: 12
 * and 6). One step of k multiplies, for each row, one element of the left operand, which may lie
 * anywhere, with vectors of the right one, whose columns must lie side by side. A right operand
 * that does not is transposed; or the product is computed as its transpose, in which the operands
 * change places, if that means less to transpose: y = x W^T of a few rows x transposes x and y, not
 * W.
 *
 * The last vector of columns begins where it fits, on columns that the one before has done already.
 * (Goto and van de Geijn: "Anatomy of high-performance matrix multiplication", 2008, has tiles and
 * packing.) */
#include "kernels/cpu/matmul_small.h"

#include "coordinator/base/mem.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/scratch.h"

/* What fits the registers: 32 with AVX-512, 16 without. */
enum { ROWS_MAX = KD_LANES == 16 ? 16 : 12, PAIR_ROWS_MAX = KD_LANES == 16 ? 12 : 6 };

/* An operand: n rows of k elements each, stored so, or with k first. */
struct side {
    const float *x;
    int64_t n;
    bool k_first;
};

/* Rows of the result: c[i][j] (+)= sum over k of left(i, k) right[k][j]; there are at least
 * KD_LANES columns. */
struct strip {
    const float *left, *right;
    float *c;
    int64_t left_row; /* with k first: from one k to the next */
    int64_t right_row, c_row;
    int64_t columns, k;
    bool adds;
};

/* ---- tiles */

/* 0 in the lanes below `first`. */
KD_INLINE kd_lanes from_lane(kd_lanes x, int64_t first)
{
    return kd_lanes_where(kd_lanes_index() >= (kd_lanes_int){0} + (int32_t)first, x);
}

/* Columns j .. of all rows; of the last vector the lanes below `done` are there already. */
KD_INLINE void tile(const struct strip *s, int rows, int vectors, bool k_first, int64_t j,
                    int64_t last, int64_t done)
{
    kd_lanes sums[ROWS_MAX][2] = {0};
    const int64_t row = k_first ? 1 : s->left_row, step = k_first ? s->left_row : 1;
    const float *left = s->left, *right = s->right;
    for (int64_t k = 0; k < s->k; k++) {
        kd_lanes first = *(const kd_lanes_at *)(right + j), second = first;
        if (vectors == 2)
            second = *(const kd_lanes_at *)(right + last);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            sums[r][0] += left[r * row] * first;
            if (vectors == 2)
                sums[r][1] += left[r * row] * second;
        }
        left += step;
        right += s->right_row;
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            kd_lanes_at *c = (kd_lanes_at *)(s->c + r * s->c_row + (v == vectors - 1 ? last : j));
            kd_lanes sum = sums[r][v];
            if (s->adds)
                sum = *c + (v == vectors - 1 ? from_lane(sum, done) : sum);
            *c = sum;
        }
}

/* Where the vector of column j begins. */
KD_INLINE int64_t fitting(int64_t j, int64_t columns)
{
    return j + KD_LANES <= columns ? j : columns - KD_LANES;
}

KD_INLINE void strip(const struct strip *s, int rows, bool k_first)
{
    int64_t j = 0;
    if (rows <= PAIR_ROWS_MAX)
        for (; j + KD_LANES < s->columns; j += 2 * KD_LANES) {
            int64_t last = fitting(j + KD_LANES, s->columns);
            tile(s, rows, 2, k_first, j, last, j + KD_LANES - last);
        }
    for (; j < s->columns; j += KD_LANES) {
        int64_t last = fitting(j, s->columns);
        tile(s, rows, 1, k_first, last, last, j - last);
    }
}

#define STRIPS_12(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#if defined(__AVX512F__)
#define STRIPS(X) STRIPS_12(X) X(13) X(14) X(15) X(16)
#else
#define STRIPS(X) STRIPS_12(X)
#endif

#define DEFINE_STRIP(rows)                                                                         \
    static void strip_##rows(const struct strip *s)                                                \
    {                                                                                              \
        strip(s, rows, false);                                                                     \
    }                                                                                              \
    static void strip_k_first_##rows(const struct strip *s)                                        \
    {                                                                                              \
        strip(s, rows, true);                                                                      \
    }
STRIPS(DEFINE_STRIP)

typedef void strip_fn(const struct strip *s);

#define NAME_STRIP(rows) [rows] = {strip_##rows, strip_k_first_##rows},
static strip_fn *const strips[ROWS_MAX + 1][2] = {STRIPS(NAME_STRIP)};

/* ---- transposing */

/* Tiles at the edge of fewer than KD_LANES rows or columns, with zeros around. */
KD_INLINE void transpose_edge(const float *x, int64_t x_row, int64_t rows, int64_t columns,
                              float *y, int64_t y_row)
{
    float padded[KD_LANES * KD_LANES] __attribute__((aligned(64))) = {0};
    float turned[KD_LANES * KD_LANES] __attribute__((aligned(64)));
    for (int64_t i = 0; i < rows; i++)
        memcpy(padded + i * KD_LANES, x + i * x_row, (size_t)columns * sizeof *x);
    kd_lanes_transpose(padded, KD_LANES, turned, KD_LANES);
    for (int64_t j = 0; j < columns; j++)
        *(kd_lanes_at *)(y + j * y_row) = *(kd_lanes_at *)(turned + j * KD_LANES);
}

/* y[columns][rows, at least KD_LANES] = x[rows][columns] transposed. Tiles at the edges begin where
 * they fit. */
static void transpose(const float *x, int64_t x_row, int64_t rows, int64_t columns, float *y,
                      int64_t y_row)
{
    for (int64_t i = 0; i < rows; i += KD_LANES)
        for (int64_t j = 0; j < columns; j += KD_LANES) {
            int64_t i_at = rows < KD_LANES ? 0 : fitting(i, rows);
            int64_t j_at = columns < KD_LANES ? 0 : fitting(j, columns);
            const float *from = x + i_at * x_row + j_at;
            float *to = y + j_at * y_row + i_at;
            if (rows < KD_LANES || columns < KD_LANES)
                transpose_edge(from, x_row, rows < KD_LANES ? rows : KD_LANES,
                               columns < KD_LANES ? columns : KD_LANES, to, y_row);
            else
                kd_lanes_transpose(from, x_row, to, y_row);
        }
}

/* ---- a product */

/* c[rows][columns] (+)= x, of which rows are at least a vector apart. */
static void copy_out(const float *x, int64_t x_row, int64_t rows, int64_t columns, float *c,
                     bool adds)
{
    for (int64_t i = 0; i < rows; i++, x += x_row, c += columns)
        for (int64_t j = 0; j < columns; j++)
            c[j] = adds ? c[j] + x[j] : x[j];
}

/* Multiply-adds of whole vectors that take as long as it takes to transpose an element. */
enum { TRANSPOSING = 8 };

static int64_t cost(const struct side *left, const struct side *right, int64_t k, bool swapped)
{
    int64_t transposed = (right->k_first ? 0 : right->n * k) + (swapped ? left->n * right->n : 0);
    return left->n * kd_lanes_up(right->n) * k + TRANSPOSING * transposed;
}

/* Long sums are sums of these: rounding errors grow with the length. */
enum { K_BLOCK = 256 };

/* Of one block of k: all rows, in strips of nearly the same height. One of a row or two would wait
 * for its own sums. */
static void add_block(struct strip s, const struct side *left, int64_t k_from, int64_t most)
{
    int64_t n_strips = (left->n + most - 1) / most;
    for (int64_t i = 0; i < n_strips; i++) {
        int64_t from = left->n * i / n_strips, to = left->n * (i + 1) / n_strips;
        struct strip part = s;
        part.left += left->k_first ? k_from * left->n + from : from * s.left_row + k_from;
        part.c += from * s.c_row;
        strips[to - from][left->k_first](&part);
    }
}

static void product(struct strip s, const struct side *left, int64_t k)
{
    int64_t most = s.columns > KD_LANES ? PAIR_ROWS_MAX : ROWS_MAX;
    s.left = left->x;
    s.left_row = left->k_first ? left->n : k;
    for (int64_t at = 0; at < k; at += K_BLOCK, s.right += K_BLOCK * s.right_row) {
        s.k = k - at < K_BLOCK ? k - at : K_BLOCK;
        add_block(s, left, at, most);
        s.adds = true;
    }
}

/* The right operand's columns side by side, in whole vectors; what stands in the lanes behind the
 * last column is of no interest. */
static void pack(const struct side *right, int64_t k, float *to)
{
    int64_t width = kd_lanes_up(right->n);
    if (right->k_first)
        for (int64_t i = 0; i < k; i++)
            memcpy(to + i * width, right->x + i * right->n, (size_t)right->n * sizeof *to);
    else
        transpose(right->x, k, right->n, k, to, width);
}

/* c (+)= the result that lies in scratch memory, transposed if it is the transposed product's. */
static void put(const struct kd_op_matmul *a, const float *result, int64_t width, bool swapped,
                float *turned)
{
    bool adds = a->beta != 0.0f;
    if (swapped && a->n >= KD_LANES && !adds) {
        transpose(result, width, a->n, a->m, a->c, a->n);
        return;
    }
    int64_t turned_width = kd_lanes_up(a->n);
    if (swapped)
        transpose(result, width, a->n, a->m, turned, turned_width);
    copy_out(swapped ? turned : result, swapped ? turned_width : width, a->m, a->n, a->c, adds);
}

static void multiply(const struct side *left, const struct side *right,
                     const struct kd_op_matmul *a, bool swapped)
{
    int64_t width = kd_lanes_up(right->n);
    int64_t n_packed = a->k * width, n_result = left->n * width;
    int64_t n_turned = a->m * kd_lanes_up(a->n);
    float *packed = kd_cpu_scratch(KD_SCRATCH_MATMUL,
                                   (size_t)(n_packed + n_result + n_turned) * sizeof *packed);
    float *result = packed + n_packed;
    struct strip s = {.right = packed, .right_row = width, .columns = width};
    bool in_place = right->k_first && right->n >= KD_LANES;
    bool direct = !swapped && right->n >= KD_LANES;
    if (in_place || direct)
        s.columns = right->n;
    if (in_place)
        s.right = right->x, s.right_row = right->n;
    else
        pack(right, a->k, packed);
    s.c = direct ? a->c : result;
    s.c_row = direct ? a->n : width;
    s.adds = direct && a->beta != 0.0f;
    product(s, left, a->k);
    if (!direct)
        put(a, result, width, swapped, result + n_result);
}

KD_EACH_ISA(kd_cpu_matmul_small, struct kd_queue *queue, const struct kd_op_matmul *a)
{
    (void)queue;
    struct side of_a = {a->a, a->m, a->transpose_a}, of_b = {a->b, a->n, !a->transpose_b};
    if (cost(&of_b, &of_a, a->k, true) < cost(&of_a, &of_b, a->k, false))
        multiply(&of_b, &of_a, a, true);
    else
        multiply(&of_a, &of_b, a, false);
}
