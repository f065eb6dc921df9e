/* test_nccl.cpp - the collectives of the CUDA device (kernels/cuda/nccl.cu) on the sim, with the stand-in of NCCL: sums over 1 to
 * 4 processes, and what is said, and when, about everything that can go wrong. */
#include <dirent.h>

#include "tests/cuda/nccl_gang.h"

extern "C" {
#include "kernels/replay.h"
}

static const struct kd_collectives *const nccl = &kd_collectives_nccl;

/* Longer than a loaded machine may take; and one that is to pass. */
static const double AMPLE_S = 50, SHORT_S = 0.2, SOON_S = 20;

/* ---- a folder for the stand-in's files, which has to be empty again */

static char folder[64];

static int make_folder(void **)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/nccl-XXXXXX",
             parent && strlen(parent) < 40 ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    return setenv("TMPDIR", folder, 1);
}

static int remove_folder(void **)
{
    return rmdir(folder);
}

static int n_files()
{
    int n = 0;
    DIR *files = opendir(folder);
    while (readdir(files))
        n++;
    closedir(files);
    return n - 2; /* . and .. */
}

/* ---- what ranks give and should get */

static float value_of(int rank, int64_t i)
{
    return (float)((rank * 7919 + i * 31) % 1000) * 0.37F + (float)rank;
}

template <class T> static T sum_over(int size, int64_t i)
{
    T sum = 0;
    for (int rank = 0; rank < size; rank++)
        sum += (T)value_of(rank, i);
    return sum;
}

static int64_t share_begin(int rank, int size, int64_t n)
{
    return n * rank / size;
}

static bool is_own(int rank, int size, int64_t n, int64_t i)
{
    return i >= share_begin(rank, size, n) && i < share_begin(rank + 1, size, n);
}

/* `values` in device memory, while body runs and all is waited for. */
template <class T, class Body>
static void on_device(struct seat *seat, T *values, int64_t n, Body body)
{
    size_t bytes = (size_t)n * sizeof *values;
    T *memory = static_cast<T *>(kd_device_cuda.alloc(bytes));
    kd_device_cuda.copy_in(seat->queue, memory, values, bytes);
    body(memory);
    if (gang_wait(seat) == 0) {
        kd_device_cuda.copy_out(seat->queue, values, memory, bytes);
        kd_device_cuda.wait(seat->queue);
    }
    kd_device_cuda.free(memory);
}

static void open_or_end(struct seat *seat)
{
    if (gang_open(seat, AMPLE_S) < 0)
        _exit(EXIT_FAILURE);
}

static void close_or_end(struct seat *seat)
{
    if (gang_close(seat) < 0)
        _exit(EXIT_FAILURE);
}

static void assert_all_ended_well(const struct gang *gang, int size)
{
    for (int rank = 0; rank < size; rank++)
        if (gang->ranks[rank].exit_status != 0 || gang->ranks[rank].status != 0)
            fail_msg("rank %d of %d: status %d: %s", rank, size, gang->ranks[rank].exit_status,
                     gang->ranks[rank].said.text);
    assert_int_equal(n_files(), 0);
}

/* ---- sums */

static void fill(struct seat *seat, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        seat->notes->floats[i] = value_of(seat->rank, i);
        seat->notes->doubles[i] = (double)value_of(seat->rank, i);
    }
}

static void sum_both(struct seat *seat, int64_t n)
{
    fill(seat, n);
    open_or_end(seat);
    on_device(seat, seat->notes->floats, n,
              [&](float *values) { nccl->sum_floats(seat->collective, seat->queue, values, n); });
    on_device(seat, seat->notes->doubles, n,
              [&](double *values) { nccl->sum_doubles(seat->collective, seat->queue, values, n); });
    close_or_end(seat);
}

