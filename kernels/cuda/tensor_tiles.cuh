/* tensor_tiles.cuh - products on tensor cores (ampere.cuh) of anything that can say where eight
 * neighbours of it lie: tiles of 64 x 64 results a warp, or 64 x 32, whose sums stay in registers,
 * and 2 or 4 warps a block.
 *
 *     result(i, j) = sum over k of left(i, k) right(j, k)
 *
 * k is gone through in steps of 32. What a step needs is copied to shared memory while two steps
 * before it are multiplied, and never goes through registers. What a product is of is a struct with
 *     Part, Part part(unsigned at) const      the kd_tensor_part that blocks of blockIdx.y == at
 *                                             work on: one of several sums, or of several products.
 *                                             Tiles beyond its m and n have nothing to do
 * A part's walk goes through k:
 *     struct step                             this one
 *     int64_t n_steps() const, step begin() const, void next(step &) const
 * A side is of 16-bit values, stored in memory as T:
 *     static constexpr bool BY_K              what lies together: eight neighbours in i or j (true), or in k
 *     static constexpr bool KEPT              whether other copies of this block want the same soon
 *     struct line                             what a thread keeps of eight neighbours from step to step
 *     line begin(int64_t i, int k, walk) const        row i, and place k in the step: of the first of the eight
 *     bool find(const line &, const step &, const T **from) const     where they are in this step;
 *                                                                     false: they are zeros
 *     void next(line &) const                 to the next step
 * and what becomes of results
 *     void put(int64_t i, int64_t j, const kd_floats<8> &sums) const          eight neighbours in j
 * All of these are __device__. n is a multiple of 8, everything lies at multiples of 16 bytes, and
 * the eight neighbours are there, or zeros, all alike.
 *
 * Tiles lie in shared memory in groups of 16 bytes, in an order in which neither loads nor copies
 * meet in a bank (`at`). */
#ifndef KD_KERNELS_CUDA_TENSOR_TILES_CUH
#define KD_KERNELS_CUDA_TENSOR_TILES_CUH

#include "kernels/cuda/ampere.cuh"
#include "kernels/cuda/reduce.cuh"

static constexpr int KD_STEP = 32, KD_WARP_ROWS = 64, KD_FACTOR = 16, KD_EIGHT = 8;
static constexpr int KD_STAGES =
    3; /* one that is multiplied, one that is next, one that is free for copies */

/* A block's warps, and a warp's columns. */
template <int across_m, int across_n, int columns> struct kd_tiling {
    static constexpr int ACROSS_M = across_m, ACROSS_N = across_n, COLUMNS = columns;
    static constexpr int WARPS = ACROSS_M * ACROSS_N, THREADS = WARPS * KD_WARP;
    static constexpr int M = ACROSS_M * KD_WARP_ROWS, N = ACROSS_N * COLUMNS;
    /* Of blocks on a multiprocessor, where a thread has 255 registers, and 168 for half as many
     * sums. */
    static constexpr int AT_ONCE = (COLUMNS == 64 ? 8 : 12) / WARPS;

    static int64_t n_tiles(int64_t m, int64_t n)
    {
        return (m + M - 1) / M * ((n + N - 1) / N);
    }
};
typedef kd_tiling<2, 2, 64> kd_large_tiles;  /* 128 x 128 */
typedef kd_tiling<2, 1, 64> kd_narrow_tiles; /* 128 x 64 */
typedef kd_tiling<1, 2, 64> kd_flat_tiles;   /* 64 x 128 */
typedef kd_tiling<1, 2, 32> kd_small_tiles;  /* 64 x 64 */

template <class Walk, class Left, class Right, class After> struct kd_tensor_part {
    Walk walk;
    Left left;
    Right right;
    After after;
    int64_t m, n;
};

/* ---- a side's tile in shared memory */

/* Lines are rows, or places in the step; they begin in other banks than the lines before, so far as
 * they are read together: every eight lines of 128 bytes or more, every two of 64. */
