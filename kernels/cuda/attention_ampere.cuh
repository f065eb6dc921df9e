/* attention_ampere.cuh - causal attention with what architecture 80 has (ampere.cuh): left rows in
 * registers for as long as the block lives, right rows in tiles that are copied to shared memory
 * while the tiles before them are used. What a product gives is in registers, and becomes a factor
 * of the next one there; no warp writes to shared memory at all.
 *
 * A warp has M times 16 left rows: the more it has, the more products it does with what it loads
 * from a tile. Lane l has rows l / 4 and l / 4 + 8 of each 16, and of each 8 columns of its sums
 * the two that begin at l % 4 * 2. */
#ifndef KD_KERNELS_CUDA_ATTENTION_AMPERE_CUH
#define KD_KERNELS_CUDA_ATTENTION_AMPERE_CUH

#include "kernels/cuda/ampere.cuh"
#include "kernels/cuda/attention_blocks.cuh"

static constexpr int KD_DEPTH = 16; /* of a product, and its left rows */
static constexpr int KD_WIDE = 8;   /* its columns */
static constexpr int KD_QUAD = 4;   /* lanes that have the same rows */

/* A lane's row of sums x[i], of 16, and its column, of 8. */
static __device__ __forceinline__ int kd_sum_row(int i)
{
    return kd_lane_at() / KD_QUAD + i / 2 * 8;
}

static __device__ __forceinline__ int kd_sum_column(int i)
{
    return kd_lane_at() % KD_QUAD * 2 + i % 2;
}

/* Neighbours, as a register of a factor has them. */
template <class T> struct alignas(4) kd_pair {
    T x[2];
};

template <class T> __device__ __forceinline__ unsigned kd_read_pair(const T *from)
{
    kd_pair<T> pair = *reinterpret_cast<const kd_pair<T> *>(from);
    unsigned bits;
    memcpy(&bits, &pair, sizeof bits);
    return bits;
}

template <class T> __device__ __forceinline__ kd_floats<2> kd_unpack(unsigned bits)
{
    kd_pair<T> pair;
    memcpy(&pair, &bits, sizeof pair);
    return {{kd_float(pair.x[0]), kd_float(pair.x[1])}};
}

/* ---- left rows, in registers */

/* `at`[m][k]: 16 rows, 16 of the head's numbers. */
template <int SIZE, int M> struct kd_left_rows {
    kd_left at[M][SIZE / KD_DEPTH];
};

/* The warp's rows, `first` and on; zeros from the length on. */
template <int SIZE, int M, class T>
__device__ __forceinline__ void kd_read_left(kd_left_rows<SIZE, M> &left,
                                             const kd_head_rows<const T> &rows, int64_t first,
                                             int64_t length)
{
    KD_UNROLL
    for (int at = 0; at < M * 2; at++) {
        int m = at / 2, half = at % 2;
        int64_t t = first + m * KD_DEPTH + kd_sum_row(2 * half);
        const T *from = rows.x + t * rows.stride + kd_sum_column(0);
        KD_UNROLL
        for (int k = 0; k < SIZE / KD_DEPTH; k++) {
            left.at[m][k].x[half] = t < length ? kd_read_pair(from + k * KD_DEPTH) : 0;
            left.at[m][k].x[half + 2] = t < length ? kd_read_pair(from + k * KD_DEPTH + 8) : 0;
        }
    }
}

/* ---- right rows, in shared memory */

/* Eight rows of which the same 16 bytes are loaded at once would lie in the same banks: each row's
 * groups of 16 bytes change places among eight (four, where two rows fill the banks), as its number
 * says. Who knows the place of one group finds those of others without looking at the row again. */
template <class T, int SIZE, int ROWS> struct kd_right_tile {
    static constexpr unsigned GROUPS = SIZE / KD_GROUP<T>, MIXED = GROUPS < 8 ? GROUPS : 8;

    alignas(16) T x[ROWS * SIZE];

    static __device__ __forceinline__ unsigned place(unsigned row, unsigned group)
    {
        unsigned turn = row / (8 / MIXED) % MIXED;
        return row * SIZE + (group ^ turn) * KD_GROUP<T>;
    }
    /* So many rows and groups after the place: a multiple of 8 rows, and of groups an even number
     * where the place is of group 0 or 1. */
    __device__ __forceinline__ T *after(unsigned place, unsigned rows, unsigned groups)
    {
        unsigned near = groups % MIXED * KD_GROUP<T>, far = groups / MIXED * MIXED * KD_GROUP<T>;
        return x + (place ^ near) + far + rows * SIZE;
    }
};

/* What a thread copies of the tiles of a kind of rows: always the same 16 bytes of some rows of
 * each. */
