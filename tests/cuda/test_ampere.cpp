/* test_ampere.cpp - products in registers, loads of matrices and copies as PTX has them, and what
 * the shim finds that PTX leaves undefined. Layouts are stated here by themselves: by coordinates,
 * not by the shim's functions. */
#include <cuda_runtime.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/ampere.cuh"
#include "kernels/cuda/reduce.cuh"
#include "tests/cuda/schedules.h"

static constexpr int ROWS = 16, COLUMNS = 8, DEPTH = 16;

/* ---- products */

/* Small integers, so that every product and sum is exact. */
static float left_at(int i, int k)
{
    return (float)((i * 7 + k * 3) % 9 - 4);
}

static float right_at(int k, int j)
{
    return (float)((k * 5 + j * 2 + 1) % 7 - 3);
}

static float product_at(int i, int j)
{
    float sum = 0.0f;
    for (int k = 0; k < DEPTH; k++)
        sum += left_at(i, k) * right_at(k, j);
    return sum;
}

/* sums: [2 warps][2 products][ROWS][COLUMNS]; the second product adds to what the first gave. */
template <class T> static __global__ void multiply(float *sums)
{
    int lane = (int)threadIdx.x % KD_WARP, row = lane / 4, pair = lane % 4 * 2;
    float *to = sums + threadIdx.x / KD_WARP * 2 * ROWS * COLUMNS;
    kd_left a;
    kd_right b;
    kd_sums c = {};
    for (int i = 0; i < 4; i++) {
        int k = pair + i / 2 * 8;
        a.x[i] = kd_pack<T>(left_at(row + i % 2 * 8, k), left_at(row + i % 2 * 8, k + 1));
    }
    for (int i = 0; i < 2; i++)
        b.x[i] = kd_pack<T>(right_at(pair + i * 8, row), right_at(pair + i * 8 + 1, row));
    for (int n = 0; n < 2; n++) {
        kd_multiply<T>(c, a, b);
        for (int i = 0; i < 4; i++)
            to[(n * ROWS + row + i / 2 * 8) * COLUMNS + pair + i % 2] = c.x[i];
    }
}

template <class T> static void check_multiply()
{
    static float sums[2][2][ROWS][COLUMNS];
    auto kernel = multiply<T>;
    KD_LAUNCH(kernel, 1, 64, 0, nullptr, &sums[0][0][0][0]);
    for (int at = 0; at < 2 * 2 * ROWS * COLUMNS; at++) {
        int n = at / (ROWS * COLUMNS) % 2, i = at / COLUMNS % ROWS, j = at % COLUMNS;
        assert_true((&sums[0][0][0][0])[at] == (float)(n + 1) * product_at(i, j));
    }
}

static void a_warp_multiplies_what_its_lanes_hold(void **)
{
    KD_FOR_SCHEDULES
    {
        check_multiply<__half>();
        check_multiply<__nv_bfloat16>();
    }
}

/* ---- loads */

static constexpr int PITCH = 24; /* elements of 16 bits: no two rows of eight in the same banks */

/* got: [lane][4], of the 16 x 16 elements that the block wrote, each its own number; the quarters
 * in the order of a left factor. */
static __global__ void load(bool is_turned, bool waits, unsigned *got)
{
    KD_SHARED(uint16_t, tile, [ROWS * PITCH]);
    int lane = (int)threadIdx.x, matrix = lane / 8;
    for (int i = lane; i < ROWS * DEPTH; i += KD_WARP)
        tile[i / DEPTH * PITCH + i % DEPTH] = (uint16_t)i;
    if (waits)
        __syncwarp();
    unsigned x[4];
    const uint16_t *row = &tile[(lane % 8 + matrix % 2 * 8) * PITCH + matrix / 2 * 8];
    if (is_turned)
        kd_load_matrices_turned(x, row);
    else
        kd_load_matrices(x, row);
    for (int i = 0; i < 4; i++)
        got[lane * 4 + i] = x[i];
}

static int wrong_loads(bool is_turned, bool waits)
{
    unsigned got[KD_WARP * 4];
    int n = 0;
    KD_LAUNCH(load, 1, KD_WARP, 0, nullptr, is_turned, waits, got);
    for (int at = 0; at < KD_WARP * 4; at++) {
        int near = at / 4 / 4, pair = at / 4 % 4 * 2, i = at % 4;
        int row = (is_turned ? pair : near) + i % 2 * 8,
            column = (is_turned ? near : pair) + i / 2 * 8;
        unsigned first = (unsigned)(row * DEPTH + column);
        n += got[at] != (first | (first + (is_turned ? DEPTH : 1)) << 16);
    }
    return n;
}

