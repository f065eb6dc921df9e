/* mma.h - of CUDA's header of this name what kernels/cuda uses: products of 16 x 16 matrices by a
 * warp (nvcuda::wmma), of fp16 or bf16 with sums in fp32. What CUDA demands is
 * tests/cuda/fragment.h's to check. */
#ifndef KD_TESTS_CUDA_INCLUDE_MMA_H
#define KD_TESTS_CUDA_INCLUDE_MMA_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "tests/cuda/fragment.h"

namespace nvcuda::wmma
{

struct matrix_a {
    static constexpr kd_sim::role role = kd_sim::role::left;
};
struct matrix_b {
    static constexpr kd_sim::role role = kd_sim::role::right;
};
struct accumulator {
    static constexpr kd_sim::role role = kd_sim::role::sum;
};

struct row_major {
    static constexpr bool by_row = true;
};
struct col_major {
    static constexpr bool by_row = false;
};

enum layout_t { mem_row_major, mem_col_major };

/* For kd_sim::multiply, which knows no types. */
inline float to_float(__half x)
{
    return __half2float(x);
}
inline float to_float(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}

template <class Use, int M, int N, int K, class T, class Layout = void> struct fragment {
    static_assert(M == 16 && N == 16 && K == 16, "the shim has 16 x 16 x 16 alone");
    static constexpr int num_elements = kd_sim::FRAGMENT_EACH;
    T x[num_elements];
};

template <class Use, class T, class Layout>
void fill_fragment(fragment<Use, 16, 16, 16, T, Layout> &to, const T &value)
{
    for (T &x : to.x)
        x = value;
}

template <class Use, class T, class Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, T, Layout> &to, const T *from, unsigned pitch,
                      KD_SIM_PLACE)
{
    kd_sim::load(to.x, from, pitch, Use::role, Layout::by_row, {file, line});
}

template <class T>
void load_matrix_sync(fragment<accumulator, 16, 16, 16, T> &to, const T *from, unsigned pitch,
                      layout_t layout, KD_SIM_PLACE)
{
    kd_sim::load(to.x, from, pitch, kd_sim::role::sum, layout == mem_row_major, {file, line});
}

template <class T>
void store_matrix_sync(T *to, const fragment<accumulator, 16, 16, 16, T> &from, unsigned pitch,
                       layout_t layout, KD_SIM_PLACE)
{
    kd_sim::store(to, from.x, pitch, layout == mem_row_major, {file, line});
}

/* d = a b + c; d may be c. */
template <class T, class LayoutA, class LayoutB>
void mma_sync(fragment<accumulator, 16, 16, 16, float> &d,
              const fragment<matrix_a, 16, 16, 16, T, LayoutA> &a,
              const fragment<matrix_b, 16, 16, 16, T, LayoutB> &b,
              const fragment<accumulator, 16, 16, 16, float> &c, KD_SIM_PLACE)
{
    struct kd_sim::factors factors;
    for (int i = 0; i < kd_sim::FRAGMENT_EACH; i++) {
        factors.left[i] = to_float(a.x[i]);
        factors.right[i] = to_float(b.x[i]);
        factors.sums[i] = c.x[i];
    }
    kd_sim::multiply(factors, {file, line});
    for (int i = 0; i < kd_sim::FRAGMENT_EACH; i++)
        d.x[i] = factors.sums[i];
}

} // namespace nvcuda::wmma

#endif
