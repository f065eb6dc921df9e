#include "coordinator/store/place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "coordinator/base/mem.h"

static const struct {
    unsigned long magic;
    const char *name;
    bool network;
} filesystems[] = {
#define X(magic, name, network) {magic, name, network},
#include "coordinator/store/filesystems.def"
#undef X
};

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return kd_strdup(".");
    return slash == path ? kd_strdup("/") : kd_strndup(path, (size_t)(slash - path));
}

static char *resolve_new(const char *path, struct kd_error *err)
{
    char *folder = folder_of(path);
    char *real = realpath(folder, NULL), *result = NULL;
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    if (*base == '\0')
        kd_fail(err, "cannot use the database %s: it ends in a slash, a file name is needed", path);
    else if (real == NULL)
        kd_fail_errno(err, "cannot use the database %s: its folder %s", path, folder);
    else
        result = kd_format("%s/%s", strcmp(real, "/") == 0 ? "" : real, base);
    free(real);
    free(folder);
    return result;
}

char *kd_place_resolve(const char *path, struct kd_error *err)
{
    struct stat info;
    if (*path == '\0') {
        kd_fail(err, "the database has an empty path: give a file with --db or KATYDID_DB");
        return NULL;
    }
    if (stat(path, &info) != 0) {
        if (errno == ENOENT)
            return resolve_new(path, err);
        kd_fail_errno(err, "cannot use the database %s", path);
        return NULL;
    }
    if (!S_ISREG(info.st_mode)) {
        kd_fail(err, "cannot use the database %s: it is %s; a file is needed", path,
                S_ISDIR(info.st_mode) ? "a folder" : "no ordinary file");
        return NULL;
    }
    char *real = realpath(path, NULL);
    if (real == NULL)
        kd_fail_errno(err, "cannot use the database %s", path);
    return real;
}

/* Calls statfs on the path, or on its folder while the file is not there yet. */
static int statfs_near(const char *path, struct statfs *info)
{
    if (statfs(path, info) == 0)
        return 0;
    char *folder = folder_of(path);
    int rc = statfs(folder, info);
    free(folder);
    return rc;
}

int64_t kd_place_free_bytes(const char *path)
{
    struct statfs info;
    if (statfs_near(path, &info) != 0)
        return -1;
    return (int64_t)info.f_bavail * (int64_t)info.f_bsize;
}

static int filesystem_at(const char *path)
{
    struct statfs info;
    if (statfs_near(path, &info) != 0)
        return -1;
    for (size_t i = 0; i < KD_COUNT(filesystems); i++)
        if ((unsigned long)(uint32_t)info.f_type == filesystems[i].magic)
            return (int)i;
    return -1;
}

const char *kd_place_filesystem(const char *path)
{
    int at = filesystem_at(path);
    return at < 0 ? "unknown" : filesystems[at].name;
}

bool kd_place_is_network(const char *path)
{
    int at = filesystem_at(path);
    return at >= 0 && filesystems[at].network;
}

const char *kd_bytes_text(int64_t bytes, char buffer[32])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < KD_COUNT(units); unit++)
        value /= 1024;
    snprintf(buffer, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return buffer;
}
