/* test_nccl_recorded.cpp - sums that a queue records and replays (kernels/cuda/nccl_sums.cu), with
 * the stand-in of NCCL, and what the flight record says of them. */
#include "tests/cuda/nccl_checks.h"

extern "C" {
#include "kernels/replay.h"
}

/* What a rank repeats: x += y, then the sum of x on a second queue beside y += y, then x += y when
 * it is there. */
struct repeated {
    struct kd_queue *side;
    struct kd_replay replay;
    float *x, *y;
    int n;
};

static struct repeated repeated_new(int n)
{
    struct repeated r = {};
    struct kd_error err = {};
    if (kd_device_cuda.open_urgent(0, &r.side, &err) < 0)
        _exit(EXIT_FAILURE);
    r.n = n;
    r.x = static_cast<float *>(kd_device_cuda.alloc((size_t)n * sizeof(float)));
    r.y = static_cast<float *>(kd_device_cuda.alloc((size_t)n * sizeof(float)));
    return r;
}

static void repeated_free(struct repeated *r)
{
    kd_replay_drop(&r->replay, &kd_device_cuda);
    kd_device_cuda.free(r->x);
    kd_device_cuda.free(r->y);
    kd_device_cuda.close(r->side);
}

static void follow(struct kd_queue *queue, struct kd_queue *other)
{
    kd_device_cuda.mark(other, 0);
    kd_device_cuda.wait_for(queue, other, 0);
}

static void add(struct kd_queue *queue, float *to, const float *other, int n)
{
    struct kd_call call = {};
    call.op = KD_OP_add;
    call.args.add = {.a = to, .b = other, .y = to, .n = n};
    kd_call_run(&call, kd_device_cuda.ops, queue);
}

static void repeat(struct seat *seat, struct repeated *r)
{
    if (!kd_replay_begin(&r->replay, &kd_device_cuda, seat->queue))
        return;
    add(seat->queue, r->x, r->y, r->n);
    follow(r->side, seat->queue);
    nccl->sum_floats(seat->collective, r->side, r->x, r->n);
    add(seat->queue, r->y, r->y, r->n);
    follow(seat->queue, r->side);
    add(seat->queue, r->x, r->y, r->n);
    kd_replay_end(&r->replay, &kd_device_cuda, seat->queue);
}

/* y is 1, x is 0 at first. */
static void check_repeated(int size, const char *misbehaviour)
{
    const int n = 9000, n_times = 6;
    struct gang *gang = gang_new();
    gang_run(gang, size, misbehaviour, [=](struct seat *seat) {
        open_or_end(seat);
        struct repeated r = repeated_new(n);
        for (int i = 0; i < n; i++)
            seat->notes->floats[i] = 1;
        kd_device_cuda.copy_in(seat->queue, r.y, seat->notes->floats, n * sizeof(float));
        for (int i = 0; i < n_times; i++)
            repeat(seat, &r);
        if (gang_wait(seat) == 0) {
            kd_device_cuda.copy_out(seat->queue, seat->notes->floats, r.x, n * sizeof(float));
            kd_device_cuda.wait(seat->queue);
        }
        repeated_free(&r);
        close_or_end(seat);
    });
    assert_all_ended_well(gang, size);
    float x = 0, y = 1;
    for (int i = 0; i < n_times; i++) {
        x = (x + y) * (float)size;
        y *= 2;
        x += y;
    }
    for (int rank = 0; rank < size; rank++)
        for (int i = 0; i < n; i++)
            if (gang->ranks[rank].floats[i] != x)
                fail_msg("%d ranks: value %d of rank %d is %g, not %g", size, i, rank,
                         (double)gang->ranks[rank].floats[i], (double)x);
    gang_free(gang);
}

static void a_recorded_sum_is_done_at_every_replay(void **)
{
    for (int size = 1; size <= GANG_MOST; size++)
        check_repeated(size, NULL);
    check_repeated(2, "delay=300,rank=1");
}

static void a_recorded_sum_waits_for_its_values_and_is_waited_for(void **)
{
    setenv("KATYDID_SIM_GRAPH", "early", 1); /* else it would be late, which the test above has */
    check_repeated(2, NULL);
    unsetenv("KATYDID_SIM_GRAPH");
}

/* n_times: the first by calls, the second as it is recorded. */
static void assert_repeated_fails(int size, double deadline_s, const char *misbehaviour,
                                  int n_times, const char *const *wanted)
{
    struct gang *gang = gang_new();
    gang_run(gang, size, misbehaviour, [=](struct seat *seat) {
        struct kd_error err = {};
        gang_open(seat, deadline_s);
        struct repeated r = repeated_new(5);
        for (int i = 0; i < n_times; i++)
            repeat(seat, &r);
        gang_wait(seat);
        kd_replay_drop(&r.replay, &kd_device_cuda);
        nccl->close(seat->collective, &err);
        _exit(EXIT_SUCCESS); /* what was left as it is holds the device */
    });
    for (int rank = 0; rank < size; rank++)
        assert_failed(&gang->ranks[rank], wanted);
    gang_free(gang);
}

