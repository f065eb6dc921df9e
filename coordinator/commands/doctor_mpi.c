/* doctor_mpi.c - is there an mpirun, of which version, and what it opens to the network. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "coordinator/commands/doctor.h"

enum { DEADLINE_MS = 5000, ANSWER_MAX = 512 };
extern char **environ;

/* Output and errors of the program go to the pipe. 0, or an errno. */
static int start(const char *const *argv, int to, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, to, 1);
    posix_spawn_file_actions_adddup2(&actions, to, 2);
    int rc = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Reads until the end or the deadline. False: it said nothing more in time. */
static bool read_answer(int from, char answer[ANSWER_MAX])
{
    int64_t deadline = kd_clock_mono_us() + DEADLINE_MS * 1000LL;
    size_t n = 0;
    for (;;) {
        struct pollfd ready = {.fd = from, .events = POLLIN};
        int64_t left_ms = (deadline - kd_clock_mono_us()) / 1000;
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0)
            return false;
        char drop[256];
        bool is_full = n == ANSWER_MAX - 1;
        ssize_t got =
            read(from, is_full ? drop : answer + n, is_full ? sizeof drop : ANSWER_MAX - 1 - n);
        if (got <= 0)
            break;
        n += is_full ? 0 : (size_t)got;
    }
    answer[n] = '\0';
    return true;
}

enum outcome { ANSWERED, NOT_FOUND, TOO_SLOW };

static enum outcome ask(const char *const *argv, char answer[ANSWER_MAX])
{
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NOT_FOUND;
    int rc = start(argv, ends[1], &pid);
    close(ends[1]);
    if (rc != 0) {
        close(ends[0]);
        return NOT_FOUND;
    }
    bool in_time = read_answer(ends[0], answer);
    close(ends[0]);
    if (!in_time)
        kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    if (!in_time)
        return TOO_SLOW;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ANSWERED : NOT_FOUND;
}

void kd_check_mpi(struct kd_doctor *doctor)
{
    static const char *const question[] = {"mpirun", "--version", NULL};
    char answer[ANSWER_MAX] = "";
    enum outcome outcome = ask(question, answer);
    answer[strcspn(answer, "\n")] = '\0';
    if (outcome == NOT_FOUND) {
        kd_doctor_add(doctor, "mpirun", KD_HEALTH_NOTE,
                      "is not on PATH: trials with processes > 1 cannot be run (Debian and Ubuntu "
                      "package openmpi-bin)");
        return;
    }
    if (outcome == TOO_SLOW) {
        kd_doctor_add(doctor, "mpirun", KD_HEALTH_BAD,
                      "did not answer --version within %d s: is a file system hanging?",
                      DEADLINE_MS / 1000);
        return;
    }
    bool is_known = strstr(answer, "Open MPI") != NULL;
    kd_doctor_add(doctor, "mpirun", is_known ? KD_HEALTH_OK : KD_HEALTH_NOTE, "%s%s", answer,
                  is_known ? "" : ": katydid is tried with Open MPI only");
    if (is_known)
        kd_doctor_add(doctor, "mpirun", KD_HEALTH_NOTE,
                      "listens on two TCP ports of all addresses while a gang runs, even on one "
                      "host; its ranks may listen too. katydid itself listens on none");
}
