/* test_pool.c - slots: whole or nothing, given back, shared only when a part is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/pool.h"

static void a_gang_is_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    struct kd_pool pool;
    struct kd_slots first, second;
    struct kd_need need = {.gpus = 2, .cpu_parts = 2 * KD_CORE};
    kd_pool_init(&pool, 3, 8, 16, NULL);
    assert_true(kd_pool_take(&pool, &need, 1, &first));
    assert_false(kd_pool_take(&pool, &need, 2, &second));
    int free_parts = 0;
    for (int i = 0; i < pool.n_cpus; i++)
        free_parts += pool.cpu_free[i];
    assert_int_equal(free_parts, 6 * KD_CORE);
    assert_int_equal(pool.gpu_gang[2], 0);
}

static void no_two_gangs_share_a_slot(void **state)
{
    (void)state;
    struct kd_pool pool;
    struct kd_slots slots[4];
    struct kd_need need = {.gpus = 1, .cpu_parts = 2 * KD_CORE};
    kd_pool_init(&pool, 4, 8, 16, NULL);
    bool gpu_seen[4] = {false}, cpu_seen[8] = {false};
    for (int gang = 0; gang < 4; gang++) {
        assert_true(kd_pool_take(&pool, &need, gang + 1, &slots[gang]));
        assert_false(gpu_seen[slots[gang].gpus[0]]);
        gpu_seen[slots[gang].gpus[0]] = true;
        for (int i = 0; i < 2; i++) {
            assert_false(cpu_seen[slots[gang].cpus[i]]);
            cpu_seen[slots[gang].cpus[i]] = true;
        }
    }
}

static void what_is_given_back_can_be_taken_again(void **state)
{
    (void)state;
    struct kd_pool pool;
    struct kd_slots slots;
    struct kd_need need = {.cpu_parts = 2 * KD_CORE};
    kd_pool_init(&pool, 0, 2, 16, NULL);
    for (int round = 0; round < 5; round++) {
        assert_true(kd_pool_take(&pool, &need, 1, &slots));
        kd_pool_give(&pool, &slots);
    }
}

static void parts_of_a_core_are_packed(void **state)
{
    (void)state;
    struct kd_pool pool;
    struct kd_slots half, other, whole;
    struct kd_need part = {.cpu_parts = KD_CORE / 2}, core = {.cpu_parts = KD_CORE};
    kd_pool_init(&pool, 0, 2, 16, NULL);
    assert_true(kd_pool_take(&pool, &part, 1, &half));
    assert_true(kd_pool_take(&pool, &part, 2, &other));
    assert_int_equal(half.cpus[0], other.cpus[0]);
    assert_true(kd_pool_take(&pool, &core, 3, &whole));
    assert_false(kd_pool_take(&pool, &part, 4, &half));
}

static void capacity_is_what_an_empty_machine_holds(void **state)
{
    (void)state;
    const struct {
        struct kd_need need;
        int expected;
    } cases[] = {
        {{.cpu_parts = KD_CORE}, 8},
        {{.cpu_parts = 3 * KD_CORE}, 2},
        {{.cpu_parts = KD_CORE / 2}, 16},
        {{.gpus = 1, .cpu_parts = KD_CORE}, 4},
        {{.gpus = 3, .cpu_parts = KD_CORE}, 1},
        {{.gpus = 5, .cpu_parts = KD_CORE}, 0},
        {{.cpu_parts = 9 * KD_CORE}, 0},
        {{.cpu_parts = 9 * KD_CORE, .oversubscribe = true}, 1},
        {{.cpu_parts = KD_CORE, .memory = 5}, 3},
        {{.cpu_parts = KD_CORE, .memory = 17}, 0},
    };
    struct kd_pool pool;
    kd_pool_init(&pool, 4, 8, 16, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(kd_pool_capacity(&pool, &cases[i].need), cases[i].expected);
}

static void a_drained_gpu_is_given_to_nobody(void **state)
{
    (void)state;
    struct kd_pool pool;
    struct kd_slots first, second;
    struct kd_need need = {.gpus = 1, .cpu_parts = KD_CORE};
    kd_pool_init(&pool, 3, 8, 16, NULL);
    assert_true(kd_pool_take(&pool, &need, 1, &first));
    assert_int_equal(first.gpus[0], 0);
    kd_pool_drain(&pool, 0); /* it keeps it until it gives it back */
    kd_pool_drain(&pool, 1);
    assert_int_equal(kd_pool_usable_gpus(&pool), 1);
    assert_int_equal(kd_pool_capacity(&pool, &need), 1);
    kd_pool_give(&pool, &first);
    assert_true(kd_pool_take(&pool, &need, 2, &second));
    assert_int_equal(second.gpus[0], 2);
    assert_false(kd_pool_take(&pool, &need, 3, &first));
    need.gpus = 2;
    assert_int_equal(kd_pool_capacity(&pool, &need), 0);
}

static void oversubscribed_gangs_take_the_least_loaded_cores(void **state)
{
    (void)state;
    struct kd_pool pool;
    struct kd_slots first, second, third;
    struct kd_need need = {.cpu_parts = KD_CORE, .oversubscribe = true};
    kd_pool_init(&pool, 0, 2, 16, NULL);
    assert_true(kd_pool_take(&pool, &need, 1, &first));
    assert_true(kd_pool_take(&pool, &need, 2, &second));
    assert_true(kd_pool_take(&pool, &need, 3, &third));
    assert_int_not_equal(first.cpus[0], second.cpus[0]);
    kd_pool_give(&pool, &first);
    kd_pool_give(&pool, &second);
    kd_pool_give(&pool, &third);
    assert_int_equal(pool.cpu_free[0], KD_CORE);
    assert_int_equal(pool.cpu_free[1], KD_CORE);
}

static void memory_that_is_promised_is_not_promised_again(void **state)
{
    (void)state;
    struct kd_pool pool;
    struct kd_slots first, second;
    struct kd_need need = {.cpu_parts = KD_CORE, .memory = 10};
    kd_pool_init(&pool, 0, 4, 16, NULL);
    assert_true(kd_pool_take(&pool, &need, 1, &first));
    assert_false(kd_pool_take(&pool, &need, 2, &second));
    kd_pool_give(&pool, &first);
    assert_true(kd_pool_take(&pool, &need, 2, &second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gang_is_taken_whole_or_not_at_all),
        cmocka_unit_test(no_two_gangs_share_a_slot),
        cmocka_unit_test(what_is_given_back_can_be_taken_again),
        cmocka_unit_test(parts_of_a_core_are_packed),
        cmocka_unit_test(capacity_is_what_an_empty_machine_holds),
        cmocka_unit_test(memory_that_is_promised_is_not_promised_again),
        cmocka_unit_test(a_drained_gpu_is_given_to_nobody),
        cmocka_unit_test(oversubscribed_gangs_take_the_least_loaded_cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
