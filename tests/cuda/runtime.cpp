#include "tests/cuda/runtime.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/shared.h"

static const char *failing;
static cudaError_t failing_with;

void kd_sim::fail_call(const char *name, cudaError_t error)
{
    failing = name;
    failing_with = error;
}

static cudaError_t result_of(const char *name)
{
    return failing && strcmp(failing, name) == 0 ? failing_with : cudaSuccess;
}
#define RESULT result_of(__func__)

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return RESULT;
}

cudaError_t cudaSetDevice(int)
{
    return RESULT;
}

cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return RESULT;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int)
{
    *properties = {};
    snprintf(properties->name, sizeof properties->name, "fibers");
    properties->major = 7;
    properties->multiProcessorCount = 1;
    properties->totalGlobalMem = SIZE_MAX;
    return RESULT;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = 12000;
    return RESULT;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 12000;
    return RESULT;
}

struct kd_sim_stream {
    int n_calls;
};

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    if (RESULT == cudaSuccess)
        *stream = static_cast<cudaStream_t>(calloc(1, sizeof(kd_sim_stream)));
    return RESULT;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    free(stream);
    return RESULT;
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return RESULT;
}

cudaError_t cudaDeviceSynchronize()
{
    return RESULT;
}

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    if (RESULT != cudaSuccess)
        return RESULT;
    if (posix_memalign(memory, 256, bytes) != 0)
        return cudaErrorMemoryAllocation;
    memset(*memory, kd_sim::RUBBISH, bytes);
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    free(memory);
    return RESULT;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    *free_bytes = 1 << 20;
    *total_bytes = 1 << 30;
    return RESULT;
}

cudaError_t cudaMemset(void *memory, int value, size_t bytes)
{
    memset(memory, value, bytes);
    return RESULT;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t)
{
    memset(memory, value, bytes);
    return RESULT;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind)
{
    memcpy(to, from, bytes);
    return RESULT;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t)
{
    memcpy(to, from, bytes);
    return RESULT;
}

cudaError_t cudaGetLastError()
{
    return RESULT;
}

cudaError_t kd_sim_function_attributes()
{
    return result_of("cudaFuncGetAttributes");
}

const char *cudaGetErrorName(cudaError_t error)
{
    return error == cudaSuccess ? "cudaSuccess" : "cudaErrorOfTheSim";
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaSuccess ? "no error" : "an error that a test asked for";
}