template <class T, int ROWS, bool by_k> struct kd_side_tile {
    static constexpr bool BY_K = by_k;
    static constexpr int GROUPS = (BY_K ? ROWS : KD_STEP) / KD_EIGHT; /* of a line */
    static constexpr int N_GROUPS = ROWS * KD_STEP / KD_EIGHT;
    static constexpr int OF_LINE = GROUPS * KD_EIGHT;
    T x[ROWS * KD_STEP];

    /* Where the eight from row and k on are. */
    static __device__ __forceinline__ int place(int row, int k)
    {
        int line = BY_K ? k : row, group = (BY_K ? row : k) / KD_EIGHT;
        int turn = BY_K ? line % 8 : line / 2 % 4;
        return line * OF_LINE + (group ^ turn) * KD_EIGHT;
    }
    /* So many rows and k on, multiples of 16, of which those along the line are bits that the place
     * has not: lines turn alike. */
    static __device__ __forceinline__ int on(int place, int rows, int k)
    {
        return BY_K ? (place ^ rows) + k * OF_LINE : (place ^ k) + rows * OF_LINE;
    }
};

/* What a thread copies of each of a side's tiles: the same groups of as many lines. */
template <class T, class Side, class Tile, int THREADS> struct kd_copies {
    static constexpr int N = Tile::N_GROUPS / THREADS, LINES_AT_ONCE = THREADS / Tile::GROUPS;
    static_assert(LINES_AT_ONCE % (Tile::BY_K ? 4 : 8) == 0, "lines turn alike, or by 4");
    typename Side::line lines[N];
    int place; /* in a tile, of the first */

    template <class Walk>
    __device__ __forceinline__ void begin(const Side &side, int64_t from, const Walk &walk)
    {
        int line = (int)threadIdx.x / Tile::GROUPS;
        int along = (int)threadIdx.x % Tile::GROUPS * KD_EIGHT;
        place = Tile::BY_K ? Tile::place(along, line) : Tile::place(line, along);
        KD_UNROLL
        for (int at = 0; at < N; at++) {
            int of_copy = line + at * LINES_AT_ONCE;
            lines[at] = side.begin(from + (Tile::BY_K ? along : of_copy),
                                   Tile::BY_K ? of_copy : along, walk);
        }
    }
    template <class Step>
    __device__ __forceinline__ void copy(const Side &side, const Step &step, Tile &tile)
    {
        KD_UNROLL
        for (int at = 0; at < N; at++) {
            constexpr int on = LINES_AT_ONCE * Tile::OF_LINE, turns = LINES_AT_ONCE * KD_EIGHT;
            T *to = tile.x + (place ^ at * turns % (8 * KD_EIGHT)) + at * on;
            const T *from;
            bool is_there = side.find(lines[at], step, &from);
            if constexpr (Side::KEPT)
                kd_copy_16_kept(to, from, is_there);
            else
                kd_copy_16(to, from, is_there);
            side.next(lines[at]);
        }
    }
};

/* ---- a warp's product */

/* A lane's place in the 16 x 16 from (row, 0) on. Their second quarter is that of the next eight
 * rows of a left factor, and of the next eight k of a right one. */
template <bool is_left, class Tile> __device__ __forceinline__ int kd_factor_place(int row)
{
    int lane = (int)threadIdx.x % KD_WARP, near = lane % 8;
    int second = lane / 8 % 2 * 8, third = lane / 16 * 8;
    int k = is_left ? third : second;
    row += is_left ? second : third;
    return Tile::BY_K ? Tile::place(row, k + near) : Tile::place(row + near, k);
}

template <class Tile>
__device__ __forceinline__ void kd_load_factor(unsigned (&x)[4], Tile &tile, int place, int rows,
                                               int k)
{
    if constexpr (Tile::BY_K)
        kd_load_matrices_turned(x, tile.x + Tile::on(place, rows, k));
    else
        kd_load_matrices(x, tile.x + Tile::on(place, rows, k));
}

/* A warp's sums, 64 rows by COLUMNS, and the factors that they are made of: those of the next 16 of
 * k are on their way, the left ones in another place, while 16 are multiplied. */
