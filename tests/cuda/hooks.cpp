/* hooks.cpp - what the stand-in of NCCL (nccl_standin.c, a library of its own) asks of the sim, by name. */
#include <dlfcn.h>

#include "tests/cuda/memory.h"
#include "tests/cuda/stream.h"

extern "C" {
void kd_sim_open_memory();
void kd_sim_close_memory();
void kd_sim_finish_streams();
void kd_sim_hold_streams(int held);
}

void kd_sim_open_memory()
{
    kd_sim::memory_open();
}

void kd_sim_close_memory()
{
    kd_sim::memory_close();
}

/* NCCL would do its sum when the stream comes to it; the stand-in does it at once. */
void kd_sim_finish_streams()
{
    kd_sim::finish_all();
}

void kd_sim_hold_streams(int held)
{
    kd_sim::hold(held != 0);
}

/* Where all this is a library that was loaded for its owner alone, the names above are made known to the program. */
__attribute__((constructor)) static void make_known()
{
    Dl_info own;
    if (dladdr(reinterpret_cast<void *>(&kd_sim_hold_streams), &own) != 0)
        dlopen(own.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
}
