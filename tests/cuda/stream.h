/* stream.h - the sim device's order of work: what a stream is given is done when somebody waits for it, and no earlier.
 *
 * So a program that reads a result, or writes over what a copy is still to read, before it waited sees what it would see on the
 * slowest of all GPUs. KATYDID_SIM_STREAMS=eager: everything is done at once, as on the fastest.
 *
 * A stream that captures keeps what it is given, as a graph; whoever waits, allocates or frees meanwhile gets an error, as CUDA has it
 * (cudaErrorStreamCaptureUnsupported). */
#ifndef KD_TESTS_CUDA_STREAM_H
#define KD_TESTS_CUDA_STREAM_H

#include <deque>
#include <functional>
#include <vector>

#include "tests/cuda/block.h"
#include "tests/cuda/runtime.h"

struct kd_sim_stream {
    std::deque<std::function<void()>> work;
    uint64_t n_given = 0, n_done = 0;
    kd_sim_graph *capture = NULL; /* what is captured; NULL: nothing is */
};

/* Of CUDA both the graph and what is made of it to be launched. */
struct kd_sim_graph {
    std::vector<std::function<void()>> work;
};

struct kd_sim_event {
    kd_sim_stream *stream = NULL; /* NULL: never recorded */
    uint64_t at = 0;              /* done when the stream has done so many */
};

namespace kd_sim
{

/* At the end of the stream; the NULL stream does it at once. */
void give(cudaStream_t stream, std::function<void()> work);

void finish(kd_sim_stream *stream, uint64_t at);
void finish_all();    /* of all streams */
bool is_capturing();  /* any of them */
void hold(bool held); /* from now on a stream that is asked is not done */

/* A launch, its arguments as they are now. */
template <class Kernel, class... Args>
void give_launch(cudaStream_t stream, const char *name, dim3 grid, dim3 size, size_t dynamic_bytes,
                 Kernel kernel, Args... args)
{
    give(stream, [=] { launch(name, grid, size, dynamic_bytes, kernel, args...); });
}

} // namespace kd_sim

#endif
