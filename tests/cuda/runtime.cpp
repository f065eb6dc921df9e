#include "tests/cuda/runtime.h"

#include <algorithm>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "tests/cuda/graph.h"
#include "tests/cuda/memory.h"
#include "tests/cuda/shared.h"

static const char *failing;
static cudaError_t failing_with;

void kd_sim::fail_call(const char *name, cudaError_t error)
{
    failing = name;
    failing_with = error;
}

__attribute__((weak)) void kd_cuda_check(cudaError_t error, const char *call, const char *file,
                                         int line)
{
    if (error != cudaSuccess)
        kd_sim::die("%s at %s:%d: error %d", call, file, line, error);
}

static thread_local cudaError_t last_error = cudaSuccess;

cudaError_t kd_sim::returned(cudaError_t error)
{
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

cudaError_t cudaGetLastError()
{
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t kd_sim::result_of(const char *name)
{
    return returned(failing && strcmp(failing, name) == 0 ? failing_with : cudaSuccess);
}

static std::map<std::string, long> counts;

static bool is_that_rank()
{
    const char *wanted = getenv("KATYDID_SIM_FAIL_RANK"), *own = getenv("OMPI_COMM_WORLD_RANK");
    return !wanted || (own && strcmp(wanted, own) == 0);
}

/* What this call of that name fails with. */
static cudaError_t told_to_fail(const char *name, long number)
{
    const char *told = getenv("KATYDID_SIM_FAIL");
    size_t length = strlen(name);
    char *rest;
    if (!told || strncmp(told, name, length) != 0 || told[length] != ':' ||
        number != strtol(told + length + 1, &rest, 10) || !is_that_rank())
        return cudaSuccess;
    return strcmp(rest, ":memory") == 0 ? cudaErrorMemoryAllocation : cudaErrorIllegalAddress;
}

cudaError_t kd_sim::count_call(const char *name)
{
    cudaError_t told = kd_sim::returned(told_to_fail(name, ++counts[name]));
    return told != cudaSuccess ? told : result_of(name);
}

long kd_sim::n_calls(const char *name)
{
    return counts[name];
}

/* For tests of programs: one line a call. */
void kd_sim::note_most(const char *name, long number)
{
    counts[name] = std::max(counts[name], number);
}

static void write_counts()
{
    const char *told = getenv("KATYDID_SIM_COUNTS");
    FILE *file =
        told ? fopen((std::string(told) + "." + std::to_string(getpid())).c_str(), "w") : NULL;
    for (auto &[name, n] : counts)
        if (file)
            fprintf(file, "%s %ld\n", name.c_str(), n);
    if (file)
        fclose(file);
}

static struct counts_writer {
    ~counts_writer()
    {
        write_counts();
    }
} writer;

#define RESULT kd_sim::result_of(__func__)

/* KATYDID_SIM_GPUS=2: the machine has two, which all processes see. Without it each process has one
 * of its own. */
static int n_gpus()
{
    const char *text = getenv("KATYDID_SIM_GPUS");
    return text ? atoi(text) : 0;
}

static thread_local int gpu; /* as with CUDA: a new thread begins with the first */

int kd_sim::current_gpu()
{
    return gpu;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = std::max(n_gpus(), 1);
    return RESULT;
}

cudaError_t cudaSetDevice(int device)
{
    if (device < 0 || device >= std::max(n_gpus(), 1))
        return kd_sim::returned(cudaErrorInvalidDevice);
    cudaError_t result = kd_sim::count_call(__func__);
    if (result == cudaSuccess)
        gpu = device;
    return result;
}

cudaError_t cudaGetDevice(int *device)
{
    *device = gpu;
    return RESULT;
}

/* KATYDID_SIM_ARCHITECTURE=90; a V100 without it. */
static int architecture()
{
    const char *text = getenv("KATYDID_SIM_ARCHITECTURE");
    return text ? atoi(text) : 70;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    *properties = {};
    snprintf(properties->name, sizeof properties->name, "fibers");
    snprintf(properties->uuid.bytes, sizeof properties->uuid.bytes, "%d",
             n_gpus() > 0 ? device : static_cast<int>(getpid()));
    properties->major = architecture() / 10;
    properties->minor = architecture() % 10;
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

/* ---- memory */

/* KATYDID_SIM_LARGEST=1000000: more than that in one piece there is not. */
static bool is_too_large(size_t bytes)
{
    const char *most = getenv("KATYDID_SIM_LARGEST");
    return most && bytes > strtoull(most, NULL, 10) && is_that_rank();
}

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    cudaError_t refused = kd_sim::check_unsafe();
    if (refused)
        return refused;
    cudaError_t result = kd_sim::count_call(__func__);
    if (result != cudaSuccess)
        return result;
    *memory = is_too_large(bytes) ? NULL : kd_sim::memory_new(bytes);
    if (!*memory)
        return kd_sim::returned(cudaErrorMemoryAllocation);
    kd_sim::memory_access access;
    memset(*memory, kd_sim::RUBBISH, bytes);
    return cudaSuccess;
}

/* It waits for all that may use the memory. */
cudaError_t cudaFree(void *memory)
{
    cudaError_t refused = kd_sim::check_unsafe();
    if (refused)
        return refused;
    kd_sim::finish_all();
    kd_sim::memory_free(memory);
    return RESULT;
}

/* KATYDID_SIM_FREE=1000000,1000: what is free when it is asked for the first time, the second time
 * and ever after. */
static size_t told_free()
{
    static const char *next = getenv("KATYDID_SIM_FREE");
    char *end = NULL;
    size_t bytes = next ? strtoull(next, &end, 10) : kd_sim::memory_left();
    if (end && *end == ',')
        next = end + 1;
    return bytes;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    *free_bytes = told_free();
    *total_bytes = 1 << 30;
    return RESULT;
}

/* ---- pinned memory */

/* Whole pages. Memory that lies on pages of which some are pinned is CUDA's to refuse, now or at a
 * copy; here it is refused at once. */
static constexpr size_t PAGE = 4096;
static std::map<const char *, size_t> pinned;

/* Is any of it? */
static bool is_pinned(const char *begin, size_t bytes)
{
    auto after = pinned.lower_bound(begin + bytes);
    if (after == pinned.begin())
        return false;
    auto [last, its_bytes] = *std::prev(after);
    return begin < last + its_bytes;
}

cudaError_t cudaHostRegister(void *host, size_t bytes, unsigned)
{
    const char *begin = static_cast<const char *>(host);
    size_t rounded = (bytes + PAGE - 1) / PAGE * PAGE;
    if (reinterpret_cast<uintptr_t>(host) % PAGE != 0 || is_pinned(begin, rounded))
        return counts["refused pins"]++, kd_sim::returned(cudaErrorHostMemoryAlreadyRegistered);
    cudaError_t result = kd_sim::count_call(__func__);
    if (result == cudaSuccess)
        pinned[begin] = rounded;
    return result;
}

cudaError_t cudaHostUnregister(void *host)
{
    if (pinned.erase(static_cast<const char *>(host)) == 0)
        return kd_sim::returned(cudaErrorInvalidValue);
    return RESULT;
}

/* ---- copies */

cudaError_t cudaMemset(void *memory, int value, size_t bytes)
{
    return cudaMemsetAsync(memory, value, bytes, NULL) == cudaSuccess ? RESULT
                                                                      : cudaErrorInvalidValue;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    cudaError_t refused = kd_sim::check_capture(stream);
    if (refused)
        return refused;
    kd_sim::give_simple(stream, [=] { memset(memory, value, bytes); });
    return RESULT;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    return cudaMemcpyAsync(to, from, bytes, kind, NULL) == cudaSuccess ? RESULT
                                                                       : cudaErrorInvalidValue;
}

static bool is_of_pageable(const void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    return (kind == cudaMemcpyHostToDevice && !is_pinned(static_cast<const char *>(from), bytes)) ||
           (kind == cudaMemcpyDeviceToHost && !is_pinned(static_cast<const char *>(to), bytes));
}

/* Host memory that is not pinned has been read, or written, when the call returns. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    cudaError_t refused = kd_sim::check_capture(stream);
    if (refused)
        return refused;
    if (is_of_pageable(to, from, bytes, kind) && stream && stream->capture)
        return kd_sim::check_stream(stream);
    kd_sim::count_unless_captured(stream, __func__);
    if (kind == cudaMemcpyHostToDevice && !is_pinned(static_cast<const char *>(from), bytes)) {
        const char *host = static_cast<const char *>(from);
        std::vector<char> copy(host, host + bytes);
        kd_sim::give_simple(stream,
                            [to, copy = std::move(copy)] { memcpy(to, copy.data(), copy.size()); });
    } else {
        kd_sim::give_simple(stream, [=] { memcpy(to, from, bytes); });
    }
    if (kind == cudaMemcpyDeviceToHost && !is_pinned(static_cast<const char *>(to), bytes))
        return cudaStreamSynchronize(stream); /* no deadline would end it */
    return RESULT;
}

/* KATYDID_SIM_CODE=75: as if the driver had compiled the PTX for an older GPU. */
int kd_sim::code_architecture()
{
    const char *code = getenv("KATYDID_SIM_CODE");
    return code ? atoi(code) : architecture();
}

cudaError_t kd_sim_function_attributes(cudaFuncAttributes *attributes)
{
    *attributes = {kd_sim::code_architecture()};
    return kd_sim::result_of("cudaFuncGetAttributes");
}

const char *cudaGetErrorName(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorStreamCaptureUnsupported:
        return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
        return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorStreamCaptureUnjoined:
        return "cudaErrorStreamCaptureUnjoined";
    case cudaErrorStreamCaptureIsolation:
        return "cudaErrorStreamCaptureIsolation";
    case cudaErrorCapturedEvent:
        return "cudaErrorCapturedEvent";
    default:
        return "cudaErrorOfTheSim";
    }
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaSuccess ? "no error" : "an error that a test asked for";
}
