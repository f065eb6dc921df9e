#include "trainer/comm/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "coordinator/base/mem.h"

int kd_shared_make(size_t bytes)
{
    int fd = memfd_create("katydid", MFD_CLOEXEC);
    int error = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)bytes);
    if (error == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

void *kd_shared_map(int fd, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void *kd_shared_map_of(pid_t pid, int its_fd, size_t bytes)
{
    char *path = kd_format("/proc/%d/fd/%d", (int)pid, its_fd);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *memory = fd < 0 ? NULL : kd_shared_map(fd, bytes);
    int error = errno;
    free(path);
    if (fd >= 0)
        close(fd);
    errno = error;
    return memory;
}

void kd_shared_unmap(void *memory, size_t bytes)
{
    if (memory)
        munmap(memory, bytes);
}
