/* device.cu - the CUDA device: one GPU, one stream a queue, memory of cudaMalloc. The ops are the
 * other files of this folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernels/cuda/gpu.h"
#include "kernels/cuda/lt.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/ranges.h"
#include "kernels/cuda/recording.h"
#include "kernels/cuda/table.h"

extern "C" {
#include "coordinator/base/log.h"
}

static const struct kd_ops cuda_ops = {
#define KD_OP(name, summary) .name = kd_cuda_##name,
#include "kernels/ops.def"
#undef KD_OP
};

void kd_cuda_check(cudaError_t error, const char *call, const char *file, int line)
{
    if (error == cudaSuccess ||
        (error == cudaErrorStreamCaptureInvalidated && kd_cuda_recording_is_lost()))
        return;
    if (error == cudaErrorMemoryAllocation)
        kd_cuda_end_out_of_memory(0, call);
    fprintf(stderr, "katydid: CUDA: %s at %s:%d failed: %s (%s)\n", call, file, line,
            cudaGetErrorString(error), cudaGetErrorName(error));
    fflush(NULL);
    _exit(EXIT_FAILURE); /* destructors would call CUDA again */
}

/* ---- opening */

static int try_to_open(int which, cudaError_t (*create)(cudaStream_t *), struct kd_queue **queue,
                       struct kd_error *err)
{
    int architecture = 0;
    int status = kd_cuda_use_gpu(which, &architecture, err);
    if (status < 0)
        return status;
    cudaStream_t stream;
    cudaError_t error = create(&stream);
    if (error == cudaErrorMemoryAllocation)
        return kd_cuda_no_room(err);
    if (error != cudaSuccess)
        return kd_fail(err, "device cuda: the GPU takes no work: %s", cudaGetErrorString(error));
    *queue = (struct kd_queue *)kd_alloc(sizeof **queue);
    (*queue)->stream = stream;
    (*queue)->architecture = architecture;
    return 0;
}

/* Whatever failed is told of, and stays behind as the last error all the same: once there is a GPU
 * after all, the first launch would find it. */
static int open_queue(int which, cudaError_t (*create)(cudaStream_t *), struct kd_queue **queue,
                      struct kd_error *err)
{
    int status = try_to_open(which, create, queue, err);
    if (status < 0)
        cudaGetLastError();
    return status;
}

static cudaError_t create_stream(cudaStream_t *stream)
{
    return cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking);
}

/* The lowest number is the most urgent one. */
static cudaError_t create_urgent_stream(cudaStream_t *stream)
{
    int least = 0, most = 0;
    cudaError_t error = cudaDeviceGetStreamPriorityRange(&least, &most);
    return error != cudaSuccess ? error
                                : cudaStreamCreateWithPriority(stream, cudaStreamNonBlocking, most);
}

static int cuda_open(int which, struct kd_queue **queue, struct kd_error *err)
{
    return open_queue(which, create_stream, queue, err);
}

static int cuda_open_urgent(int which, struct kd_queue **queue, struct kd_error *err)
{
    return open_queue(which, create_urgent_stream, queue, err);
}

static void cuda_identity(char text[KD_IDENTITY_MAX])
{
    int at = 0;
    cudaDeviceProp gpu;
    KD_CUDA(cudaGetDevice(&at));
    KD_CUDA(cudaGetDeviceProperties(&gpu, at));
    for (int i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned)(unsigned char)gpu.uuid.bytes[i]);
}

/* ---- memory */

/* The queues' streams do not wait for the default one, on which zeros are written. */
static void *cuda_alloc(size_t bytes)
{
    void *memory = kd_cuda_new(bytes, "a model, its optimizer or its data");
    KD_CUDA(cudaMemset(memory, 0, bytes ? bytes : 1));
    KD_CUDA(cudaStreamSynchronize(0));
    return memory;
}

/* Scratch memory begins with the counter. */
static const size_t COUNTER_BYTES = 256;

/* Somewhat more than is asked for, as there may soon be an op that needs that; where it does not
 * fit, no more. */
static void *new_scratch(size_t bytes, size_t *got)
{
    const size_t least = 1 << 20;
    *got = bytes > least ? bytes + bytes / 2 : least;
    void *memory = kd_cuda_try_new(COUNTER_BYTES + *got);
    if (memory)
        return memory;
    *got = bytes;
    return kd_cuda_new(COUNTER_BYTES + bytes, "what an op needs in passing");
}

static void *of_scratch(const struct kd_queue *queue)
{
    return (char *)queue->scratch + COUNTER_BYTES;
}

struct kd_retired {
    struct kd_retired *next;
    void *memory;
};

static void retire_scratch(struct kd_queue *queue)
{
    struct kd_retired *retired = KD_NEW(struct kd_retired);
    *retired = {queue->retired, queue->scratch};
    queue->retired = retired;
}

static void free_retired(struct kd_queue *queue)
{
    while (queue->retired) {
        struct kd_retired *retired = queue->retired;
        queue->retired = retired->next;
        kd_cuda_delete(retired->memory);
        free(retired);
    }
}

/* What the queue was given may still use it. */
static void free_scratch(struct kd_queue *queue)
{
    KD_CUDA(cudaStreamSynchronize(queue->stream));
    kd_cuda_delete(queue->scratch);
}

