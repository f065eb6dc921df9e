/* exec_main.c - katydid-exec: the last step before a rank's program. Every rank starts through it.
 *
 *     katydid-exec [--cpus 0,1:2,3] [--logs DIR] -- PROGRAM ARG...
 *
 * It binds the rank to its share of the gang's cores (given as groups of CPU numbers, one group a
 * core), dies with its parent, gives the ranks of an mpirun the names that torchrun's users know
 * (RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE), writes the output of ranks above 0 to
 * DIR/rank-<r>.log, and becomes the program. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "coordinator/base/mem.h"

enum { MOST_CORES = 1024 };

struct place {
    int rank, size, local_rank, local_size;
};

static int from_env(const char *name, int fallback)
{
    const char *text = getenv(name);
    return text ? atoi(text) : fallback;
}

static struct place find_place(void)
{
    return (struct place){
        .rank = from_env("OMPI_COMM_WORLD_RANK", 0),
        .size = from_env("OMPI_COMM_WORLD_SIZE", 1),
        .local_rank = from_env("OMPI_COMM_WORLD_LOCAL_RANK", 0),
        .local_size = from_env("OMPI_COMM_WORLD_LOCAL_SIZE", 1),
    };
}

static void name_place(const struct place *place)
{
    const struct {
        const char *name;
        int value;
    } names[] = {
        {"RANK", place->rank},
        {"WORLD_SIZE", place->size},
        {"LOCAL_RANK", place->local_rank},
        {"LOCAL_WORLD_SIZE", place->local_size},
    };
    char text[16];
    for (size_t i = 0; i < KD_COUNT(names) && place->size > 1; i++) {
        snprintf(text, sizeof text, "%d", names[i].value);
        setenv(names[i].name, text, 1);
    }
}

static void add_core(cpu_set_t *set, const char *group)
{
    char *copy = kd_strdup(group), *rest = copy, *cpu;
    while ((cpu = strsep(&rest, ",")) != NULL)
        CPU_SET(atoi(cpu), set);
    free(copy);
}

/* Each local rank gets a contiguous share of the cores; when there are fewer cores than ranks they
 * share all. */
static void bind_to_cores(char *groups, const struct place *place)
{
    const char *cores[MOST_CORES];
    int n = 0;
    char *group;
    while ((group = strsep(&groups, ":")) != NULL && n < MOST_CORES)
        cores[n++] = group;
    int from = 0, to = n;
    if (n >= place->local_size) {
        from = n * place->local_rank / place->local_size;
        to = n * (place->local_rank + 1) / place->local_size;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = from; i < to; i++)
        add_core(&set, cores[i]);
    if (CPU_COUNT(&set) > 0 && sched_setaffinity(0, sizeof set, &set) != 0)
        fprintf(stderr, "katydid-exec: warning: cannot bind to cores: %s\n", strerror(errno));
}

static void redirect_output(const char *dir, int rank)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/rank-%d.log", dir, rank);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0)
        return;
    dup2(fd, 1);
    dup2(fd, 2);
    close(fd);
}

int main(int argc, char **argv)
{
    char *cpus = NULL, *logs = NULL;
    int at = 1;
    for (; at + 1 < argc && strcmp(argv[at], "--") != 0; at += 2) {
        if (strcmp(argv[at], "--cpus") == 0)
            cpus = argv[at + 1];
        else if (strcmp(argv[at], "--logs") == 0)
            logs = argv[at + 1];
    }
    if (at + 1 >= argc || strcmp(argv[at], "--") != 0) {
        fprintf(stderr, "usage: katydid-exec [--cpus LIST] [--logs DIR] -- PROGRAM [ARG...]\n");
        return 2;
    }
    pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return 1; /* it died before we asked to be told */
    struct place place = find_place();
    name_place(&place);
    if (cpus != NULL)
        bind_to_cores(cpus, &place);
    if (logs != NULL && place.rank > 0)
        redirect_output(logs, place.rank);
    execvp(argv[at + 1], argv + at + 1);
    fprintf(stderr, "katydid-exec: cannot start '%s': %s\n", argv[at + 1], strerror(errno));
    return 127;
}