static void matrices_are_loaded_as_they_stand_or_turned(void **)
{
    KD_FOR_SCHEDULES
    {
        assert_int_equal(wrong_loads(false, true), 0);
        assert_int_equal(wrong_loads(true, true), 0);
    }
}

static void a_load_orders_nothing_for_other_lanes(void **)
{
    int n = 0;
    KD_FOR_SCHEDULES
    {
        n += wrong_loads(false, false) > 0;
    }
    assert_int_equal(n, 4);
}

/* Two loads in a row, where a lane that goes on at once is at the second before others have what
 * they get from the first. */
static __global__ void load_twice(unsigned *got)
{
    KD_SHARED(uint16_t, tile, [2][8 * 8]);
    int lane = (int)threadIdx.x;
    for (int i = lane; i < 2 * 8 * 8; i += KD_WARP)
        tile[i / 64][i % 64] = (uint16_t)i;
    __syncwarp();
    unsigned x[4], y[4];
    kd_load_matrices(x, &tile[0][lane % 8 * 8]);
    kd_load_matrices(y, &tile[1][lane % 8 * 8]);
    got[2 * lane] = x[3];
    got[2 * lane + 1] = y[3];
}

static void a_second_load_does_not_disturb_the_first(void **)
{
    unsigned got[2 * KD_WARP];
    KD_FOR_SCHEDULES
    {
        KD_LAUNCH(load_twice, 1, KD_WARP, 0, nullptr, got);
        for (unsigned lane = 0; lane < KD_WARP; lane++)
            for (unsigned second = 0; second < 2; second++) {
                unsigned first = second * 64 + lane / 4 * 8 + lane % 4 * 2;
                assert_int_equal(got[2 * lane + second], first | (first + 1) << 16);
            }
    }
}

static __global__ void load_at_pitch(int pitch)
{
    KD_SHARED(uint16_t, tile, [32 * 64]);
    unsigned x[4];
    if (threadIdx.x == 0)
        memset(tile, 0, sizeof tile);
    __syncwarp();
    kd_load_matrices(x, &tile[(int)threadIdx.x * pitch]);
}

/* Rows of 128 bytes lie in the same banks, those of 16 bytes more do not. */
static void rows_in_the_same_banks_are_counted(void **)
{
    long before = kd_sim::n_bank_conflicts();
    KD_LAUNCH(load_at_pitch, 1, KD_WARP, 0, nullptr, 40);
    assert_int_equal(kd_sim::n_bank_conflicts() - before, 0);
    KD_LAUNCH(load_at_pitch, 1, KD_WARP, 0, nullptr, 64);
    assert_int_equal(kd_sim::n_bank_conflicts() - before, 4 * 7);
}

/* ---- copies */

enum order { RIGHT, READS_BEFORE_IT_WAITS, READS_BEFORE_THE_BARRIER, WRITES_WHAT_IS_STILL_READ };

static constexpr int N = 64, EACH = 4; /* threads, and floats that a thread copies */

/* Two stages in one place: each thread copies a group of the first and reads that of another
 * thread, then of the second. */
static __global__ void copy_stages(enum order order, const float *from, float *got)
{
    KD_SHARED(float, stage, [N * EACH]);
    int me = (int)threadIdx.x, other = (me + N / 2 + 1) % N;
    for (int at = 0; at < 2; at++) {
        if (at > 0 && order != WRITES_WHAT_IS_STILL_READ)
            __syncthreads();
        kd_copy_16(&stage[me * EACH], from + (at * N + me) * EACH, me % 3 != 0);
        kd_end_copies();
        if (order == READS_BEFORE_IT_WAITS)
            __syncthreads();
        kd_wait_copies<0>();
        if (order != READS_BEFORE_THE_BARRIER && order != READS_BEFORE_IT_WAITS)
            __syncthreads();
        for (int i = 0; i < EACH; i++)
            got[(at * N + me) * EACH + i] = stage[other * EACH + i];
    }
}

static int wrong_copies(enum order order)
{
    static float from[2 * N * EACH], got[2 * N * EACH];
    int n = 0;
    for (int i = 0; i < 2 * N * EACH; i++)
        from[i] = (float)(i + 1);
    KD_LAUNCH(copy_stages, 1, N, 0, nullptr, order, from, got);
    for (int i = 0; i < 2 * N * EACH; i++) {
        int at = i / (N * EACH), source = (i / EACH % N + N / 2 + 1) % N;
        float wanted = source % 3 != 0 ? from[(at * N + source) * EACH + i % EACH] : 0.0f;
        n += got[i] != wanted;
    }
    return n;
}

static void copies_are_there_after_waiting_and_a_barrier(void **)
{
    KD_FOR_SCHEDULES
    assert_int_equal(wrong_copies(RIGHT), 0);
}

