/* nccl_stream.cpp - cudaStreamQuery of the sim. Its streams have always finished, except while the stand-in of NCCL
 * (nccl_standin.c, a library, hence the C name) holds them: then what is queued will not be done. */
#include "tests/cuda/runtime.h"

static bool is_held;

extern "C" void kd_sim_hold_streams(int held);

void kd_sim_hold_streams(int held)
{
    is_held = held;
}

cudaError_t cudaStreamQuery(cudaStream_t)
{
    return is_held ? cudaErrorNotReady : cudaSuccess;
}
