/* test_gpus.c - which GPUs there are, and which of them CUDA_VISIBLE_DEVICES leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/launch/gpus.h"

enum { N_GPUS = 4 };

/* The indices of those that are left: "0 2". */
static char *left_by(const char *visible)
{
    static const char *const uuids[N_GPUS] = {"GPU-aa11", "GPU-aa22", "GPU-b3", "GPU-b333"};
    struct kd_gpu gpus[N_GPUS];
    struct kd_str out = {0};
    for (int i = 0; i < N_GPUS; i++) {
        gpus[i] = (struct kd_gpu){.index = i};
        snprintf(gpus[i].uuid, sizeof gpus[i].uuid, "%s", uuids[i]);
    }
    int n = kd_gpus_visible(gpus, N_GPUS, visible);
    for (int i = 0; i < n; i++)
        kd_str_addf(&out, "%s%d", i ? " " : "", gpus[i].index);
    return kd_str_take(&out);
}

static void a_list_shows_what_cuda_would_show(void **state)
{
    (void)state;
    static const struct {
        const char *visible, *left;
    } cases[] = {
        {NULL, "0 1 2 3"},   {"", ""},           {" ", ""},
        {"none", ""},        {"NoDevFiles", ""}, {"-1", ""},
        {"void", ""},        {"all", ""},        {"0", "0"},
        {"2,0", "0 2"},      {"0,-1,1", "0"},    {"0,7,1", "0"},
        {"0,,1", "0"},       {"1x,0", ""},       {" 1 , 3\t", "1 3"},
        {"1,1", "1"},        {"GPU-aa22", "1"},  {"GPU-aa2", "1"},
        {"GPU-aa,0", ""}, /* two begin so */
        {"GPU-b3,0", "0 2"}, {"GPU-zz,0", ""},   {"GPU-aa11, 3", "0 3"},
        {"MIG-aa11", ""},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        char *left = left_by(cases[i].visible);
        if (strcmp(left, cases[i].left) != 0)
            fail_msg("\"%s\" leaves \"%s\", not \"%s\"", cases[i].visible, left, cases[i].left);
        free(left);
    }
}

static struct kd_topology topology; /* large */

static int find(struct kd_gpu *gpus, char note[256])
{
    return kd_gpus_find(gpus, N_GPUS, &topology, note, 256);
}

/* On the machine that the stand-in for NVML plays. */
static int find_on(const char *machine, struct kd_gpu *gpus, char note[256])
{
    setenv("KATYDID_NVML", KD_NVML_STANDIN, 1);
    setenv("NVML_STANDIN", machine, 1);
    int n = find(gpus, note);
    unsetenv("KATYDID_NVML");
    unsetenv("NVML_STANDIN");
    return n;
}

static void stand_ins_are_chosen_from_as_real_ones_are(void **state)
{
    (void)state;
    struct kd_gpu gpus[N_GPUS];
    char note[256];
    setenv("KATYDID_FAKE_GPUS", "9", 1);
    setenv("CUDA_VISIBLE_DEVICES", "1,GPU-stand-in-3", 1);
    assert_int_equal(find(gpus, note), 2);
    assert_int_equal(gpus[1].index, 3);
    assert_string_equal(note, "");
    setenv("CUDA_VISIBLE_DEVICES", "NoDevFiles", 1);
    assert_int_equal(find(gpus, note), 0);
    assert_non_null(strstr(note, "CUDA_VISIBLE_DEVICES=NoDevFiles"));
    unsetenv("CUDA_VISIBLE_DEVICES");
    assert_int_equal(find(gpus, note), N_GPUS);
    unsetenv("KATYDID_FAKE_GPUS");
}

