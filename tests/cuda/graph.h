/* graph.h - captures of the sim: what streams are given between cudaStreamBeginCapture and
 * cudaStreamEndCapture, as nodes that come after others, and what CUDA refuses meanwhile.
 *
 * A stream joins a capture by waiting for an event that was recorded in it, and work of its own has
 * to be waited for in turn by the stream with which the capture began. As CUDA has it (CUDA C++
 * programming guide, "Creating a Graph Using Stream Capture"; the runtime's reference for
 * cudaThreadExchangeStreamCaptureMode), a call that is not allowed also spoils the capture, which
 * its end tells:
 *
 *     waiting for a stream that captures, or asking it                            cudaErrorStreamCaptureUnsupported
 *     waiting for an event that was recorded in a capture, or asking it           cudaErrorCapturedEvent
 *     any other waiting, cudaMalloc, cudaFree, copies of host memory that is not
 *         pinned; but not while all captures are relaxed ones                     cudaErrorStreamCaptureUnsupported
 *     a capturing stream that waits for an event from outside                     cudaErrorStreamCaptureIsolation
 *     ... or from another capture                                                 cudaErrorStreamCaptureMerge
 *     a stream that waits for an event of a capture that is over                  cudaErrorCapturedEvent
 *     an end with work that the first stream has not waited for                   cudaErrorStreamCaptureUnjoined
 *     an end on another stream than the first                                     cudaErrorStreamCaptureUnmatched
 *     whatever else a stream is given whose capture is spoilt                     cudaErrorStreamCaptureInvalidated
 *
 * A graph does its nodes one after the other, in an order that their dependencies allow: those of
 * streams that joined as late as can be, or with KATYDID_SIM_GRAPH=early as early. So who forgets
 * to wait sees wrong values with one of the two. */
#ifndef KD_TESTS_CUDA_GRAPH_H
#define KD_TESTS_CUDA_GRAPH_H

#include "tests/cuda/stream.h"

struct kd_sim_node {
    kd_sim::work work;
    std::vector<int> after;
    bool is_aside; /* of a stream that joined */
};

/* Of CUDA both the graph and what is made of it to be launched, whose nodes lie in the order in
 * which they are done. */
struct kd_sim_graph {
    std::vector<kd_sim_node> nodes;
};

struct kd_sim_capture {
    kd_sim_stream *origin;
    cudaStreamCaptureMode mode;
    bool is_spoilt = false, is_over = false;
    kd_sim_graph graph;
};

namespace kd_sim
{

/* To the capture of a stream that has one. */
void capture(kd_sim_stream *stream, work work);

/* cudaSuccess where nothing captures; else captures are spoilt, and the error. */
cudaError_t check_unsafe();                            /* of calls that might wait for any stream */
cudaError_t check_stream(const kd_sim_stream *stream); /* that wait for this one, or ask it */
cudaError_t check_event(const kd_sim_event *event);    /* likewise */

/* Of what a stream is given: cudaSuccess unless it captures for a spoilt capture, which takes no
 * more until its end. */
cudaError_t check_capture(const kd_sim_stream *stream);

/* What a stream is given next comes after an event, where one of the two is of a capture. */
bool is_of_capture(const kd_sim_stream *stream, const kd_sim_event *event);
cudaError_t come_after(kd_sim_stream *stream, const kd_sim_event *event);

} // namespace kd_sim

#endif
