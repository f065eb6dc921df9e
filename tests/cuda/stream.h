/* stream.h - the sim device's order of work: what a stream is given is done when somebody waits for
 * it, and no earlier.
 *
 * So a program that reads a result, or writes over what a copy is still to read, before it waited
 * sees what it would see on the slowest of all GPUs. KATYDID_SIM_STREAMS=eager: everything is done
 * at once, as on the fastest. beside: that holds for all streams but the eldest, so that what they
 * are given runs ahead of that as far as it is let.
 *
 * Work may be unable to go on yet, as a sum over ranks is whose other ranks have not come: then the
 * stream stays where it is until it is asked again. What a stream is given while it captures is
 * graph.h's. */
#ifndef KD_TESTS_CUDA_STREAM_H
#define KD_TESTS_CUDA_STREAM_H

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "tests/cuda/block.h"
#include "tests/cuda/runtime.h"

struct kd_sim_capture; /* graph.h */

namespace kd_sim
{
using work = std::function<bool()>; /* is it done? Else it is asked again */
}

struct kd_sim_stream {
    std::deque<kd_sim::work> work;
    uint64_t n_given = 0, n_done = 0;
    bool is_busy = false; /* it is being asked */
    int priority = 0;
    int number = 0;                          /* in the order in which they were created */
    int gpu = 0;                             /* that it was created for */
    std::shared_ptr<kd_sim_capture> capture; /* what it captures for; NULL: nothing */
    std::vector<int> tips;                   /* the nodes that its next one comes after */
};

struct kd_sim_event {
    kd_sim_stream *stream = NULL; /* NULL: never recorded */
    uint64_t at = 0;              /* done when the stream has done so many */
    std::shared_ptr<kd_sim_capture>
        capture; /* it was recorded in this one; then nobody can wait for it but streams */
    std::vector<int> tips;
};

namespace kd_sim
{

/* At the end of the stream; the NULL stream does it at once. */
void give(cudaStream_t stream, work work);
void give_simple(cudaStream_t stream, std::function<void()> work); /* that is always done */

/* As far as it goes; has the stream done so many? */
bool finish(kd_sim_stream *stream, uint64_t at);
bool finish_all(); /* likewise, of all streams */
void each_stream(const std::function<void(kd_sim_stream *)> &look);
void hold(bool held); /* from now on a stream that is asked is not done */

void count_unless_captured(cudaStream_t stream, const char *call);

/* Whether its capture, if it has one, takes a launch; else that is the thread's last error. */
bool takes_launch(cudaStream_t stream);

/* Ends the program where the stream is not of the GPU that is set: CUDA launches nothing there. */
void check_gpu(cudaStream_t stream, const char *kernel);

/* A launch, its arguments as they are now. */
template <class Kernel, class... Args>
void give_launch(cudaStream_t stream, const char *name, dim3 grid, dim3 size, size_t dynamic_bytes,
                 Kernel kernel, Args... args)
{
    check_gpu(stream, name);
    if (!takes_launch(stream))
        return;
    count_unless_captured(stream, "cudaLaunchKernel");
    give_simple(stream, [=] { launch(name, grid, size, dynamic_bytes, kernel, args...); });
}

} // namespace kd_sim

#endif