static void a_replayed_sum_that_hangs_ends_at_the_deadline(void **)
{
    const char *wanted[] = {"rank 0 of 1: what is queued is not done after 0.2 s",
                            "collectives issued (6)", "\n  #6 sum_floats, 5 elements", NULL};
    assert_repeated_fails(1, SHORT_S, "hang=4", 6, wanted);
}

static void a_late_error_of_a_replayed_sum_is_found_before_the_deadline(void **)
{
    const char *wanted[] = {"of 2: a collective: remote process exited", "collectives issued (6)",
                            NULL};
    assert_repeated_fails(2, AMPLE_S, "late=4", 6, wanted);
}

static void a_sum_that_cannot_be_recorded_is_told_of_and_nothing_is_replayed(void **)
{
    const char *wanted[] = {
        "ncclAllReduce: internal error (the stand-in was told not to be captured)",
        "collectives issued (1)", NULL};
    assert_repeated_fails(2, AMPLE_S, "capture_fails=1", 5, wanted);
}

/* What the queues are given after that fails too, and must not end the process before it has told
 * why. */
static void a_sum_that_spoils_its_recording_is_told_of_as_well(void **)
{
    const char *wanted[] = {
        "ncclAllReduce: internal error (the stand-in was told not to be captured)",
        "collectives issued (1)", NULL};
    assert_repeated_fails(2, AMPLE_S, "capture_fails=1,spoils=1", 5, wanted);
}

/* x is 4 after the first time, and nothing is done with it any more. */
static void ops_beside_a_sum_that_cannot_be_recorded_are_not_done(void **)
{
    struct gang *gang = gang_new();
    gang_run(gang, 2, "capture_fails=1", [=](struct seat *seat) {
        const float one = 1;
        gang_open(seat, AMPLE_S);
        struct repeated r = repeated_new(1);
        kd_device_cuda.copy_in(seat->queue, r.y, &one, sizeof one);
        for (int i = 0; i < 4; i++)
            repeat(seat, &r);
        gang_wait(seat);
        kd_device_cuda.copy_out(seat->queue, seat->notes->floats, r.x, sizeof one);
        kd_device_cuda.wait(seat->queue);
    });
    assert_int_equal(gang->ranks[1].status, -1);
    assert_true(gang->ranks[1].floats[0] == 4);
    gang_free(gang);
}

/* The third sum ends with an error. y doubles with each time that is done: 4 before it is known,
 * and none of the times after. */
static void nothing_is_replayed_after_a_failure(void **)
{
    const char *wanted[] = {"of 2: a collective: internal error", "collectives issued (3)", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 2, "fail=3", [=](struct seat *seat) {
        const float one = 1;
        gang_open(seat, AMPLE_S);
        struct repeated r = repeated_new(1);
        kd_device_cuda.copy_in(seat->queue, r.y, &one, sizeof one);
        for (int i = 0; i < 3; i++)
            repeat(seat, &r);
        gang_wait(seat);
        for (int i = 0; i < 4; i++)
            repeat(seat, &r);
        kd_device_cuda.copy_out(seat->queue, seat->notes->floats, r.y, sizeof one);
        kd_device_cuda.wait(seat->queue);
        gang_wait(seat);
    });
    for (int rank = 0; rank < 2; rank++) {
        assert_failed(&gang->ranks[rank], wanted);
        assert_true(gang->ranks[rank].floats[0] == 8);
    }
    gang_free(gang);
}

/* NCCL wants all ranks to launch a sum by a graph, or none. */
static void a_sum_that_one_rank_records_and_another_launches_is_explained(void **)
{
    const char *wanted[] = {"invalid usage", "calls that differ between ranks", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 2, NULL, [=](struct seat *seat) {
        open_or_end(seat);
        struct repeated r = repeated_new(10);
        r.replay.is_warm = seat->rank == 0; /* so it is recorded the first time */
        repeat(seat, &r);
        gang_wait(seat);
        kd_replay_drop(&r.replay, &kd_device_cuda);
    });
    assert_failed(&gang->ranks[0], wanted);
    assert_failed(&gang->ranks[1], wanted);
    gang_free(gang);
}

static void a_rank_that_ends_is_missed_by_a_replayed_sum(void **)
{
    const char *wanted[] = {"rank 0 of 2: what is queued is not done after 1 s",
                            "\n  #5 sum_floats", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 2, NULL, [=](struct seat *seat) {
        gang_open(seat, 1);
        struct repeated r = repeated_new(5);
        for (int i = 0; i < (seat->rank == 0 ? 5 : 4); i++)
            repeat(seat, &r);
        gang_wait(seat);
        _exit(EXIT_SUCCESS);
    });
    assert_failed(&gang->ranks[0], wanted);
    gang_free(gang);
}

