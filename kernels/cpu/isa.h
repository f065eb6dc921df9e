/* isa.h - files that are compiled once for each instruction set, and the choice between what came
 * of it.
 *
 * A loop that is written in vectors (lanes.h) needs to know while it is compiled how wide they are.
 * The build compiles such files (KD_ISA_FILES in tests/cmake/KatydidHelpers.cmake) for the baseline
 * and again, with KD_ISA set to the name, for AVX2 and AVX-512; elsewhere than on x86-64 there is
 * the baseline alone. In such a file all that other files call is defined with
 *
 *     KD_EACH_ISA(kd_cpu_attention, struct kd_queue *queue, const struct kd_op_attention *a)
 *     {
 *         ...
 *     }
 *
 * and everything else is static. It becomes kd_cpu_attention_avx512, _avx2 and _baseline, and a
 * kd_cpu_attention that calls the one of kd_cpu_isa. */
#ifndef KD_KERNELS_CPU_ISA_H
#define KD_KERNELS_CPU_ISA_H

#include "coordinator/base/error.h"

enum kd_isa { KD_ISA_BASELINE, KD_ISA_AVX2, KD_ISA_AVX512, KD_N_ISAS };

extern const char *const kd_isa_names[KD_N_ISAS];

/* Set before main: KATYDID_CPU_ISA (for tests), else the best that the CPU has and this build was
 * compiled for. */
extern enum kd_isa kd_cpu_isa;

/* *isa = the one of this name, best for NULL. -1: there is none, or it is better than best. */
int kd_isa_find(const char *name, enum kd_isa best, enum kd_isa *isa, struct kd_error *err);

/* -1: what is wrong with KATYDID_CPU_ISA, which was then not followed. */
int kd_isa_check(struct kd_error *err);

#define KD_ISA_PASTE(name, isa) name##_##isa
#define KD_ISA_NAME(name, isa)  KD_ISA_PASTE(name, isa)

#if defined(KD_ISA)
#define KD_EACH_ISA(name, queue, a)                                                                \
    void KD_ISA_NAME(name, KD_ISA)(queue, a);                                                      \
    void KD_ISA_NAME(name, KD_ISA)(queue, a)
#elif defined(KD_ISAS)
#define KD_EACH_ISA(name, queue_parameter, a_parameter)                                            \
    void name##_avx512(queue_parameter, a_parameter);                                              \
    void name##_avx2(queue_parameter, a_parameter);                                                \
    static void name##_baseline(queue_parameter, a_parameter);                                     \
    void name(queue_parameter, a_parameter)                                                        \
    {                                                                                              \
        if (kd_cpu_isa == KD_ISA_AVX512)                                                           \
            name##_avx512(queue, a);                                                               \
        else if (kd_cpu_isa == KD_ISA_AVX2)                                                        \
            name##_avx2(queue, a);                                                                 \
        else                                                                                       \
            name##_baseline(queue, a);                                                             \
    }                                                                                              \
    static void name##_baseline(queue_parameter, a_parameter)
#else
#define KD_EACH_ISA(name, queue, a) void name(queue, a)
#endif

#endif
