/* test_shim.cpp - the shim gives what CUDA does, finds what CUDA leaves undefined, and lets no
 * missing barrier through. */
#include <cuda_runtime.h>
#include <mma.h>
#include <stddef.h>
#include <stdio.h>

#include "kernels/cuda/port.h"
#include "tests/cuda/schedules.h"

/* ---- what kernels get */

static __global__ void sum_of_block(const int *x, int *sum)
{
    KD_DYN_SHARED(int, seen);
    unsigned i = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    seen[i] = x[i];
    for (unsigned half = blockDim.x * blockDim.y * blockDim.z / 2; half; half /= 2) {
        __syncthreads();
        if (i < half)
            seen[i] += seen[i + half];
    }
    if (i == 0)
        sum[blockIdx.x + gridDim.x * blockIdx.y] = seen[0];
}

static void threads_meet_at_barriers_in_blocks_of_any_shape(void **)
{
    int x[1024], sums[6];
    for (int i = 0; i < 1024; i++)
        x[i] = i;
    const dim3 shapes[] = {{1}, {32}, {64}, {1024}, {4, 8, 16}, {1, 1, 64}};
    KD_FOR_SCHEDULES
    for (dim3 shape : shapes) {
        int n = (int)(shape.x * shape.y * shape.z);
        KD_LAUNCH(sum_of_block, dim3(2, 3), shape, (size_t)n * sizeof(int), nullptr, x, sums);
        for (int sum : sums)
            assert_int_equal(sum, n * (n - 1) / 2);
    }
}

static __global__ void ask_lanes(int *got)
{
    int lane = (int)threadIdx.x % 32, *to = got + threadIdx.x * 10;
    to[0] = __shfl_sync(0xFFFFFFFFu, lane, 5);
    to[1] = __shfl_sync(0xFFFFFFFFu, lane, 1, 8);
    to[2] = __shfl_up_sync(0xFFFFFFFFu, lane, 3);
    to[3] = __shfl_down_sync(0xFFFFFFFFu, lane, 3, 16);
    to[4] = __shfl_xor_sync(0xFFFFFFFFu, lane, 6);
    to[5] = (int)__ballot_sync(0xFFFFFFFFu, lane % 2);
    to[6] = __any_sync(0xFFFFFFFFu, lane == 9);
    to[7] = __all_sync(0xFFFFFFFFu, lane == 9);
    if (lane < 16) /* half of a warp by itself, which the other half does not see */
        to[8] = (int)__shfl_sync(0xFFFFu, (double)lane, lane / 2);
    else
        to[8] = -1;
    to[9] = __shfl_xor_sync(0xFFFFFFFFu, lane, 31);
}

static void lanes_get_what_cuda_says(void **)
{
    static int got[64 * 10];
    KD_FOR_SCHEDULES
    {
        KD_LAUNCH(ask_lanes, 1, 64, 0, nullptr, got);
        for (int i = 0; i < 64; i++) {
            int lane = i % 32;
            const int wanted[10] = {5,
                                    lane / 8 * 8 + 1,
                                    lane < 3 ? lane : lane - 3,
                                    lane % 16 + 3 > 15 ? lane : lane + 3,
                                    lane ^ 6,
                                    (int)0xAAAAAAAAu,
                                    1,
                                    0,
                                    lane < 16 ? lane / 2 : -1,
                                    lane ^ 31};
            assert_memory_equal(got + i * 10, wanted, sizeof wanted);
        }
    }
}

static __global__ void vote_in_block(int *got)
{
    int i = (int)threadIdx.x;
    got[3 * i] = __syncthreads_or(i == 70);
    got[3 * i + 1] = __syncthreads_and(i != 70);
    got[3 * i + 2] = __syncthreads_count(i % 3 == 0);
}

static void a_block_votes(void **)
{
    int got[96 * 3];
    KD_FOR_SCHEDULES
    {
        KD_LAUNCH(vote_in_block, 1, 96, 0, nullptr, got);
        for (int i = 0; i < 96; i++)
            assert_true(got[3 * i] == 1 && got[3 * i + 1] == 0 && got[3 * i + 2] == 32);
    }
}