void *kd_cuda_scratch(struct kd_queue *queue, size_t bytes)
{
    if (queue->scratch && bytes <= queue->scratch_bytes)
        return of_scratch(queue);
    if (queue->has_recorded)
        retire_scratch(queue);
    else
        free_scratch(queue);
    queue->scratch = new_scratch(bytes, &queue->scratch_bytes);
    KD_CUDA(cudaMemsetAsync(queue->scratch, 0, COUNTER_BYTES, queue->stream));
    return of_scratch(queue);
}

unsigned *kd_cuda_counter(struct kd_queue *queue)
{
    return (unsigned *)queue->scratch;
}

static void cuda_close(struct kd_queue *queue)
{
    if (!queue)
        return;
    KD_CUDA(cudaStreamSynchronize(queue->stream));
    kd_range_tables_free(queue);
    kd_lt_close(queue);
    for (int i = 0; i < KD_MARKS; i++)
        if (queue->marks[i])
            KD_CUDA(cudaEventDestroy(queue->marks[i]));
    free_scratch(queue);
    free_retired(queue);
    KD_CUDA(cudaStreamDestroy(queue->stream));
    free(queue);
}

static void cuda_copy_in(struct kd_queue *queue, void *device, const void *host, size_t bytes)
{
    if (bytes)
        KD_CUDA(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, queue->stream));
}

static void cuda_copy_out(struct kd_queue *queue, void *host, const void *device, size_t bytes)
{
    if (bytes)
        KD_CUDA(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, queue->stream));
}

static void cuda_memory(size_t *free_bytes, size_t *total_bytes)
{
    KD_CUDA(cudaMemGetInfo(free_bytes, total_bytes));
}

/* The first time only: where one is refused, many are. */
static void tell_of_refused_pin(size_t bytes, cudaError_t error)
{
    static bool was_told;
    struct rlimit limit = {};
    char most[40] = "unlimited";
    if (was_told)
        return;
    was_told = true;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        snprintf(most, sizeof most, "%llu bytes", (unsigned long long)limit.rlim_cur);
    kd_warn("copies to and from the GPU are slower than they could be: %zu bytes of host memory "
            "cannot be pinned (%s); the limit of locked memory is %s (`ulimit -l`): raise it if "
            "that is the reason",
            bytes, cudaGetErrorString(error), most);
}

/* What the system does not let be pinned (a limit of locked memory) is copied all the same, by way
 * of the driver's own buffer. */
static void cuda_pin(void *host, size_t bytes)
{
    cudaError_t error = cudaHostRegister(host, bytes, cudaHostRegisterDefault);
    if (error == cudaSuccess)
        return;
    cudaGetLastError(); /* else the next launch would report it */
    tell_of_refused_pin(bytes, error);
}

static void cuda_unpin(void *host)
{
    if (cudaHostUnregister(host) != cudaSuccess)
        cudaGetLastError(); /* it was not pinned */
}

/* ---- waiting */

static void cuda_wait(struct kd_queue *queue)
{
    KD_CUDA(cudaStreamSynchronize(queue->stream));
}

/* Events that sleep, as a rank may wait while another one needs the core. */
static void cuda_mark(struct kd_queue *queue, int i)
{
    if (!queue->marks[i])
        KD_CUDA(cudaEventCreateWithFlags(&queue->marks[i],
                                         cudaEventDisableTiming | cudaEventBlockingSync));
    KD_CUDA(cudaEventRecord(queue->marks[i], queue->stream));
    queue->last_at_marks[i] = queue->last_collective;
}

static void cuda_wait_mark(struct kd_queue *queue, int i)
{
    KD_CUDA(cudaEventSynchronize(queue->marks[i]));
}

/* "Not ready" stays behind as the last error, where the check of the next launch would find it. */
bool kd_cuda_is_ready(cudaError_t error)
{
    if (error == cudaErrorNotReady)
        cudaGetLastError();
    else
        KD_CUDA(error);
    return error == cudaSuccess;
}

static bool cuda_has_passed(struct kd_queue *queue, int i)
{
    return kd_cuda_is_ready(cudaEventQuery(queue->marks[i]));
}

/* A queue that waits while another one is recorded may become part of that. */
static void cuda_wait_for(struct kd_queue *queue, const struct kd_queue *other, int i)
{
    queue->has_recorded |= kd_cuda_is_recording();
    KD_CUDA(cudaStreamWaitEvent(queue->stream, other->marks[i], 0));
    queue->last_collective = kd_max(queue->last_collective, other->last_at_marks[i]);
}

extern "C" {
extern const struct kd_device kd_device_cuda;
extern const struct kd_collectives kd_collectives_nccl; /* nccl.cu */

const struct kd_device kd_device_cuda = {
    .name = "cuda",
    .summary = "NVIDIA GPUs: products by cuBLASLt, the rest own kernels",
    .ops = &cuda_ops,
    .is_host = false,
    .collectives = &kd_collectives_nccl,
    .open = cuda_open,
    .open_urgent = cuda_open_urgent,
    .close = cuda_close,
    .identity = cuda_identity,
    .alloc = cuda_alloc,
    .free = kd_cuda_delete,
    .memory = cuda_memory,
    .copy_in = cuda_copy_in,
    .copy_out = cuda_copy_out,
    .pin = cuda_pin,
    .unpin = cuda_unpin,
    .wait = cuda_wait,
    .mark = cuda_mark,
    .wait_mark = cuda_wait_mark,
    .has_passed = cuda_has_passed,
    .wait_for = cuda_wait_for,
    .record = kd_cuda_record,
    .end_record = kd_cuda_end_record,
    .replay = kd_cuda_replay,
    .free_recording = kd_cuda_free_recording,
    .set_precision = kd_lt_set_precision,
};
}
