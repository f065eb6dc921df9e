/* tensor_tiles.cuh - products on tensor cores (ampere.cuh) of anything that can say where eight neighbours of it lie: tiles of 64 x 64
 * results a warp, whose sums stay in registers, and 1, 2 or 4 warps a block.
 *
 *     result(i, j) = sum over k of left(i, k) right(j, k)
 *
 * k is gone through in steps of 32. What a step needs is copied to shared memory while two steps before it are multiplied, and never goes
 * through registers. What a product is of is a struct with
 *     Part, Part part(unsigned at) const      the kd_tensor_part that blocks of blockIdx.y == at work on: one of several sums, or of several
 *                                             products. Tiles beyond its m and n have nothing to do
 * A part's walk goes through k:
 *     struct step                             this one
 *     int64_t n_steps() const, step begin() const, void next(step &) const
 * A side is of 16-bit values, stored in memory as T:
 *     static constexpr bool BY_K              what lies together: eight neighbours in i or j (true), or in k
 *     static constexpr bool KEPT              whether other copies of this block want the same soon
 *     struct line                             what a thread keeps of eight neighbours from step to step
 *     line begin(int64_t i, int k, walk) const        row i, and place k in the step: of the first of the eight
 *     bool find(const line &, const step &, const T **from) const     where they are in this step; false: they are zeros
 *     void next(line &) const                 to the next step
 * and what becomes of results
 *     void put(int64_t i, int64_t j, const kd_floats<8> &sums) const          eight neighbours in j
 * All of these are __device__. n is a multiple of 8, everything lies at multiples of 16 bytes, and the eight neighbours are there, or
 * zeros, all alike.
 *
 * Tiles lie in shared memory in groups of 16 bytes, in an order in which neither loads nor copies meet in a bank (`at`). */
#ifndef KD_KERNELS_CUDA_TENSOR_TILES_CUH
#define KD_KERNELS_CUDA_TENSOR_TILES_CUH

#include "kernels/cuda/ampere.cuh"
#include "kernels/cuda/reduce.cuh"

static constexpr int KD_STEP = 32, KD_WARP_TILE = 64, KD_FACTOR = 16, KD_EIGHT = 8;
static constexpr int KD_STAGES =
    3; /* one that is multiplied, one that is next, one that is free for copies */
static constexpr int KD_N_FACTORS = KD_WARP_TILE / KD_FACTOR;

template <class Walk, class Left, class Right, class After> struct kd_tensor_part {
    Walk walk;
    Left left;
    Right right;
    After after;
    int64_t m, n;
};

/* ---- a side's tile in shared memory */

/* Lines are rows, or places in the step; they begin in other banks than the lines before, so far as they are read together: every eight
 * lines of 128 bytes or more, every two of 64. */
template <class T, int ROWS, bool by_k> struct kd_side_tile {
    static constexpr bool BY_K = by_k;
    static constexpr int GROUPS = (BY_K ? ROWS : KD_STEP) / KD_EIGHT; /* of a line */
    static constexpr int N_GROUPS = ROWS * KD_STEP / KD_EIGHT;
    T x[ROWS * KD_STEP];

    /* Of the eight from row and k on. */
    __device__ __forceinline__ T *at(int row, int k)
    {
        int line = BY_K ? k : row, group = (BY_K ? row : k) / KD_EIGHT;
        int turn = BY_K ? line % 8 : line / 2 % 4;
        return x + (line * GROUPS + (group ^ turn)) * KD_EIGHT;
    }
};

/* What a thread copies of each of a side's tiles: the same groups of as many lines. */
template <class Side, class Tile, int THREADS> struct kd_copies {
    static constexpr int N = Tile::N_GROUPS / THREADS, LINES_AT_ONCE = THREADS / Tile::GROUPS;
    typename Side::line lines[N];

    static __device__ __forceinline__ int row(int at)
    {
        int line = (int)threadIdx.x / Tile::GROUPS + at * LINES_AT_ONCE;
        return Tile::BY_K ? (int)threadIdx.x % Tile::GROUPS * KD_EIGHT : line;
    }
    static __device__ __forceinline__ int k(int at)
    {
        int line = (int)threadIdx.x / Tile::GROUPS + at * LINES_AT_ONCE;
        return Tile::BY_K ? line : (int)threadIdx.x % Tile::GROUPS * KD_EIGHT;
    }
    template <class Walk>
    __device__ __forceinline__ void begin(const Side &side, int64_t from, const Walk &walk)
    {
        KD_UNROLL
        for (int at = 0; at < N; at++)
            lines[at] = side.begin(from + row(at), k(at), walk);
    }
    template <class Step>
    __device__ __forceinline__ void copy(const Side &side, const Step &step, Tile &tile)
    {
        KD_UNROLL
        for (int at = 0; at < N; at++) {
            decltype(Side::x) from;
            bool is_there = side.find(lines[at], step, &from);
            if constexpr (Side::KEPT)
                kd_copy_16_kept(tile.at(row(at), k(at)), from, is_there);
            else
                kd_copy_16(tile.at(row(at), k(at)), from, is_there);
            side.next(lines[at]);
        }
    }
};

