/* test_device.cpp - the CUDA device itself (kernels/cuda/device.cu) on the shim: what it says when
 * something is missing, its memory, and how a failed call ends the process. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernels/cuda/ranges.h"
#include "kernels/cuda/table.h"

extern "C" {
#include "coordinator/base/last_words.h"
#include "kernels/replay.h"
}
#include "tests/cuda/child.h"

extern "C" {
extern const struct kd_device kd_device_cuda;
}

static struct kd_queue *open_queue()
{
    struct kd_error err = {};
    struct kd_queue *queue = NULL;
    if (kd_device_cuda.open(0, &queue, &err) < 0)
        fail_msg("%s", err.text);
    return queue;
}

/* ---- what is missing */

static void assert_open_gives(int status, const char *call, cudaError_t error, const char *what)
{
    struct kd_error err = {};
    struct kd_queue *queue = NULL;
    kd_sim::fail_call(call, error);
    assert_int_equal(kd_device_cuda.open(0, &queue, &err), status);
    kd_sim::fail_call(NULL, cudaSuccess);
    if (!strstr(err.text, what))
        fail_msg("wanted \"%s\", got: %s", what, err.text);
}

static void assert_open_says(const char *call, cudaError_t error, const char *what)
{
    assert_open_gives(-1, call, error, what);
}

static void a_missing_driver_is_named(void **)
{
    assert_open_says("cudaGetDeviceCount", cudaErrorInsufficientDriver,
                     "no NVIDIA driver that serves CUDA 12.0");
}

static void a_missing_gpu_is_named_with_what_hides_it(void **)
{
    setenv("CUDA_VISIBLE_DEVICES", "7", 1);
    assert_open_says("cudaGetDeviceCount", cudaErrorNoDevice, "CUDA_VISIBLE_DEVICES is \"7\"");
    unsetenv("CUDA_VISIBLE_DEVICES");
    assert_open_says("cudaGetDeviceCount", cudaErrorNoDevice, "CUDA_VISIBLE_DEVICES is not set");
}

/* CUDA itself says little of these. */
static void what_keeps_a_gpu_away_is_hinted_at(void **)
{
    static const struct {
        cudaError_t error;
        const char *hint;
    } all[] = {
        {cudaErrorInitializationError, "forked from one that had used CUDA"},
        {cudaErrorStubLibrary, "a toolkit's stub"},
        {cudaErrorDevicesUnavailable, "another process has it for itself"},
        {cudaErrorSystemNotReady, "nvidia-fabricmanager"},
        {cudaErrorSystemDriverMismatch, "different versions"},
        {cudaErrorCompatNotSupportedOnDevice, "cuda-compat"},
        {cudaErrorUnknown, "nvidia-uvm"},
        {cudaErrorNoDevice, "`nvidia-smi -L`"},
    };
    for (const auto &row : all) {
        assert_open_says("cudaGetDeviceCount", row.error, row.hint);
        assert_open_says("cudaSetDevice", row.error, row.hint);
    }
}

static void an_architecture_without_code_is_named_with_those_there_are(void **)
{
    assert_open_says("cudaFuncGetAttributes", cudaErrorNoKernelImageForDevice,
                     "(fibers, architecture 70)");
    assert_open_says("cudaFuncGetAttributes", cudaErrorNoKernelImageForDevice,
                     "-DKATYDID_CUDA_ARCHITECTURES=70");
}

static void a_gpu_without_room_for_cuda_itself_is_told_of(void **)
{
    static const char *const calls[] = {"cudaSetDevice", "cudaFuncGetAttributes",
                                        "cudaStreamCreateWithFlags"};
    for (const char *call : calls)
        assert_open_gives(KD_DEVICE_IS_FULL, call, cudaErrorMemoryAllocation,
                          "out of GPU memory before anything");
}

static void a_gpu_that_takes_no_work_is_told_of(void **)
{
    assert_open_says("cudaStreamCreateWithFlags", cudaErrorIllegalAddress, "takes no work");
}

