/* arithmetic.h - the functions of CUDA C that C++ has under another name or not at all: atomics,
 * loads with a hint, bits, and mathematics. Atomics are plain, since one thread runs at a time. */
#ifndef KD_TESTS_CUDA_ARITHMETIC_H
#define KD_TESTS_CUDA_ARITHMETIC_H

#include <algorithm>
#include <cmath>
#include <stdint.h>
#include <string.h>

using std::isfinite;
using std::isinf;
using std::isnan;
using std::max;
using std::min;

/* ---- atomics: each gives what was there before */

template <class T> T kd_sim_exchange(T *at, T value)
{
    T old = *at;
    *at = value;
    return old;
}

template <class T> T atomicAdd(T *at, T value)
{
    return kd_sim_exchange(at, static_cast<T>(*at + value));
}

template <class T> T atomicSub(T *at, T value)
{
    return kd_sim_exchange(at, static_cast<T>(*at - value));
}

template <class T> T atomicMax(T *at, T value)
{
    return kd_sim_exchange(at, max(*at, value));
}

template <class T> T atomicMin(T *at, T value)
{
    return kd_sim_exchange(at, min(*at, value));
}

template <class T> T atomicOr(T *at, T value)
{
    return kd_sim_exchange(at, static_cast<T>(*at | value));
}

template <class T> T atomicAnd(T *at, T value)
{
    return kd_sim_exchange(at, static_cast<T>(*at & value));
}

template <class T> T atomicExch(T *at, T value)
{
    return kd_sim_exchange(at, value);
}

template <class T> T atomicCAS(T *at, T wanted, T value)
{
    return kd_sim_exchange(at, *at == wanted ? value : *at);
}

/* Counts up to `last` and then from 0 again. */
inline unsigned atomicInc(unsigned *at, unsigned last)
{
    return kd_sim_exchange(at, *at >= last ? 0 : *at + 1);
}

/* ---- loads and stores with a hint */

#define KD_SIM_LOAD(name)                                                                          \
    template <class T> T name(const T *at)                                                         \
    {                                                                                              \
        return *at;                                                                                \
    }
#define KD_SIM_STORE(name)                                                                         \
    template <class T> void name(T *at, T value)                                                   \
    {                                                                                              \
        *at = value;                                                                               \
    }
KD_SIM_LOAD(__ldg)
KD_SIM_LOAD(__ldcs)
KD_SIM_LOAD(__ldcg)
KD_SIM_LOAD(__ldca)
KD_SIM_STORE(__stcs)
KD_SIM_STORE(__stcg)
KD_SIM_STORE(__stwt)
#undef KD_SIM_LOAD
#undef KD_SIM_STORE

/* ---- bits */

template <class To, class From> To kd_sim_bits(From from)
{
    To to;
    static_assert(sizeof to == sizeof from, "of one size");
    memcpy(&to, &from, sizeof to);
    return to;
}

#define KD_SIM_BITS(name, from, to)                                                                \
    inline to name(from x)                                                                         \
    {                                                                                              \
        return kd_sim_bits<to>(x);                                                                 \
    }
KD_SIM_BITS(__float_as_uint, float, unsigned)
KD_SIM_BITS(__float_as_int, float, int)
KD_SIM_BITS(__uint_as_float, unsigned, float)
KD_SIM_BITS(__int_as_float, int, float)
KD_SIM_BITS(__double_as_longlong, double, long long)
KD_SIM_BITS(__longlong_as_double, long long, double)
#undef KD_SIM_BITS

inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}

inline int __ffs(int x)
{
    return __builtin_ffs(x);
}

inline int __clz(int x)
{
    return x ? __builtin_clz(static_cast<unsigned>(x)) : 32;
}

inline unsigned __umulhi(unsigned a, unsigned b)
{
    return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32);
}

inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}

/* ---- mathematics */

inline float rsqrtf(float x)
{
    return 1.0f / sqrtf(x);
}

inline double rsqrt(double x)
{
    return 1.0 / sqrt(x);
}

inline float __saturatef(float x)
{
    return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f;
}

inline float __fdividef(float a, float b)
{
    return a / b;
}

inline float __fmaf_rn(float a, float b, float c)
{
    return fmaf(a, b, c);
}

/* Products and sums that are never fused. */
inline float __fmul_rn(float a, float b)
{
    volatile float product = a * b;
    return product;
}

inline float __fadd_rn(float a, float b)
{
    volatile float sum = a + b;
    return sum;
}

/* glibc has __expf and its like for itself; kernels use expf and logf. */

#endif
