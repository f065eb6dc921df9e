/* types.h - CUDA's keywords, which say nothing to a C++ compiler, and its small vectors. */
#ifndef KD_TESTS_CUDA_TYPES_H
#define KD_TESTS_CUDA_TYPES_H

#define __global__
#define __device__
#define __host__
#define __constant__    static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

struct uint3 {
    unsigned x, y, z;
};

/* As in CUDA, a vector is aligned to its size (up to 16 bytes), so that a load from elsewhere is
 * seen by UBSan. */
#define KD_SIM_VECTOR2(name, type)                                                                 \
    struct alignas(2 * sizeof(type)) name##2                                                       \
    {                                                                                              \
        type x, y;                                                                                 \
    };                                                                                             \
    static inline name##2 make_##name##2(type x, type y)                                           \
    {                                                                                              \
        return {x, y};                                                                             \
    }
#define KD_SIM_VECTOR4(name, type)                                                                 \
    struct alignas(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16) name##4                          \
    {                                                                                              \
        type x, y, z, w;                                                                           \
    };                                                                                             \
    static inline name##4 make_##name##4(type x, type y, type z, type w)                           \
    {                                                                                              \
        return {x, y, z, w};                                                                       \
    }
KD_SIM_VECTOR2(float, float)
KD_SIM_VECTOR2(int, int)
KD_SIM_VECTOR2(uint, unsigned)
KD_SIM_VECTOR2(double, double)
KD_SIM_VECTOR4(float, float)
KD_SIM_VECTOR4(int, int)
KD_SIM_VECTOR4(uint, unsigned)
KD_SIM_VECTOR4(uchar, unsigned char)
#undef KD_SIM_VECTOR2
#undef KD_SIM_VECTOR4

#endif