/* A trial finds the GPU full, and the next one of the same process does not. */
static void an_open_that_failed_is_not_the_next_launchs_error(void **)
{
    static const char *const calls[] = {"cudaGetDeviceCount", "cudaSetDevice",
                                        "cudaFuncGetAttributes", "cudaStreamCreateWithFlags"};
    float *x = static_cast<float *>(kd_device_cuda.alloc(sizeof *x));
    for (const char *call : calls) {
        assert_open_gives(KD_DEVICE_IS_FULL, call, cudaErrorMemoryAllocation, "device cuda: ");
        struct kd_queue *queue = open_queue();
        struct kd_call fill = {};
        fill.op = KD_OP_fill;
        fill.args.fill = {.x = x, .n = 1, .value = 1};
        kd_call_run(&fill, kd_device_cuda.ops, queue);
        kd_device_cuda.close(queue);
    }
    kd_device_cuda.free(x);
}

static void an_urgent_queue_goes_before_others(void **)
{
    struct kd_error err = {};
    struct kd_queue *queue = NULL, *plain = open_queue();
    int least, most;
    cudaDeviceGetStreamPriorityRange(&least, &most);
    assert_int_equal(kd_device_cuda.open_urgent(0, &queue, &err), 0);
    assert_int_equal(queue->stream->priority, most);
    assert_true(plain->stream->priority > most);
    kd_device_cuda.close(queue);
    kd_device_cuda.close(plain);
}

static void a_gpu_that_takes_no_urgent_work_is_told_of(void **)
{
    static const char *const calls[] = {"cudaDeviceGetStreamPriorityRange",
                                        "cudaStreamCreateWithPriority"};
    for (const char *call : calls) {
        struct kd_error err = {};
        struct kd_queue *queue = NULL;
        kd_sim::fail_call(call, cudaErrorInvalidValue);
        assert_int_equal(kd_device_cuda.open_urgent(0, &queue, &err), -1);
        kd_sim::fail_call(NULL, cudaSuccess);
        assert_non_null(strstr(err.text, "takes no work"));
    }
}

/* ---- memory */

static void memory_is_zeroed_and_comes_back_as_it_went(void **)
{
    struct kd_queue *queue = open_queue();
    unsigned char in[1000], out[1000], zeros[1000] = {};
    memset(in, 7, sizeof in);
    void *memory = kd_device_cuda.alloc(sizeof in);
    assert_int_equal((uintptr_t)memory % 64, 0);
    kd_device_cuda.copy_out(queue, out, memory, sizeof out);
    kd_device_cuda.wait(queue);
    assert_memory_equal(out, zeros, sizeof out);
    kd_device_cuda.copy_in(queue, memory, in, sizeof in);
    kd_device_cuda.copy_out(queue, out, memory, sizeof out);
    kd_device_cuda.wait(queue);
    assert_memory_equal(out, in, sizeof out);
    kd_device_cuda.free(memory);
    kd_device_cuda.close(queue);
}

static void nothing_is_fine(void **)
{
    struct kd_queue *queue = open_queue();
    void *memory = kd_device_cuda.alloc(0);
    assert_non_null(memory);
    kd_device_cuda.copy_in(queue, memory, NULL, 0);
    kd_device_cuda.copy_out(queue, NULL, memory, 0);
    kd_device_cuda.free(memory);
    kd_device_cuda.free(NULL);
    kd_device_cuda.close(queue);
    kd_device_cuda.close(NULL);
}

static void scratch_is_kept_until_more_is_asked_for(void **)
{
    struct kd_queue *queue = open_queue();
    char *first = (char *)kd_cuda_scratch(queue, 10);
    assert_ptr_equal(kd_cuda_scratch(queue, 1 << 20), first);
    char *larger = (char *)kd_cuda_scratch(queue, 3 << 20);
    memset(larger, 1, 3 << 20);
    assert_ptr_equal(kd_cuda_scratch(queue, 5), larger);
    kd_device_cuda.close(queue);
}

