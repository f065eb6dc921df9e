/* test_capture.cpp - captures of the sim (graph.h): forks and joins, what spoils one, and in which
 * order a graph does its work. */
#include "tests/cuda/graph.h"

#include <stdlib.h>

#include <string>

#include "tests/cuda/child.h"

/* Two streams and an event of each; what is done is written down. */
struct bench {
    cudaStream_t main, side;
    cudaEvent_t on_main, on_side;
    cudaGraph_t graph;
    std::string done;
};

static struct bench bench_new()
{
    struct bench b = {};
    cudaStreamCreateWithFlags(&b.main, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&b.side, cudaStreamNonBlocking);
    cudaEventCreateWithFlags(&b.on_main, cudaEventDisableTiming);
    cudaEventCreateWithFlags(&b.on_side, cudaEventDisableTiming);
    return b;
}

static void bench_free(struct bench *b)
{
    if (b->graph)
        cudaGraphDestroy(b->graph);
    cudaEventDestroy(b->on_main);
    cudaEventDestroy(b->on_side);
    cudaStreamDestroy(b->main);
    cudaStreamDestroy(b->side);
}

static void write(struct bench *b, cudaStream_t stream, char letter)
{
    kd_sim::give_simple(stream, [b, letter] { b->done += letter; });
}

static void begin(struct bench *b, cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal)
{
    assert_int_equal(cudaStreamBeginCapture(b->main, mode), cudaSuccess);
}

static cudaError_t end(struct bench *b)
{
    return cudaStreamEndCapture(b->main, &b->graph);
}

static void fork(struct bench *b)
{
    assert_int_equal(cudaEventRecord(b->on_main, b->main), cudaSuccess);
    assert_int_equal(cudaStreamWaitEvent(b->side, b->on_main, 0), cudaSuccess);
}

static void join(struct bench *b)
{
    assert_int_equal(cudaEventRecord(b->on_side, b->side), cudaSuccess);
    assert_int_equal(cudaStreamWaitEvent(b->main, b->on_side, 0), cudaSuccess);
}

/* What a graph made now does when it is launched, twice if need be. */
static std::string launch(struct bench *b)
{
    cudaGraphExec_t exec;
    b->done.clear();
    assert_int_equal(cudaGraphInstantiate(&exec, b->graph, 0), cudaSuccess);
    assert_int_equal(cudaGraphLaunch(exec, b->main), cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(b->main), cudaSuccess);
    cudaGraphExecDestroy(exec);
    return b->done;
}

/* a, then x beside b, then c. */
static void capture_a_fork(struct bench *b, bool joins)
{
    begin(b);
    write(b, b->main, 'a');
    fork(b);
    write(b, b->side, 'x');
    write(b, b->main, 'b');
    if (joins)
        join(b);
    write(b, b->main, 'c');
}

static void a_stream_joins_by_an_event_and_its_work_comes_when_it_may(void **)
{
    struct bench b = bench_new();
    capture_a_fork(&b, true);
    assert_string_equal(b.done.c_str(), "");
    assert_int_equal(end(&b), cudaSuccess);
    assert_string_equal(launch(&b).c_str(), "abxc");
    setenv("KATYDID_SIM_GRAPH", "early", 1);
    assert_string_equal(launch(&b).c_str(), "axbc");
    unsetenv("KATYDID_SIM_GRAPH");
    write(&b, b.side, 'y'); /* it captures no more */
    cudaStreamSynchronize(b.side);
    assert_string_equal(b.done.c_str(), "axbcy");
    bench_free(&b);
}

static void work_of_a_stream_that_nobody_waits_for_fails_at_the_end(void **)
{
    struct bench b = bench_new();
    capture_a_fork(&b, false);
    assert_int_equal(end(&b), cudaErrorStreamCaptureUnjoined);
    assert_null(b.graph);
    begin(&b); /* and the streams are free again */
    fork(&b);
    join(&b);
    assert_int_equal(end(&b), cudaSuccess);
    bench_free(&b);
}

static void work_after_a_join_has_to_be_joined_again(void **)
{
    struct bench b = bench_new();
    capture_a_fork(&b, true);
    write(&b, b.side, 'y');
    assert_int_equal(end(&b), cudaErrorStreamCaptureUnjoined);
    bench_free(&b);
}

static void the_end_is_that_of_the_first_stream(void **)
{
    struct bench b = bench_new();
    begin(&b);
    fork(&b);
    assert_int_equal(cudaStreamEndCapture(b.side, &b.graph), cudaErrorStreamCaptureUnmatched);
    assert_int_equal(end(&b), cudaErrorStreamCaptureInvalidated);
    assert_int_equal(end(&b), cudaErrorIllegalState);
    bench_free(&b);
}