/* Number i of the last text of a failure: "done" or "pending". */
static bool is_told_done(const struct gang_rank *notes, int i)
{
    char number[16];
    snprintf(number, sizeof number, "\n  #%d ", i);
    const char *line = strstr(notes->said.text, number);
    assert_non_null(line);
    const char *state = strstr(line, "ms ago, ");
    assert_non_null(state);
    return strncmp(state, "ms ago, done", 12) == 0;
}

/* Two sums, a mark, a sum on another queue, a mark behind that, and one that hangs. */
static void what_a_mark_has_seen_done_is_told_as_done(void **)
{
    struct gang *gang = gang_new();
    gang_run(gang, 1, "hang=4", [=](struct seat *seat) {
        struct kd_error err = {};
        gang_open(seat, SHORT_S);
        struct repeated r = repeated_new(5);
        nccl->sum_floats(seat->collective, seat->queue, r.x, 5);
        nccl->sum_floats(seat->collective, seat->queue, r.x, 5);
        kd_device_cuda.mark(seat->queue, 1);
        nccl->sum_floats(seat->collective, r.side, r.x, 5);
        if (nccl->wait(seat->collective, seat->queue, 1, &err) < 0)
            gang_fail(seat, &err);
        nccl->sum_floats(seat->collective, seat->queue, r.x, 5);
        gang_wait(seat);
    });
    assert_int_equal(gang->ranks[0].status, -1);
    assert_true(is_told_done(&gang->ranks[0], 2));
    assert_false(is_told_done(&gang->ranks[0], 3)); /* nobody waited for its queue */
    assert_false(is_told_done(&gang->ranks[0], 4));
    gang_free(gang);
}

static void a_sum_on_another_queue_is_seen_done_by_a_mark_behind_it(void **)
{
    struct gang *gang = gang_new();
    gang_run(gang, 1, "hang=2", [=](struct seat *seat) {
        struct kd_error err = {};
        gang_open(seat, SHORT_S);
        struct repeated r = repeated_new(5);
        nccl->sum_floats(seat->collective, r.side, r.x, 5);
        follow(seat->queue, r.side);
        kd_device_cuda.mark(seat->queue, 1);
        if (nccl->wait(seat->collective, seat->queue, 1, &err) < 0)
            gang_fail(seat, &err);
        nccl->sum_floats(seat->collective, seat->queue, r.x, 5);
        gang_wait(seat);
    });
    assert_int_equal(gang->ranks[0].status, -1);
    assert_true(is_told_done(&gang->ranks[0], 1));
    assert_false(is_told_done(&gang->ranks[0], 2));
    gang_free(gang);
}

/* Four times with a mark behind each, of which the last two hang. */
static void replayed_sums_are_seen_done_by_marks(void **)
{
    struct gang *gang = gang_new();
    gang_run(gang, 1, "hang=4", [=](struct seat *seat) {
        struct kd_error err = {};
        gang_open(seat, SHORT_S);
        struct repeated r = repeated_new(5);
        for (int i = 0; i < 3; i++)
            repeat(seat, &r);
        kd_device_cuda.mark(seat->queue, 1);
        if (nccl->wait(seat->collective, seat->queue, 1, &err) < 0)
            gang_fail(seat, &err);
        repeat(seat, &r);
        gang_wait(seat);
    });
    assert_int_equal(gang->ranks[0].status, -1);
    assert_true(is_told_done(&gang->ranks[0], 3));
    assert_false(is_told_done(&gang->ranks[0], 4));
    gang_free(gang);
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_sum_is_done_at_every_replay),
        cmocka_unit_test(a_recorded_sum_waits_for_its_values_and_is_waited_for),
        cmocka_unit_test(a_replayed_sum_that_hangs_ends_at_the_deadline),
        cmocka_unit_test(a_late_error_of_a_replayed_sum_is_found_before_the_deadline),
        cmocka_unit_test(a_sum_that_cannot_be_recorded_is_told_of_and_nothing_is_replayed),
        cmocka_unit_test(a_sum_that_spoils_its_recording_is_told_of_as_well),
        cmocka_unit_test(ops_beside_a_sum_that_cannot_be_recorded_are_not_done),
        cmocka_unit_test(nothing_is_replayed_after_a_failure),
        cmocka_unit_test(a_sum_that_one_rank_records_and_another_launches_is_explained),
        cmocka_unit_test(a_rank_that_ends_is_missed_by_a_replayed_sum),
        cmocka_unit_test(what_a_mark_has_seen_done_is_told_as_done),
        cmocka_unit_test(a_sum_on_another_queue_is_seen_done_by_a_mark_behind_it),
        cmocka_unit_test(replayed_sums_are_seen_done_by_marks),
    };
    setenv("KATYDID_NCCL", KD_STANDIN, 1);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
