#include "kernels/cuda/recording.h"

#include <stdlib.h>
#include <string.h>

struct link {
    struct kd_recorded recorded;
    struct link *next;
};

struct kd_recording {
    cudaGraphExec_t graph;       /* NULL: what was recorded cannot be done */
    enum kd_precision precision; /* of the queue, when it was recorded */
    struct link *first, **end;   /* in the order in which it was recorded */
};

/* A thread records one thing at a time. */
static thread_local struct kd_recording *under_way;

bool kd_cuda_is_recording(void)
{
    return under_way != NULL;
}

bool kd_cuda_is_recorded(const struct kd_queue *queue)
{
    cudaStreamCaptureStatus status;
    KD_CUDA(cudaStreamIsCapturing(queue->stream, &status));
    return status != cudaStreamCaptureStatusNone;
}

void kd_cuda_keep_recorded(struct kd_recorded recorded)
{
    kd_assert(under_way != NULL);
    struct link *link = KD_NEW(struct link);
    link->recorded = recorded;
    *under_way->end = link;
    under_way->end = &link->next;
}

static bool can_be_done(const struct kd_recording *recording)
{
    for (const struct link *link = recording->first; link; link = link->next)
        if (!link->recorded.can_be_done(link->recorded.ud))
            return false;
    return true;
}

bool kd_cuda_recording_is_lost()
{
    return under_way && !can_be_done(under_way);
}

bool kd_cuda_record(struct kd_queue *queue)
{
    const char *told = getenv(KD_CUDA_GRAPH);
    if (told && strcmp(told, "0") == 0)
        return false;
    kd_assert(!under_way);
    KD_CUDA(cudaStreamBeginCapture(queue->stream, cudaStreamCaptureModeThreadLocal));
    under_way = KD_NEW(struct kd_recording);
    under_way->end = &under_way->first;
    return true;
}

/* Branches keep the priority of the queue that they were recorded on. */
static void instantiate(struct kd_recording *recording, cudaGraph_t graph)
{
    KD_CUDA(
        cudaGraphInstantiate(&recording->graph, graph, cudaGraphInstantiateFlagUseNodePriority));
}

/* A sum that fails while it is recorded may leave nothing that could be a graph, and who waits for
 * it is told why. */
struct kd_recording *kd_cuda_end_record(struct kd_queue *queue)
{
    struct kd_recording *recording = under_way;
    cudaGraph_t graph = NULL;
    under_way = NULL;
    recording->precision = queue->precision;
    queue->has_recorded = true;
    cudaError_t error = cudaStreamEndCapture(queue->stream, &graph);
    if (can_be_done(recording)) {
        kd_cuda_check(error, "cudaStreamEndCapture", __FILE__, __LINE__);
        instantiate(recording, graph);
    } else {
        cudaGetLastError(); /* it is dealt with, and no launch's */
    }
    if (graph)
        KD_CUDA(cudaGraphDestroy(graph));
    return recording;
}

bool kd_cuda_replay(struct kd_queue *queue, struct kd_recording *recording)
{
    if (recording->precision != queue->precision)
        return false;
    if (!recording->graph || !can_be_done(recording))
        return true;
    KD_CUDA(cudaGraphLaunch(recording->graph, queue->stream));
    for (const struct link *link = recording->first; link; link = link->next)
        link->recorded.is_replayed(link->recorded.ud, queue);
    return true;
}

void kd_cuda_free_recording(struct kd_recording *recording)
{
    if (recording->graph)
        KD_CUDA(cudaGraphExecDestroy(recording->graph));
    while (recording->first) {
        struct link *link = recording->first;
        recording->first = link->next;
        link->recorded.is_dropped(link->recorded.ud);
        free(link);
    }
    free(recording);
}
