#include "coordinator/launch/dir_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/launch/run_dir.h"

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno != EINTR)
            return -1;
        bytes += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

/* What the kernel cannot copy for us between these two, from where both stand. */
static int copy_by_hand(int in, int out)
{
    char bytes[1 << 16];
    ssize_t n;
    while ((n = read(in, bytes, sizeof bytes)) != 0)
        if (n < 0 ? errno != EINTR : write_all(out, bytes, (size_t)n) != 0)
            return -1;
    return 0;
}

static int copy_bytes(int in, int out)
{
    enum { AT_A_TIME = 1 << 30 };
    ssize_t n;
    while ((n = copy_file_range(in, NULL, out, NULL, AT_A_TIME, 0)) > 0)
        continue;
    return n == 0 ? 0 : copy_by_hand(in, out);
}

static int copy_file(const char *from, const char *to, mode_t mode)
{
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
    int result = out >= 0 && copy_bytes(in, out) == 0 && fsync(out) == 0 ? 0 : -1;
    int why = errno;
    if (in >= 0)
        close(in);
    if (out >= 0 && close(out) != 0)
        result = -1;
    if (in < 0 && why == ENOENT)
        return 0; /* it vanished */
    errno = why;
    return result;
}

static int link_file(const char *from, const char *to, mode_t mode)
{
    if (link(from, to) == 0 || errno == ENOENT)
        return 0;
    return copy_file(from, to, mode);
}

static int copy_link(const char *from, const char *to)
{
    char target[4096];
    ssize_t n = readlink(from, target, sizeof target - 1);
    if (n < 0)
        return errno == ENOENT ? 0 : -1;
    target[n] = '\0';
    return symlink(target, to);
}

static int copy_tree(const char *from, const char *to, enum kd_copy_how how);

static int copy_entry(const char *from, const char *to, enum kd_copy_how how)
{
    struct stat info;
    if (lstat(from, &info) != 0)
        return errno == ENOENT ? 0 : -1;
    if (S_ISDIR(info.st_mode))
        return copy_tree(from, to, how);
    if (S_ISLNK(info.st_mode))
        return copy_link(from, to);
    if (!S_ISREG(info.st_mode))
        return 0;
    return how == KD_COPY_LINK ? link_file(from, to, info.st_mode)
                               : copy_file(from, to, info.st_mode);
}

static int sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd >= 0 ? fsync(fd) : -1;
    if (fd >= 0)
        close(fd);
    return result;
}

static int copy_entries(DIR *dir, const char *from, const char *to, enum kd_copy_how how)
{
    const struct dirent *entry;
    int result = 0;
    while (result == 0 && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *source = kd_format("%s/%s", from, entry->d_name);
        char *target = kd_format("%s/%s", to, entry->d_name);
        result = copy_entry(source, target, how);
        free(source);
        free(target);
    }
    return result;
}

/* errno says why not. */
static int copy_tree(const char *from, const char *to, enum kd_copy_how how)
{
    if (mkdir(to, 0700) != 0)
        return -1;
    DIR *dir = opendir(from);
    if (dir == NULL)
        return errno == ENOENT ? 0 : -1;
    int result = copy_entries(dir, from, to, how), why = errno;
    closedir(dir);
    errno = why;
    return result == 0 ? sync_folder(to) : -1;
}

static int make_parent(const char *path, struct kd_error *err)
{
    char *parent = kd_strdup(path), *slash = strrchr(parent, '/');
    int result = 0;
    if (slash != NULL && slash != parent) {
        *slash = '\0';
        result = kd_dir_make(parent, err);
    }
    free(parent);
    return result;
}

int kd_dir_copy(const char *from, const char *to, enum kd_copy_how how, struct kd_error *err)
{
    char *making = kd_format("%s.new", to);
    int result = make_parent(to, err);
    if (result == 0) {
        kd_dir_remove(making);
        kd_dir_remove(to);
        if (copy_tree(from, making, how) != 0 || rename(making, to) != 0)
            result = kd_fail_errno(err, "cannot copy %s to %s", from, to);
    }
    if (result != 0)
        kd_dir_remove(making);
    free(making);
    return result;
}
