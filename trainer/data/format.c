#include "trainer/data/format.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KD_DATA_FORMAT(vtable) extern const struct kd_data_format vtable;
#include "trainer/data/formats.def"
#undef KD_DATA_FORMAT

const struct kd_data_format *const kd_data_formats[] = {
#define KD_DATA_FORMAT(vtable) &vtable,
#include "trainer/data/formats.def"
#undef KD_DATA_FORMAT
    NULL,
};

const struct kd_data_format *kd_data_format_find(const char *name)
{
    for (int i = 0; kd_data_formats[i]; i++)
        if (strcmp(kd_data_formats[i]->name, name) == 0)
            return kd_data_formats[i];
    return NULL;
}

char *kd_data_path(const char *base_dir, const char *path)
{
    if (path[0] == '/' || !base_dir || !base_dir[0])
        return kd_strdup(path);
    return kd_format("%s/%s", base_dir, path);
}

static int read_all(int fd, char *bytes, size_t want, size_t *n)
{
    while (*n < want) {
        ssize_t got = read(fd, bytes + *n, want - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    return 0;
}

int kd_data_read(const char *path, size_t max_bytes, char **bytes, size_t *n, struct kd_error *err)
{
    struct stat info;
    int status = -1;
    *bytes = NULL;
    *n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return kd_fail_errno(err, "%s: cannot open the data file", path);
    if (fstat(fd, &info) < 0) {
        kd_fail_errno(err, "%s: cannot look at the data file", path);
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        kd_fail(err, "%s: is not a regular file; give the path of a data file", path);
        goto out;
    }
    size_t want = (size_t)info.st_size;
    if (max_bytes > 0 && want > max_bytes)
        want = max_bytes;
    *bytes = kd_alloc(want + 1);
    if (read_all(fd, *bytes, want, n) < 0) {
        kd_fail_errno(err, "%s: cannot read the data file", path);
        goto out;
    }
    if (*n == 0) {
        kd_fail(err, "%s: the data file is empty", path);
        goto out;
    }
    status = 0;
out:
    close(fd);
    if (status < 0) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}
