/* test_placement.c - the best connected free GPUs, the same ones every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/base/mem.h"
#include "coordinator/placement.h"
#include "coordinator/pool.h"

enum { LANE = 100 };

/* Lanes of "01:1 03:2"; every pair that is not named is connected by PCIe, 0. */
static struct kd_links links_of(const char *text)
{
    struct kd_links links = {0};
    int i, j, lanes, length;
    while (sscanf(text, " %1d%1d:%d%n", &i, &j, &lanes, &length) == 3) {
        kd_links_set(&links, i, j, lanes < 0 ? lanes : lanes * LANE);
        text += length;
    }
    return links;
}

/* Four V100 with four NVLinks each: one to two of the others, two to the third. */
static const char station[] = "01:1 02:1 03:2 12:2 13:1 23:1";
/* Eight V100 with six each: two such fours, side by side, every corner with two to its twin. */
static const char cube_mesh[] = "01:1 02:1 03:2 12:2 13:1 23:1 45:1 46:1 47:2 56:2 57:1 67:1 "
                                "04:2 15:2 26:2 37:2";

/* free: "0123"; the positions picked, or "" when there are none. */
static void pick(const struct kd_links *links, const char *free, int wanted, char picked[32])
{
    bool is_free[10] = {false};
    int positions[10], n = 0;
    for (const char *at = free; *at; at++)
        is_free[*at - '0'] = true;
    picked[0] = '\0';
    if (!kd_placement_pick(links, is_free, 10, wanted, positions))
        return;
    for (; n < wanted; n++)
        picked[n] = (char)('0' + positions[n]);
    picked[n] = '\0';
}

static void expect(const char *machine, const char *free, int wanted, const char *expected)
{
    struct kd_links links = links_of(machine);
    char picked[32];
    pick(&links, free, wanted, picked);
    if (strcmp(picked, expected) != 0)
        fail_msg("of %s, %d wanted: \"%s\", not \"%s\"", free, wanted, picked, expected);
}

static void a_pair_gets_both_links(void **state)
{
    (void)state;
    expect(station, "0123", 2, "03");
    expect(station, "12", 2, "12");
    expect(station, "123", 2, "12");
    expect(station, "013", 2, "03");
    expect(station, "0123", 4, "0123");
}

static void the_worst_pair_counts_before_the_sum(void **state)
{
    (void)state;
    /* 0-3 and 0-4 have two links each, but 3-4 none: a ring of three would go over PCIe. */
    expect(cube_mesh, "01234567", 3, "012");
    expect("01:9 02:9 34:1 35:1 45:1", "012345", 3, "345");
    expect(cube_mesh, "01234567", 4, "0123");
    expect(cube_mesh, "1234567", 4, "4567");
}

static void where_no_set_avoids_a_bad_pair_the_sum_counts(void **state)
{
    (void)state;
    expect(cube_mesh, "034", 3, "034");
    expect("01:1 23:5 45:1 67:1", "01234567", 3, "023");
    expect("01:1 23:5 45:1 67:4", "01234567", 4, "2367");
}

static void a_single_trial_takes_what_others_need_least(void **state)
{
    (void)state;
    expect(station, "0123", 1, "0");
    expect(station, "123", 1, "3"); /* the twin of 0, so that 1 and 2 stay together */
    expect("01:1", "0123", 1, "2");
}

static void alike_gpus_are_taken_from_the_lowest(void **state)
{
    (void)state;
    expect("", "0123", 2, "01");
    expect("", "13579", 3, "135");
    expect("01:9 02:9 12:9 03:9 13:9 23:9", "123", 2, "12");
    expect("", "012", 0, "");
    expect("", "012", 4, "");
    expect("", "", 1, "");
}

static void a_gang_takes_one_kind_only(void **state)
{
    (void)state;
    /* 0 and 1 are whole, 2 to 4 are MIG instances. */
    static const char mixed[] = "01:1 02:-1 03:-1 04:-1 12:-1 13:-1 14:-1";
    expect(mixed, "01234", 2, "01");
    expect(mixed, "0234", 2, "23");
    expect(mixed, "01234", 3, "234");
    expect(mixed, "0123", 3, "");
    expect(mixed, "01234", 4, "");
    expect(mixed, "02", 2, "");
}

static void capacity_counts_each_kind_by_itself(void **state)
{
    (void)state;
    struct kd_links links = links_of("01:1 02:-1 03:-1 04:-1 12:-1 13:-1 14:-1");
    struct kd_pool pool;
    kd_pool_init(&pool, 5, 16, 0, &links);
    static const int expected[] = {0, 5, 2, 1, 0};
    for (int gpus = 1; gpus <= 4; gpus++) {
        struct kd_need need = {.gpus = gpus, .cpu_parts = KD_CORE};
        assert_int_equal(kd_pool_capacity(&pool, &need), expected[gpus]);
    }
}

