/* test_supervisor.c - real processes under the real supervisor: how they end, what is written down,
 * what is left. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "coordinator/base/clock.h"
#include "coordinator/launch/gang_process.h"
#include "coordinator/launch/run_dir.h"

struct gang {
    char dir[64];
    char *log;
    struct kd_launch launch;
    struct kd_launch_programs programs;
    struct kd_gang_process process;
};

static int set_up(void **state)
{
    struct gang *gang = KD_NEW(struct gang);
    snprintf(gang->dir, sizeof gang->dir, "/tmp/kd-gang-XXXXXX");
    assert_non_null(mkdtemp(gang->dir));
    gang->log = kd_format("%s/log", gang->dir);
    gang->programs.supervisor = kd_format("%s/katydid-supervisor", KD_BIN_DIR);
    gang->programs.exec = kd_format("%s/katydid-exec", KD_BIN_DIR);
    gang->launch = (struct kd_launch){.gang = 1,
                                      .n_ranks = 1,
                                      .dir = gang->dir,
                                      .scratch = gang->dir,
                                      .log = gang->log,
                                      .logs_dir = gang->dir,
                                      .cwd = "/",
                                      .cores = "0",
                                      .grace_s = 0.2,
                                      .env = environ};
    *state = gang;
    return 0;
}

static int tear_down(void **state)
{
    struct gang *gang = *state;
    kd_dir_remove(gang->dir);
    free(gang->programs.supervisor);
    free(gang->programs.exec);
    free(gang->log);
    free(gang);
    return 0;
}

static void start(struct gang *gang, const char *script)
{
    struct kd_error err;
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
    gang->launch.argv = argv;
    if (kd_gang_start(&gang->programs, &gang->launch, &gang->process, &err) != 0)
        fail_msg("%s", err.text);
}

static struct kd_exit_record wait_for_end(struct gang *gang)
{
    struct kd_exit_record record;
    int64_t until = kd_clock_mono_us() + 20000000;
    while (kd_gang_is_alive(&gang->process) && kd_clock_mono_us() < until)
        usleep(1000);
    assert_int_equal(gang->process.control, -1);
    assert_int_equal(kd_exit_record_read(gang->dir, &record), 1);
    return record;
}

static char *read_log(const struct gang *gang)
{
    static char text[4096];
    FILE *file = fopen(gang->log, "re");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

static void wait_for_output(const struct gang *gang)
{
    for (int i = 0; i < 10000 && (access(gang->log, R_OK) != 0 || *read_log(gang) == '\0'); i++)
        usleep(1000);
}

static void output_and_exit_code_are_kept(void **state)
{
    struct gang *gang = *state;
    start(gang, "echo out; echo err >&2; exit 7");
    struct kd_exit_record record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_EXITED);
    assert_int_equal(record.code, 7);
    assert_string_equal(read_log(gang), "out\nerr\n");
}

static void a_signal_is_kept_as_such(void **state)
{
    struct gang *gang = *state;
    start(gang, "kill -SEGV $$");
    struct kd_exit_record record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_EXITED);
    assert_int_equal(record.signal, SIGSEGV);
}

static void a_kill_while_memory_runs_out_is_told_from_other_kills(void **state)
{
    struct gang *gang = *state;
    char *vmstat = kd_format("%s/vmstat", gang->dir);
    FILE *file = fopen(vmstat, "we");
    assert_non_null(file);
    fputs("pgfault 7\noom_kill 3\n", file);
    fclose(file);
    setenv("KATYDID_FAKE_VMSTAT", vmstat, 1);
    gang->launch.env = environ;
    start(gang, "kill -9 $$");
    struct kd_exit_record record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_EXITED);
    assert_int_equal(record.signal, SIGKILL);
    start(gang, "sh -c 'echo oom_kill 4 >$KATYDID_FAKE_VMSTAT; kill -9 $$'; exit $?");
    record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_MEMORY);
    assert_int_equal(record.code, 137);
    start(gang, "echo oom_kill 5 >$KATYDID_FAKE_VMSTAT; exit 1");
    record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_EXITED);
    unsetenv("KATYDID_FAKE_VMSTAT");
    free(vmstat);
}

static void last_words_of_any_process_are_kept_when_the_gang_fails(void **state)
{
    struct gang *gang = *state;
    start(gang, "(echo out of GPU memory: 3 GB >$KATYDID_LAST_WORDS); exit 71");
    struct kd_exit_record record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_GPU_MEMORY);
    assert_int_equal(record.code, 71);
    assert_string_equal(record.text, "out of GPU memory: 3 GB");
    start(gang, "exit 71"); /* the words of a gang before it are none of its */
    record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_EXITED);
    start(gang, "echo out of GPU memory: 3 GB >$KATYDID_LAST_WORDS; exit 0");
    record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_EXITED);
}

