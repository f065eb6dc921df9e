#include "trainer/common_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What makes a file the same one: the host's kernel, as it runs now, and the file's place there. */
struct identity {
    char boot[40];
    uint64_t device, inode;
};

static void read_boot(char boot[40])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, boot, 36) < 0)
        boot[0] = '\0';
    if (fd >= 0)
        close(fd);
}

static void identify(int fd, struct identity *identity)
{
    struct stat info;
    read_boot(identity->boot);
    if (fd < 0 || fstat(fd, &info) < 0)
        return;
    identity->device = (uint64_t)info.st_dev;
    identity->inode = (uint64_t)info.st_ino;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
    return a->boot[0] && memcmp(a->boot, b->boot, sizeof a->boot) == 0 && a->device == b->device &&
           a->inode == b->inode;
}

bool kd_common_file_open(struct kd_comm *comm, const char *path, int flags, int *fd)
{
    struct identity root = {0}, mine = {0};
    if (comm->size == 1)
        return true;
    if (comm->rank == 0)
        identify(*fd, &root);
    comm->backend->broadcast(comm, 0, &root, sizeof root);
    if (comm->rank > 0)
        *fd = open(path, flags | O_CLOEXEC);
    identify(*fd, &mine);
    double n_others = !is_same(&root, &mine);
    comm->backend->sum_doubles(comm, &n_others, 1);
    if (n_others > 0 && comm->rank > 0 && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return n_others == 0;
}