static void check_sums(int size, int64_t n, const char *misbehaviour)
{
    struct gang *gang = gang_new();
    gang_run(gang, size, misbehaviour, [=](struct seat *seat) { sum_both(seat, n); });
    assert_all_ended_well(gang, size);
    for (int rank = 0; rank < size; rank++)
        for (int64_t i = 0; i < n; i++)
            if (gang->ranks[rank].floats[i] != sum_over<float>(size, i) ||
                gang->ranks[rank].doubles[i] != sum_over<double>(size, i))
                fail_msg("%d ranks, %lld values: value %lld of rank %d", size, (long long)n,
                         (long long)i, rank);
    gang_free(gang);
}

static void sums_are_those_of_plain_loops(void **)
{
    for (int size = 1; size <= GANG_MOST; size++) {
        check_sums(size, 1, NULL);
        check_sums(size, GANG_N, NULL);
    }
}

static void a_sum_of_nothing_is_fine(void **)
{
    check_sums(2, 0, NULL);
}

static void what_is_in_progress_for_long_is_done_at_last(void **)
{
    check_sums(1, 100, "delay=7");
    check_sums(3, GANG_N, "delay=300,rank=1");
}

/* ---- shares */

struct stretch {
    int64_t n_all, at, n;
};

/* The stretch of each rank's own share is summed; nothing outside the stretch changes. */
static void check_sum_of_shares(int size, struct stretch s)
{
    struct gang *gang = gang_new();
    gang_run(gang, size, NULL, [=](struct seat *seat) {
        fill(seat, s.n_all);
        open_or_end(seat);
        on_device(seat, seat->notes->floats, s.n_all, [&](float *all) {
            nccl->sum_of_shares(seat->collective, seat->queue, all, s.n_all, s.at, s.n);
        });
        close_or_end(seat);
    });
    assert_all_ended_well(gang, size);
    for (int rank = 0; rank < size; rank++)
        for (int64_t i = 0; i < s.n_all; i++) {
            bool is_inside = i >= s.at && i < s.at + s.n;
            float got = gang->ranks[rank].floats[i];
            if (is_inside && !is_own(rank, size, s.n_all, i))
                continue;
            if (got != (is_inside ? sum_over<float>(size, i) : value_of(rank, i)))
                fail_msg("%d ranks, [%lld, +%lld) of %lld: value %lld of rank %d", size,
                         (long long)s.at, (long long)s.n, (long long)s.n_all, (long long)i, rank);
        }
    gang_free(gang);
}

static void sums_of_equal_shares_are_those_of_plain_loops(void **)
{
    for (int size = 1; size <= GANG_MOST; size++) {
        check_sum_of_shares(size, {12, 0, 12});
        check_sum_of_shares(size, {9996, 0, 9996});
    }
}

static void sums_of_unequal_shares_are_those_of_plain_loops(void **)
{
    for (int size = 2; size <= GANG_MOST; size++) {
        check_sum_of_shares(size, {GANG_N, 0, GANG_N});
        check_sum_of_shares(size, {3, 0, 3}); /* of 4 ranks one has nothing */
    }
}

static void sums_of_stretches_are_those_of_plain_loops(void **)
{
    for (int size = 1; size <= GANG_MOST; size++) {
        check_sum_of_shares(size, {9996, 4000, 3000});
        check_sum_of_shares(size, {12, 0, 1});
        check_sum_of_shares(size, {12, 11, 1});
        check_sum_of_shares(size, {12, 5, 0});
    }
}

static void check_gather(int size, int64_t n)
{
    struct gang *gang = gang_new();
    gang_run(gang, size, NULL, [=](struct seat *seat) {
        for (int64_t i = 0; i < n; i++)
            seat->notes->floats[i] = is_own(seat->rank, size, n, i) ? value_of(0, i) : -1;
        open_or_end(seat);
        on_device(seat, seat->notes->floats, n,
                  [&](float *all) { nccl->gather(seat->collective, seat->queue, all, n); });
        close_or_end(seat);
    });
    assert_all_ended_well(gang, size);
    for (int rank = 0; rank < size; rank++)
        for (int64_t i = 0; i < n; i++)
            if (gang->ranks[rank].floats[i] != value_of(0, i))
                fail_msg("%d ranks, %lld values: value %lld of rank %d", size, (long long)n,
                         (long long)i, rank);
    gang_free(gang);
}