static __global__ void count(unsigned *counts)
{
    atomicAdd(&counts[0], 2u);
    atomicMax(&counts[1], threadIdx.x);
    atomicInc(&counts[2], 9);
    atomicCAS(&counts[3], 0u, threadIdx.x + 1);
}

static void atomics_miss_nothing(void **)
{
    KD_FOR_SCHEDULES
    {
        unsigned counts[4] = {0};
        KD_LAUNCH(count, 3, 64, 0, nullptr, counts);
        assert_int_equal(counts[0], 2 * 3 * 64);
        assert_int_equal(counts[1], 63);
        assert_int_equal(counts[2], 3 * 64 % 10);
        assert_true(counts[3] >= 1 && counts[3] <= 64);
    }
}

static __global__ void note_order(int *order, int *n)
{
    order[(*n)++] = (int)(blockIdx.x * blockDim.x + threadIdx.x);
}

static void schedules_differ(void **)
{
    int orders[4][128];
    for (int s = 0; s < 4; s++) {
        int n = 0;
        kd_sim::set_schedule(schedules[s]);
        KD_LAUNCH(note_order, 2, 64, 0, nullptr, orders[s], &n);
        assert_int_equal(n, 128);
    }
    for (int i = 0; i < 128; i++)
        assert_true(orders[0][i] == i && orders[1][i] == 127 - i);
    assert_memory_not_equal(orders[2], orders[0], sizeof orders[0]);
    assert_memory_not_equal(orders[2], orders[3], sizeof orders[2]);
}

static __global__ void read_shared(unsigned *seen)
{
    KD_SHARED(unsigned, fixed, [4]);
    KD_DYN_SHARED(unsigned, asked);
    seen[2 * blockIdx.x] = fixed[3];
    seen[2 * blockIdx.x + 1] = asked[3];
    fixed[3] = asked[3] = 0;
}

static void every_block_begins_with_rubbish_in_shared_memory(void **)
{
    unsigned seen[6];
    kd_sim::set_schedule("forward");
    KD_LAUNCH(read_shared, 3, 1, 16, nullptr, seen);
    for (unsigned value : seen)
        assert_int_equal(value, 0x7B7B7B7B);
}

/* ---- products of a warp */

namespace wmma = nvcuda::wmma;

template <class T, class Layout>
using left_factor = wmma::fragment<wmma::matrix_a, 16, 16, 16, T, Layout>;
template <class T, class Layout>
using right_factor = wmma::fragment<wmma::matrix_b, 16, 16, 16, T, Layout>;
using sums = wmma::fragment<wmma::accumulator, 16, 16, 16, float>;

static constexpr int SIDE = 16, PITCH = 24; /* of matrices here */

template <class T> struct alignas(32) matrices {
    T left[SIDE * PITCH], right[SIDE * PITCH];
    float sums[SIDE * PITCH];
};

static void store(__half *to, float x)
{
    *to = __float2half_rn(x);
}

static void store(__nv_bfloat16 *to, float x)
{
    *to = __float2bfloat16_rn(x);
}

/* Small integers, so that every product and sum is exact: element (i, j) of the left one, of the
 * right one, of what is added to. */
static int value_at(int which, int i, int j)
{
    return (i * 7 + j * (3 + which) + which) % 9 - 4;
}

static int at(int i, int j, bool by_row)
{
    return by_row ? i * PITCH + j : j * PITCH + i;
}

template <class T> static void fill(matrices<T> *m, bool left_by_row, bool right_by_row)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            store(&m->left[at(i, j, left_by_row)], (float)value_at(0, i, j));
            store(&m->right[at(i, j, right_by_row)], (float)value_at(1, i, j));
            m->sums[at(i, j, true)] = (float)value_at(2, i, j);
        }
}