/* What one rank's other shares make it need must not end its recordings, when the others' go on. */
static void what_was_recorded_goes_on_with_the_scratch_that_it_had(void **)
{
    struct kd_queue *queue = open_queue();
    struct kd_replay replay = {};
    float *x = (float *)kd_device_cuda.alloc(1000 * sizeof *x);
    double *sum = (double *)kd_device_cuda.alloc(sizeof *sum), got = 0;
    const struct kd_op_sum_squares op = {x, 1000, sum};
    std::vector<float> ones(1000, 1.0f);
    int n_given = 0;
    kd_device_cuda.copy_in(queue, x, ones.data(), 1000 * sizeof *x);
    for (int i = 0; i < 5; i++) {
        if (i == 3)
            memset(kd_cuda_scratch(queue, queue->scratch_bytes + 1), 0xff, 1 << 20);
        if (kd_replay_begin(&replay, &kd_device_cuda, queue)) {
            kd_device_cuda.ops->sum_squares(queue, &op);
            n_given++;
            kd_replay_end(&replay, &kd_device_cuda, queue);
        }
    }
    kd_device_cuda.copy_out(queue, &got, sum, sizeof got);
    kd_device_cuda.wait(queue);
    assert_true(got == 1000);
    assert_int_equal(n_given, 2);
    kd_replay_drop(&replay, &kd_device_cuda);
    kd_device_cuda.free(x);
    kd_device_cuda.free(sum);
    kd_device_cuda.close(queue);
}

/* Likewise what another queue did as a branch of the recording. */
static void a_branch_goes_on_with_the_scratch_that_it_had(void **)
{
    struct kd_queue *queue = open_queue(), *aside = open_queue();
    kd_cuda_scratch(aside, 10);
    assert_true(kd_device_cuda.record(queue));
    kd_device_cuda.mark(queue, 0);
    kd_device_cuda.wait_for(aside, queue, 0);
    kd_device_cuda.mark(aside, 0);
    kd_device_cuda.wait_for(queue, aside, 0);
    struct kd_recording *recording = kd_device_cuda.end_record(queue);
    assert_null(aside->retired);
    kd_cuda_scratch(aside, 3 << 20);
    assert_non_null(aside->retired); /* and not freed */
    kd_device_cuda.free_recording(recording);
    kd_device_cuda.close(aside);
    kd_device_cuda.close(queue);
}

static void a_table_of_ranges_is_found_again_by_what_is_in_it(void **)
{
    struct kd_queue *queue = open_queue();
    struct kd_range ranges[4] = {{5000, true}, {0, false}, {1, false}, {4096, true}};
    const struct kd_range_table *table = kd_range_table_get(queue, ranges, 4);
    assert_int_equal(table->n_chunks, 2 + 0 + 1 + 1);
    struct kd_range copy[4];
    memcpy(copy, ranges, sizeof copy);
    assert_ptr_equal(kd_range_table_get(queue, copy, 4), table);
    copy[2].decay = true;
    assert_ptr_not_equal(kd_range_table_get(queue, copy, 4), table);
    assert_ptr_not_equal(kd_range_table_get(queue, ranges, 3), table);
    kd_device_cuda.close(queue);
}

static void a_chunk_lies_in_one_range(void **)
{
    struct kd_queue *queue = open_queue();
    const struct kd_range ranges[4] = {{5000, true}, {0, false}, {1, false}, {4096, true}};
    const struct kd_range_table *table = kd_range_table_get(queue, ranges, 4);
    const struct kd_chunk wanted[] = {{0, 0, 4096, 0, true},
                                      {0, 4096, 904, 4096, true},
                                      {2, 5000, 1, 5000, false},
                                      {3, 5001, 4096, 5008, true}};
    for (int i = 0; i < 4; i++) {
        struct kd_chunk got = kd_chunk_of(table->ranges, 4, i);
        assert_int_equal(got.range, wanted[i].range);
        assert_int_equal(got.start, wanted[i].start);
        assert_int_equal(got.rounded_start, wanted[i].rounded_start);
        assert_int_equal(got.n, wanted[i].n);
        assert_int_equal(got.decay, wanted[i].decay);
    }
    kd_device_cuda.close(queue);
}

/* ---- what ends the process */