static void each_ranks_share_comes_to_all(void **)
{
    for (int size = 1; size <= GANG_MOST; size++) {
        check_gather(size, 12);
        check_gather(size, 9996);
        check_gather(size, GANG_N);
        check_gather(size, 3);
        check_gather(size, 0);
    }
}

/* ---- one after another, in one communicator */

static void many_of_all_kinds_follow_each_other(void **)
{
    const int size = 3, n = 500, n_rounds = 20;
    struct gang *gang = gang_new();
    gang_run(gang, size, NULL, [=](struct seat *seat) {
        open_or_end(seat);
        on_device(seat, seat->notes->floats, n, [&](float *all) {
            for (int round = 0; round < n_rounds; round++) {
                for (int64_t i = 0; i < n; i++)
                    seat->notes->floats[i] = 1;
                kd_device_cuda.copy_in(seat->queue, all, seat->notes->floats, n * sizeof *all);
                nccl->sum_of_shares(seat->collective, seat->queue, all, n, 200, 300);
                nccl->sum_of_shares(seat->collective, seat->queue, all, n, 0, 200);
                nccl->gather(seat->collective, seat->queue, all, n);
                nccl->sum_floats(seat->collective, seat->queue, all, n);
            }
        });
        close_or_end(seat);
    });
    assert_all_ended_well(gang, size);
    for (int i = 0; i < n; i++)
        assert_true(gang->ranks[2].floats[i] == size * size);
    gang_free(gang);
}

/* Ranks 1 and 2 of three, once all three have read the first id. */
static struct kd_collective *open_pair(struct seat *seat)
{
    struct kd_error err = {};
    struct kd_collective *pair = NULL;
    if (seat->rank == 1) {
        if (nccl->make_id(&seat->gang->id, &err) < 0)
            gang_fail(seat, &err);
        seat->gang->has_id = 2;
    }
    gang_wait_until(seat->gang->has_id, 2);
    struct kd_collective_options options = gang_options(seat, AMPLE_S);
    options.rank = seat->rank - 1;
    options.size = 2;
    if (nccl->open(&pair, &options, &err) < 0)
        gang_fail(seat, &err);
    return pair;
}

/* Ones become twos in the pair, and 1 + 2 + 2 over all. */
static void a_rank_is_in_several_sets_of_ranks(void **)
{
    struct gang *gang = gang_new();
    gang_run(gang, 3, NULL, [=](struct seat *seat) {
        struct kd_error err = {};
        seat->notes->floats[0] = 1;
        open_or_end(seat);
        struct kd_collective *pair = seat->rank > 0 ? open_pair(seat) : NULL;
        on_device(seat, seat->notes->floats, 1, [&](float *values) {
            if (pair)
                nccl->sum_floats(pair, seat->queue, values, 1);
            nccl->sum_floats(seat->collective, seat->queue, values, 1);
        });
        close_or_end(seat);
        if (nccl->close(pair, &err) < 0)
            gang_fail(seat, &err);
    });
    assert_all_ended_well(gang, 3);
    for (int rank = 0; rank < 3; rank++)
        assert_true(gang->ranks[rank].floats[0] == 5);
    gang_free(gang);
}

/* ---- the library */

