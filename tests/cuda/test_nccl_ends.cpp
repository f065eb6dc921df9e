/* test_nccl_ends.cpp - how communicators end (kernels/cuda/nccl.cu, nccl_watchdog.c), with a
 * stand-in of NCCL that hangs as it frees them. */
#include "tests/cuda/nccl_checks.h"

/* ---- what ends the process */

/* A rank alone; the stand-in is told to hang where it should not. */
static void assert_process_ends(const char *misbehaviour, const char *const *wanted)
{
    char text[8192];
    struct gang *gang = gang_new();
    int status = child_of(
        [=] {
            gang_run(gang, 1, misbehaviour, [=](struct seat *seat) {
                gang_open(seat, SHORT_S);
                sum_some(seat, 1);
                gang_close(seat);
            });
        },
        text, sizeof text);
    assert_int_equal(status, 0);
    assert_true(WIFEXITED(gang->ranks[0].exit_status));
    assert_int_equal(WEXITSTATUS(gang->ranks[0].exit_status), EXIT_FAILURE);
    for (; *wanted; wanted++)
        if (!strstr(text, *wanted))
            fail_msg("wanted \"%s\", got: %s", *wanted, text);
    gang_free(gang);
}

static void an_abort_that_hangs_ends_the_process_with_the_reason(void **)
{
    const char *wanted[] = {
        "katydid: NCCL: rank 0 of 1: what is queued is not done after 0.2 s", "\n  #1 sum_floats",
        "katydid: NCCL: ncclCommAbort has not returned for 1 s: the process ends", NULL};
    assert_process_ends("hang=1,abort_hangs=1", wanted);
}

/* ---- ends that are not clean, and no failure */

static void a_destroy_that_hangs_is_told_of_and_left(void **)
{
    const char *wanted[] = {"NCCL: rank 0 of 1 closes: ncclCommDestroy has not returned for 1 s",
                            "what was trained is not touched", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 1, "destroy_hangs=1", [=](struct seat *seat) {
        gang_open(seat, SHORT_S);
        sum_some(seat, 1);
        gang_close(seat);
    });
    assert_failed(&gang->ranks[0], wanted);
    gang_free(gang);
}

static void an_abort_that_hangs_in_a_close_is_told_of_and_left(void **)
{
    const char *wanted[] = {"NCCL: rank 0 of 2 closes: ncclCommAbort has not returned for", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 2, "abort_hangs=1,rank=0", [=](struct seat *seat) {
        gang_open(seat, 1);
        if (seat->rank == 0)
            gang_close(seat);
    });
    assert_failed(&gang->ranks[0], wanted);
    gang_free(gang);
}

/* floats[0]: does it leave a thread? */
static void open_and_ask(struct seat *seat)
{
    struct kd_error err = {};
    bool leaves_a_thread = false;
    struct kd_collective_options options = gang_options(seat, SHORT_S);
    options.leaves_a_thread = &leaves_a_thread;
    int64_t start = kd_clock_mono_us();
    int status = nccl->open(&seat->collective, &options, &err);
    gang_note(seat, status, start, &err);
    seat->notes->floats[0] = leaves_a_thread;
}

static void check_failed_open(const char *misbehaviour, bool leaves_a_thread,
                              const char *const *wanted)
{
    struct gang *gang = gang_new();
    gang_run(gang, 1, misbehaviour, open_and_ask);
    assert_failed(&gang->ranks[0], wanted);
    assert_int_equal(gang->ranks[0].floats[0] != 0, leaves_a_thread);
    gang_free(gang);
}

static void an_abort_that_hangs_in_an_open_is_told_of_and_left(void **)
{
    const char *wanted[] = {"NCCL: rank 0 of 1: ncclCommInitRankConfig: unhandled system error",
                            "\nNCCL: rank 0 of 1 joins: ncclCommAbort has not returned for 1 s",
                            NULL};
    check_failed_open("init=2,abort_hangs=1", true, wanted);
    const char *wanted_of_clean[] = {wanted[0], NULL};
    check_failed_open("init=2", false, wanted_of_clean);
}

/* The ranks can still sum by way of the host, which takes no memory of the GPU's: no end for want
 * of that (memory.h). */
static void a_gpu_that_is_full_while_the_ranks_join_fails_the_open_alone(void **)
{
    const char *wanted[] = {"NCCL: rank 0 of 1: ncclCommInitRankConfig: unhandled cuda error "
                            "(Failed to CUDA calloc async 4194304 bytes)",
                            NULL};
    check_failed_open("init=1", false, wanted);
}

static void abort_and_note(struct seat *seat)
{
    struct kd_error err = {};
    int64_t start = kd_clock_mono_us();
    int status = nccl->abort(seat->collective, &err);
    gang_note(seat, status, start, &err);
}

