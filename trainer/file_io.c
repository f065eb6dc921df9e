#include "trainer/file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/mem.h"

int kd_file_read_at(int fd, const char *path, int64_t at, void *bytes, int64_t n,
                    struct kd_error *err)
{
    char *to = bytes;
    while (n > 0) {
        ssize_t done = pread(fd, to, (size_t)n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return kd_fail_errno(err, "%s: cannot read byte %" PRId64, path, at);
        if (done == 0)
            return kd_fail(err, "%s: ends at byte %" PRId64 " while it is read", path, at);
        to += done, at += done, n -= done;
    }
    return 0;
}

int kd_file_write_at(int fd, const char *path, int64_t at, const void *bytes, int64_t n,
                     struct kd_error *err)
{
    const char *from = bytes;
    while (n > 0) {
        ssize_t done = pwrite(fd, from, (size_t)n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return kd_fail_errno(err, "%s: cannot write byte %" PRId64, path, at);
        from += done, at += done, n -= done;
    }
    return 0;
}

int kd_file_reserve(int fd, const char *path, int64_t n, struct kd_error *err)
{
    if (fallocate(fd, 0, 0, (off_t)n) == 0)
        return 0;
    bool cannot = errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL;
    if (cannot && ftruncate(fd, (off_t)n) == 0)
        return 0;
    return kd_fail_errno(err, "%s: there is no room for %" PRId64 " bytes", path, n);
}

int kd_folder_make(const char *folder, struct kd_error *err)
{
    char *path = kd_strdup(folder);
    int status = 0;
    for (char *slash = path; slash && status == 0;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            status = kd_fail_errno(err, "%s: cannot create the folder", path);
        if (slash)
            *slash = '/';
    }
    free(path);
    return status;
}

int kd_folder_check(const char *path, struct kd_error *err)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return kd_fail_errno(err, "%s: cannot look at the folder", path);
    if (!S_ISDIR(info.st_mode))
        return kd_fail(err, "%s: is not a folder", path);
    return access(path, W_OK | X_OK) == 0
               ? 0
               : kd_fail_errno(err, "%s: cannot write into the folder", path);
}

int kd_folder_sync(const char *path, struct kd_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = 0;
    if (fd < 0 || fsync(fd) < 0)
        status = kd_fail_errno(err, "%s: cannot write the folder through to the disk", path);
    if (fd >= 0)
        close(fd);
    return status;
}