template <class T> struct kd_row_source {
    const T *next;
    int64_t stride;

    template <int SIZE>
    static __device__ __forceinline__ kd_row_source of(const kd_head_rows<const T> &rows,
                                                       int64_t first)
    {
        constexpr unsigned GROUPS = SIZE / KD_GROUP<T>;
        unsigned row = threadIdx.x / GROUPS, group = threadIdx.x % GROUPS;
        return {rows.x + (first + row) * rows.stride + group * KD_GROUP<T>, rows.stride};
    }
};

/* Begins to copy the source's next rows, of which n_rows are left, and zeros where there are none.
 * somewhere: any values of T. All threads of the block. */
template <class T, int SIZE, int ROWS>
__device__ __forceinline__ void kd_begin_tile(kd_right_tile<T, SIZE, ROWS> &tile,
                                              kd_row_source<T> &source, int64_t n_rows,
                                              const T *somewhere)
{
    constexpr unsigned GROUPS = SIZE / KD_GROUP<T>, AT_ONCE = KD_TENSOR_THREADS / GROUPS;
    static_assert(ROWS % AT_ONCE == 0 && AT_ONCE % 8 == 0, "every thread copies as much");
    unsigned row = threadIdx.x / GROUPS, place = tile.place(row, threadIdx.x % GROUPS);
    int n = (int)kd_min(n_rows, ROWS) - (int)row;
    KD_UNROLL
    for (int r = 0; r < ROWS; r += (int)AT_ONCE) {
        kd_copy_16(tile.after(place, (unsigned)r, 0), r < n ? source.next : somewhere, r < n);
        source.next += AT_ONCE * source.stride;
    }
}

/* Two kinds of right rows: keys and values, or queries and dy. */
template <class T, int SIZE, int ROWS> struct kd_right_tiles {
    kd_right_tile<T, SIZE, ROWS> first, second;
};

/* A block's shared memory: the tiles that are used, and those that are on their way. */
template <class T, int SIZE, int ROWS> using kd_tile_stages = kd_right_tiles<T, SIZE, ROWS>[2];

/* Of right rows, in tiles: from < to. There are rows up to the length. */
struct kd_row_range {
    int64_t from, to, length;
};

/* A block's way over them. All threads of the block go it. */
template <class T, int SIZE, int ROWS> struct kd_tile_walk {
    kd_tile_stages<T, SIZE, ROWS> &stages;
    kd_row_source<T> first_kind, second_kind;
    kd_row_range range;
    const T *somewhere;

    __device__ __forceinline__ void begin_tile(int stage, int64_t first)
    {
        kd_begin_tile(stages[stage].first, first_kind, range.length - first, somewhere);
        kd_begin_tile(stages[stage].second, second_kind, range.length - first, somewhere);
        kd_end_copies();
    }
    /* f(tiles, first row) for each, in order. */
    template <class F> __device__ __forceinline__ void go(const F &f)
    {
        int stage = 0;
        for (int64_t first = range.from; first < range.to; first += ROWS, stage ^= 1) {
            kd_wait_copies<0>();
            __syncthreads(); /* others' copies are there, and others have used the tiles before */
            if (first + ROWS < range.to)
                begin_tile(stage ^ 1, first + ROWS);
            f(stages[stage], first);
        }
    }
};

/* The first tile is on its way then: there may be other things to wait for meanwhile. */
template <class T, int SIZE, int ROWS>
__device__ __forceinline__ kd_tile_walk<T, SIZE, ROWS>
kd_begin_walk(kd_tile_stages<T, SIZE, ROWS> &stages, const kd_head_rows<const T> &first_rows,
              const kd_head_rows<const T> &second_rows, const kd_row_range &range,
              const T *somewhere)
{
    kd_tile_walk<T, SIZE, ROWS> walk = {
        stages, kd_row_source<T>::template of<SIZE>(first_rows, range.from),
        kd_row_source<T>::template of<SIZE>(second_rows, range.from), range, somewhere};
    walk.begin_tile(0, range.from);
    return walk;
}

/* ---- products */

/* By 16 columns, which are loaded at once. */
template <class T>
__device__ __forceinline__ void kd_multiply_two(kd_sums &near, kd_sums &far, const kd_left &left,
                                                const unsigned (&x)[4])
{
    kd_right first = {{x[0], x[1]}}, second = {{x[2], x[3]}};
    kd_multiply<T>(near, left, first);
    kd_multiply<T>(far, left, second);
}

