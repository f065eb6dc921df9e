#include "tests/cuda/stream.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <set>

#include "tests/cuda/graph.h"
#include "tests/cuda/memory.h"

static std::set<kd_sim_stream *> streams;

/* The one that was created first of those there are. */
static bool is_eldest(const kd_sim_stream *stream)
{
    for (const kd_sim_stream *other : streams)
        if (other->number < stream->number)
            return false;
    return true;
}

static bool is_eager(const kd_sim_stream *stream)
{
    const char *text = getenv("KATYDID_SIM_STREAMS");
    if (!text)
        return false;
    return strcmp(text, "eager") == 0 || (strcmp(text, "beside") == 0 && !is_eldest(stream));
}

static bool do_now(const kd_sim::work &work)
{
    kd_sim::memory_access access;
    return work();
}

void kd_sim::give(cudaStream_t stream, kd_sim::work work)
{
    if (stream && stream->capture) {
        capture(stream, std::move(work));
        return;
    }
    if (!stream) {
        while (!do_now(work))
            sched_yield();
        return;
    }
    stream->work.push_back(std::move(work));
    stream->n_given++;
    if (is_eager(stream))
        finish(stream, stream->n_given);
}

void kd_sim::give_simple(cudaStream_t stream, std::function<void()> work)
{
    give(stream, [work = std::move(work)] {
        work();
        return true;
    });
}

/* Work may itself let other streams get on, but not this one: what is being done is not in the
 * queue meanwhile. */
bool kd_sim::finish(kd_sim_stream *stream, uint64_t at)
{
    while (stream->n_done < at && !stream->work.empty() && !stream->is_busy) {
        stream->is_busy = true;
        bool done = do_now(stream->work.front());
        stream->is_busy = false;
        if (!done)
            return false;
        stream->work.pop_front();
        stream->n_done++;
    }
    return stream->n_done >= at || stream->work.empty();
}

/* What was given to a stream that is no more was done before its end. */
static bool has_done(kd_sim_stream *stream, uint64_t at)
{
    return !streams.count(stream) || kd_sim::finish(stream, at);
}

bool kd_sim::finish_all()
{
    bool done = true;
    for (kd_sim_stream *stream : streams)
        done = finish(stream, stream->n_given) && done;
    return done;
}

void kd_sim::each_stream(const std::function<void(kd_sim_stream *)> &look)
{
    for (kd_sim_stream *stream : streams)
        look(stream);
}

void kd_sim::count_unless_captured(cudaStream_t stream, const char *call)
{
    if (!stream || !stream->capture)
        count_call(call);
}

bool kd_sim::takes_launch(cudaStream_t stream)
{
    return check_capture(stream) == cudaSuccess;
}

void kd_sim::check_gpu(cudaStream_t stream, const char *kernel)
{
    int gpu;
    cudaGetDevice(&gpu);
    if (stream && stream->gpu != gpu)
        die("%s is launched on a stream of GPU %d, and GPU %d is set", kernel, stream->gpu, gpu);
}

static bool is_held;

void kd_sim::hold(bool held)
{
    is_held = held;
}

static void wait_until(const std::function<bool()> &is_done)
{
    if (is_held)
        kd_sim::die("the host waits without a deadline for a stream that is never done");
    while (!is_done())
        sched_yield(); /* other ranks are to come */
}

static bool is_done(kd_sim_stream *stream)
{
    return !stream || kd_sim::finish(stream, stream->n_given);
}

/* A call that refuses has no effect; one that is told to fail has. */
static cudaError_t end_waiting(const char *name, const std::function<bool()> &is_done)
{
    wait_until(is_done);
    return kd_sim::count_call(name);
}

static cudaError_t ask(const char *name, const std::function<bool()> &is_done)
{
    if (is_held || !is_done())
        return kd_sim::returned(cudaErrorNotReady);
    return kd_sim::count_call(name);
}

/* ---- the runtime's calls */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    cudaError_t result = kd_sim::result_of(__func__);
    if (result == cudaSuccess)
        streams.insert(*stream = new kd_sim_stream);
    static int number;
    if (result == cudaSuccess)
        (*stream)->number = number++, cudaGetDevice(&(*stream)->gpu);
    return result;
}

/* As on a GPU: the lower the number the more urgent. */
cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest)
{
    *least = 0;
    *greatest = -5;
    return kd_sim::result_of(__func__);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int priority)
{
    cudaError_t result = kd_sim::count_call(__func__);
    if (result == cudaSuccess)
        result = cudaStreamCreateWithFlags(stream, flags);
    if (result == cudaSuccess)
        (*stream)->priority = priority;
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
    cudaError_t refused = kd_sim::check_stream(stream);
    return refused ? refused : end_waiting(__func__, [=] { return is_done(stream); });
}

/* Who asks gives the stream the time to be done. */
cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    cudaError_t refused = kd_sim::check_stream(stream);
    return refused ? refused : ask(__func__, [=] { return is_done(stream); });
}

/* The event as it is recorded now. */
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    if (kd_sim::is_of_capture(stream, event)) {
        cudaError_t result = kd_sim::come_after(stream, event);
        return result ? result : kd_sim::result_of(__func__);
    }
    kd_sim_event until = *event;
    if (until.stream)
        kd_sim::give(stream, [until] { return has_done(until.stream, until.at); });
    return kd_sim::result_of(__func__);
}

cudaError_t cudaDeviceSynchronize()
{
    cudaError_t refused = kd_sim::check_unsafe();
    return refused ? refused : end_waiting(__func__, kd_sim::finish_all);
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
    cudaError_t refused = kd_sim::check_capture(stream);
    if (refused)
        return refused;
    *event = {stream, stream->n_given, stream->capture, stream->tips};
    return kd_sim::result_of(__func__);
}

static bool has_passed(const kd_sim_event *event)
{
    return !event->stream || has_done(event->stream, event->at);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    cudaError_t refused = kd_sim::check_event(event);
    return refused ? refused : end_waiting(__func__, [=] { return has_passed(event); });
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    cudaError_t refused = kd_sim::check_event(event);
    return refused ? refused : ask(__func__, [=] { return has_passed(event); });
}
