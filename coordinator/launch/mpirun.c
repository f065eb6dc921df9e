/* mpirun.c - several ranks on this host under Open MPI.
 *
 * Measured with Open MPI 4.1.4: a plain launch of two ranks takes 0.32 s, 0.2 s of it a constructor
 * of libinfinipath that the cm PML pulls in and a probe of networks that one host does not need.
 * With the parameters below it is 0.11 to 0.13 s. Sockets and shared memory go to the gang's own
 * scratch folder, so nothing is left in the system's. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/launch/launcher.h"

static bool serves(const struct kd_launch *launch)
{
    return launch->n_ranks > 1;
}

static void add_all(kd_words *argv, const char *const *texts)
{
    for (; *texts; texts++)
        kd_words_add(argv, *texts);
}

/* Groups of CPU numbers, with a colon between cores. */
static int n_cores(const struct kd_launch *launch)
{
    int n = 1;
    for (const char *p = launch->cores; *p; p++)
        n += *p == ':';
    return n;
}

/* MCA parameters of a gang on one host: shared memory, and nothing that looks for a network. Open
 * MPI 4 does not start where it finds neither ssh nor rsh (many containers have none), though one
 * host needs neither: so it finds a program at the end of the list. */
static const char *const one_host[][2] = {
    {"pml", "ob1"},
    {"btl", "self,vader"},
    {"osc", "^ucx,rdma"},
    {"mtl", "^ofi,psm,psm2"},
    {"plm_rsh_agent", "ssh:rsh:/bin/true"},
};

static void add_parameter(kd_words *argv, const char *name, const char *value)
{
    add_all(argv, (const char *const[]){"--mca", name, value, NULL});
}

static void command(const struct kd_launch *launch, const char *exec_program, kd_words *argv)
{
    kd_words_add(argv, "mpirun");
    if (geteuid() == 0)
        kd_words_add(argv, "--allow-run-as-root");
    add_all(argv, (const char *const[]){"--oversubscribe", "--bind-to", "none", NULL});
    for (size_t i = 0; i < KD_COUNT(one_host); i++)
        add_parameter(argv, one_host[i][0], one_host[i][1]);
    add_parameter(argv, "orte_tmpdir_base", launch->scratch);
    add_parameter(argv, "btl_vader_backing_directory", launch->scratch);
    if (n_cores(launch) <
        launch->n_ranks) /* or the ranks that wait keep the core from those that work */
        add_parameter(argv, "mpi_yield_when_idle", "1");
    kd_words_add(argv, "-np");
    kd_words_addf(argv, "%d", launch->n_ranks);
    add_all(argv, (const char *const[]){exec_program, "--cpus", launch->cores, "--logs",
                                        launch->logs_dir, "--", NULL});
}

/* A port that is free now, for the ranks' own rendezvous (torch.distributed's MASTER_PORT). */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 29500;
    bool found = bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                 getsockname(fd, (struct sockaddr *)&address, &length) == 0;
    close(fd);
    return found ? ntohs(address.sin_port) : 29500;
}

static void environment(const struct kd_launch *launch, kd_words *env)
{
    (void)launch;
    kd_words_add(env, "PMIX_MCA_gds=hash");
    kd_words_add(env, "HWLOC_COMPONENTS=-gl,-opencl,-pci");
    kd_words_add(env, "MASTER_ADDR=127.0.0.1");
    kd_words_addf(env, "MASTER_PORT=%d", free_port());
}

const struct kd_launcher kd_launcher_mpirun = {
    .name = "mpirun",
    .summary = "several ranks on this host, started by Open MPI's mpirun",
    .serves = serves,
    .command = command,
    .environment = environment,
};
