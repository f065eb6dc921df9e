/* test_nccl.cpp - the collectives of the CUDA device (kernels/cuda/nccl.cu) on the sim, with the
 * stand-in of NCCL: sums over 1 to 4 processes, and what is said, and when, about everything that
 * can go wrong. */
#include "tests/cuda/nccl_checks.h"

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

/* n_sums of 5 floats each: all ranks' open, or wait, says what is wanted; and all close as they
 * can. */
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
    };
    setenv("KATYDID_NCCL", KD_STANDIN, 1);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