/* ---- a warp's product */

/* 16 x 16 from row and k on. Its second quarter is that of the next eight rows of a left factor, and of the next eight k of a right
 * one. */
template <bool is_left, class Tile>
__device__ __forceinline__ void kd_load_factor(unsigned (&x)[4], Tile &tile, int row, int k)
{
    int lane = (int)threadIdx.x % KD_WARP, near = lane % 8;
    int second = lane / 8 % 2 * 8, third = lane / 16 * 8;
    row += is_left ? second : third;
    k += is_left ? third : second;
    if constexpr (Tile::BY_K)
        kd_load_matrices_turned(x, tile.at(row, k + near));
    else
        kd_load_matrices(x, tile.at(row + near, k));
}

/* A warp's 64 x 64 sums, and the factors that they are made of: those of the next 16 of k are on their way, the left ones in `next`, while 16
 * are multiplied. */
template <class T> struct kd_warp_product {
    kd_sums sums[KD_N_FACTORS][2 * KD_N_FACTORS];
    kd_left left[2][KD_N_FACTORS];
    unsigned right[2][4];
    int row, column; /* in the block's tiles */

    template <class Stage> __device__ __forceinline__ void begin(Stage &stage)
    {
        KD_UNROLL
        for (int i = 0; i < KD_N_FACTORS; i++)
            kd_load_factor<true>(left[0][i].x, stage.left, row + i * KD_FACTOR, 0);
        kd_load_factor<false>(right[0], stage.right, column, 0);
    }
    /* The 16 from k on, whose left factors are there, and the first right one. */
    template <int k, class Stage>
    __device__ __forceinline__ void multiply(Stage &stage, Stage &stage_of_next)
    {
        constexpr int now = k / KD_FACTOR % 2, next = 1 - now, next_k = (k + KD_FACTOR) % KD_STEP;
        KD_UNROLL
        for (int j = 0; j < KD_N_FACTORS; j++) {
            unsigned(&after)[4] = right[(j + 1) % 2];
            if (j + 1 < KD_N_FACTORS)
                kd_load_factor<false>(after, stage.right, column + (j + 1) * KD_FACTOR, k);
            else
                kd_load_factor<false>(after, stage_of_next.right, column, next_k);
            kd_load_factor<true>(left[next][j].x, stage_of_next.left, row + j * KD_FACTOR, next_k);
            multiply_columns(j, now);
        }
    }
    __device__ __forceinline__ void multiply_columns(int j, int now)
    {
        const unsigned(&x)[4] = right[j % 2];
        KD_UNROLL
        for (int i = 0; i < KD_N_FACTORS; i++) {
            kd_multiply<T>(sums[i][2 * j], left[now][i], kd_right{{x[0], x[1]}});
            kd_multiply<T>(sums[i][2 * j + 1], left[now][i], kd_right{{x[2], x[3]}});
        }
    }
};

/* ---- what becomes of the sums */

/* 16 rows of a warp's sums: lanes hold pairs, and results are put in eights. Four rows of four pairs reach all banks. */
static constexpr int KD_PIECE_PITCH = KD_WARP_TILE + 8;
struct kd_piece {
    alignas(16) float x[KD_FACTOR][KD_PIECE_PITCH];

    __device__ __forceinline__ void write(const kd_sums (&sums)[2 * KD_N_FACTORS])
    {
        int row = (int)threadIdx.x % KD_WARP / 4, pair = (int)threadIdx.x % 4 * 2;
        KD_UNROLL
        for (int j = 0; j < 2 * KD_N_FACTORS; j++) {
            *reinterpret_cast<float2 *>(&x[row][j * 8 + pair]) =
                make_float2(sums[j].x[0], sums[j].x[1]);
            *reinterpret_cast<float2 *>(&x[row + 8][j * 8 + pair]) =
                make_float2(sums[j].x[2], sums[j].x[3]);
        }
    }
    /* From result (i, j) on, as far as there are. */
    template <class After>
    __device__ __forceinline__ void put(const After &after, int64_t i, int64_t j, int64_t m,
                                        int64_t n) const
    {
        constexpr int EIGHTS = KD_WARP_TILE / KD_EIGHT;
        KD_UNROLL
        for (int at = (int)threadIdx.x % KD_WARP; at < KD_FACTOR * EIGHTS; at += KD_WARP) {
            int row = at / EIGHTS, column = at % EIGHTS * KD_EIGHT;
            if (i + row < m && j + column < n)
                after.put(i + row, j + column, kd_load<KD_EIGHT>(&x[row][column]));
        }
    }
};

/* ---- a block */

