/* paths.c - where the database, our own programs and the CUDA plugin are. */
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/commands/command.h"

const char *kd_database_path(const char *option)
{
    const char *from_environment = getenv("KATYDID_DB");
    if (option != NULL)
        return option;
    return from_environment != NULL && *from_environment ? from_environment : "katydid.db";
}

/* The folder of the running program; NULL when /proc does not say. Owned. */
static char *own_folder(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    *strrchr(path, '/') = '\0';
    return kd_strdup(path);
}

/* folder/below/name when it can be run (X_OK) or read (R_OK), as an absolute path; else NULL. */
static char *usable(const char *folder, const char *below, const char *name, int how)
{
    if (folder == NULL || *folder == '\0')
        return NULL;
    char *path = kd_format("%s%s/%s", folder, below, name);
    char *absolute = access(path, how) == 0 ? realpath(path, NULL) : NULL;
    free(path);
    return absolute;
}

static char *runnable(const char *folder, const char *below, const char *name)
{
    return usable(folder, below, name, X_OK);
}

char *kd_program_path(const char *name)
{
    char *folder = own_folder();
    char *path = runnable(getenv("KATYDID_LIBEXEC"), "", name);
    if (path == NULL)
        path = runnable(folder, "", name);
    if (path == NULL)
        path = runnable(folder, "/../libexec/katydid", name);
    free(folder);
    return path;
}

char *kd_cuda_plugin_path(void)
{
    static const char name[] = "libkatydid_cuda.so";
    const char *asked = getenv(KD_CUDA_PLUGIN_VARIABLE);
    if (asked != NULL)
        return access(asked, R_OK) == 0 ? realpath(asked, NULL) : NULL;
    char *folder = own_folder();
    bool is_absolute = KATYDID_LIBDIR[0] == '/';
    char *path = usable(folder, "/../lib", name, R_OK);
    if (path == NULL && is_absolute)
        path = usable(KATYDID_LIBDIR, "/katydid", name, R_OK);
    else if (path == NULL)
        path = usable(folder, "/../" KATYDID_LIBDIR "/katydid", name, R_OK);
    free(folder);
    return path;
}
