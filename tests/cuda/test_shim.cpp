/* test_shim.cpp - the shim gives what CUDA does, finds what CUDA leaves undefined, and lets no missing barrier through. */
#include <cuda_runtime.h>
#include <stddef.h>
#include <stdio.h>

#include "kernels/cuda/port.h"
#include "tests/cuda/child.h"

static const char *const schedules[] = {"forward", "reverse", "random:1", "random:2"};

#define KD_FOR_SCHEDULES                                                                           \
    for (const char *schedule : schedules)                                                         \
        if (kd_sim::set_schedule(schedule); true)

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

/* ---- what ends the program */

#define KD_ASSERT_DIES(message, launch)                                                            \
    KD_FOR_SCHEDULES                                                                               \
    {                                                                                              \
        char text[4096];                                                                           \
        int status = child_of([] { launch; }, text, sizeof text);                                  \
        if (!WIFSIGNALED(status) || !strstr(text, message))                                        \
            fail_msg("%s: status %#x, wanted \"%s\", got: %s", schedule, (unsigned)status,         \
                     message, text);                                                               \
    }

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
        cmocka_unit_test(a_barrier_that_some_threads_never_reach_is_found),
        cmocka_unit_test(a_barrier_that_is_not_the_same_for_all_is_found),
        cmocka_unit_test(a_mask_whose_lanes_do_not_all_come_is_found),
        cmocka_unit_test(a_mask_with_lanes_that_ended_is_found),
        cmocka_unit_test(a_lane_outside_the_mask_is_not_asked),
        cmocka_unit_test(blocks_and_grids_of_bad_sizes_are_found),
        cmocka_unit_test(more_shared_memory_than_there_is_is_found),
        cmocka_unit_test(an_unknown_schedule_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
