/* The real katydid-trainer --gang, one rank and two, against a coordinator that this test plays on
 * a real socket. */
#include <signal.h>
#include <sys/wait.h>

#include "coordinator/base/clock.h"
#include "coordinator/bus/router.h"
#include "tests/trainer/support.h"

enum { PATIENCE_MS = 20000 };

struct coordinator {
    struct folder folder;
    struct kd_router *router;
    struct kd_address gang;
    char *endpoint;
    pid_t pid;
    int64_t fence;
    int n_accuracies, n_saved; /* of the trial under way */
    double last_accuracy;
    json_t *done; /* the last DONE's body */
};

static void start_gang(struct coordinator *c, int n_ranks)
{
    struct kd_error err;
    *c = (struct coordinator){.folder = folder_make()};
    blobs_write(&c->folder, 150);
    c->endpoint = kd_format("ipc://%s/bus", c->folder.path);
    c->router = kd_router_open((const char *const[]){c->endpoint, NULL}, &err);
    assert_non_null(c->router);
    char *command = kd_format("exec mpirun --allow-run-as-root --oversubscribe --bind-to none"
                              " --mca pml ob1 --mca btl self,vader"
                              " --mca btl_vader_backing_directory '%s'"
                              " --mca orte_tmpdir_base '%s' -np %d '%s/katydid-trainer' --gang",
                              c->folder.path, c->folder.path, n_ranks, KD_BIN_DIR);
    c->pid = fork();
    assert_true(c->pid >= 0);
    if (c->pid == 0) {
        setenv("KATYDID_BUS", c->endpoint, 1);
        setenv("KATYDID_RUN", "0123456789abcdef0123456789abcdef", 1);
        setenv("KATYDID_GANG", "4", 1);
        setenv("KATYDID_TOKEN", "secret", 1);
        setenv("KATYDID_CUDA_PLUGIN", "/nonexistent", 1); /* on the CPU, whatever there is */
        setenv("ASAN_OPTIONS", "detect_leaks=0", 0);      /* Open MPI's own */
        if (n_ranks > 1)
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        execl(KD_BIN_DIR "/katydid-trainer", "katydid-trainer", "--gang", (char *)NULL);
        _exit(127);
    }
    free(command);
}