static void a_program_that_is_not_there_is_said(void **state)
{
    struct gang *gang = *state;
    start(gang, "exec /no/such/program");
    struct kd_exit_record record = wait_for_end(gang);
    assert_int_equal(record.code, 127);
    gang->launch.cwd = "/no/such/folder";
    start(gang, "true");
    record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_UNSTARTABLE);
    assert_non_null(strstr(record.text, "/no/such/folder"));
}

static void a_polite_program_has_its_grace(void **state)
{
    struct gang *gang = *state;
    gang->launch.grace_s = 20;
    start(gang, "trap 'echo saved; exit 0' TERM; echo up; while :; do sleep 0.01; done");
    wait_for_output(gang);
    kd_gang_ask_to_end(&gang->process);
    struct kd_exit_record record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_ASKED);
    assert_non_null(strstr(read_log(gang), "saved"));
}

static void a_deaf_program_is_killed_after_its_grace(void **state)
{
    struct gang *gang = *state;
    start(gang, "trap '' TERM; echo up; while :; do sleep 0.01; done");
    wait_for_output(gang);
    kd_gang_ask_to_end(&gang->process);
    struct kd_exit_record record = wait_for_end(gang);
    assert_int_equal(record.end, KD_END_ASKED);
    assert_int_equal(record.signal, SIGKILL);
}

/* The script prints the pid of a grandchild that left session and parent. */
static void nothing_that_a_program_leaves_behind_survives_it(void **state)
{
    struct gang *gang = *state;
    start(gang, "setsid sh -c 'trap \"\" TERM HUP; echo $$; sleep 1000' & sleep 0.2; exit 0");
    struct kd_exit_record record = wait_for_end(gang);
    assert_int_equal(record.code, 0);
    pid_t left_behind = atoi(read_log(gang));
    assert_true(left_behind > 1);
    assert_int_equal(kill(left_behind, 0), -1);
}

static void a_gang_ends_when_its_coordinator_is_gone(void **state)
{
    struct gang *gang = *state;
    start(gang, "echo up; sleep 1000");
    wait_for_output(gang);
    assert_true(kd_gang_lock_is_held(gang->dir));
    close(gang->process.control);
    gang->process.control = -1;
    assert_int_equal(waitpid(gang->process.pid, NULL, 0), gang->process.pid);
    struct kd_exit_record record;
    assert_int_equal(kd_exit_record_read(gang->dir, &record), 1);
    assert_int_equal(record.end, KD_END_ORPHANED);
    assert_false(kd_gang_lock_is_held(gang->dir));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(output_and_exit_code_are_kept),
        TEST(a_kill_while_memory_runs_out_is_told_from_other_kills),
        TEST(last_words_of_any_process_are_kept_when_the_gang_fails),
        TEST(a_signal_is_kept_as_such),
        TEST(a_program_that_is_not_there_is_said),
        TEST(a_polite_program_has_its_grace),
        TEST(a_deaf_program_is_killed_after_its_grace),
        TEST(nothing_that_a_program_leaves_behind_survives_it),
        TEST(a_gang_ends_when_its_coordinator_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