template <class T, int COLUMNS> struct kd_warp_product {
    static constexpr int N_LEFT = KD_WARP_ROWS / KD_FACTOR, N_RIGHT = COLUMNS / KD_FACTOR;
    static_assert(N_RIGHT % 2 == 0, "the right ones are in two places in turn");
    kd_sums sums[N_LEFT][2 * N_RIGHT];
    kd_left left[2][N_LEFT];
    unsigned right[2][4];
    int left_place, right_place;

    /* row, column: in the block's tiles. */
    template <class Stage> __device__ __forceinline__ void begin(Stage &stage, int row, int column)
    {
        left_place = kd_factor_place<true, decltype(stage.left)>(row);
        right_place = kd_factor_place<false, decltype(stage.right)>(column);
        KD_UNROLL
        for (int i = 0; i < N_LEFT; i++)
            kd_load_factor(left[0][i].x, stage.left, left_place, i * KD_FACTOR, 0);
        kd_load_factor(right[0], stage.right, right_place, 0, 0);
    }
    /* The 16 from k on, whose left factors are there, and the first right one. */
    template <int k, class Stage>
    __device__ __forceinline__ void multiply(Stage &stage, Stage &stage_of_next)
    {
        constexpr int now = k / KD_FACTOR % 2, next = 1 - now, next_k = (k + KD_FACTOR) % KD_STEP;
        constexpr int n_at_once = N_LEFT / N_RIGHT;
        KD_UNROLL
        for (int j = 0; j < N_RIGHT; j++) {
            unsigned(&after)[4] = right[(j + 1) % 2];
            if (j + 1 < N_RIGHT)
                kd_load_factor(after, stage.right, right_place, (j + 1) * KD_FACTOR, k);
            else
                kd_load_factor(after, stage_of_next.right, right_place, 0, next_k);
            KD_UNROLL
            for (int i = j * n_at_once; i < (j + 1) * n_at_once; i++)
                kd_load_factor(left[next][i].x, stage_of_next.left, left_place, i * KD_FACTOR,
                               next_k);
            multiply_columns(j, now);
        }
    }
    __device__ __forceinline__ void multiply_columns(int j, int now)
    {
        const unsigned(&x)[4] = right[j % 2];
        KD_UNROLL
        for (int i = 0; i < N_LEFT; i++) {
            kd_multiply<T>(sums[i][2 * j], left[now][i], kd_right{{x[0], x[1]}});
            kd_multiply<T>(sums[i][2 * j + 1], left[now][i], kd_right{{x[2], x[3]}});
        }
    }
};

/* ---- what becomes of the sums */

/* 16 rows of a warp's sums: lanes hold pairs, and results are put in eights. Four rows of four
 * pairs reach all banks. */
template <int COLUMNS> struct kd_piece {
    static constexpr int EIGHTS = COLUMNS / KD_EIGHT;
    alignas(16) float x[KD_FACTOR][COLUMNS + 8];

    __device__ __forceinline__ void write(const kd_sums (&sums)[EIGHTS])
    {
        int row = (int)threadIdx.x % KD_WARP / 4, pair = (int)threadIdx.x % 4 * 2;
        KD_UNROLL
        for (int j = 0; j < EIGHTS; j++) {
            *reinterpret_cast<float2 *>(&x[row][j * KD_EIGHT + pair]) =
                make_float2(sums[j].x[0], sums[j].x[1]);
            *reinterpret_cast<float2 *>(&x[row + 8][j * KD_EIGHT + pair]) =
                make_float2(sums[j].x[2], sums[j].x[3]);
        }
    }
    /* From result (i, j) on, as far as there are. */
    template <class After>
    __device__ __forceinline__ void put(const After &after, int64_t i, int64_t j, int64_t m,
                                        int64_t n) const
    {
        KD_UNROLL
        for (int at = (int)threadIdx.x % KD_WARP; at < KD_FACTOR * EIGHTS; at += KD_WARP) {
            int row = at / EIGHTS, column = at % EIGHTS * KD_EIGHT;
            if (i + row < m && j + column < n)
                after.put(i + row, j + column, kd_load<KD_EIGHT>(&x[row][column]));
        }
    }
};

/* ---- a block */

