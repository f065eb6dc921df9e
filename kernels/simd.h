/* simd.h - how loops are written so that the compiler makes vectors of them.
 *
 * KD_SIMD before a function definition compiles it for AVX-512, AVX2 and the baseline, and picks
 * one when the program starts; where the compiler cannot do that it is one plain function. What
 * such a function calls in its loops is KD_INLINE, so that it is compiled along with it. A sum or a
 * maximum over a loop has `#pragma omp simd reduction` before it (-fopenmp-simd: no threads), since
 * the compiler must not reorder it by itself. Loops that
 * are written in vectors by hand have cpu/isa.h instead. */
#ifndef KD_KERNELS_SIMD_H
#define KD_KERNELS_SIMD_H

/* gcc 12 knows the x86-64 levels, whose AVX2 has FMA beside it; older ones know single features
 * only. The sanitizers start later than the choice is made. */
#if !defined(__x86_64__) || !defined(__GNUC__) || defined(__clang__) ||                            \
    defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KD_SIMD
#elif __GNUC__ >= 12
#define KD_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KD_SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#endif

/* Some of these reductions clang leaves as they are, and says so. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

#define KD_INLINE static inline __attribute__((always_inline))

#endif