/* In a process of its own, as what is once loaded stays. */
static void assert_no_library(const char *path, const char *misbehaviour, const char *const *wanted)
{
    char text[4096];
    int status = child_of(
        [=] {
            if (path)
                setenv("KATYDID_NCCL", path, 1);
            else
                unsetenv("KATYDID_NCCL");
            setenv("KATYDID_NCCL_STANDIN", misbehaviour, 1);
            struct kd_error err = {};
            struct kd_collective_id id = {};
            struct kd_collective_options options = {};
            struct kd_collective *collective = NULL;
            options.size = 1;
            options.deadline_s = AMPLE_S;
            if (nccl->open(&collective, &options, &err) == 0 || nccl->make_id(&id, &err) == 0)
                _exit(EXIT_FAILURE);
            fprintf(stderr, "%s", err.text);
        },
        text, sizeof text);
    assert_int_equal(status, 0);
    for (; *wanted; wanted++)
        if (!strstr(text, *wanted))
            fail_msg("wanted \"%s\", got: %s", *wanted, text);
}

static const char WHAT_TO_DO[] = "install NCCL 2.18 or later";

static void a_missing_library_is_named(void **)
{
    const char *wanted[] = {"cannot load \"/there/is/none.so\"", "(from KATYDID_NCCL)",
                            "No such file", WHAT_TO_DO, NULL};
    assert_no_library("/there/is/none.so", "", wanted);
}

static void a_library_that_is_not_nccl_is_named(void **)
{
    const char *wanted[] = {"\"libm.so.6\"", "has no ncclGetVersion", WHAT_TO_DO, NULL};
    assert_no_library("libm.so.6", "", wanted);
}

static void an_old_library_is_named_with_its_version(void **)
{
    const char *wanted[] = {KD_STANDIN, "is version 2.12.10, which is too old", WHAT_TO_DO, NULL};
    assert_no_library(KD_STANDIN, "version=21210", wanted);
    const char *wanted_of_long_ago[] = {"is version 2.7.8, which is too old", NULL};
    assert_no_library(KD_STANDIN, "version=2708", wanted_of_long_ago);
}

static void a_call_that_a_library_lacks_is_named(void **)
{
    const char *wanted[] = {KD_STANDIN_LACKING, "has no ncclReduceScatter", WHAT_TO_DO, NULL};
    assert_no_library(KD_STANDIN_LACKING, "", wanted);
}

/* ---- what goes wrong with ranks */

static void sum_some(struct seat *seat, int n_sums)
{
    float *values = static_cast<float *>(kd_device_cuda.alloc(5 * sizeof *values));
    for (int i = 0; i < n_sums; i++)
        nccl->sum_floats(seat->collective, seat->queue, values, 5);
    gang_wait(seat);
    kd_device_cuda.free(values);
}

static void assert_failed(const struct gang_rank *notes, const char *const *wanted)
{
    assert_int_equal(notes->exit_status, 0);
    assert_int_equal(notes->status, -1);
    for (; *wanted; wanted++)
        if (!strstr(notes->said.text, *wanted))
            fail_msg("wanted \"%s\", got: %s", *wanted, notes->said.text);
    if (notes->seconds > SOON_S)
        fail_msg("after %g s", notes->seconds);
}

/* n_sums of 5 floats each: all ranks' open, or wait, says what is wanted; and all close as they can. */
static void assert_sums_fail(int size, double deadline_s, const char *misbehaviour, int n_sums,
                             const char *const *wanted)
{
    struct gang *gang = gang_new();
    gang_run(gang, size, misbehaviour, [=](struct seat *seat) {
        struct kd_error err = {};
        if (gang_open(seat, deadline_s) == 0)
            sum_some(seat, n_sums);
        nccl->close(seat->collective, &err);
        kd_device_cuda.close(seat->queue);
    });
    for (int rank = 0; rank < size; rank++)
        assert_failed(&gang->ranks[rank], wanted);
    assert_int_equal(n_files(), 0);
    gang_free(gang);
}

static void a_sum_that_fails_is_told_of_with_the_ones_before(void **)
{
    const char *wanted[] = {"of 2: ncclAllReduce: internal error (the stand-in was told to fail)",
                            "NCCL_DEBUG=WARN",
                            "\n  #1 sum_floats, 5 elements, 20 bytes, ",
                            "\n  #2 sum_floats, 5 elements, 20 bytes, ",
                            " ms ago, pending",
                            NULL};
    assert_sums_fail(2, AMPLE_S, "fail=2", 4, wanted);
}