/* ---- what is refused, and spoils the capture */

static void assert_spoils(cudaError_t (*call)(struct bench *), cudaError_t wanted)
{
    struct bench b = bench_new();
    begin(&b);
    fork(&b);
    assert_int_equal(call(&b), wanted);
    assert_int_equal(end(&b), cudaErrorStreamCaptureInvalidated);
    assert_null(b.graph);
    bench_free(&b);
}

static void a_capturing_stream_is_not_waited_for_nor_asked(void **)
{
    assert_spoils([](bench *b) { return cudaStreamSynchronize(b->main); },
                  cudaErrorStreamCaptureUnsupported);
    assert_spoils([](bench *b) { return cudaStreamSynchronize(b->side); },
                  cudaErrorStreamCaptureUnsupported);
    assert_spoils([](bench *b) { return cudaStreamQuery(b->side); },
                  cudaErrorStreamCaptureUnsupported);
    assert_spoils([](bench *) { return cudaDeviceSynchronize(); },
                  cudaErrorStreamCaptureUnsupported);
}

static void a_captured_event_is_not_waited_for_nor_asked(void **)
{
    assert_spoils([](bench *b) { return cudaEventSynchronize(b->on_main); },
                  cudaErrorCapturedEvent);
    assert_spoils([](bench *b) { return cudaEventQuery(b->on_main); }, cudaErrorCapturedEvent);
}

static void memory_is_not_allocated_nor_freed_unless_the_capture_is_relaxed(void **)
{
    void *memory;
    assert_spoils([](bench *) { return cudaFree(NULL); }, cudaErrorStreamCaptureUnsupported);
    assert_spoils(
        [](bench *) {
            void *none;
            return cudaMalloc(&none, 1);
        },
        cudaErrorStreamCaptureUnsupported);
    struct bench b = bench_new();
    begin(&b, cudaStreamCaptureModeRelaxed);
    assert_int_equal(cudaMalloc(&memory, 1), cudaSuccess);
    assert_int_equal(cudaFree(memory), cudaSuccess);
    assert_int_equal(end(&b), cudaSuccess);
    bench_free(&b);
}

static void a_relaxed_capture_is_not_waited_for_either(void **)
{
    struct bench b = bench_new();
    begin(&b, cudaStreamCaptureModeRelaxed);
    assert_int_equal(cudaStreamSynchronize(b.side), cudaSuccess); /* that captures nothing */
    assert_int_equal(cudaStreamSynchronize(b.main), cudaErrorStreamCaptureUnsupported);
    assert_int_equal(end(&b), cudaErrorStreamCaptureInvalidated);
    bench_free(&b);
}

static void host_memory_that_is_not_pinned_is_not_copied(void **)
{
    assert_spoils(
        [](bench *b) {
            char host = 0;
            return cudaMemcpyAsync(&host, &host, 1, cudaMemcpyHostToDevice, b->main);
        },
        cudaErrorStreamCaptureUnsupported);
}

/* Until its end, which says so too. */
static void a_spoilt_capture_takes_nothing_more(void **)
{
    struct bench b = bench_new();
    int memory = 0;
    begin(&b);
    fork(&b);
    cudaStreamQuery(b.side);
    assert_int_equal(cudaMemsetAsync(&memory, 1, sizeof memory, b.main),
                     cudaErrorStreamCaptureInvalidated);
    assert_int_equal(cudaEventRecord(b.on_side, b.side), cudaErrorStreamCaptureInvalidated);
    assert_int_equal(cudaStreamWaitEvent(b.side, b.on_main, 0), cudaErrorStreamCaptureInvalidated);
    assert_int_equal(end(&b), cudaErrorStreamCaptureInvalidated);
    assert_int_equal(cudaMemsetAsync(&memory, 1, sizeof memory, b.main), cudaSuccess);
    bench_free(&b);
}

/* ---- other captures, and none */

static void an_event_from_outside_is_not_waited_for(void **)
{
    struct bench b = bench_new();
    cudaEventRecord(b.on_side, b.side);
    begin(&b);
    assert_int_equal(cudaStreamWaitEvent(b.main, b.on_side, 0), cudaErrorStreamCaptureIsolation);
    assert_int_equal(end(&b), cudaErrorStreamCaptureInvalidated);
    bench_free(&b);
}

static void an_event_of_another_capture_is_not_waited_for(void **)
{
    struct bench b = bench_new();
    cudaGraph_t other;
    begin(&b);
    cudaStreamBeginCapture(b.side, cudaStreamCaptureModeThreadLocal);
    cudaEventRecord(b.on_side, b.side);
    assert_int_equal(cudaStreamWaitEvent(b.main, b.on_side, 0), cudaErrorStreamCaptureMerge);
    assert_int_equal(end(&b), cudaErrorStreamCaptureInvalidated);
    assert_int_equal(cudaStreamEndCapture(b.side, &other), cudaErrorStreamCaptureInvalidated);
    bench_free(&b);
}

