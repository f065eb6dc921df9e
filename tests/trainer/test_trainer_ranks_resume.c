/* Checkpoints of several ranks under the real mpirun: kill -9 and resume at the same number ends
 * with the same bits; what two ranks saved, one and three go on with.
 *
 * The program starts itself: `test_trainer_ranks_resume --rank FOLDER CHANGES UNTIL REPORT` is one
 * rank, which dies in that report (0: never); rank 0 writes losses and weights to FOLDER/out.
 * KATYDID_TEST_LONG=1 kills in every step. */
#include <math.h>
#include <signal.h>

#include "tests/trainer/mpirun.h"

enum { N_STEPS = 8 };
#define STEPWISE                                                                                   \
    "\"epochs\": 2, \"report\": {\"every\": 1}, \"checkpoint\": {\"every\": {\"steps\": 1}}"

struct heard {
    double losses[N_STEPS + 1];
    int n, die_after;
};

/* ---- a rank */

static void hear(void *ud, const struct kd_report *report)
{
    struct heard *heard = ud;
    heard->losses[report->step] = report->values[KD_METRIC_TRAIN_LOSS];
    if (++heard->n == heard->die_after)
        raise(SIGKILL);
}

static int write_out(const struct folder *folder, const struct kd_session *session,
                     const struct heard *heard)
{
    char *path = kd_format("%s/out", folder->path);
    FILE *out = fopen(path, "wb");
    fwrite(heard->losses, sizeof heard->losses, 1, out);
    fwrite(kd_plan_parameters(session->plan), sizeof(float),
           (size_t)kd_plan_n_parameters(session->plan), out);
    free(path);
    return fclose(out);
}

static int be_a_rank(char **arguments)
{
    struct folder folder;
    struct kd_comm comm;
    struct kd_error err;
    struct kd_session session;
    struct kd_config config;
    struct kd_outcome outcome;
    struct heard heard = {.die_after = atoi(arguments[3])};
    struct kd_sink sink = {.ud = &heard, .report = hear};
    snprintf(folder.path, sizeof folder.path, "%s", arguments[0]);
    if (kd_comm_open(&comm, &err) < 0)
        return 1;
    kd_session_init(&session, &comm);
    config_make(&config, &folder, arguments[1]);
    char *checkpoints = kd_format("%s/checkpoint", folder.path);
    struct kd_job job = {.config = &config,
                         .seed = 5,
                         .until = atoi(arguments[2]),
                         .checkpoint_dir = checkpoints,
                         .resume = true,
                         .sink = comm.rank == 0 ? &sink : NULL};
    kd_train(&session, &job, &outcome);
    int status = outcome.kind == KD_OUTCOME_SUCCEEDED ? 0 : 1;
    if (status)
        fprintf(stderr, "rank %d: %s\n", comm.rank, outcome.reason.text);
    if (status == 0 && comm.rank == 0)
        status = write_out(&folder, &session, &heard);
    free(checkpoints);
    kd_config_release(&config);
    kd_session_release(&session);
    kd_comm_close(&comm);
    return status;
}

/* ---- the tests */

struct result {
    double losses[N_STEPS + 1];
    float *weights; /* owned */
    size_t bytes;
};

static int start(const struct folder *folder, int n_ranks, const char *changes, int until,
                 int die_after)
{
    char *arguments = kd_format("--rank '%s' '%s' %d %d", folder->path, changes, until, die_after);
    int status = mpirun_self(folder, die_after ? "--quiet" : "", n_ranks, arguments);
    free(arguments);
    return status;
}

static struct result run_to(const struct folder *folder, int n_ranks, const char *changes,
                            int until)
{
    struct result result = {0};
    struct stat info;
    assert_int_equal(start(folder, n_ranks, changes, until, 0), 0);
    char *path = kd_format("%s/out", folder->path);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_int_equal(fstat(fileno(in), &info), 0);
    result.bytes = (size_t)info.st_size - sizeof result.losses;
    result.weights = kd_alloc(result.bytes);
    assert_int_equal(fread(result.losses, sizeof result.losses, 1, in), 1);
    assert_int_equal(fread(result.weights, 1, result.bytes, in), result.bytes);
    fclose(in);
    free(path);
    return result;
}

static struct folder folder_with_data(void)
{
    struct folder folder = folder_make();
    blobs_write(&folder, 150);
    return folder;
}

static void check_kills(const char *changes)
{
    const char *wish = getenv("KATYDID_TEST_LONG");
    int stride = wish && wish[0] ? 1 : 4;
    struct folder straight_at = folder_with_data(), folder = folder_with_data();
    struct result straight = run_to(&straight_at, 2, changes, 0);
    for (int step = 3; step <= N_STEPS; step += stride)
        assert_int_not_equal(start(&folder, 2, changes, 0, step), 0);
    struct result resumed = run_to(&folder, 2, changes, 0);
    assert_int_equal(resumed.bytes, straight.bytes);
    assert_memory_equal(resumed.weights, straight.weights, straight.bytes);
    free(straight.weights);
    free(resumed.weights);
    folder_remove(&straight_at);
    folder_remove(&folder);
}

static void killed_ranks_go_on_to_the_same_bits(void **unused)
{
    (void)unused;
    check_kills("{" STEPWISE "}");
}

static void so_do_ranks_that_share_the_optimizers_state(void **unused)
{
    (void)unused;
    check_kills("{" STEPWISE ", \"comm\": \"mpi\", \"zero\": 1, \"average\": {\"decay\": 0.9}}");
}

static void check_other_count(const char *changes, int n_ranks)
{
    struct folder straight_at = folder_with_data(), folder = folder_with_data();
    struct result straight = run_to(&straight_at, 2, changes, 0);
    struct result half = run_to(&folder, 2, changes, 4);
    struct result whole = run_to(&folder, n_ranks, changes, 0);
    for (int step = 1; step <= N_STEPS; step++)
        if (!(fabs(whole.losses[step] - straight.losses[step]) <= 1e-5 * straight.losses[step]))
            fail_msg("step %d: %.9g at %d ranks, %.9g at 2", step, whole.losses[step], n_ranks,
                     straight.losses[step]);
    free(straight.weights);
    free(half.weights);
    free(whole.weights);
    folder_remove(&straight_at);
    folder_remove(&folder);
}

static void what_two_ranks_saved_one_goes_on_with(void **unused)
{
    (void)unused;
    check_other_count("{" STEPWISE ", \"zero\": 1}", 1);
}

static void what_two_ranks_saved_three_go_on_with(void **unused)
{
    (void)unused;
    check_other_count("{" STEPWISE ", \"zero\": 1}", 3);
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "--rank") == 0)
        return be_a_rank(argv + 2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_ranks_go_on_to_the_same_bits),
        cmocka_unit_test(so_do_ranks_that_share_the_optimizers_state),
        cmocka_unit_test(what_two_ranks_saved_one_goes_on_with),
        cmocka_unit_test(what_two_ranks_saved_three_go_on_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
