/* supervisor_main.c - katydid-supervisor: stands over one gang, so that nothing of it outlives what
 * it was for.
 *
 *     katydid-supervisor DIR LOG GRACE_MS CWD -- PROGRAM ARG...
 *
 * Descriptor 3 is a socket to the coordinator. From there: 'r' a megabyte of the log is read, 'u'
 * nobody reads it, 't' ask the gang to end (TERM, after the grace KILL), 'k' kill it, end of file =
 * the coordinator is gone: end the gang within 5 seconds. To there: 'o' = the log has grown; end of
 * file = the gang is over and DIR/exit says how.
 *
 * The supervisor holds DIR/lock as long as it lives, appends the gang's output to LOG (on a full
 * disk it waits, and so does the gang when its pipe is full: no line is lost), is a subreaper, and
 * leaves only when no process is below it. It uses no library, so that starting it costs nothing
 * and nothing can hang it. A rank that finds its GPU out of memory says so in DIR/words
 * (last_words.h). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/last_words.h"
#include "coordinator/base/mem.h"
#include "coordinator/launch/exit_record.h"
#include "coordinator/launch/oom.h"
#include "coordinator/launch/tree.h"

enum {
    CONTROL = 3,
    ORPHAN_GRACE_MS = 5000,
    STRAGGLER_GRACE_MS = 1000,
    DISK_RETRY_MS = 200,
    LONGEST_KILL_PAUSE_US = 1000000,
    WINDOW = 64 << 20,  /* so much output may lie unread before the gang has to wait */
    READS_A_ROUND = 64, /* so that a gang that never stops talking can still be told to end */
};

struct supervisor {
    const char *dir, *log_path, *cwd;
    char *words; /* the path of the gang's last words */
    char **argv;
    int64_t grace_ms;
    int log, output, signals, control; /* -1 = closed */
    pid_t child;
    bool child_ended, ending;
    mode_t program_umask;
    int64_t kill_pause_us; /* between kills of what will not die */
    int64_t kill_at_us;    /* 0 = no kill is due */
    char held[65536];      /* output that the disk did not take yet */
    size_t n_held;
    int64_t unread;      /* bytes of the log that the coordinator has not read */
    bool is_unread_free; /* nobody reads the log */
    struct kd_exit_record record;
    int64_t oom_kills; /* of the machine, when it started */
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "katydid-supervisor: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static void hold_lock(const char *dir)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
        die(path);
}

/* ---- the gang's first process ---- */

static _Noreturn void become_program(const struct supervisor *s, int output, int report)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    umask(s->program_umask);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, 0);
    dup2(output, 1);
    dup2(output, 2);
    setenv(KD_LAST_WORDS, s->words, 1);
    if (chdir(s->cwd) == 0)
        execvp(s->argv[0], s->argv);
    int failure = errno;
    if (write(report, &failure, sizeof failure) < 0)
        _exit(127);
    _exit(127);
}

/* 0, or the errno of chdir or exec. */
static int start_child(struct supervisor *s)
{
    int output[2], report[2];
    if (pipe2(output, O_CLOEXEC) != 0 || pipe2(report, O_CLOEXEC) != 0)
        die("pipe");
    s->child = fork();
    if (s->child < 0) {
        s->record.end = KD_END_NO_START;
        return errno;
    }
    if (s->child == 0)
        become_program(s, output[1], report[1]);
    close(output[1]);
    close(report[1]);
    int failure = 0;
    ssize_t n = read(report[0], &failure, sizeof failure);
    close(report[0]);
    s->output = output[0];
    fcntl(s->output, F_SETFL, O_NONBLOCK);
    return n == (ssize_t)sizeof failure ? failure : 0;
}

/* ---- output ---- */