template <class T, class Part, class Tiling> struct kd_tensor_block {
    static constexpr int THREADS = Tiling::THREADS;
    typedef decltype(Part::left) Left;
    typedef decltype(Part::right) Right;
    typedef kd_side_tile<T, Tiling::M, Left::BY_K> LeftTile;
    typedef kd_side_tile<T, Tiling::N, Right::BY_K> RightTile;
    typedef kd_warp_product<T, Tiling::COLUMNS> Product;
    typedef kd_piece<Tiling::COLUMNS> Piece;

    struct stage {
        alignas(16) LeftTile left;
        alignas(16) RightTile right;
    };
    union memory {
        stage stages[KD_STAGES];
        Piece pieces[Tiling::WARPS];
    };
    static_assert(sizeof(memory) <= 48 * 1024, "what a block gets without asking");

    /* Where copies are; they are two steps before the products. */
    struct copying {
        kd_copies<T, Left, LeftTile, THREADS> left;
        kd_copies<T, Right, RightTile, THREADS> right;
        decltype(Part::walk.begin()) step;
    };

    static __device__ __forceinline__ void copy(const Part &part, copying &c, stage &to)
    {
        c.left.copy(part.left, c.step, to.left);
        c.right.copy(part.right, c.step, to.right);
        part.walk.next(c.step);
        kd_end_copies();
    }

    /* This warp's, in the block's tile. */
    static __device__ __forceinline__ int row()
    {
        return (int)threadIdx.x / KD_WARP % Tiling::ACROSS_M * KD_WARP_ROWS;
    }
    static __device__ __forceinline__ int column()
    {
        return (int)threadIdx.x / KD_WARP / Tiling::ACROSS_M * Tiling::COLUMNS;
    }

    /* When all have come to the barrier in the loop, they have loaded what they need of the step
     * before this one, and there the copies of the step after the next go. The last steps copy
     * zeros for those that are not there, and load factors of them, and leave them. */
    static __device__ __forceinline__ void multiply(const Part &part, copying &c, memory &shared,
                                                    Product &product)
    {
        stage *now = shared.stages, *next = now + 1, *free = now + 2;
        copy(part, c, *now);
        copy(part, c, *next);
        kd_wait_copies<1>();
        __syncthreads();
        product.begin(*now, row(), column());
        for (int64_t n = part.walk.n_steps(); n > 0; n--) {
            product.template multiply<0>(*now, *now);
            kd_wait_copies<0>();
            __syncthreads();
            copy(part, c, *free);
            product.template multiply<KD_FACTOR>(*now, *next);
            stage *done = now;
            now = next, next = free, free = done;
        }
        kd_wait_copies<0>();
        __syncthreads(); /* before results go where others still load factors */
    }

    static __device__ __forceinline__ void put(const Part &part, int64_t i, int64_t j, Piece &piece,
                                               const Product &product)
    {
        KD_UNROLL
        for (int at = 0; at < Product::N_LEFT; at++) {
            piece.write(product.sums[at]);
            __syncwarp();
            piece.put(part.after, i + row() + at * KD_FACTOR, j + column(), part.m, part.n);
            __syncwarp(); /* before others write the next piece */
        }
    }

    static __device__ __forceinline__ void run(const Part &part, memory &shared)
    {
        int64_t at = blockIdx.x, across = (part.n + Tiling::N - 1) / Tiling::N;
        int64_t i = kd_quotient(at, across) * Tiling::M, j = kd_remainder(at, across) * Tiling::N;
        if (i >= part.m)
            return;
        copying c;
        Product product = {};
        c.step = part.walk.begin();
        c.left.begin(part.left, i, part.walk);
        c.right.begin(part.right, j, part.walk);
        multiply(part, c, shared, product);
        put(part, i, j, shared.pieces[threadIdx.x / KD_WARP], product);
    }
};

template <class T, class Tiling, class Product>
__global__ void __launch_bounds__(Tiling::THREADS, Tiling::AT_ONCE)
    kd_tensor_kernel(Product product)
{
    if constexpr (KD_HAS_AMPERE) {
        typedef kd_tensor_block<T, typename Product::Part, Tiling> block;
        typedef typename block::memory of_block;
        KD_DYN_SHARED(of_block, shared);
        block::run(product.part(blockIdx.y), *shared);
    } else {
        __trap();
    }
}

/* ---- launching it */

/* m, n: of the largest part. Nothing is put where one of them is 0; where k is, zeros are. */
template <class T, class Tiling, class Product>
void kd_tensor_product(struct kd_queue *queue, const Product &product, int64_t m, int64_t n,
                       int64_t n_parts)
{
    typedef kd_tensor_block<T, typename Product::Part, Tiling> block;
    auto kernel = kd_tensor_kernel<T, Tiling, Product>;
    if (m <= 0 || n <= 0)
        return;
    KD_LAUNCH(kernel, dim3((unsigned)Tiling::n_tiles(m, n), (unsigned)n_parts), Tiling::THREADS,
              sizeof(typename block::memory), queue->stream, product);
}

#endif
