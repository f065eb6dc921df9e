/* kill -9 while a trial trains and saves, at every step and in every call of a save; a disk that is
 * full. What goes on from it ends with the weights of a trial that nothing interrupted, bit for
 * bit.
 *
 * This program has calls of its own for writing, so that one can be the last. KATYDID_TEST_LONG=1
 * takes more steps. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/trainer/trial.h"

static int n_calls, last_call; /* 0: none is the last */

/* A write that is the last one gets half way. */
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    bool is_last = ++n_calls == last_call;
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, is_last ? n / 2 : n, at);
    if (is_last)
        raise(SIGKILL);
    return done;
}

static void count_call(void)
{
    if (++n_calls == last_call)
        raise(SIGKILL);
}

int fsync(int fd)
{
    count_call();
    return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    count_call();
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
    count_call();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* ---- */

static bool is_long(void)
{
    const char *text = getenv("KATYDID_TEST_LONG");
    return text && text[0];
}

static const char *const forms[] = {
    "{\"epochs\": 2, \"report\": {\"every\": 1}, \"checkpoint\": {\"every\": {\"steps\": 1}},"
    " \"average\": {\"decay\": 0.9}}",
    "{\"epochs\": 2, \"report\": {\"every\": 1}, \"checkpoint\": {\"every\": {\"steps\": 1}, "
    "\"keep\": 1,"
    " \"best\": 2}, \"optimizer\": {\"name\": \"sgd\", \"lr\": 0.05, \"momentum\": 0.9}, "
    "\"accumulate\": 3}",
};
enum { N_STEPS = 8 };

/* In a process of its own: true when it was killed. */
static bool dies(struct trial *trial, bool resume, int report, int call)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        trial->listener.die_after = report;
        n_calls = 0;
        last_call = call;
        trial_run(trial, resume, 0);
        _exit(trial->outcome.kind != KD_OUTCOME_SUCCEEDED);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void expect_goes_on(struct trial *trial, const float *straight, size_t bytes)
{
    trial_run(trial, true, 0);
    if (trial->outcome.kind != KD_OUTCOME_SUCCEEDED)
        fail_msg("%s", trial->outcome.reason.text);
    assert_int_equal(trial->listener.n_reports, N_STEPS);
    assert_weights(trial, straight, bytes);
}

static void a_kill_in_any_step_loses_nothing(void **unused)
{
    (void)unused;
    for (size_t form = 0; form < KD_COUNT(forms); form++) {
        struct trial trial;
        size_t bytes;
        float *straight = straight_weights(forms[form], &bytes);
        trial_open(&trial, forms[form]);
        for (int step = 1; step <= N_STEPS; step++)
            assert_true(dies(&trial, true, step, 0)); /* before this step is saved */
        expect_goes_on(&trial, straight, bytes);
        free(straight);
        trial_close(&trial);
    }
}

/* Begins anew, dies in that call, and goes on. */
static bool check_call(const char *changes, int call, const float *straight, size_t bytes)
{
    struct trial trial;
    trial_open(&trial, changes);
    bool died = dies(&trial, false, 0, call);
    expect_goes_on(&trial, straight, bytes);
    trial_close(&trial);
    return died;
}

static void a_kill_in_any_call_of_a_save_loses_nothing(void **unused)
{
    (void)unused;
    int stride = is_long() ? 1 : 5, n = 0;
    for (size_t form = 0; form < KD_COUNT(forms); form++) {
        size_t bytes;
        float *straight = straight_weights(forms[form], &bytes);
        for (int call = 1 + (int)form; check_call(forms[form], call, straight, bytes);
             call += stride)
            n++;
        free(straight);
    }
    assert_true(n * stride >= 2 * N_STEPS * 5); /* write, fsync, rename, fsync, unlink at least */
}

/* ---- a full disk */

static void fill_disk(void *ud, int64_t step, const char *path, int64_t bytes, const char *digest)
{
    struct rlimit limit = {(rlim_t)bytes / 2, RLIM_INFINITY};
    listener_saved(ud, step, path, bytes, digest);
    if (step == 3)
        setrlimit(RLIMIT_FSIZE, &limit);
}

static void a_full_disk_leaves_the_checkpoint_before_and_the_training_going(void **unused)
{
    (void)unused;
    struct trial trial;
    struct rlimit before;
    size_t bytes;
    float *straight = straight_weights(forms[0], &bytes);
    trial_open(&trial, forms[0]);
    struct kd_sink sink = {.ud = &trial.listener, .report = listener_report, .saved = fill_disk};
    struct kd_job job = {
        .config = &trial.config, .seed = 77, .checkpoint_dir = trial.checkpoints, .sink = &sink};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    kd_train(&trial.alone.session, &job, &trial.outcome);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_SUCCEEDED);
    assert_int_equal(trial.listener.n_saved, 3);
    assert_int_equal(trial.listener.n_reports, N_STEPS);
    assert_weights(&trial, straight, bytes);
    expect_goes_on(&trial, straight, bytes); /* from step 3 */
    assert_int_equal(trial.listener.n_saved, N_STEPS - 3);
    free(straight);
    trial_close(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_in_any_step_loses_nothing),
        cmocka_unit_test(a_kill_in_any_call_of_a_save_loses_nothing),
        cmocka_unit_test(a_full_disk_leaves_the_checkpoint_before_and_the_training_going),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
