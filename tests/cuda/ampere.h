/* ampere.h - the shim's side of kernels/cuda/ampere.cuh: products of 16 x 16 times 16 x 8 with the
 * layout that PTX gives them, matrices from shared memory, and copies (copies.h).
 *
 * Loads order nothing for other lanes: every second lane's row is read before the rest have come,
 * the others' after.
 *
 * Ends the program: a row that is not aligned to 16 bytes, products or loads to which not all lanes
 * of a warp come, and both in code of an architecture before 80 (KATYDID_SIM_CODE, or
 * KATYDID_SIM_ARCHITECTURE). */
#ifndef KD_TESTS_CUDA_AMPERE_H
#define KD_TESTS_CUDA_AMPERE_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <math.h>
#include <stdint.h>

#include "tests/cuda/block.h"
#include "tests/cuda/copies.h"
#include "tests/cuda/sync.h"

/* kernels/cuda/ampere.cuh leaves out its own. */
#define KD_PTX

namespace kd_sim
{

/* A lane's part of a product; sums are added to. */
struct part_of_product {
    float left[8], right[4], sums[4];
};

/* Products of 16-bit factors are exact; sums are fp32, in order of k. */
void multiply(struct part_of_product &part, place at);

void load_matrices(unsigned (&x)[4], const void *row, bool is_turned, place at);

/* How often rows of one matrix lay in the same banks of shared memory, which then are read one
 * after the other; since the program began. */
long n_bank_conflicts();

inline float value_of(__half, uint16_t bits)
{
    return __half2float({bits});
}
inline float value_of(__nv_bfloat16, uint16_t bits)
{
    return __bfloat162float({bits});
}

template <class T, int N> void unpack(float (&to)[2 * N], const unsigned (&from)[N])
{
    for (int i = 0; i < N; i++) {
        to[2 * i] = value_of(T(), static_cast<uint16_t>(from[i]));
        to[2 * i + 1] = value_of(T(), static_cast<uint16_t>(from[i] >> 16));
    }
}

} // namespace kd_sim

template <class T, class Sums, class Left, class Right>
void kd_multiply(Sums &sums, const Left &left, const Right &right, KD_SIM_PLACE)
{
    struct kd_sim::part_of_product part;
    kd_sim::unpack<T>(part.left, left.x);
    kd_sim::unpack<T>(part.right, right.x);
    memcpy(part.sums, sums.x, sizeof part.sums);
    kd_sim::multiply(part, {file, line});
    memcpy(sums.x, part.sums, sizeof part.sums);
}

inline float kd_exp2(float x)
{
    float y = exp2f(x);
    return y < 0x1p-126f ? 0.0f : y;
}

inline void kd_load_matrices(unsigned (&x)[4], const void *row, KD_SIM_PLACE)
{
    kd_sim::load_matrices(x, row, false, {file, line});
}

inline void kd_load_matrices_turned(unsigned (&x)[4], const void *row, KD_SIM_PLACE)
{
    kd_sim::load_matrices(x, row, true, {file, line});
}

inline void kd_copy_16(void *shared, const void *from, bool is_there, KD_SIM_PLACE)
{
    kd_sim::begin_copy(shared, is_there ? from : nullptr, {file, line});
}

inline void kd_copy_16_kept(void *shared, const void *from, bool is_there, KD_SIM_PLACE)
{
    kd_sim::begin_copy(shared, is_there ? from : nullptr, {file, line});
}

inline void kd_end_copies()
{
    kd_sim::end_group();
}

template <int N> void kd_wait_copies(KD_SIM_PLACE)
{
    kd_sim::wait_for_groups(N, {file, line});
}

#endif
