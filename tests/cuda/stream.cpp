#include "tests/cuda/stream.h"

#include <stdlib.h>
#include <string.h>

#include <set>

#include "tests/cuda/memory.h"

static std::set<kd_sim_stream *> streams;

static bool is_eager()
{
    const char *text = getenv("KATYDID_SIM_STREAMS");
    return text && strcmp(text, "eager") == 0;
}

static void do_now(const std::function<void()> &work)
{
    kd_sim::memory_access access;
    work();
}

void kd_sim::give(cudaStream_t stream, std::function<void()> work)
{
    if (!stream) {
        do_now(work);
        return;
    }
    if (stream->capture) {
        stream->capture->work.push_back(std::move(work));
        return;
    }
    stream->work.push_back(std::move(work));
    stream->n_given++;
    if (is_eager())
        finish(stream, stream->n_given);
}

void kd_sim::finish(kd_sim_stream *stream, uint64_t at)
{
    while (stream->n_done < at && !stream->work.empty()) {
        std::function<void()> work = std::move(stream->work.front());
        stream->work.pop_front();
        stream->n_done++;
        do_now(work);
    }
}

void kd_sim::finish_all()
{
    for (kd_sim_stream *stream : streams)
        finish(stream, stream->n_given);
}

bool kd_sim::is_capturing()
{
    for (kd_sim_stream *stream : streams)
        if (stream->capture)
            return true;
    return false;
}

static bool is_held;

void kd_sim::hold(bool held)
{
    is_held = held;
}

/* ---- the runtime's calls */

/* Of calls that wait. */
static cudaError_t result_of_waiting(const char *name)
{
    return kd_sim::is_capturing() ? cudaErrorStreamCaptureUnsupported : kd_sim::count_call(name);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    cudaError_t result = kd_sim::result_of(__func__);
    if (result == cudaSuccess)
        streams.insert(*stream = new kd_sim_stream);
    return result;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    kd_sim::finish(stream, stream->n_given);
    streams.erase(stream);
    delete stream;
    return kd_sim::result_of(__func__);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (is_held)
        kd_sim::die("the host waits without a deadline for a stream that is never done");
    if (stream)
        kd_sim::finish(stream, stream->n_given);
    return result_of_waiting(__func__);
}

/* Who asks gives the stream the time to be done. */
cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    if (is_held)
        return cudaErrorNotReady;
    kd_sim::finish(stream, stream->n_given);
    return result_of_waiting(__func__);
}

/* The event as it is recorded now. */
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    kd_sim_event until = *event;
    if (until.stream)
        kd_sim::give(stream, [until] { kd_sim::finish(until.stream, until.at); });
    return kd_sim::result_of(__func__);
}

cudaError_t cudaDeviceSynchronize()
{
    kd_sim::finish_all();
    return result_of_waiting(__func__);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new kd_sim_event;
    return kd_sim::result_of(__func__);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return kd_sim::result_of(__func__);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    *event = {stream, stream->n_given};
    return kd_sim::result_of(__func__);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    if (event->stream)
        kd_sim::finish(event->stream, event->at);
    return result_of_waiting(__func__);
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    if (is_held)
        return cudaErrorNotReady;
    return cudaEventSynchronize(event);
}

/* ---- graphs */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    if (stream->capture)
        return cudaErrorInvalidValue;
    stream->capture = new kd_sim_graph;
    return kd_sim::count_call(__func__);
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    if (!stream->capture)
        return cudaErrorInvalidValue;
    *graph = stream->capture;
    stream->capture = NULL;
    return kd_sim::result_of(__func__);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    *exec = new kd_sim_graph(*graph);
    return kd_sim::count_call(__func__);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    for (const std::function<void()> &work : exec->work)
        kd_sim::give(stream, work);
    return kd_sim::count_call(__func__);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return kd_sim::result_of(__func__);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return kd_sim::result_of(__func__);
}