/* sums = 2 (left right + sums), twice: two products in a row. A pair of matrices for each warp. */
template <class T, class Left, class Right> static __global__ void multiply(matrices<T> *of_warps)
{
    matrices<T> *m = &of_warps[threadIdx.x / 32];
    left_factor<T, Left> a;
    right_factor<T, Right> b;
    sums c, d;
    wmma::load_matrix_sync(a, m->left, PITCH);
    wmma::load_matrix_sync(b, m->right, PITCH);
    wmma::load_matrix_sync(c, m->sums, PITCH, wmma::mem_row_major);
    wmma::fill_fragment(d, 0.0f);
    wmma::mma_sync(d, a, b, d);
    wmma::mma_sync(c, a, b, c);
    for (int i = 0; i < c.num_elements; i++)
        c.x[i] = 2.0f * c.x[i] + d.x[i];
    wmma::store_matrix_sync(m->sums, c, PITCH, wmma::mem_row_major);
}

template <class T, class Left, class Right> static void check_multiply()
{
    static matrices<T> m[2];
    auto kernel = multiply<T, Left, Right>;
    for (matrices<T> &of_warp : m)
        fill(&of_warp, Left::by_row, Right::by_row);
    KD_LAUNCH(kernel, 1, 64, 0, nullptr, m);
    for (const matrices<T> &of_warp : m)
        for (int i = 0; i < SIDE * SIDE; i++) {
            int product = 0, row = i / SIDE, column = i % SIDE;
            for (int k = 0; k < SIDE; k++)
                product += value_at(0, row, k) * value_at(1, k, column);
            assert_true(of_warp.sums[at(row, column, true)] ==
                        (float)(2 * (product + value_at(2, row, column)) + product));
        }
}

static void a_warp_multiplies_matrices_of_either_layout(void **)
{
    KD_FOR_SCHEDULES
    {
        check_multiply<__half, wmma::row_major, wmma::col_major>();
        check_multiply<__half, wmma::col_major, wmma::row_major>();
        check_multiply<__nv_bfloat16, wmma::row_major, wmma::row_major>();
        check_multiply<__nv_bfloat16, wmma::col_major, wmma::col_major>();
    }
}

/* What some GPU may allow: sums taken for a left factor where they are. */
static __global__ void believe_to_know(matrices<__half> *m, bool *is_same)
{
    left_factor<__half, wmma::row_major> a;
    sums c;
    wmma::load_matrix_sync(a, m->left, PITCH);
    wmma::load_matrix_sync(c, m->sums, PITCH, wmma::mem_row_major);
    for (int i = 0; i < c.num_elements; i++)
        if (__half2float(a.x[i]) != c.x[i])
            *is_same = false;
}

static void factors_and_sums_lie_in_the_lanes_each_in_its_own_way(void **)
{
    static matrices<__half> m;
    bool is_same = true;
    for (int i = 0; i < SIDE * SIDE; i++) {
        store(&m.left[at(i / SIDE, i % SIDE, true)], (float)i);
        m.sums[at(i / SIDE, i % SIDE, true)] = (float)i;
    }
    kd_sim::set_schedule("forward");
    KD_LAUNCH(believe_to_know, 1, 32, 0, nullptr, &m, &is_same);
    assert_false(is_same);
}

/* What lanes have written one by one is loaded, and what was stored together is read one by one. */
static __global__ void write_and_load(bool before_load, bool after_store, float *got)
{
    typedef float matrix[SIDE * PITCH];
    KD_DYN_SHARED(matrix, from_to);
    sums c;
    for (int i = (int)threadIdx.x; i < SIDE * PITCH; i += 32)
        from_to[0][i] = (float)i;
    if (before_load)
        __syncwarp();
    wmma::load_matrix_sync(c, from_to[0], PITCH, wmma::mem_row_major);
    wmma::store_matrix_sync(from_to[1], c, PITCH, wmma::mem_row_major);
    if (after_store)
        __syncwarp();
    for (int i = (int)threadIdx.x; i < SIDE * SIDE; i += 32)
        got[i] = from_to[1][at(i / SIDE, i % SIDE, true)];
}

static int n_wrong(bool before_load, bool after_store)
{
    float got[SIDE * SIDE];
    int n = 0;
    KD_LAUNCH(write_and_load, 1, 32, 2 * SIDE * PITCH * sizeof(float), nullptr, before_load,
              after_store, got);
    for (int i = 0; i < SIDE * SIDE; i++)
        n += got[i] != (float)at(i / SIDE, i % SIDE, true);
    return n;
}

