/* test_topology.c - what NVML says of machines that a stand-in plays: connections, and the scores
 * that the pool compares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/base/str.h"
#include "coordinator/launch/gpus.h"
#include "coordinator/pool.h"

static struct kd_machine machine;
static struct kd_topology topology;

static void find(const char *name)
{
    setenv("NVML_STANDIN", name, 1);
    machine.n_gpus = kd_gpus_find(machine.gpus, KD_POOL_MAX_GPUS, &topology, machine.gpu_note,
                                  sizeof machine.gpu_note);
    kd_topology_links(&topology, &machine.links);
}

/* What gangs of this size get, one after another: "0,3 1,2". */
static char *gangs_of(int gpus)
{
    struct kd_need need = {.gpus = gpus, .cpu_parts = 1};
    struct kd_slots slots;
    struct kd_pool pool;
    struct kd_str text = {0};
    kd_pool_init(&pool, machine.n_gpus, 1, 0, &machine.links);
    for (int64_t gang = 1; kd_pool_take(&pool, &need, gang, &slots); gang++) {
        char *list = kd_gpus_list(machine.gpus, slots.gpus, slots.n_gpus);
        kd_str_addf(&text, "%s%s", gang > 1 ? " " : "", list);
        free(list);
    }
    return kd_str_take(&text);
}

static void expect_gangs(int gpus, const char *expected)
{
    char *gangs = gangs_of(gpus);
    assert_string_equal(gangs, expected);
    free(gangs);
}

static void a_station_gives_its_double_links_first(void **state)
{
    (void)state;
    find("station");
    assert_int_equal(machine.n_gpus, 4);
    assert_int_equal(topology.pair[0][3].nvlinks, 2);
    assert_int_equal(topology.pair[3][0].nvlinks, 2);
    assert_int_equal(topology.pair[1][2].nvlinks, 2);
    assert_int_equal(topology.pair[0][1].nvlinks, 1);
    assert_false(topology.pair[0][1].through_switch);
    expect_gangs(2, "0,3 1,2");
    expect_gangs(1, "0 3 1 2");
    expect_gangs(4, "0,1,2,3");
}

static void behind_switches_all_pairs_are_equal(void **state)
{
    (void)state;
    find("nvswitch");
    assert_int_equal(machine.n_gpus, 8);
    for (int j = 1; j < 8; j++) {
        assert_int_equal(topology.pair[0][j].nvlinks, 18);
        assert_true(topology.pair[0][j].through_switch);
        assert_int_equal(machine.links.score[0][j], machine.links.score[0][1]);
    }
    expect_gangs(4, "0,1,2,3 4,5,6,7");
    expect_gangs(3, "0,1,2 3,4,5");
}

static void without_nvlink_the_way_over_pcie_counts(void **state)
{
    (void)state;
    find("pcie");
    assert_int_equal(machine.n_gpus, 2);
    assert_int_equal(topology.pair[0][1].nvlinks, 0);
    assert_int_equal(topology.pair[0][1].pcie, KD_NVML_HOST_BRIDGE);
    expect_gangs(2, "0,1");
    find("sockets");
    assert_int_equal(topology.pair[0][1].pcie, KD_NVML_PCIE_SWITCHES);
    assert_int_equal(topology.pair[1][2].pcie, KD_NVML_SYSTEM);
    expect_gangs(2, "0,1 2,3");
    assert_true(machine.links.score[0][1] > machine.links.score[1][2]);
}

static void hidden_gpus_are_no_ends_of_links(void **state)
{
    (void)state;
    setenv("CUDA_VISIBLE_DEVICES", "1,2,3", 1);
    find("station");
    unsetenv("CUDA_VISIBLE_DEVICES");
    assert_int_equal(machine.n_gpus, 3);
    assert_int_equal(topology.pair[0][1].nvlinks, 2); /* GPUs 1 and 2 */
    assert_int_equal(topology.pair[1][2].nvlinks, 1);
    expect_gangs(2, "1,2");
}

static void instances_are_slots_of_their_own_kind(void **state)
{
    (void)state;
    find("mixed");
    assert_int_equal(machine.n_gpus, 5);
    assert_int_equal(topology.pair[0][3].nvlinks, 12); /* GPUs 0 and 2 */
    assert_true(topology.pair[0][1].is_apart);
    assert_false(topology.pair[1][4].is_apart);
    assert_int_equal(topology.pair[1][2].pcie, -1);
    expect_gangs(
        2, "GPU-5748a0b1-0000-0000-0000-000000000000,GPU-5748a0b1-0000-0000-0000-000000000002 "
           "MIG-feee0c61-0000-0000-0001-000000000000,MIG-feee0c61-0000-0000-0001-000000000001");
    expect_gangs(3, "MIG-feee0c61-0000-0000-0001-000000000000,"
                    "MIG-feee0c61-0000-0000-0001-000000000001,"
                    "MIG-feee0c61-0000-0000-0003-000000000002");
    expect_gangs(4, "");
}

static void stand_ins_of_our_own_are_all_alike(void **state)
{
    (void)state;
    setenv("KATYDID_FAKE_GPUS", "4", 1);
    find("station");
    unsetenv("KATYDID_FAKE_GPUS");
    assert_int_equal(machine.n_gpus, 4);
    assert_int_equal(topology.pair[0][3].nvlinks, 0);
    expect_gangs(2, "0,1 2,3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_station_gives_its_double_links_first),
        cmocka_unit_test(behind_switches_all_pairs_are_equal),
        cmocka_unit_test(without_nvlink_the_way_over_pcie_counts),
        cmocka_unit_test(hidden_gpus_are_no_ends_of_links),
        cmocka_unit_test(instances_are_slots_of_their_own_kind),
        cmocka_unit_test(stand_ins_of_our_own_are_all_alike),
    };
    unsetenv("CUDA_VISIBLE_DEVICES");
    setenv("KATYDID_NVML", KD_NVML_STANDIN, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
