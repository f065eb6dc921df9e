/* cuda_runtime.h - what kernels/cuda includes by this name in test programs: all of the shim. */
#ifndef KD_TESTS_CUDA_INCLUDE_CUDA_RUNTIME_H
#define KD_TESTS_CUDA_INCLUDE_CUDA_RUNTIME_H

#include "tests/cuda/ampere.h"
#include "tests/cuda/arithmetic.h"
#include "tests/cuda/block.h"
#include "tests/cuda/runtime.h"
#include "tests/cuda/shared.h"
#include "tests/cuda/stream.h"
#include "tests/cuda/sync.h"
#include "tests/cuda/types.h"

/* kernels/cuda/port.h has what these are under nvcc. */
#define KD_START(kernel, grid, block, shared_bytes, stream, ...)                                   \
    kd_sim::give_launch((stream), #kernel, (grid), (block), (shared_bytes),                        \
                        kernel __VA_OPT__(, ) __VA_ARGS__)

#define KD_UNROLL
#define KD_UNROLL_BY(n)

#endif