static void an_abort_that_hangs_after_an_open_is_told_of_and_left(void **)
{
    const char *wanted[] = {"NCCL: rank 0 of 1 closes: ncclCommAbort has not returned for 1 s",
                            NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 1, "abort_hangs=1", [=](struct seat *seat) {
        gang_open(seat, SHORT_S);
        abort_and_note(seat);
    });
    assert_failed(&gang->ranks[0], wanted);
    gang_free(gang);
}

/* ---- the GPU of the thread that frees; the stand-in ends the process where it is another one */

template <class Body> static void on_second_gpu(const char *misbehaviour, Body body)
{
    struct gang *gang = gang_new();
    setenv("KATYDID_SIM_GPUS", "2", 1);
    gang_run(gang, 1, misbehaviour, [=](struct seat *seat) {
        KD_CUDA(cudaSetDevice(1));
        body(seat);
    });
    unsetenv("KATYDID_SIM_GPUS");
    assert_int_equal(gang->ranks[0].exit_status, 0);
    assert_int_equal(n_files(), 0);
    gang_free(gang);
}

static void a_communicator_is_freed_on_its_own_gpu(void **)
{
    on_second_gpu("init=2", open_and_ask);
    on_second_gpu(NULL, [](struct seat *seat) {
        open_or_end(seat);
        close_or_end(seat);
    });
    on_second_gpu(NULL, [](struct seat *seat) {
        open_or_end(seat);
        abort_and_note(seat);
        if (seat->notes->status < 0)
            _exit(EXIT_FAILURE);
    });
}

static void a_communicator_whose_gpu_cannot_be_had_is_left(void **)
{
    const char *wanted[] = {"NCCL: rank 0 of 1 closes: ncclCommDestroy is not called, as its "
                            "thread cannot have GPU 0: ",
                            "what was trained is not touched", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 1, NULL, [](struct seat *seat) {
        open_or_end(seat);
        kd_sim::fail_call("cudaSetDevice", cudaErrorIllegalAddress);
        gang_close(seat);
    });
    assert_failed(&gang->ranks[0], wanted);
    gang_free(gang);
}

/* ---- waiting in vain */

static bool has_failed_elsewhere(void *ud)
{
    return *static_cast<std::atomic<int> *>(ud) == 99;
}

/* Rank 1 cannot come, and says so; rank 0's deadline is far away. */
static void who_waits_in_vain_ends_when_it_is_told(void **)
{
    const char *wanted[] = {
        "rank 0 of 2: ncclCommInitRankConfig waits in vain: another rank has failed before", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 2, "stays_away=1,rank=1", [=](struct seat *seat) {
        struct kd_error err = {};
        struct kd_collective_options options = gang_options(seat, 10 * GANG_GIVES_UP_S);
        options.is_in_vain = has_failed_elsewhere;
        options.ud = &seat->gang->has_id;
        int status = nccl->open(&seat->collective, &options, &err);
        if (seat->rank == 1)
            seat->gang->has_id = 99;
        gang_note(seat, status, kd_clock_mono_us(), &err);
    });
    assert_failed(&gang->ranks[0], wanted);
    assert_int_equal(n_files(), 0);
    gang_free(gang);
}

/* One rank alone has it end; the other one would wait for it for ever. */
static void an_abort_waits_for_nobody(void **)
{
    struct gang *gang = gang_new();
    gang_run(gang, 2, NULL, [=](struct seat *seat) {
        open_or_end(seat);
        if (seat->rank == 0)
            abort_and_note(seat);
    });
    assert_all_ended_well(gang, 2);
    gang_free(gang);
}

static void closing_nothing_is_fine(void **)
{
    assert_int_equal(nccl->close(NULL, NULL), 0);
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abort_that_hangs_ends_the_process_with_the_reason),
        cmocka_unit_test(a_destroy_that_hangs_is_told_of_and_left),
        cmocka_unit_test(an_abort_that_hangs_in_a_close_is_told_of_and_left),
        cmocka_unit_test(an_abort_that_hangs_in_an_open_is_told_of_and_left),
        cmocka_unit_test(a_gpu_that_is_full_while_the_ranks_join_fails_the_open_alone),
        cmocka_unit_test(an_abort_that_hangs_after_an_open_is_told_of_and_left),
        cmocka_unit_test(a_communicator_is_freed_on_its_own_gpu),
        cmocka_unit_test(a_communicator_whose_gpu_cannot_be_had_is_left),
        cmocka_unit_test(who_waits_in_vain_ends_when_it_is_told),
        cmocka_unit_test(an_abort_waits_for_nobody),
        cmocka_unit_test(closing_nothing_is_fine),
    };
    setenv("KATYDID_NCCL", KD_STANDIN, 1);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