static void an_event_of_a_capture_that_is_over_is_nobodys(void **)
{
    struct bench b = bench_new();
    begin(&b);
    cudaEventRecord(b.on_main, b.main);
    assert_int_equal(end(&b), cudaSuccess);
    assert_int_equal(cudaStreamWaitEvent(b.side, b.on_main, 0), cudaErrorCapturedEvent);
    assert_int_equal(cudaEventSynchronize(b.on_main), cudaErrorCapturedEvent);
    cudaEventRecord(b.on_main, b.main); /* it is a plain one again */
    assert_int_equal(cudaStreamWaitEvent(b.side, b.on_main, 0), cudaSuccess);
    assert_int_equal(cudaEventSynchronize(b.on_main), cudaSuccess);
    bench_free(&b);
}

static void a_stream_tells_whether_it_captures(void **)
{
    struct bench b = bench_new();
    cudaStreamCaptureStatus status;
    begin(&b);
    cudaStreamIsCapturing(b.side, &status);
    assert_int_equal(status, cudaStreamCaptureStatusNone);
    fork(&b);
    cudaStreamIsCapturing(b.side, &status);
    assert_int_equal(status, cudaStreamCaptureStatusActive);
    cudaStreamQuery(b.side);
    cudaStreamIsCapturing(b.main, &status);
    assert_int_equal(status, cudaStreamCaptureStatusInvalidated);
    end(&b);
    bench_free(&b);
}

/* ---- work that cannot go on yet */

static void a_stream_stays_at_work_that_is_not_done(void **)
{
    struct bench b = bench_new();
    int n_asked = 0;
    kd_sim::give(b.main, [&] { return ++n_asked == 3; });
    write(&b, b.main, 'a');
    cudaEventRecord(b.on_main, b.main);
    assert_int_equal(cudaEventQuery(b.on_main), cudaErrorNotReady);
    assert_int_equal(cudaStreamQuery(b.main), cudaErrorNotReady);
    assert_string_equal(b.done.c_str(), "");
    assert_int_equal(cudaEventSynchronize(b.on_main), cudaSuccess);
    assert_int_equal(n_asked, 3);
    assert_string_equal(b.done.c_str(), "a");
    bench_free(&b);
}

/* ---- the last error */

static void an_error_stays_behind_until_it_is_asked_for(void **)
{
    int count;
    kd_sim::fail_call("cudaGetDeviceCount", cudaErrorNoDevice);
    cudaGetDeviceCount(&count);
    kd_sim::fail_call(NULL, cudaSuccess);
    assert_int_equal(cudaGetDeviceCount(&count), cudaSuccess);
    assert_int_equal(cudaGetLastError(), cudaErrorNoDevice);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
}

static void a_question_that_is_not_answered_yet_leaves_an_error_too(void **)
{
    struct bench b = bench_new();
    kd_sim::give(b.main, [n = 0]() mutable { return ++n == 2; });
    cudaGetLastError();
    assert_int_equal(cudaStreamQuery(b.main), cudaErrorNotReady);
    assert_int_equal(cudaGetLastError(), cudaErrorNotReady);
    bench_free(&b);
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_joins_by_an_event_and_its_work_comes_when_it_may),
        cmocka_unit_test(work_of_a_stream_that_nobody_waits_for_fails_at_the_end),
        cmocka_unit_test(work_after_a_join_has_to_be_joined_again),
        cmocka_unit_test(the_end_is_that_of_the_first_stream),
        cmocka_unit_test(a_capturing_stream_is_not_waited_for_nor_asked),
        cmocka_unit_test(a_captured_event_is_not_waited_for_nor_asked),
        cmocka_unit_test(memory_is_not_allocated_nor_freed_unless_the_capture_is_relaxed),
        cmocka_unit_test(a_relaxed_capture_is_not_waited_for_either),
        cmocka_unit_test(host_memory_that_is_not_pinned_is_not_copied),
        cmocka_unit_test(a_spoilt_capture_takes_nothing_more),
        cmocka_unit_test(an_event_from_outside_is_not_waited_for),
        cmocka_unit_test(an_event_of_another_capture_is_not_waited_for),
        cmocka_unit_test(an_event_of_a_capture_that_is_over_is_nobodys),
        cmocka_unit_test(a_stream_tells_whether_it_captures),
        cmocka_unit_test(a_stream_stays_at_work_that_is_not_done),
        cmocka_unit_test(an_error_stays_behind_until_it_is_asked_for),
        cmocka_unit_test(a_question_that_is_not_answered_yet_leaves_an_error_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
