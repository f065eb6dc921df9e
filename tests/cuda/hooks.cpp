/* hooks.cpp - what others ask of the sim by name: the stand-ins of NCCL (nccl_standin.c) and of
 * cuBLASLt (lt_standin.c), libraries of their own, and tests of programs that load the sim as a
 * plugin. */
#include <dlfcn.h>
#include <stdlib.h>

#include <memory>

#include "tests/cuda/graph.h"
#include "tests/cuda/memory.h"
#include "tests/cuda/stream.h"

extern "C" {
void kd_sim_open_memory();
void kd_sim_close_memory();
int kd_sim_finish_streams();
int kd_sim_is_capturing(void *stream);
int kd_sim_may_wait();
int kd_sim_takes_launch(void *stream);
int kd_sim_current_gpu();
void kd_sim_hold_streams(int held);
long kd_sim_n_calls(const char *name);
void kd_sim_give(void *stream, void (*work)(void *), void *ud, void (*drop)(void *));
void kd_sim_give_until_done(void *stream, int (*work)(void *), void *ud, void (*drop)(void *));
}

/* Of "cudaMalloc" and a few others, since the program began. */
long kd_sim_n_calls(const char *name)
{
    return kd_sim::n_calls(name);
}

void kd_sim_open_memory()
{
    kd_sim::memory_open();
}

void kd_sim_close_memory()
{
    kd_sim::memory_close();
}

/* NCCL would do its sum when the stream comes to it; the stand-in does it at once, after what the
 * streams were given. Is that done? */
int kd_sim_finish_streams()
{
    return kd_sim::finish_all();
}

int kd_sim_is_capturing(void *stream)
{
    return static_cast<cudaStream_t>(stream)->capture != NULL;
}

void kd_sim_hold_streams(int held)
{
    kd_sim::hold(held != 0);
}

/* A call that waits, or frees, spoils captures, if there are any. Are there none? */
int kd_sim_may_wait()
{
    return kd_sim::check_unsafe() == cudaSuccess;
}

/* False: what the stream captures for is spoilt. */
int kd_sim_takes_launch(void *stream)
{
    return kd_sim::takes_launch(static_cast<cudaStream_t>(stream));
}

/* Of the thread that asks. */
int kd_sim_current_gpu()
{
    return kd_sim::current_gpu();
}

/* work(ud) at the end of the stream, or each time that a graph comes to it; drop(ud) when that
 * cannot be any more. */
void kd_sim_give(void *stream, void (*work)(void *), void *ud, void (*drop)(void *))
{
    std::shared_ptr<void> kept(ud, drop);
    kd_sim::give_simple(static_cast<cudaStream_t>(stream), [work, kept] { work(kept.get()); });
}

/* The same for work that may not be done yet, and is then asked again. */
void kd_sim_give_until_done(void *stream, int (*work)(void *), void *ud, void (*drop)(void *))
{
    std::shared_ptr<void> kept(ud, drop);
    kd_sim::give(static_cast<cudaStream_t>(stream), [work, kept] { return work(kept.get()) != 0; });
}

/* A real cuBLASLt would take the sim's memory for a GPU's: the sim takes the one that it is told
 * of. */
__attribute__((constructor)) static void have_no_cublaslt()
{
    setenv("KATYDID_CUBLASLT", "none", 0);
}

/* Where all this is a library that was loaded for its owner alone, the names above are made known
 * to the program. */
__attribute__((constructor)) static void make_known()
{
    Dl_info own;
    if (dladdr(reinterpret_cast<void *>(&kd_sim_hold_streams), &own) != 0)
        dlopen(own.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
}
