/* test_gpus.c - which GPUs CUDA_VISIBLE_DEVICES leaves. */
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

static void stand_ins_are_chosen_from_as_real_ones_are(void **state)
{
    (void)state;
    struct kd_gpu gpus[N_GPUS];
    char note[128];
    setenv("KATYDID_FAKE_GPUS", "9", 1);
    setenv("CUDA_VISIBLE_DEVICES", "1,GPU-stand-in-3", 1);
    assert_int_equal(kd_gpus_find(gpus, N_GPUS, note, sizeof note), 2);
    assert_int_equal(gpus[1].index, 3);
    assert_string_equal(note, "");
    setenv("CUDA_VISIBLE_DEVICES", "NoDevFiles", 1);
    assert_int_equal(kd_gpus_find(gpus, N_GPUS, note, sizeof note), 0);
    assert_non_null(strstr(note, "CUDA_VISIBLE_DEVICES=NoDevFiles"));
    unsetenv("CUDA_VISIBLE_DEVICES");
    assert_int_equal(kd_gpus_find(gpus, N_GPUS, note, sizeof note), N_GPUS);
    unsetenv("KATYDID_FAKE_GPUS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_shows_what_cuda_would_show),
        cmocka_unit_test(stand_ins_are_chosen_from_as_real_ones_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
