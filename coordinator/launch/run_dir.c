#include "coordinator/launch/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/mem.h"

enum { LONGEST_SOCKET = 100 }; /* sun_path has 108 bytes; "/bus" and the NUL go there too */

int kd_dir_make(const char *path, struct kd_error *err)
{
    char *copy = kd_strdup(path);
    for (char *slash = copy + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            break;
    }
    int failed = mkdir(copy, 0700) != 0 && errno != EEXIST;
    free(copy);
    return failed ? kd_fail_errno(err, "cannot make the folder %s", path) : 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    remove(path);
    return 0;
}

void kd_dir_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int check_owner(const char *path, struct kd_error *err)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return kd_fail_errno(err, "cannot look at %s", path);
    if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 077) != 0)
        return kd_fail(err,
                       "%s is not a folder that only you can enter: remove it, or set "
                       "XDG_RUNTIME_DIR to a folder of your own",
                       path);
    return 0;
}

/* NULL: no such folder is given, it is not ours to write to, or a socket in it would have too long
 * a path. */
static char *top_for_user(const char *run_uuid)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    if (base == NULL || *base != '/' || access(base, W_OK) != 0)
        return NULL;
    char *top = kd_format("%s/katydid", base);
    if (strlen(top) + 1 + strlen(run_uuid) <= LONGEST_SOCKET)
        return top;
    free(top);
    return NULL;
}

char *kd_run_dir_make(const char *run_uuid, struct kd_error *err)
{
    char *top = top_for_user(run_uuid);
    if (top == NULL)
        top = kd_format("/tmp/katydid-%u", (unsigned)geteuid());
    char *path = kd_format("%s/%s", top, run_uuid);
    bool ok =
        kd_dir_make(top, err) == 0 && check_owner(top, err) == 0 && kd_dir_make(path, err) == 0;
    free(top);
    if (ok)
        return path;
    free(path);
    return NULL;
}