static void nvml_names_the_gpus(void **state)
{
    (void)state;
    struct kd_gpu gpus[N_GPUS];
    char note[256];
    assert_int_equal(find_on("station", gpus, note), 4);
    assert_string_equal(note, "");
    assert_string_equal(gpus[3].name, "Tesla V100-DGXS-32GB");
    assert_string_equal(gpus[3].uuid, "GPU-5748a0b1-0000-0000-0000-000000000003");
    assert_int_equal(gpus[3].index, 3);
    assert_false(gpus[3].is_mig);
    assert_true(gpus[3].memory_bytes == (int64_t)32 << 30);
    assert_int_equal(find_on("nvswitch", gpus, note), N_GPUS); /* no more than there is room for */
}

static void a_gpu_in_mig_mode_gives_its_instances(void **state)
{
    (void)state;
    struct kd_gpu gpus[N_GPUS];
    char note[256];
    assert_int_equal(find_on("mig", gpus, note), 3);
    for (int i = 0; i < 3; i++) {
        assert_true(gpus[i].is_mig);
        assert_int_equal(gpus[i].index, 0);
    }
    assert_string_equal(gpus[2].uuid, "MIG-feee0c61-0000-0000-0000-000000000003");
    assert_string_equal(gpus[2].name, "NVIDIA A100-SXM4-40GB MIG 1g.5gb");
    assert_int_equal(find_on("uncut", gpus, note), 0);
    assert_non_null(strstr(note, "has no instances"));
    /* What is missing is said beside what there is. */
    assert_int_equal(find_on("half", gpus, note), 1);
    assert_non_null(strstr(note, "GPU 1 is in MIG mode and has no instances"));
}

static void cuda_shows_instances_by_their_whole_uuid(void **state)
{
    (void)state;
    static const struct {
        const char *visible;
        int n, instance;
    } cases[] = {
        {"MIG-feee0c61-0000-0000-0000-000000000001", 1, 1},
        {"MIG-feee0c61-0000-0000-0000-000000000001,MIG-feee0c61-0000-0000-0000-000000000003", 2, 1},
        {"MIG-feee0c61-0000-0000-0000", 0, 0},
        {"0", 1, 0},
        {"1", 0, 0},
    };
    struct kd_gpu gpus[N_GPUS];
    char note[256];
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        setenv("CUDA_VISIBLE_DEVICES", cases[i].visible, 1);
        assert_int_equal(find_on("mig", gpus, note), cases[i].n);
        if (cases[i].n > 0)
            assert_int_equal(gpus[0].uuid[strlen(gpus[0].uuid) - 1] - '0', cases[i].instance);
    }
    unsetenv("CUDA_VISIBLE_DEVICES");
}

static void a_driver_that_cannot_be_asked_says_why(void **state)
{
    (void)state;
    struct kd_gpu gpus[N_GPUS];
    char note[256];
    assert_int_equal(find_on("mismatch", gpus, note), 0);
    assert_non_null(strstr(note, "does not start (nvmlInit: Driver/library version mismatch)"));
    assert_int_equal(find_on("none", gpus, note), 0);
    assert_string_equal(note, "the NVIDIA driver knows no GPU");
    setenv("KATYDID_NVML", "/nonexistent/libnvidia-ml.so.1", 1);
    assert_int_equal(find(gpus, note), 0);
    assert_non_null(strstr(note, "KATYDID_NVML=/nonexistent/libnvidia-ml.so.1 cannot be loaded"));
    setenv("KATYDID_NVML", "libdl.so.2", 1);
    assert_int_equal(find(gpus, note), 0);
    assert_string_equal(note, "the NVIDIA driver lacks nvmlInit_v2");
    unsetenv("KATYDID_NVML");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_shows_what_cuda_would_show),
        cmocka_unit_test(stand_ins_are_chosen_from_as_real_ones_are),
        cmocka_unit_test(nvml_names_the_gpus),
        cmocka_unit_test(a_gpu_in_mig_mode_gives_its_instances),
        cmocka_unit_test(cuda_shows_instances_by_their_whole_uuid),
        cmocka_unit_test(a_driver_that_cannot_be_asked_says_why),
    };
    unsetenv("CUDA_VISIBLE_DEVICES"); /* of whoever runs this */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
