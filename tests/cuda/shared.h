/* shared.h - a block's shared memory, with rubbish in it whenever a block begins.
 *
 * A static array (KD_SHARED) is one object of the program, as blocks run one by one. Its first user
 * in a block fills it with rubbish. Memory that a launch asks for is allocated anew for each block,
 * so that AddressSanitizer sees its end. */
#ifndef KD_TESTS_CUDA_SHARED_H
#define KD_TESTS_CUDA_SHARED_H

#include "tests/cuda/block.h"

namespace kd_sim
{

/* 1.3e36 as a float, 2e286 as a double, 2 thousand million as an int: shows in sums and in maxima,
 * and is no index. */
enum { RUBBISH = 0x7B };

void *dynamic_new(size_t bytes);
void dynamic_free(void *memory);

/* Counts `bytes` as used by the running block, and fills them with rubbish. */
void shared_begin(void *memory, size_t bytes);

template <class T> struct shared {
    uint64_t block = 0;
    alignas(16) T value; /* last: what is written behind it lies outside the object */

    T &in_block()
    {
        if (block != running.number) {
            block = running.number;
            shared_begin(&value, sizeof value);
        }
        return value;
    }
};

} // namespace kd_sim

#define KD_SHARED(type, name, dimensions)                                                          \
    static kd_sim::shared<type dimensions> name##_of_block;                                        \
    type(&name) dimensions = name##_of_block.in_block()
#define KD_DYN_SHARED(type, name) type *name = static_cast<type *>(kd_sim::running.dynamic)

#endif