static void a_sum_that_hangs_ends_at_the_deadline(void **)
{
    const char *wanted[] = {"rank 0 of 1: what is queued is not done after 0.2 s",
                            "\n  #3 sum_floats", NULL};
    assert_sums_fail(1, SHORT_S, "hang=2", 3, wanted);
}

static void a_late_error_is_found_before_the_deadline(void **)
{
    const char *wanted[] = {"of 2: a collective: remote process exited", "another rank has ended",
                            "\n  #2 sum_floats", NULL};
    assert_sums_fail(2, AMPLE_S, "late=2", 2, wanted);
}

static void two_ranks_on_one_gpu_are_explained(void **)
{
    const char *wanted[] = {"of 2: ncclCommInitRankConfig: invalid usage", "two ranks on one GPU",
                            NULL};
    assert_sums_fail(2, AMPLE_S, "init=5", 1, wanted);
}

static void the_record_has_the_last_sixteen(void **)
{
    const char *wanted[] = {"collectives issued (40)", "\n  #25 ", "\n  #40 ", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 1, "hang=40", [=](struct seat *seat) {
        gang_open(seat, SHORT_S);
        sum_some(seat, 30);
        sum_some(seat, 10);
    });
    assert_failed(&gang->ranks[0], wanted);
    assert_null(strstr(gang->ranks[0].said.text, "\n  #24 "));
    const char *line = strstr(gang->ranks[0].said.text, "\n  #30 ");
    assert_non_null(line);
    assert_memory_equal(strstr(line, "ago, "), "ago, done\n", 10);
    gang_free(gang);
}

static void after_a_failure_nothing_is_done_and_it_is_told_again(void **)
{
    const char *wanted[] = {"told to fail", "collectives issued (1)", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 1, "fail=1", [=](struct seat *seat) {
        open_or_end(seat);
        sum_some(seat, 1);
        sum_some(seat, 3);
        if (gang_wait(seat) == 0)
            _exit(EXIT_FAILURE);
        gang_close(seat);
    });
    assert_failed(&gang->ranks[0], wanted);
    gang_free(gang);
}

static void a_rank_that_never_comes_ends_at_the_deadline(void **)
{
    const char *wanted[] = {"rank 0 of 2: ncclCommInitRankConfig is not done after 0.2 s",
                            "no collective was issued", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 2, NULL, [=](struct seat *seat) {
        if (seat->rank == 0)
            gang_open(seat, SHORT_S);
    });
    assert_failed(&gang->ranks[0], wanted);
    assert_true(gang->ranks[0].seconds >= SHORT_S);
    assert_int_equal(n_files(), 0);
    gang_free(gang);
}

/* The deadline is longer where several processes have to get their turn before it. */
static void a_rank_that_ends_is_missed_by_the_others(void **)
{
    const char *wanted[] = {"rank 0 of 2: ncclAllReduce is not done after 1 s", "a rank has ended",
                            "\n  #2 sum_floats", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 2, NULL, [=](struct seat *seat) {
        gang_open(seat, 1);
        sum_some(seat, seat->rank == 0 ? 2 : 1);
    });
    assert_failed(&gang->ranks[0], wanted);
    gang_free(gang);
}

static void a_close_that_others_do_not_make_ends_at_the_deadline(void **)
{
    const char *wanted[] = {"rank 0 of 2: ncclCommFinalize is not done after 1 s", NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 2, NULL, [=](struct seat *seat) {
        gang_open(seat, 1);
        if (seat->rank == 0)
            gang_close(seat);
    });
    assert_failed(&gang->ranks[0], wanted);
    gang_free(gang);
}

