#include "tests/cuda/graph.h"

#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <set>

static std::set<kd_sim_capture *> captures; /* under way */

static cudaError_t spoil(kd_sim_capture *capture, cudaError_t error)
{
    capture->is_spoilt = true;
    return kd_sim::returned(error);
}

/* ---- what is captured */

static int add_node(kd_sim_stream *stream, kd_sim::work work)
{
    std::vector<kd_sim_node> &nodes = stream->capture->graph.nodes;
    bool is_aside = stream != stream->capture->origin;
    nodes.push_back({std::move(work), stream->tips, is_aside});
    return (int)nodes.size() - 1;
}

void kd_sim::capture(kd_sim_stream *stream, kd_sim::work work)
{
    stream->tips = {add_node(stream, std::move(work))};
}

/* ---- what is refused */

cudaError_t kd_sim::check_unsafe()
{
    cudaError_t error = cudaSuccess;
    for (kd_sim_capture *capture : captures)
        if (capture->mode != cudaStreamCaptureModeRelaxed)
            error = spoil(capture, cudaErrorStreamCaptureUnsupported);
    return error;
}

cudaError_t kd_sim::check_capture(const kd_sim_stream *stream)
{
    bool is_refused = stream && stream->capture && stream->capture->is_spoilt;
    return returned(is_refused ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
}

cudaError_t kd_sim::check_stream(const kd_sim_stream *stream)
{
    if (stream && stream->capture)
        return spoil(stream->capture.get(), cudaErrorStreamCaptureUnsupported);
    return check_unsafe();
}

cudaError_t kd_sim::check_event(const kd_sim_event *event)
{
    if (event->capture)
        return spoil(event->capture.get(), cudaErrorCapturedEvent);
    return check_unsafe();
}

/* ---- forks and joins */

bool kd_sim::is_of_capture(const kd_sim_stream *stream, const kd_sim_event *event)
{
    return (stream && stream->capture) || event->capture;
}

static void add_tips(kd_sim_stream *stream, const std::vector<int> &tips)
{
    for (int tip : tips)
        if (std::find(stream->tips.begin(), stream->tips.end(), tip) == stream->tips.end())
            stream->tips.push_back(tip);
}

cudaError_t kd_sim::come_after(kd_sim_stream *stream, const kd_sim_event *event)
{
    cudaError_t refused = check_capture(stream);
    if (refused)
        return refused;
    if (!event->capture) /* one that was never recorded is nothing to wait for */
        return event->stream ? spoil(stream->capture.get(), cudaErrorStreamCaptureIsolation)
                             : cudaSuccess;
    if (event->capture->is_spoilt && !event->capture->is_over)
        return returned(cudaErrorStreamCaptureInvalidated);
    if (event->capture->is_over)
        return stream->capture ? spoil(stream->capture.get(), cudaErrorCapturedEvent)
                               : returned(cudaErrorCapturedEvent);
    if (stream->capture && stream->capture != event->capture) {
        spoil(event->capture.get(), cudaErrorStreamCaptureMerge);
        return spoil(stream->capture.get(), cudaErrorStreamCaptureMerge);
    }
    stream->capture = event->capture;
    add_tips(stream, event->tips);
    return cudaSuccess;
}

/* ---- the end */

static std::vector<bool> those_before(const kd_sim_graph &graph, const std::vector<int> &tips)
{
    std::vector<bool> before(graph.nodes.size());
    for (int tip : tips)
        before[(size_t)tip] = true;
    for (size_t i = graph.nodes.size(); i-- > 0;)
        for (int other : graph.nodes[i].after)
            if (before[i])
                before[(size_t)other] = true;
    return before;
}

static bool is_joined(const kd_sim_capture *capture)
{
    std::vector<bool> before = those_before(capture->graph, capture->origin->tips);
    return std::find(before.begin(), before.end(), false) == before.end();
}

static cudaError_t result_of_capture(const kd_sim_capture *capture)
{
    if (capture->is_spoilt)
        return cudaErrorStreamCaptureInvalidated;
    return is_joined(capture) ? cudaSuccess : cudaErrorStreamCaptureUnjoined;
}

static void leave_capture(kd_sim_stream *stream)
{
    stream->capture.reset();
    stream->tips.clear();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode)
{
    if (stream->capture)
        return kd_sim::returned(cudaErrorIllegalState);
    stream->capture = std::make_shared<kd_sim_capture>(
        kd_sim_capture{.origin = stream, .mode = mode, .graph = {}});
    captures.insert(stream->capture.get());
    return kd_sim::count_call(__func__);
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = NULL;
    std::shared_ptr<kd_sim_capture> capture = stream->capture;
    if (!capture)
        return kd_sim::returned(cudaErrorIllegalState);
    if (capture->origin != stream)
        return spoil(capture.get(), cudaErrorStreamCaptureUnmatched);
    cudaError_t result = result_of_capture(capture.get());
    capture->is_over = true;
    captures.erase(capture.get());
    kd_sim::each_stream([&](kd_sim_stream *other) {
        if (other->capture == capture)
            leave_capture(other);
    });
    if (result == cudaSuccess)
        *graph = new kd_sim_graph(std::move(capture->graph));
    return result == cudaSuccess ? kd_sim::result_of(__func__) : kd_sim::returned(result);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    *status = !stream->capture             ? cudaStreamCaptureStatusNone
              : stream->capture->is_spoilt ? cudaStreamCaptureStatusInvalidated
                                           : cudaStreamCaptureStatusActive;
    return kd_sim::result_of(__func__);
}

/* ---- graphs */

static bool goes_early()
{
    const char *text = getenv("KATYDID_SIM_GRAPH");
    return text && strcmp(text, "early") == 0;
}

/* The next node that is not done and whose turn may come, of those aside first or last; -1:
 * none. */
static int next_of(const kd_sim_graph &graph, const std::vector<bool> &done, bool early)
{
    int found = -1;
    for (size_t i = 0; i < graph.nodes.size(); i++) {
        const kd_sim_node &node = graph.nodes[i];
        bool can = !done[i] && std::all_of(node.after.begin(), node.after.end(),
                                           [&](int other) { return done[(size_t)other]; });
        if (can && node.is_aside == early)
            return (int)i;
        if (can && found < 0)
            found = (int)i;
    }
    return found;
}

/* How many nodes come one after the other at least. */
static long longest_chain(const kd_sim_graph &graph)
{
    std::vector<long> chain;
    for (const kd_sim_node &node : graph.nodes) {
        long longest = 0;
        for (int other : node.after)
            longest = std::max(longest, chain[(size_t)other]);
        chain.push_back(longest + 1);
    }
    return chain.empty() ? 0 : *std::max_element(chain.begin(), chain.end());
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    if (flags & cudaGraphInstantiateFlagUseNodePriority)
        kd_sim::count_call("graphs with priorities");
    kd_sim::note_most("nodes_of_a_graph", (long)graph->nodes.size());
    kd_sim::note_most("longest_chain_of_a_graph", longest_chain(*graph));
    std::vector<bool> done(graph->nodes.size());
    bool early = goes_early();
    *exec = new kd_sim_graph;
    for (int i; (i = next_of(*graph, done, early)) >= 0; done[(size_t)i] = true)
        (*exec)->nodes.push_back(graph->nodes[(size_t)i]);
    return kd_sim::count_call(__func__);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    for (const kd_sim_node &node : exec->nodes)
        kd_sim::give(stream, node.work);
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