static void loads_and_stores_order_nothing_for_other_lanes(void **)
{
    KD_FOR_SCHEDULES
    {
        assert_int_equal(n_wrong(true, true), 0);
        assert_int_not_equal(n_wrong(false, true), 0);
        assert_int_not_equal(n_wrong(true, false), 0);
    }
}

/* ---- what ends the program */

static __global__ void half_of_a_block_waits()
{
    if (threadIdx.x < 32)
        __syncthreads();
}

static void a_barrier_that_some_threads_never_reach_is_found(void **)
{
    KD_ASSERT_DIES("half_of_a_block_waits, block (0, 0, 0)",
                   KD_LAUNCH(half_of_a_block_waits, 1, 64, 0, nullptr));
    KD_ASSERT_DIES("is reached by 32 of 64 threads, and 32 have ended",
                   KD_LAUNCH(half_of_a_block_waits, 1, 64, 0, nullptr));
}

static __global__ void two_barriers()
{
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
}

static void a_barrier_that_is_not_the_same_for_all_is_found(void **)
{
    KD_ASSERT_DIES("waits in __syncthreads at", KD_LAUNCH(two_barriers, 1, 64, 0, nullptr));
}

static __global__ void half_of_a_warp_shuffles()
{
    if (threadIdx.x < 16)
        __shfl_xor_sync(0xFFFFFFFFu, 1, 1);
    else
        __syncthreads();
}

static void a_mask_whose_lanes_do_not_all_come_is_found(void **)
{
    KD_ASSERT_DIES("divergent", KD_LAUNCH(half_of_a_warp_shuffles, 1, 32, 0, nullptr));
}

static __global__ void some_lanes_leave(unsigned mask)
{
    if (threadIdx.x >= 16)
        return;
    __syncwarp(mask);
}

static void a_mask_with_lanes_that_ended_is_found(void **)
{
    KD_ASSERT_DIES("with the mask 0xffffffff",
                   KD_LAUNCH(some_lanes_leave, 1, 32, 0, nullptr, 0xFFFFFFFFu));
    KD_ASSERT_DIES("in which its own lane", KD_LAUNCH(some_lanes_leave, 1, 32, 0, nullptr, 0xFFu));
    KD_ASSERT_DIES("the block has no lane 16",
                   KD_LAUNCH(some_lanes_leave, 1, 16, 0, nullptr, 0x1FFFFu));
}

static __global__ void ask_a_stranger()
{
    if (threadIdx.x < 16)
        __shfl_sync(0xFFFFu, 1, 20);
}

static void a_lane_outside_the_mask_is_not_asked(void **)
{
    KD_ASSERT_DIES("takes from lane 20, which is not in the mask 0xffff",
                   KD_LAUNCH(ask_a_stranger, 1, 32, 0, nullptr));
}

static __global__ void nothing()
{
}

static void blocks_and_grids_of_bad_sizes_are_found(void **)
{
    KD_ASSERT_DIES("a block of 0 x 1 x 1", KD_LAUNCH(nothing, 1, 0, 0, nullptr));
    KD_ASSERT_DIES("a block of 32 x 33 x 1", KD_LAUNCH(nothing, 1, dim3(32, 33), 0, nullptr));
    KD_ASSERT_DIES("a grid of 0 x 1 x 1", KD_LAUNCH(nothing, 0, 32, 0, nullptr));
    KD_ASSERT_DIES("a grid of 1 x 65536 x 1", KD_LAUNCH(nothing, dim3(1, 65536), 32, 0, nullptr));
}

static __global__ void use_shared()
{
    KD_SHARED(float, tile, [1024]);
    tile[threadIdx.x] = 0;
}

static void more_shared_memory_than_there_is_is_found(void **)
{
    KD_ASSERT_DIES("bytes of shared memory; a block has",
                   KD_LAUNCH(use_shared, 1, 32, 46 * 1024, nullptr));
}

enum mistake { UNALIGNED, ODD_PITCH, NARROW_PITCH, OTHER_MATRIX, HALF_A_WARP };