/* Writes what is held; what the disk does not take stays held. */
static void write_held(struct supervisor *s)
{
    size_t done = 0;
    while (done < s->n_held) {
        ssize_t n = write(s->log, s->held + done, s->n_held - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    s->n_held -= done;
    s->unread += (int64_t)done;
    memmove(s->held, s->held + done, s->n_held);
    if (done > 0 && s->control >= 0)
        send(s->control, "o", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool window_is_full(const struct supervisor *s)
{
    return !s->is_unread_free && s->control >= 0 && s->unread >= WINDOW;
}

/* Returns whether more may be there. */
static bool copy_output(struct supervisor *s)
{
    for (int i = 0; i < READS_A_ROUND; i++) {
        write_held(s);
        if (s->n_held > 0 || window_is_full(s))
            return false; /* the pipe waits for the disk, or for the reader */
        ssize_t n = read(s->output, s->held, sizeof s->held);
        if (n == 0) {
            close(s->output);
            s->output = -1;
        }
        if (n <= 0)
            return false;
        s->n_held = (size_t)n;
    }
    write_held(s);
    return true;
}

/* ---- ending ---- */

static void kill_in(struct supervisor *s, int64_t ms)
{
    int64_t at = kd_clock_mono_us() + ms * 1000;
    if (s->kill_at_us == 0 || at < s->kill_at_us)
        s->kill_at_us = at;
}

static void end_gang(struct supervisor *s, enum kd_gang_end why, int64_t grace_ms)
{
    if (!s->ending && !s->child_ended)
        s->record.end = why;
    if (!s->ending)
        kd_tree_signal(getpid(), SIGTERM);
    s->ending = true;
    kill_in(s, grace_ms);
}

static void read_control(struct supervisor *s)
{
    char word;
    ssize_t n = read(s->control, &word, 1);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close(s->control);
        s->control = -1;
        end_gang(s, KD_END_ORPHANED, s->grace_ms < ORPHAN_GRACE_MS ? s->grace_ms : ORPHAN_GRACE_MS);
    } else if (word == 'r') {
        s->unread -= 1 << 20;
    } else if (word == 'u') {
        s->is_unread_free = true;
    } else if (word == 't') {
        end_gang(s, KD_END_ASKED, s->grace_ms);
    } else if (word == 'k') {
        end_gang(s, KD_END_ASKED, 0);
    }
}

static void note_status(struct supervisor *s, int status)
{
    s->child_ended = true;
    s->record.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    s->record.signal = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

/* Returns whether any process is left below us. */
static bool reap(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) > 0)
        if (info.ssi_signo != SIGCHLD)
            end_gang(s, KD_END_ASKED, s->grace_ms);
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return pid == 0;
        if (pid == s->child)
            note_status(s, status);
    }
}

static int wait_ms(const struct supervisor *s)
{
    int longest = s->n_held > 0 ? DISK_RETRY_MS : -1;
    if (s->kill_at_us == 0)
        return longest;
    int64_t ms = (s->kill_at_us - kd_clock_mono_us()) / 1000 + 1;
    if (ms < 0)
        return 0;
    return longest >= 0 && ms > longest ? longest : (int)ms;
}

static void kill_when_due(struct supervisor *s)
{
    if (s->kill_at_us == 0 || kd_clock_mono_us() < s->kill_at_us)
        return;
    kd_tree_signal(getpid(), SIGKILL);
    /* Again, for what was forked meanwhile; less and less often, for what hangs in the kernel. */
    s->kill_pause_us = s->kill_pause_us == 0 ? 20000 : 2 * s->kill_pause_us;
    if (s->kill_pause_us > LONGEST_KILL_PAUSE_US)
        s->kill_pause_us = LONGEST_KILL_PAUSE_US;
    s->kill_at_us = kd_clock_mono_us() + s->kill_pause_us;
}

/* What the gang said last, after its end. Without a coordinator a full disk is not waited for: the
 * attempt then has no exit record either, counts as lost, and runs again. */
static bool drain_output(struct supervisor *s)
{
    s->is_unread_free = true; /* no more than a pipe holds */
    while (s->output >= 0 || s->n_held > 0) {
        if (s->output >= 0 && copy_output(s))
            continue;
        write_held(s);
        if (s->n_held == 0)
            break; /* read dry; somebody else may hold the pipe open */
        if (s->control < 0)
            return false;
        struct pollfd control = {s->control, POLLIN, 0};
        poll(&control, 1, DISK_RETRY_MS);
        if (control.revents)
            read_control(s);
    }
    return true;
}

/* Until nothing is left below us. false: output was lost. */
static bool watch(struct supervisor *s)
{
    bool any_left = true;
    while (!s->child_ended || any_left) {
        int output = s->n_held > 0 || window_is_full(s) ? -1 : s->output;
        struct pollfd fds[] = {
            {output, POLLIN, 0}, {s->control, POLLIN, 0}, {s->signals, POLLIN, 0}};
        poll(fds, 3, wait_ms(s));
        if (s->output >= 0)
            copy_output(s);
        if (s->control >= 0 && fds[1].revents)
            read_control(s);
        any_left = reap(s);
        if (s->child_ended && any_left && !s->ending)
            end_gang(s, s->record.end, STRAGGLER_GRACE_MS);
        kill_when_due(s);
    }
    return drain_output(s);
}

static void prepare(struct supervisor *s)
{
    setsid();
    s->program_umask = umask(077);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGXFSZ, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->control = CONTROL;
    fcntl(s->control, F_SETFD, FD_CLOEXEC);
    fcntl(s->control, F_SETFL, O_NONBLOCK);
    hold_lock(s->dir);
    s->log = open(s->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (s->signals < 0 || s->log < 0)
        die(s->log_path);
}

static void blame_memory(struct supervisor *s)
{
    bool was_killed =
        s->record.end == KD_END_EXITED && kd_was_killed(s->record.code, s->record.signal);
    if (was_killed && kd_oom_kills() > s->oom_kills)
        s->record.end = KD_END_MEMORY;
}

/* A command may have got over it: then it ends well. */
static void blame_gpu_memory(struct supervisor *s)
{
    bool has_failed = s->record.end == KD_END_EXITED && s->record.code != 0;
    if (has_failed && kd_last_words_read(s->words, s->record.text, sizeof s->record.text) == 1)
        s->record.end = KD_END_GPU_MEMORY;
}

/* How it ended must be known before we go: a full disk is waited for as long as there is a
 * coordinator. Without one the attempt counts as lost and runs again. */
static int leave(struct supervisor *s)
{
    while (kd_exit_record_write(s->dir, &s->record) != 0) {
        if (s->control < 0)
            return 1;
        struct pollfd control = {s->control, POLLIN, 0};
        poll(&control, 1, DISK_RETRY_MS);
        if (control.revents)
            read_control(s);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 7 || strcmp(argv[5], "--") != 0) {
        fprintf(stderr, "usage: katydid-supervisor DIR LOG GRACE_MS CWD -- PROGRAM [ARG...]\n"
                        "The coordinator starts this; it is of no use by hand.\n");
        return 2;
    }
    static struct supervisor s;
    s = (struct supervisor){
        .dir = argv[1],
        .log_path = argv[2],
        .grace_ms = atoll(argv[3]),
        .cwd = argv[4],
        .argv = argv + 6,
        .record = {.end = KD_END_EXITED, .code = -1, .signal = -1},
    };
    prepare(&s);
    s.words = kd_format("%s/words", s.dir);
    unlink(s.words);
    s.oom_kills = kd_oom_kills();
    int failure = start_child(&s);
    if (failure != 0) {
        if (s.record.end != KD_END_NO_START)
            s.record.end = KD_END_UNSTARTABLE;
        snprintf(s.record.text, sizeof s.record.text, "cannot start '%s' in %s: %s", s.argv[0],
                 s.cwd, strerror(failure));
        waitpid(s.child, NULL, 0);
    } else if (!watch(&s)) {
        return 1;
    }
    blame_memory(&s);
    blame_gpu_memory(&s);
    return leave(&s);
}
