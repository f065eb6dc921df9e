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

/* ---- the runtime's calls */

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
    if (stream)
        kd_sim::finish(stream, stream->n_given);
    return kd_sim::result_of(__func__);
}

cudaError_t cudaDeviceSynchronize()
{
    kd_sim::finish_all();
    return kd_sim::result_of(__func__);
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
    return kd_sim::result_of(__func__);
}
