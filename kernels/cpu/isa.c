#include "kernels/cpu/isa.h"

#include <stdlib.h>
#include <string.h>

#define KD_CPU_ISA "KATYDID_CPU_ISA"

const char *const kd_isa_names[KD_N_ISAS] = {
    [KD_ISA_BASELINE] = "baseline",
    [KD_ISA_AVX2] = "avx2",
    [KD_ISA_AVX512] = "avx512",
};

enum kd_isa kd_cpu_isa;

/* What tells the levels x86-64-v3 and x86-64-v4: CPUs that have these have the rest. */
static enum kd_isa best_isa(void)
{
#if defined(KD_ISAS)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
        return KD_ISA_BASELINE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return KD_ISA_AVX2;
    return KD_ISA_AVX512;
#else
    return KD_ISA_BASELINE;
#endif
}

int kd_isa_find(const char *name, enum kd_isa best, enum kd_isa *isa, struct kd_error *err)
{
    *isa = best;
    if (!name)
        return 0;
    for (int i = 0; i < KD_N_ISAS; i++)
        if (strcmp(name, kd_isa_names[i]) == 0) {
            if (i > (int)best)
                return kd_fail(err,
                               KD_CPU_ISA "=%s: this CPU or this build lacks it; the best "
                                          "that can be asked for here is %s",
                               name, kd_isa_names[best]);
            *isa = (enum kd_isa)i;
            return 0;
        }
    return kd_fail(err, KD_CPU_ISA "=%s: no such instruction set; there are baseline, avx2, avx512",
                   name);
}

/* Before main, so that an op needs no device that was opened, and threads need not agree who
 * chooses. */
__attribute__((constructor)) static void choose(void)
{
    struct kd_error err = {0};
    kd_isa_find(getenv(KD_CPU_ISA), best_isa(), &kd_cpu_isa, &err);
}

int kd_isa_check(struct kd_error *err)
{
    enum kd_isa isa;
    return kd_isa_find(getenv(KD_CPU_ISA), best_isa(), &isa, err);
}