static void a_failed_call_ends_the_process_and_says_which(void **)
{
    struct kd_queue *queue = open_queue();
    char text[4096];
    int status = child_of(
        [queue] {
            kd_sim::fail_call("cudaStreamSynchronize", cudaErrorIllegalAddress);
            kd_device_cuda.wait(queue);
        },
        text, sizeof text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
    assert_non_null(strstr(text, "katydid: CUDA: cudaStreamSynchronize(queue->stream) at "));
    assert_non_null(strstr(text, "device.cu:"));
    kd_device_cuda.close(queue);
}

static void out_of_memory_says_how_much_was_asked_and_is_free(void **)
{
    char text[4096];
    int status = child_of(
        [] {
            kd_device_cuda.free(kd_device_cuda.alloc(7000000));
            kd_device_cuda.alloc(5000000);
            kd_sim::fail_call("cudaMalloc", cudaErrorMemoryAllocation);
            kd_device_cuda.alloc(123000000);
        },
        text, sizeof text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == KD_OUT_OF_MEMORY);
    assert_non_null(strstr(text, "out of GPU memory: 0.123 GB asked for (a model"));
    assert_non_null(strstr(text, "this process holds 0.005 GB, 0.268 GB of 1.07 are free, and "
                                 "others (other ranks and programs, and CUDA itself) hold 0.8 GB"));
}

static void scratch_that_does_not_fit_is_out_of_memory(void **)
{
    char text[4096];
    int status = child_of(
        [] {
            struct kd_queue *queue = open_queue();
            kd_sim::fail_call("cudaMalloc", cudaErrorMemoryAllocation);
            kd_cuda_scratch(queue, 123000000);
        },
        text, sizeof text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == KD_OUT_OF_MEMORY);
    assert_non_null(strstr(text, "0.123 GB asked for (what an op needs in passing)"));
}

/* The counter is 0 though ops leave anything in their scratch, also in that which took its
 * place. */
static void the_counter_of_each_scratch_is_0_and_not_part_of_it(void **)
{
    struct kd_queue *queue = open_queue();
    for (size_t bytes : {1 << 20, 3 << 20}) {
        void *scratch = kd_cuda_scratch(queue, bytes);
        cudaMemsetAsync(scratch, 0xff, bytes, queue->stream);
        unsigned count = 1;
        kd_device_cuda.copy_out(queue, &count, kd_cuda_counter(queue), sizeof count);
        kd_device_cuda.wait(queue);
        assert_int_equal(count, 0);
    }
    kd_device_cuda.close(queue);
}

static void a_call_that_finds_no_memory_is_out_of_memory_too(void **)
{
    char text[4096];
    int status = child_of(
        [] {
            struct kd_queue *queue = open_queue();
            kd_sim::fail_call("cudaEventRecord", cudaErrorMemoryAllocation);
            kd_device_cuda.mark(queue, 0);
        },
        text, sizeof text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == KD_OUT_OF_MEMORY);
    assert_non_null(
        strstr(text, "out of GPU memory in cudaEventRecord(queue->marks[i], queue->stream); "));
}

static void out_of_memory_leaves_its_words_for_who_asked(void **)
{
    char text[4096], path[] = "/tmp/katydid-words-XXXXXX", words[1024];
    close(mkstemp(path));
    setenv(KD_LAST_WORDS, path, 1);
    child_of(
        [] {
            kd_sim::fail_call("cudaMalloc", cudaErrorMemoryAllocation);
            kd_device_cuda.alloc(123000000);
        },
        text, sizeof text);
    unsetenv(KD_LAST_WORDS);
    int has_words = kd_last_words_read(path, words, sizeof words);
    unlink(path);
    assert_int_equal(has_words, 1);
    assert_non_null(strstr(text, words));
    assert_memory_equal(words, "out of GPU memory: 0.123 GB", 27);
}

/* Half as much again is asked for first. */
static void scratch_that_fits_only_without_reserve_is_given(void **)
{
    struct kd_queue *queue = open_queue();
    setenv("KATYDID_SIM_LARGEST", "3000000", 1);
    assert_non_null(kd_cuda_scratch(queue, 2500000));
    assert_int_equal(queue->scratch_bytes, 2500000);
    unsetenv("KATYDID_SIM_LARGEST");
    kd_device_cuda.close(queue);
}

static void a_refused_pin_is_said_once_with_the_limit(void **)
{
    char text[4096];
    int status = child_of(
        [] {
            alignas(KD_PAGE) static char host[2][KD_PAGE];
            const struct rlimit limit = {8192, 8192};
            setrlimit(RLIMIT_MEMLOCK, &limit);
            kd_sim::fail_call("cudaHostRegister", cudaErrorMemoryAllocation);
            kd_device_cuda.pin(host[0], KD_PAGE);
            kd_device_cuda.pin(host[1], KD_PAGE);
            exit(0);
        },
        text, sizeof text);
    assert_int_equal(status, 0);
    const char *said = strstr(text, "warning: copies to and from the GPU are slower");
    assert_non_null(said);
    assert_non_null(strstr(said, "4096 bytes of host memory cannot be pinned"));
    assert_non_null(strstr(said, "the limit of locked memory is 8192 bytes (`ulimit -l`)"));
    assert_null(strstr(said + 1, "warning:"));
}

/* ---- recordings */

struct counted {
    struct kd_replay replay;
    int n_given;
};

/* y += x, through the replay. */
static void add_once(struct kd_queue *queue, struct counted *counted, float *x, float *y)
{
    if (!kd_replay_begin(&counted->replay, &kd_device_cuda, queue))
        return;
    struct kd_call call = {};
    call.op = KD_OP_add;
    call.args.add = {.a = x, .b = y, .y = y, .n = 1};
    kd_call_run(&call, kd_device_cuda.ops, queue);
    kd_replay_end(&counted->replay, &kd_device_cuda, queue);
    counted->n_given++;
}

static float value_of(struct kd_queue *queue, const float *memory)
{
    float value;
    kd_device_cuda.copy_out(queue, &value, memory, sizeof value);
    kd_device_cuda.wait(queue);
    return value;
}

static void what_comes_again_is_recorded_the_second_time_and_replayed_from_the_third(void **)
{
    struct kd_queue *queue = open_queue();
    long before = kd_sim::n_calls("graphs with priorities");
    struct counted counted = {};
    float *x = (float *)kd_device_cuda.alloc(sizeof *x), *y = (float *)kd_device_cuda.alloc(4);
    for (int i = 1; i <= 5; i++) {
        float step = (float)i; /* values may change, addresses do not */
        kd_device_cuda.copy_in(queue, x, &step, sizeof step);
        add_once(queue, &counted, x, y);
        assert_true(value_of(queue, y) == (float)(i * (i + 1) / 2));
    }
    assert_int_equal(counted.n_given, 2);
    assert_int_equal(kd_sim::n_calls("graphs with priorities") - before, 1);
    for (int i = 0; i < 4; i++)
        add_once(queue, &counted, x, y);
    assert_true(value_of(queue, y) == 35);
    assert_int_equal(counted.n_given, 2);
    kd_replay_drop(&counted.replay, &kd_device_cuda);
    setenv(KD_CUDA_GRAPH, "0", 1);
    for (int i = 0; i < 4; i++)
        add_once(queue, &counted, x, y);
    unsetenv(KD_CUDA_GRAPH);
    assert_true(value_of(queue, y) == 55);
    assert_int_equal(counted.n_given, 6);
    kd_replay_drop(&counted.replay, &kd_device_cuda);
    kd_device_cuda.free(x);
    kd_device_cuda.free(y);
    kd_device_cuda.close(queue);
}

static void waiting_while_recording_ends_the_process(void **)
{
    char text[4096];
    struct kd_queue *queue = open_queue();
    int status = child_of(
        [queue] {
            kd_device_cuda.record(queue);
            kd_device_cuda.wait(queue);
        },
        text, sizeof text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
    kd_device_cuda.close(queue);
}

/* ---- the sim itself */

static void a_guarded_device_ends_a_host_that_touches_its_memory(void **)
{
    char text[4096];
    int status = child_of(
        [] {
            signal(SIGSEGV, SIG_DFL);
            setenv("KATYDID_SIM_GUARD", "1", 1);
            volatile char *memory = (char *)kd_device_cuda.alloc(1000);
            memory[0];
        },
        text, sizeof text);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    status = child_of(
        [] {
            setenv("KATYDID_SIM_GUARD", "1", 1);
            kd_device_cuda.free(kd_device_cuda.alloc(1000));
        },
        text, sizeof text);
    assert_int_equal(status, 0);
}

static void a_copy_is_not_there_before_somebody_waits(void **)
{
    struct kd_queue *queue = open_queue();
    void *memory = kd_device_cuda.alloc(1);
    alignas(KD_PAGE) char pinned[KD_PAGE] = {1};
    alignas(KD_PAGE) char out[KD_PAGE] = {9};
    kd_device_cuda.pin(pinned, KD_PAGE);
    kd_device_cuda.pin(out, KD_PAGE);
    kd_device_cuda.copy_in(queue, memory, pinned, 1);
    kd_device_cuda.copy_out(queue, out, memory, 1);
    kd_device_cuda.mark(queue, 3);
    pinned[0] = 2; /* too early: the copy reads it later */
    assert_int_equal(out[0], 9);
    kd_device_cuda.wait_mark(queue, 3);
    assert_int_equal(out[0], 2);
    kd_device_cuda.unpin(pinned);
    kd_device_cuda.copy_in(queue, memory, pinned, 1);
    pinned[0] = 5;
    kd_device_cuda.copy_out(queue, out, memory, 1);
    kd_device_cuda.wait(queue);
    assert_int_equal(out[0], 2);
    kd_device_cuda.free(memory);
    kd_device_cuda.close(queue);
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_driver_is_named),
        cmocka_unit_test(a_missing_gpu_is_named_with_what_hides_it),
        cmocka_unit_test(what_keeps_a_gpu_away_is_hinted_at),
        cmocka_unit_test(an_architecture_without_code_is_named_with_those_there_are),
        cmocka_unit_test(a_gpu_without_room_for_cuda_itself_is_told_of),
        cmocka_unit_test(a_gpu_that_takes_no_work_is_told_of),
        cmocka_unit_test(an_open_that_failed_is_not_the_next_launchs_error),
        cmocka_unit_test(an_urgent_queue_goes_before_others),
        cmocka_unit_test(a_gpu_that_takes_no_urgent_work_is_told_of),
        cmocka_unit_test(memory_is_zeroed_and_comes_back_as_it_went),
        cmocka_unit_test(nothing_is_fine),
        cmocka_unit_test(scratch_is_kept_until_more_is_asked_for),
        cmocka_unit_test(what_was_recorded_goes_on_with_the_scratch_that_it_had),
        cmocka_unit_test(a_branch_goes_on_with_the_scratch_that_it_had),
        cmocka_unit_test(a_table_of_ranges_is_found_again_by_what_is_in_it),
        cmocka_unit_test(a_chunk_lies_in_one_range),
        cmocka_unit_test(a_failed_call_ends_the_process_and_says_which),
        cmocka_unit_test(out_of_memory_says_how_much_was_asked_and_is_free),
        cmocka_unit_test(scratch_that_does_not_fit_is_out_of_memory),
        cmocka_unit_test(the_counter_of_each_scratch_is_0_and_not_part_of_it),
        cmocka_unit_test(a_call_that_finds_no_memory_is_out_of_memory_too),
        cmocka_unit_test(out_of_memory_leaves_its_words_for_who_asked),
        cmocka_unit_test(scratch_that_fits_only_without_reserve_is_given),
        cmocka_unit_test(a_refused_pin_is_said_once_with_the_limit),
        cmocka_unit_test(what_comes_again_is_recorded_the_second_time_and_replayed_from_the_third),
        cmocka_unit_test(waiting_while_recording_ends_the_process),
        cmocka_unit_test(a_guarded_device_ends_a_host_that_touches_its_memory),
        cmocka_unit_test(a_copy_is_not_there_before_somebody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