static __global__ void load_badly(matrices<__half> *m, enum mistake mistake)
{
    left_factor<__half, wmma::row_major> a;
    bool is_first = threadIdx.x == 0;
    unsigned pitch = mistake == ODD_PITCH ? PITCH - 4 : mistake == NARROW_PITCH ? 8 : PITCH;
    const __half *from = mistake == UNALIGNED ? m->left + 8 : m->left;
    if (mistake != HALF_A_WARP || threadIdx.x < 16)
        wmma::load_matrix_sync(a, mistake == OTHER_MATRIX && is_first ? m->right : from, pitch);
}

static __global__ void multiply_with_half_a_warp()
{
    left_factor<__half, wmma::row_major> a;
    right_factor<__half, wmma::row_major> b;
    sums c;
    wmma::fill_fragment(a, __half());
    wmma::fill_fragment(b, __half());
    wmma::fill_fragment(c, 0.0f);
    if (threadIdx.x < 16)
        wmma::mma_sync(c, a, b, c);
}

static void matrices_that_cuda_does_not_take_are_found(void **)
{
    static matrices<__half> m;
    KD_ASSERT_DIES("not aligned to 32 bytes",
                   KD_LAUNCH(load_badly, 1, 32, 0, nullptr, &m, UNALIGNED));
    KD_ASSERT_DIES("with a pitch of 20 elements",
                   KD_LAUNCH(load_badly, 1, 32, 0, nullptr, &m, ODD_PITCH));
    KD_ASSERT_DIES("with a pitch of 8 elements",
                   KD_LAUNCH(load_badly, 1, 32, 0, nullptr, &m, NARROW_PITCH));
    KD_ASSERT_DIES("has another matrix or pitch",
                   KD_LAUNCH(load_badly, 1, 32, 0, nullptr, &m, OTHER_MATRIX));
}

static void products_of_part_of_a_warp_are_found(void **)
{
    static matrices<__half> m;
    KD_ASSERT_DIES("load_matrix_sync", KD_LAUNCH(load_badly, 1, 32, 0, nullptr, &m, HALF_A_WARP));
    KD_ASSERT_DIES("mma_sync", KD_LAUNCH(multiply_with_half_a_warp, 1, 32, 0, nullptr));
}

static __global__ void reach_a_trap()
{
    __trap();
}

static void a_trap_is_named(void **)
{
    KD_ASSERT_DIES("thread 0: __trap", KD_LAUNCH(reach_a_trap, 1, 1, 0, nullptr));
}

static void an_unknown_schedule_is_named(void **)
{
    KD_ASSERT_DIES("schedule \"sideways\"", kd_sim::set_schedule("sideways"));
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_meet_at_barriers_in_blocks_of_any_shape),
        cmocka_unit_test(lanes_get_what_cuda_says),
        cmocka_unit_test(a_block_votes),
        cmocka_unit_test(atomics_miss_nothing),
        cmocka_unit_test(schedules_differ),
        cmocka_unit_test(every_block_begins_with_rubbish_in_shared_memory),
        cmocka_unit_test(a_warp_multiplies_matrices_of_either_layout),
        cmocka_unit_test(factors_and_sums_lie_in_the_lanes_each_in_its_own_way),
        cmocka_unit_test(loads_and_stores_order_nothing_for_other_lanes),
        cmocka_unit_test(a_barrier_that_some_threads_never_reach_is_found),
        cmocka_unit_test(a_barrier_that_is_not_the_same_for_all_is_found),
        cmocka_unit_test(a_mask_whose_lanes_do_not_all_come_is_found),
        cmocka_unit_test(a_mask_with_lanes_that_ended_is_found),
        cmocka_unit_test(a_lane_outside_the_mask_is_not_asked),
        cmocka_unit_test(blocks_and_grids_of_bad_sizes_are_found),
        cmocka_unit_test(more_shared_memory_than_there_is_is_found),
        cmocka_unit_test(matrices_that_cuda_does_not_take_are_found),
        cmocka_unit_test(products_of_part_of_a_warp_are_found),
        cmocka_unit_test(a_trap_is_named),
        cmocka_unit_test(an_unknown_schedule_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
