/* sync.h - barriers, votes and shuffles by CUDA's names. All threads of a mask (or of the block)
 * meet in them. */
#ifndef KD_TESTS_CUDA_SYNC_H
#define KD_TESTS_CUDA_SYNC_H

#include <string.h>

#include "tests/cuda/block.h"

/* Where the kernel's line is, for those who call these. */
#define KD_SIM_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(KD_SIM_PLACE)
{
    if (!kd_sim::is_dropped({file, line}))
        kd_sim::wait_for({"__syncthreads", {file, line}, 0, 0, 0});
}

#define KD_SIM_BLOCK_VOTE(name)                                                                    \
    inline int name(int predicate, KD_SIM_PLACE)                                                   \
    {                                                                                              \
        return static_cast<int>(kd_sim::wait_for({#name, {file, line}, 0, predicate != 0, 0}));    \
    }
KD_SIM_BLOCK_VOTE(__syncthreads_or)
KD_SIM_BLOCK_VOTE(__syncthreads_and)
KD_SIM_BLOCK_VOTE(__syncthreads_count)
#undef KD_SIM_BLOCK_VOTE

inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, KD_SIM_PLACE)
{
    if (!kd_sim::is_dropped({file, line}))
        kd_sim::wait_for({"__syncwarp", {file, line}, mask, 0, 0});
}

#define KD_SIM_WARP_VOTE(name, type)                                                               \
    inline type name(unsigned mask, int predicate, KD_SIM_PLACE)                                   \
    {                                                                                              \
        return static_cast<type>(                                                                  \
            kd_sim::wait_for({#name, {file, line}, mask, predicate != 0, 0}));                     \
    }
KD_SIM_WARP_VOTE(__ballot_sync, unsigned)
KD_SIM_WARP_VOTE(__any_sync, int)
KD_SIM_WARP_VOTE(__all_sync, int)
#undef KD_SIM_WARP_VOTE

namespace kd_sim
{

inline int lane()
{
    return static_cast<int>(self->number % WARP);
}

/* The value of lane `source`; a lane that asks for one outside its own part of `width` lanes keeps
 * its own. */
template <class T>
T shuffle(const char *what, unsigned mask, T value, int source, int width, place at)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "CUDA shuffles 4 or 8 bytes");
    uint64_t given = 0;
    memcpy(&given, &value, sizeof value);
    bool is_mine = source >= 0 && source / width == lane() / width;
    uint64_t got = wait_for({what, at, mask, given, is_mine ? source : lane()});
    memcpy(&value, &got, sizeof value);
    return value;
}

} // namespace kd_sim

template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32, KD_SIM_PLACE)
{
    int first = kd_sim::lane() / width * width;
    return kd_sim::shuffle("__shfl_sync", mask, value, first + (source & (width - 1)), width,
                           {file, line});
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, KD_SIM_PLACE)
{
    return kd_sim::shuffle("__shfl_up_sync", mask, value, kd_sim::lane() - static_cast<int>(delta),
                           width, {file, line});
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, KD_SIM_PLACE)
{
    return kd_sim::shuffle("__shfl_down_sync", mask, value,
                           kd_sim::lane() + static_cast<int>(delta), width, {file, line});
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, KD_SIM_PLACE)
{
    return kd_sim::shuffle("__shfl_xor_sync", mask, value, kd_sim::lane() ^ lanes, width,
                           {file, line});
}

[[noreturn]] inline void __trap()
{
    kd_sim::die("__trap");
}

/* One thread runs at a time, and memory is the host's. */
inline void __threadfence()
{
}
inline void __threadfence_block()
{
}

#endif
