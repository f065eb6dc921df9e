#include "coordinator/launch/gang_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL_IN_CHILD = 3 };

static void build_argv(const struct kd_launch_programs *programs, const struct kd_launch *launch,
                       kd_words *argv)
{
    kd_words_add(argv, programs->supervisor);
    kd_words_add(argv, launch->dir);
    kd_words_add(argv, launch->log);
    kd_words_addf(argv, "%lld", (long long)(launch->grace_s * 1000));
    kd_words_add(argv, launch->cwd);
    kd_words_add(argv, "--");
    kd_launcher_for(launch)->command(launch, programs->exec, argv);
    for (char *const *word = launch->argv; *word; word++)
        kd_words_add(argv, *word);
    kd_arr_push(argv, NULL);
}

static bool has_name(const kd_words *env, const char *pair)
{
    size_t length = strcspn(pair, "=") + 1;
    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->items[i], pair, length) == 0)
            return true;
    return false;
}

/* What the launch decides comes first and wins over what the caller's environment says. */
static void build_env(const struct kd_launch *launch, kd_words *env)
{
    const struct kd_launcher *launcher = kd_launcher_for(launch);
    if (launcher->environment)
        launcher->environment(launch, env);
    kd_words_addf(env, "KATYDID_GANG_DIR=%s", launch->dir);
    if (launch->gpus != NULL) {
        kd_words_addf(env, "CUDA_VISIBLE_DEVICES=%s", launch->gpus);
        kd_words_add(env, "CUDA_DEVICE_ORDER=PCI_BUS_ID");
    }
    for (char *const *pair = launch->env; *pair; pair++)
        if (!has_name(env, *pair))
            kd_words_add(env, *pair);
    kd_arr_push(env, NULL);
}

static int spawn(char *const *argv, char *const *env, int control, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults,
              SIGCHLD); /* ignored by our parent, perhaps: then nobody could be waited for */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, control, CONTROL_IN_CHILD);
    int failure = posix_spawn(pid, argv[0], &actions, &attributes, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failure;
}

int kd_gang_start(const struct kd_launch_programs *programs, const struct kd_launch *launch,
                  struct kd_gang_process *process, struct kd_error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return kd_fail_errno(err, "gang %lld: no socket for its supervisor",
                             (long long)launch->gang);
    if (ends[1] == CONTROL_IN_CHILD) { /* dup2 onto itself would keep close-on-exec */
        int moved = fcntl(ends[1], F_DUPFD_CLOEXEC, CONTROL_IN_CHILD + 1);
        close(ends[1]);
        ends[1] = moved;
    }
    kd_words argv = {0}, env = {0};
    build_argv(programs, launch, &argv);
    build_env(launch, &env);
    int failure = spawn(argv.items, env.items, ends[1], &process->pid);
    kd_words_release(&argv);
    kd_words_release(&env);
    close(ends[1]);
    if (failure != 0) {
        close(ends[0]);
        errno = failure;
        return kd_fail_errno(err, "cannot start %s", programs->supervisor);
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    process->control = ends[0];
    return 0;
}

static bool say(struct kd_gang_process *process, const char *word)
{
    return process->control >= 0 &&
           send(process->control, word, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

void kd_gang_ask_to_end(struct kd_gang_process *process)
{
    say(process, "t");
}

void kd_gang_kill(struct kd_gang_process *process)
{
    say(process, "k");
}

bool kd_gang_say_read(struct kd_gang_process *process)
{
    return say(process, "r");
}

void kd_gang_say_unread(struct kd_gang_process *process)
{
    say(process, "u");
}

bool kd_gang_is_alive(struct kd_gang_process *process)
{
    char words[256];
    ssize_t n;
    while ((n = read(process->control, words, sizeof words)) > 0)
        continue;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    close(process->control);
    process->control = -1;
    waitpid(process->pid, NULL, 0); /* it closes the socket by exiting */
    return false;
}

/* Does the process's environment hold this text as one of its entries? */
static bool has_entry(pid_t pid, const char *entry)
{
    char path[64], *line = NULL;
    size_t size = 0;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false; /* gone, or another user's */
    while (!found && getdelim(&line, &size, '\0', file) > 0)
        found = strcmp(line, entry) == 0;
    free(line);
    fclose(file);
    return found;
}

void kd_gang_sweep(const char *dir)
{
    char *entry = kd_format("KATYDID_GANG_DIR=%s", dir);
    DIR *proc = opendir("/proc");
    struct dirent *process;
    while (proc != NULL && (process = readdir(proc)) != NULL) {
        pid_t pid = atoi(process->d_name);
        if (pid > 1 && pid != getpid() && has_entry(pid, entry))
            kill(pid, SIGKILL);
    }
    if (proc != NULL)
        closedir(proc);
    free(entry);
}

bool kd_gang_lock_is_held(const char *dir)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno != ENOENT && errno != ENOTDIR; /* what cannot be asked may be held */
    bool held = flock(fd, LOCK_EX | LOCK_NB) != 0;
    close(fd);
    return held;
}