/* sums[m][j] += left rows times the tile's rows first + 8 j and on, over the head's numbers. */
template <class T, int SIZE, int ROWS, int M, int N>
__device__ __forceinline__ void kd_multiply_rows(kd_sums (&sums)[M][N],
                                                 const kd_left_rows<SIZE, M> &left,
                                                 kd_right_tile<T, SIZE, ROWS> &tile, int first)
{
    unsigned lane = threadIdx.x % KD_WARP;
    unsigned place = tile.place(lane % 8 + lane / 16 * 8, lane / 8 % 2);
    KD_UNROLL
    for (int k = 0; k < SIZE / KD_DEPTH; k++) {
        KD_UNROLL
        for (int j = 0; j < N; j += 2) {
            unsigned x[4];
            kd_load_matrices(x, tile.after(place, first + j * KD_WIDE, 2 * k));
            KD_UNROLL
            for (int m = 0; m < M; m++)
                kd_multiply_two<T>(sums[m][j], sums[m][j + 1], left.at[m][k], x);
        }
    }
}

/* sums[m][j] += weights, rounded to T, times numbers 8 j and on of the tile's rows first and on,
 * one for each column of weights. */
template <class T, int SIZE, int ROWS, int M, int N>
__device__ __forceinline__ void kd_add_weighted(kd_sums (&sums)[M][SIZE / KD_WIDE],
                                                const kd_sums (&weights)[M][N],
                                                kd_right_tile<T, SIZE, ROWS> &tile, int first)
{
    unsigned lane = threadIdx.x % KD_WARP, place = tile.place(lane % 16, lane / 16);
    KD_UNROLL
    for (int k = 0; k < N / 2; k++) {
        kd_left left[M];
        KD_UNROLL
        for (int at = 0; at < M * 4; at++) {
            const kd_sums &pair = weights[at / 4][2 * k + at % 4 / 2];
            left[at / 4].x[at % 4] = kd_pack<T>(pair.x[at % 2 * 2], pair.x[at % 2 * 2 + 1]);
        }
        KD_UNROLL
        for (int j = 0; j < SIZE / KD_WIDE; j += 2) {
            unsigned x[4];
            kd_load_matrices_turned(x, tile.after(place, first + k * KD_DEPTH, j));
            KD_UNROLL
            for (int m = 0; m < M; m++)
                kd_multiply_two<T>(sums[m][j], sums[m][j + 1], left[m], x);
        }
    }
}

/* Over the lanes that have the same rows. */
template <class Op> __device__ __forceinline__ float kd_quad_reduce(float value)
{
    for (int lanes = KD_QUAD / 2; lanes > 0; lanes /= 2)
        value = Op::of(value, __shfl_xor_sync(0xFFFFFFFFu, value, lanes));
    return value;
}

/* ---- what is written */

struct alignas(8) kd_two_pairs {
    unsigned first, second;
};

/* Of 16 columns a lane has two pairs. It gives one to its neighbour and gets one, and has four in a
 * row, 8 bytes: lanes of even number of the first 8 columns. A row's 32 bytes are written at
 * once. */
template <class T>
__device__ __forceinline__ void kd_write_columns(T *row, const kd_sums &near, const kd_sums &far,
                                                 int half, float factor, bool is_there)
{
    unsigned first = kd_pack<T>(near.x[2 * half] * factor, near.x[2 * half + 1] * factor);
    unsigned second = kd_pack<T>(far.x[2 * half] * factor, far.x[2 * half + 1] * factor);
    bool is_odd = kd_lane_at() % 2 != 0;
    unsigned got = __shfl_xor_sync(0xFFFFFFFFu, is_odd ? first : second, 1);
    kd_two_pairs four = {is_odd ? got : first, is_odd ? second : got};
    T *to = row + (is_odd ? KD_WIDE : 0) + kd_lane_at() % KD_QUAD / 2 * 4;
    if (is_there)
        *reinterpret_cast<kd_two_pairs *>(to) = four;
}

/* Writes the warp's sums as rows first and on, as far as there are such. factors: of its rows. */
template <int SIZE, class T, int M>
__device__ __forceinline__ void
kd_write_sums(const kd_head_rows<T> &rows, int64_t first, int64_t length,
              const kd_sums (&sums)[M][SIZE / KD_WIDE], const float (&factors)[M][2])
{
    KD_UNROLL
    for (int at = 0; at < M * 2; at++) {
        int m = at / 2, half = at % 2;
        int64_t t = first + m * KD_DEPTH + kd_sum_row(2 * half);
        T *row = rows.x + t * rows.stride;
        KD_UNROLL
        for (int j = 0; j < SIZE / KD_WIDE; j += 2)
            kd_write_columns(row + j * KD_WIDE, sums[m][j], sums[m][j + 1], half, factors[m][half],
                             t < length);
    }
}

template <int SIZE, class T, int M>
__device__ __forceinline__ void kd_write_sums(const kd_head_rows<T> &rows, int64_t first,
                                              int64_t length,
                                              const kd_sums (&sums)[M][SIZE / KD_WIDE])
{
    float ones[M][2];
    KD_UNROLL
    for (int at = 0; at < M * 2; at++)
        ones[at / 2][at % 2] = 1.0f;
    kd_write_sums<SIZE>(rows, first, length, sums, ones);
}

#endif