static void calls_that_differ_between_ranks_are_explained(void **)
{
    const char *wanted[] = {"ncclAllReduce: invalid usage", "calls that differ between ranks",
                            NULL};
    struct gang *gang = gang_new();
    gang_run(gang, 2, NULL, [=](struct seat *seat) {
        open_or_end(seat);
        on_device(seat, seat->notes->floats, 10, [&](float *values) {
            nccl->sum_floats(seat->collective, seat->queue, values, 9 + seat->rank);
        });
    });
    assert_failed(&gang->ranks[0], wanted);
    assert_failed(&gang->ranks[1], wanted);
    gang_free(gang);
}

/* ---- recorded */

/* What a rank repeats: x += y, then the sum of x on a second queue beside y += y, then x += y when it is there. */
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
        cmocka_unit_test(sums_are_those_of_plain_loops),
        cmocka_unit_test(a_sum_of_nothing_is_fine),
        cmocka_unit_test(what_is_in_progress_for_long_is_done_at_last),
        cmocka_unit_test(sums_of_equal_shares_are_those_of_plain_loops),
        cmocka_unit_test(sums_of_unequal_shares_are_those_of_plain_loops),
        cmocka_unit_test(sums_of_stretches_are_those_of_plain_loops),
        cmocka_unit_test(each_ranks_share_comes_to_all),
        cmocka_unit_test(many_of_all_kinds_follow_each_other),
        cmocka_unit_test(a_rank_is_in_several_sets_of_ranks),
        cmocka_unit_test(a_missing_library_is_named),
        cmocka_unit_test(a_library_that_is_not_nccl_is_named),
        cmocka_unit_test(an_old_library_is_named_with_its_version),
        cmocka_unit_test(a_call_that_a_library_lacks_is_named),
        cmocka_unit_test(a_sum_that_fails_is_told_of_with_the_ones_before),
        cmocka_unit_test(a_sum_that_hangs_ends_at_the_deadline),
        cmocka_unit_test(a_late_error_is_found_before_the_deadline),
        cmocka_unit_test(two_ranks_on_one_gpu_are_explained),
        cmocka_unit_test(the_record_has_the_last_sixteen),
        cmocka_unit_test(after_a_failure_nothing_is_done_and_it_is_told_again),
        cmocka_unit_test(a_rank_that_never_comes_ends_at_the_deadline),
        cmocka_unit_test(a_rank_that_ends_is_missed_by_the_others),
        cmocka_unit_test(a_close_that_others_do_not_make_ends_at_the_deadline),
        cmocka_unit_test(calls_that_differ_between_ranks_are_explained),
        cmocka_unit_test(a_recorded_sum_is_done_at_every_replay),
        cmocka_unit_test(a_recorded_sum_waits_for_its_values_and_is_waited_for),
        cmocka_unit_test(a_replayed_sum_that_hangs_ends_at_the_deadline),
        cmocka_unit_test(a_late_error_of_a_replayed_sum_is_found_before_the_deadline),
        cmocka_unit_test(a_sum_that_cannot_be_recorded_is_told_of_and_nothing_is_replayed),
        cmocka_unit_test(ops_beside_a_sum_that_cannot_be_recorded_are_not_done),
        cmocka_unit_test(a_rank_that_ends_is_missed_by_a_replayed_sum),
        cmocka_unit_test(what_a_mark_has_seen_done_is_told_as_done),
        cmocka_unit_test(a_sum_on_another_queue_is_seen_done_by_a_mark_behind_it),
        cmocka_unit_test(replayed_sums_are_seen_done_by_marks),
        cmocka_unit_test(an_abort_that_hangs_ends_the_process_with_the_reason),
        cmocka_unit_test(a_destroy_that_hangs_is_told_of_and_left),
        cmocka_unit_test(an_abort_that_hangs_in_a_close_is_told_of_and_left),
        cmocka_unit_test(an_abort_that_hangs_in_an_open_is_told_of_and_left),
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
