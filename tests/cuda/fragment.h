/* fragment.h - 16 x 16 matrices that a warp's lanes hold together, eight elements each, and their
 * product: what is behind the shim's <mma.h>. All 32 lanes of a warp come to each of these, from
 * the same line.
 *
 * Which element a lane holds is CUDA's secret, and differs between left factors, right factors and
 * sums; here they are scattered, each kind in an order that no GPU has, so that a kernel that
 * believes to know is wrong.
 *
 * A load or store orders nothing for others: every second lane loads before the rest have come, and
 * all store after it.
 *
 * Ends the program: a matrix not aligned to 32 bytes, a pitch (elements from row to row, or from
 * column to column) of no multiple of 16 bytes or of less than 16, lanes that do not all name the
 * same matrix or pitch. */
#ifndef KD_TESTS_CUDA_FRAGMENT_H
#define KD_TESTS_CUDA_FRAGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "tests/cuda/block.h"
#include "tests/cuda/sync.h"

namespace kd_sim
{

enum { FRAGMENT_SIDE = 16, FRAGMENT_EACH = FRAGMENT_SIDE * FRAGMENT_SIDE / WARP };
enum class role { left, right, sum };

/* Where element i of this lane stands. */
struct spot {
    unsigned row, column;
};
struct spot spot_of(enum role role, unsigned lane, unsigned i);

/* A lane's part of a product; `sums` are added to. */
struct factors {
    float left[FRAGMENT_EACH], right[FRAGMENT_EACH], sums[FRAGMENT_EACH];
};

/* Products of 16-bit factors are exact; sums are fp32, in order of k. */
void multiply(struct factors &factors, place at);

/* Where the lanes meet; what: "load_matrix_sync" or "store_matrix_sync". */
void meet_at_matrix(const char *what, const void *matrix, unsigned pitch, size_t bytes, place at);

inline size_t offset_of(struct spot spot, unsigned pitch, bool by_row)
{
    return by_row ? static_cast<size_t>(spot.row) * pitch + spot.column
                  : static_cast<size_t>(spot.column) * pitch + spot.row;
}

template <class T>
void load_own(T (&to)[FRAGMENT_EACH], const T *from, unsigned pitch, enum role role, bool by_row)
{
    for (unsigned i = 0; i < FRAGMENT_EACH; i++)
        to[i] = from[offset_of(spot_of(role, static_cast<unsigned>(lane()), i), pitch, by_row)];
}

template <class T>
void load(T (&to)[FRAGMENT_EACH], const T *from, unsigned pitch, enum role role, bool by_row,
          place at)
{
    bool is_early = lane() % 2 == 0;
    if (is_early)
        load_own(to, from, pitch, role, by_row);
    meet_at_matrix("load_matrix_sync", from, pitch, sizeof(T), at);
    if (!is_early)
        load_own(to, from, pitch, role, by_row);
}

template <class T>
void store(T *to, const T (&from)[FRAGMENT_EACH], unsigned pitch, bool by_row, place at)
{
    meet_at_matrix("store_matrix_sync", to, pitch, sizeof(T), at);
    for (unsigned i = 0; i < FRAGMENT_EACH; i++)
        to[offset_of(spot_of(role::sum, static_cast<unsigned>(lane()), i), pitch, by_row)] =
            from[i];
}

} // namespace kd_sim

#endif