static void send(struct coordinator *c, enum kd_message_type type, const char *format, ...)
{
    char body[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(body, sizeof body, format, args);
    va_end(args);
    assert_true(kd_router_send(c->router, &c->gang, type, body));
}

static void count_points(struct coordinator *c, const json_t *body)
{
    const json_t *point;
    size_t i;
    json_array_foreach(json_object_get(body, "points"), i, point)
    {
        if (strcmp(json_string_value(json_array_get(point, 0)), "val_accuracy") != 0)
            continue;
        c->n_accuracies++;
        c->last_accuracy = json_number_value(json_array_get(point, 2));
    }
}

static void take(struct coordinator *c, enum kd_message_type type, const json_t *body)
{
    int64_t seq, fence = 0;
    kd_body_int(body, "fence", &fence);
    if (kd_body_int(body, "seq", &seq))
        send(c, KD_MSG_ACK, "{\"fence\": %lld, \"seq\": %lld}", (long long)fence, (long long)seq);
    else
        send(c, KD_MSG_NOTED, "{}");
    if (fence != c->fence)
        return;
    if (type == KD_MSG_METRICS)
        count_points(c, body);
    c->n_saved += type == KD_MSG_SAVED;
    if (type == KD_MSG_DONE) {
        json_decref(c->done);
        c->done = json_incref((json_t *)body);
    }
}

static void wait_for(struct coordinator *c, enum kd_message_type wanted)
{
    int64_t deadline_us = kd_clock_mono_us() + PATIENCE_MS * INT64_C(1000);
    while (kd_clock_mono_us() < deadline_us) {
        enum kd_message_type type;
        json_t *body;
        if (!kd_router_receive(c->router, &c->gang, &type, &body)) {
            kd_router_wait(c->router, NULL, NULL, 0, 100);
            continue;
        }
        take(c, type, body);
        json_decref(body);
        if (type == wanted)
            return;
    }
    fail_msg("no %s from the gang", kd_message_type_name(wanted));
}

static void assign(struct coordinator *c, const char *changes)
{
    json_t *block = block_make(changes);
    char *trainer = json_dumps(block, JSON_COMPACT);
    c->fence++;
    c->n_accuracies = c->n_saved = 0;
    c->last_accuracy = 0;
    send(c, KD_MSG_ASSIGN,
         "{\"fence\": %lld, \"trial\": 0, \"attempt\": 1, \"seed\": 9, \"until\": 0,"
         " \"trainer\": %s, \"base_dir\": \"%s\", \"checkpoint_dir\": \"%s/trial-%lld\","
         " \"resume\": false, \"parent_checkpoint\": null}",
         (long long)c->fence, trainer, c->folder.path, c->folder.path, (long long)c->fence);
    free(trainer);
    json_decref(block);
}

static void expect_done(struct coordinator *c, const char *outcome, const char *reason)
{
    wait_for(c, KD_MSG_DONE);
    const char *seen = json_string_value(json_object_get(c->done, "outcome"));
    const char *why = json_string_value(json_object_get(c->done, "reason"));
    if (strcmp(seen, outcome) != 0 || !strstr(why, reason))
        fail_msg("%s (%s) where %s (%s) was expected", seen, why, outcome, reason);
}

static void end_gang(struct coordinator *c)
{
    int status;
    send(c, KD_MSG_EXIT, "{}");
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    kd_router_close(c->router);
    json_decref(c->done);
    free(c->endpoint);
    folder_remove(&c->folder);
}

static void serve_trials(int n_ranks)
{
    struct coordinator c;
    start_gang(&c, n_ranks);
    wait_for(&c, KD_MSG_HELLO);
    wait_for(&c, KD_MSG_READY);

    assign(&c, "{\"epochs\": 12}");
    expect_done(&c, "succeeded", "trained 12 epochs");
    assert_int_equal(c.n_accuracies, 12);
    assert_true(c.last_accuracy > 0.9);
    assert_true(c.n_saved >= 1);

    /* The same shape; but the plan that is there computes in fp32. */
    wait_for(&c, KD_MSG_READY);
    assign(&c, "{\"epochs\": 12, \"precision\": \"bf16\"}");
    expect_done(&c, "failed", "precision: the CPU computes in fp32, not bf16");

    wait_for(&c, KD_MSG_READY);
    assign(&c, "{\"model\": [{\"linear\": {\"units\": 2}}]}");
    expect_done(&c, "failed", "label 2 is out of range");

    wait_for(&c, KD_MSG_READY);
    assign(&c, "{\"epochs\": 0, \"batchSize\": -1}");
    expect_done(&c, "failed", "trainer/batchSize");

    wait_for(&c, KD_MSG_READY);
    assign(&c, "{\"epochs\": 100000000, \"checkpoint\": {\"every\": 0}}");
    wait_for(&c, KD_MSG_METRICS);
    send(&c, KD_MSG_STOP, "{\"fence\": %lld}", (long long)c.fence);
    expect_done(&c, "stopped", "on request");
    assert_int_equal(c.n_saved, 0);

    wait_for(&c, KD_MSG_READY);
    assign(&c, "{\"epochs\": 100000000, \"checkpoint\": {\"every\": 0}}");
    wait_for(&c, KD_MSG_METRICS);
    send(&c, KD_MSG_YIELD, "{\"fence\": %lld}", (long long)c.fence);
    expect_done(&c, "yielded", "checkpoint");
    assert_int_equal(c.n_saved, 1);

    wait_for(&c, KD_MSG_READY);
    assign(&c, "{\"epochs\": 100000000, \"checkpoint\": {\"every\": 0}}");
    wait_for(&c, KD_MSG_METRICS);
    send(&c, KD_MSG_FENCED, "{\"fence\": %lld}", (long long)c.fence);
    wait_for(&c, KD_MSG_READY); /* no DONE before it */
    assert_string_equal(json_string_value(json_object_get(c.done, "outcome")), "yielded");
    end_gang(&c);
}

static void a_gang_of_one_rank_serves_trial_after_trial(void **unused)
{
    (void)unused;
    serve_trials(1);
}

static void a_gang_of_two_ranks_serves_trial_after_trial(void **unused)
{
    (void)unused;
    serve_trials(2);
}

static void a_gang_that_hears_nothing_ends(void **unused)
{
    (void)unused;
    struct coordinator c;
    setenv("KATYDID_ORPHAN_GRACE", "0.2", 1);
    start_gang(&c, 1);
    int status;
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    unsetenv("KATYDID_ORPHAN_GRACE");
    kd_router_close(c.router);
    free(c.endpoint);
    folder_remove(&c.folder);
}

static void a_gang_without_its_environment_says_what_is_missing(void **unused)
{
    (void)unused;
    assert_int_equal(system("env -u KATYDID_BUS '" KD_BIN_DIR "/katydid-trainer' --gang 2>&1"
                            " | grep -q 'KATYDID_BUS is not set'"),
                     0);
}

int main(void)
{
    unsetenv("OMPI_COMM_WORLD_SIZE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gang_of_one_rank_serves_trial_after_trial),
        cmocka_unit_test(a_gang_of_two_ranks_serves_trial_after_trial),
        cmocka_unit_test(a_gang_that_hears_nothing_ends),
        cmocka_unit_test(a_gang_without_its_environment_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
