/* test_isa.c - which instruction set the CPU's ops are taken from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kernels/cpu/isa.h"

static void the_best_is_taken_where_none_is_named(void **state)
{
    (void)state;
    struct kd_error err = {0};
    enum kd_isa isa;
    assert_int_equal(kd_isa_find(NULL, KD_ISA_AVX2, &isa, &err), 0);
    assert_int_equal(isa, KD_ISA_AVX2);
}

static void all_up_to_the_best_can_be_named(void **state)
{
    (void)state;
    for (int i = 0; i < KD_N_ISAS; i++) {
        struct kd_error err = {0};
        enum kd_isa isa;
        assert_int_equal(kd_isa_find(kd_isa_names[i], KD_ISA_AVX512, &isa, &err), 0);
        assert_int_equal(isa, i);
    }
}

static void one_that_the_cpu_lacks_is_refused(void **state)
{
    (void)state;
    struct kd_error err = {0};
    enum kd_isa isa;
    assert_int_equal(kd_isa_find("avx512", KD_ISA_AVX2, &isa, &err), -1);
    assert_string_equal(err.text, "KATYDID_CPU_ISA=avx512: this CPU or this build lacks it; the "
                                  "best that can be asked for here is avx2");
    assert_int_equal(isa, KD_ISA_AVX2);
}

static void a_name_of_none_is_refused_with_those_there_are(void **state)
{
    (void)state;
    struct kd_error err = {0};
    enum kd_isa isa;
    assert_int_equal(kd_isa_find("sse9", KD_ISA_AVX512, &isa, &err), -1);
    assert_string_equal(err.text, "KATYDID_CPU_ISA=sse9: no such instruction set; there are "
                                  "baseline, avx2, avx512");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_is_taken_where_none_is_named),
        cmocka_unit_test(all_up_to_the_best_can_be_named),
        cmocka_unit_test(one_that_the_cpu_lacks_is_refused),
        cmocka_unit_test(a_name_of_none_is_refused_with_those_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