static void two_gangs_of_two_both_get_their_links(void **state)
{
    (void)state;
    struct kd_links links = links_of(station);
    struct kd_need need = {.gpus = 2, .cpu_parts = KD_CORE};
    struct kd_slots first, second, third;
    struct kd_pool pool;
    kd_pool_init(&pool, 4, 8, 0, &links);
    assert_true(kd_pool_take(&pool, &need, 1, &first));
    assert_true(kd_pool_take(&pool, &need, 2, &second));
    assert_false(kd_pool_take(&pool, &need, 3, &third));
    assert_int_equal(first.gpus[0], 0);
    assert_int_equal(first.gpus[1], 3);
    assert_int_equal(second.gpus[0], 1);
    assert_int_equal(second.gpus[1], 2);
    kd_pool_give(&pool, &first);
    assert_true(kd_pool_take(&pool, &need, 3, &third));
    assert_int_equal(third.gpus[1], 3);
}

/* 64 GPUs in islands of eight, too many sets to try them all. The islands are woven into one
 * another. */
static void a_large_machine_gives_whole_islands(void **state)
{
    (void)state;
    struct kd_links links = {0};
    bool is_free[KD_LINKS_MAX];
    int picked[KD_LINKS_MAX];
    for (int j = 0; j < KD_LINKS_MAX; j++) {
        is_free[j] = j != 16; /* of island 0 one is taken */
        for (int i = 0; i < j; i++)
            kd_links_set(&links, i, j, i % 8 == j % 8 ? 18 * LANE : 1);
    }
    assert_true(kd_placement_pick(&links, is_free, KD_LINKS_MAX, 8, picked));
    for (int i = 0; i < 8; i++)
        assert_int_equal(picked[i], 1 + 8 * i);
    assert_true(kd_placement_pick(&links, is_free, KD_LINKS_MAX, 7, picked));
    for (int i = 0; i < 7; i++)
        assert_int_equal(picked[i] % 8, 0); /* what cannot serve eight any more */
    assert_true(kd_placement_pick(&links, is_free, KD_LINKS_MAX, 63, picked));
    assert_false(kd_placement_pick(&links, is_free, KD_LINKS_MAX, 64, picked));
}

static void a_large_machine_keeps_kinds_apart(void **state)
{
    (void)state;
    struct kd_links links = {0};
    bool is_free[40];
    int picked[40];
    for (int j = 0; j < 40; j++) {
        is_free[j] = true;
        for (int i = 0; i < j; i++)
            kd_links_set(&links, i, j, (i < 10) == (j < 10) ? 0 : KD_LINK_NEVER);
    }
    assert_true(kd_placement_pick(&links, is_free, 40, 15, picked));
    assert_int_equal(picked[0], 10);
    assert_int_equal(picked[14], 24);
    assert_false(kd_placement_pick(&links, is_free, 40, 31, picked));
}

static void links_come_back_from_their_list(void **state)
{
    (void)state;
    struct kd_links links = links_of("01:1 02:-1 12:2"), back;
    struct kd_error err;
    json_t *list = kd_links_to_json(&links, 3);
    char *text = json_dumps(list, JSON_COMPACT);
    assert_string_equal(text, "[100,-1,200]");
    assert_int_equal(kd_links_from_json(list, 3, &back, &err), 0);
    assert_memory_equal(&back, &links, sizeof links);
    assert_int_equal(kd_links_from_json(list, 4, &back, &err), -1);
    json_array_set_new(list, 0, json_integer(-2));
    assert_int_equal(kd_links_from_json(list, 3, &back, &err), -1);
    json_array_set_new(list, 0, json_string("100"));
    assert_int_equal(kd_links_from_json(list, 3, &back, &err), -1);
    json_decref(list);
    free(text);
    links = (struct kd_links){0};
    /* The journal of a machine that knows nothing is as it always was. */
    assert_null(kd_links_to_json(&links, 3));
    assert_int_equal(kd_links_from_json(NULL, 3, &back, &err), 0);
    assert_memory_equal(&back, &links, sizeof links);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_gets_both_links),
        cmocka_unit_test(the_worst_pair_counts_before_the_sum),
        cmocka_unit_test(where_no_set_avoids_a_bad_pair_the_sum_counts),
        cmocka_unit_test(a_single_trial_takes_what_others_need_least),
        cmocka_unit_test(alike_gpus_are_taken_from_the_lowest),
        cmocka_unit_test(a_gang_takes_one_kind_only),
        cmocka_unit_test(capacity_counts_each_kind_by_itself),
        cmocka_unit_test(two_gangs_of_two_both_get_their_links),
        cmocka_unit_test(a_large_machine_gives_whole_islands),
        cmocka_unit_test(a_large_machine_keeps_kinds_apart),
        cmocka_unit_test(links_come_back_from_their_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
