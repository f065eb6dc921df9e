/* block.h - a launch: its blocks one by one, a block's threads as fibers, and where they wait for
 * each other.
 *
 * One thread of a block runs at a time, until it waits or ends; who runs next is the schedule's
 * choice:
 *   forward   the lowest thread that can, so that the first warp runs ahead as far as it is let
 *   reverse   the highest; blocks in reverse order too
 *   random:N  any, mostly of the warp that ran last; N seeds it
 * KATYDID_SIM_SCHEDULE names one of them; forward is the default. A kernel that lacks a barrier
 * gives other results in some of them. KATYDID_SIM_DROP_BARRIER=FILE:LINE leaves one out, to see
 * that.
 *
 * What CUDA leaves undefined ends the program with the kernel, the block, the thread and what was
 * wrong: a barrier that part of the block does not reach or that is not the same one for all, a
 * mask without its own lane or with lanes that ended, a value asked of a lane outside the mask,
 * lanes of a mask that wait for something else, a block or grid of a bad size, more than 48 KiB of
 * shared memory. */
#ifndef KD_TESTS_CUDA_BLOCK_H
#define KD_TESTS_CUDA_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "tests/cuda/types.h"

namespace kd_sim
{

struct fiber;

enum { WARP = 32, THREADS_MAX = 1024, WARPS_MAX = THREADS_MAX / WARP, SHARED_MAX = 48 * 1024 };

/* A line of a kernel where threads wait, by __builtin_FILE and __builtin_LINE. */
struct place {
    const char *file;
    int line;
};

/* What a thread waits for. Those of one mask, and those of one block barrier, must all wait for the
 * same. */
struct wait {
    const char *what; /* "__syncthreads", "__shfl_sync", ... */
    place at;
    unsigned mask;  /* of lanes; 0: the whole block */
    uint64_t given; /* the value that it brings */
    int source;     /* the lane whose value it wants */
};

enum class state : uint8_t { fresh, ready, waits, done };

struct thread {
    uint3 index;
    unsigned number;
    enum state state;
    struct fiber *fiber; /* NULL while fresh */
    struct wait wait;
    uint64_t got; /* what the wait gave */
};

struct block {
    const char *kernel;
    dim3 grid, size;
    uint3 index;
    uint64_t number; /* of all blocks ever run, from 1 */
    unsigned n_threads, n_done, n_at_barrier;
    unsigned can_run[WARPS_MAX], wait[WARPS_MAX], ended[WARPS_MAX]; /* lanes */
    unsigned warps_that_can;
    thread threads[THREADS_MAX];
    void *dynamic; /* shared memory that the launch asked for */
    size_t shared_bytes;
};

extern block running;
extern thread *self;

/* Ends the program: "kd_sim: kernel, block (x, y, z), thread n: ...". */
[[noreturn]] void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns when all who must be there wait for the same; gives what `what` gives (block.cpp). */
uint64_t wait_for(const struct wait &wait);

/* Whether the barrier there is the one to leave out. */
bool is_dropped(place at);

/* Says which schedule, as KATYDID_SIM_SCHEDULE does; aborts at what it does not know. */
void set_schedule(const char *text);
/* NULL: none. "file.cu:12", the file by the end of its path. */
void drop_barrier(const char *where);
/* Calls it at every barrier that may be dropped, by every thread; NULL: nobody. */
void watch_barriers(void (*reached)(place at));

using body_fn = void (*)(void *body);
void run_grid(const char *kernel, dim3 grid, dim3 size, size_t dynamic_bytes, body_fn call,
              void *body);

/* The arguments are copied, as a launch does. */
template <class Kernel, class... Args>
void launch(const char *name, dim3 grid, dim3 size, size_t dynamic_bytes, Kernel kernel,
            Args... args)
{
    static_assert((sizeof(Args) + ... + 0) <= 4000, "a launch takes 4 KiB of arguments");
    auto body = [&] { kernel(args...); };
    run_grid(
        name, grid, size, dynamic_bytes,
        [](void *what) { (*static_cast<decltype(body) *>(what))(); }, &body);
}

} // namespace kd_sim

#define threadIdx (kd_sim::self->index)
#define blockIdx  (kd_sim::running.index)
#define blockDim  (kd_sim::running.size)
#define gridDim   (kd_sim::running.grid)

static constexpr int warpSize = kd_sim::WARP;

#endif