static void copies_that_are_read_or_written_too_early_are_found(void **)
{
    for (enum order order :
         {READS_BEFORE_IT_WAITS, READS_BEFORE_THE_BARRIER, WRITES_WHAT_IS_STILL_READ}) {
        int n = 0;
        KD_FOR_SCHEDULES
        n += wrong_copies(order) > 0;
        assert_true(n > 0);
    }
}

/* The latest two groups may be under way. */
static __global__ void copy_groups(const float *from, bool *is_there)
{
    KD_SHARED(float, to, [5 * 32 * EACH]);
    int me = (int)threadIdx.x;
    for (int group = 0; group < 5; group++) {
        kd_copy_16(&to[(group * 32 + me) * EACH], from, true);
        kd_end_copies();
    }
    kd_wait_copies<2>();
    for (int group = 0; group < 5; group++)
        is_there[group * 32 + me] = to[(group * 32 + me) * EACH] == *from;
    kd_wait_copies<0>();
}

static void waiting_leaves_the_latest_groups_under_way(void **)
{
    alignas(16) float from[EACH] = {1.0f, 2.0f, 3.0f, 4.0f};
    bool is_there[5 * 32];
    int n_early = 0;
    KD_LAUNCH(copy_groups, 1, 32, 0, nullptr, from, is_there);
    for (int i = 0; i < 3 * 32; i++)
        assert_true(is_there[i]);
    for (int i = 3 * 32; i < 5 * 32; i++)
        n_early += is_there[i];
    assert_int_equal(n_early, 2 * 16);
}

/* ---- what ends the program */

enum mistake {
    UNALIGNED_ROW,
    UNALIGNED_TO,
    UNALIGNED_FROM,
    NEVER_WAITS,
    HALF_A_WARP_LOADS,
    HALF_A_WARP_MULTIPLIES
};

static __global__ void go_wrong(enum mistake mistake)
{
    KD_SHARED(float, memory, [64]);
    unsigned x[4];
    kd_left a = {};
    kd_right b = {};
    kd_sums c = {};
    if (mistake == UNALIGNED_ROW)
        kd_load_matrices(x, memory + 2);
    if (mistake == UNALIGNED_TO)
        kd_copy_16(memory + 1, memory, true);
    if (mistake == UNALIGNED_FROM)
        kd_copy_16(memory, memory + 1, true);
    if (mistake == NEVER_WAITS)
        kd_copy_16(memory, memory + 4, true);
    if (mistake == HALF_A_WARP_LOADS && threadIdx.x < 16)
        kd_load_matrices(x, memory);
    if (mistake == HALF_A_WARP_MULTIPLIES && threadIdx.x < 16)
        kd_multiply<__half>(c, a, b);
}

static void what_ptx_leaves_undefined_is_found(void **)
{
    static const char *const said[] = {"a row that is not aligned to 16 bytes",
                                       "to an address that is not aligned to 16 bytes",
                                       "from an address that is not aligned to 16 bytes",
                                       "ends with 1 copies that it did not wait for",
                                       "kd_load_matrices",
                                       "kd_multiply"};
    for (int mistake = UNALIGNED_ROW; mistake <= HALF_A_WARP_MULTIPLIES; mistake++)
        KD_ASSERT_DIES(said[mistake],
                       KD_LAUNCH(go_wrong, 1, 32, 0, nullptr, (enum mistake)mistake));
}

static void code_of_an_older_architecture_has_none_of_it(void **)
{
    auto kernel = multiply<__half>;
    setenv("KATYDID_SIM_CODE", "75", 1);
    KD_ASSERT_DIES("kd_load_matrices at", KD_LAUNCH(load_at_pitch, 1, KD_WARP, 0, nullptr, 40));
    KD_ASSERT_DIES("architecture 75", KD_LAUNCH(kernel, 1, 64, 0, nullptr, (float *)nullptr));
    unsetenv("KATYDID_SIM_CODE");
}

int main()
{
    setenv("KATYDID_SIM_ARCHITECTURE", "80", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_warp_multiplies_what_its_lanes_hold),
        cmocka_unit_test(matrices_are_loaded_as_they_stand_or_turned),
        cmocka_unit_test(a_load_orders_nothing_for_other_lanes),
        cmocka_unit_test(a_second_load_does_not_disturb_the_first),
        cmocka_unit_test(rows_in_the_same_banks_are_counted),
        cmocka_unit_test(copies_are_there_after_waiting_and_a_barrier),
        cmocka_unit_test(copies_that_are_read_or_written_too_early_are_found),
        cmocka_unit_test(waiting_leaves_the_latest_groups_under_way),
        cmocka_unit_test(what_ptx_leaves_undefined_is_found),
        cmocka_unit_test(code_of_an_older_architecture_has_none_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