template <class T, class Part, int ACROSS_M, int ACROSS_N> struct kd_tensor_block {
    static constexpr int WARPS = ACROSS_M * ACROSS_N, THREADS = WARPS * KD_WARP;
    static constexpr int M = ACROSS_M * KD_WARP_TILE, N = ACROSS_N * KD_WARP_TILE;
    typedef decltype(Part::left) Left;
    typedef decltype(Part::right) Right;
    typedef kd_side_tile<T, M, Left::BY_K> LeftTile;
    typedef kd_side_tile<T, N, Right::BY_K> RightTile;

    struct stage {
        alignas(16) LeftTile left;
        alignas(16) RightTile right;
    };
    union memory {
        stage stages[KD_STAGES];
        kd_piece pieces[WARPS];
    };
    static_assert(sizeof(memory) <= 48 * 1024, "what a block gets without asking");

    /* Where copies are; they are two steps before the products. */
    struct copying {
        kd_copies<Left, LeftTile, THREADS> left;
        kd_copies<Right, RightTile, THREADS> right;
        decltype(Part::walk.begin()) step;
        int64_t n_left;
    };

    static __device__ __forceinline__ void copy(const Part &part, copying &c, stage &to)
    {
        if (c.n_left > 0) {
            c.left.copy(part.left, c.step, to.left);
            c.right.copy(part.right, c.step, to.right);
            part.walk.next(c.step);
            c.n_left--;
        }
        kd_end_copies(); /* of nothing perhaps: groups are counted */
    }

    /* When all have come to the barrier in the loop, they have loaded what they need of the step before this one, and there the copies of
     * the step after the next go. The last step loads factors of a next one that is not there, and leaves them. */
    static __device__ __forceinline__ void multiply(const Part &part, copying &c, memory &shared,
                                                    kd_warp_product<T> &product)
    {
        stage *now = shared.stages, *next = now + 1, *free = now + 2;
        int64_t n = c.n_left;
        copy(part, c, *now);
        copy(part, c, *next);
        kd_wait_copies<1>();
        __syncthreads();
        product.begin(*now);
        for (; n > 0; n--) {
            product.template multiply<0>(*now, *now);
            kd_wait_copies<0>();
            __syncthreads();
            copy(part, c, *free);
            product.template multiply<KD_FACTOR>(*now, *next);
            stage *done = now;
            now = next, next = free, free = done;
        }
        __syncthreads(); /* before results go where others still load factors */
    }

    static __device__ __forceinline__ void put(const Part &part, int64_t i, int64_t j,
                                               kd_piece &piece, const kd_warp_product<T> &product)
    {
        KD_UNROLL
        for (int at = 0; at < KD_N_FACTORS; at++) {
            piece.write(product.sums[at]);
            __syncwarp();
            piece.put(part.after, i + product.row + at * KD_FACTOR, j + product.column, part.m,
                      part.n);
            __syncwarp(); /* before others write the next piece */
        }
    }

    static __device__ __forceinline__ void run(const Part &part, memory &shared)
    {
        int64_t across = (part.n + N - 1) / N;
        int64_t i = kd_quotient(blockIdx.x, across) * M, j = kd_remainder(blockIdx.x, across) * N;
        int warp = (int)threadIdx.x / KD_WARP;
        if (i >= part.m)
            return;
        copying c;
        kd_warp_product<T> product = {};
        product.row = warp % ACROSS_M * KD_WARP_TILE;
        product.column = warp / ACROSS_M * KD_WARP_TILE;
        c.step = part.walk.begin(), c.n_left = part.walk.n_steps();
        c.left.begin(part.left, i, part.walk);
        c.right.begin(part.right, j, part.walk);
        multiply(part, c, shared, product);
        put(part, i, j, shared.pieces[warp], product);
    }
};

/* 255 registers a thread, of which sums are 128. */
template <class T, int ACROSS_M, int ACROSS_N, class Product>
__global__ void __launch_bounds__(ACROSS_M *ACROSS_N *KD_WARP, 8 / (ACROSS_M * ACROSS_N))
    kd_tensor_kernel(Product product)
{
    if constexpr (KD_HAS_AMPERE) {
        typedef kd_tensor_block<T, typename Product::Part, ACROSS_M, ACROSS_N> block;
        typedef typename block::memory of_block;
        KD_DYN_SHARED(of_block, shared);
        block::run(product.part(blockIdx.y), *shared);
    } else {
        __trap();
    }
}

/* ---- launching it */

static inline int64_t kd_n_tensor_tiles(int64_t m, int64_t n, int across_m, int across_n)
{
    int64_t of_m = across_m * KD_WARP_TILE, of_n = across_n * KD_WARP_TILE;
    return (m + of_m - 1) / of_m * ((n + of_n - 1) / of_n);
}

/* m, n: of the largest part. Nothing is put where one of them is 0; where k is, zeros are. */
template <class T, int ACROSS_M, int ACROSS_N, class Product>
void kd_tensor_product(struct kd_queue *queue, const Product &product, int64_t m, int64_t n,
                       int64_t n_parts)
{
    typedef kd_tensor_block<T, typename Product::Part, ACROSS_M, ACROSS_N> block;
    auto kernel = kd_tensor_kernel<T, ACROSS_M, ACROSS_N, Product>;
    if (m <= 0 || n <= 0)
        return;
    KD_LAUNCH(kernel,
              dim3((unsigned)kd_n_tensor_tiles(m, n, ACROSS_M, ACROSS_N), (unsigned)n_parts),
              block::THREADS, sizeof(typename block::memory), queue->stream, product);
}

#endif
