/* rendered_check.c - can a rendered trial start on this machine? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/render.h"

/* What execvp searches when there is no PATH. */
#define DEFAULT_PATH "/bin:/usr/bin"

static const char *path_of(char *const *env)
{
    for (; env && *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return DEFAULT_PATH;
}

static bool can_run(const char *dir, const char *program, const char *base)
{
    struct stat st;
    char *path = *dir == '/' || *program == '/'
                     ? kd_format("%s%s%s", dir, *dir ? "/" : "", program)
                     : kd_format("%s/%s%s%s", base, dir, *dir ? "/" : "", program);
    bool can = stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
    free(path);
    return can;
}

static bool is_in_path(const char *program, const char *path, const char *base)
{
    for (;;) {
        size_t length = strcspn(path, ":");
        char *dir = kd_strndup(path, length);
        bool can = can_run(dir, program, base);
        free(dir);
        if (can || path[length] == '\0')
            return can;
        path += length + 1;
    }
}

int kd_rendered_check(const struct kd_rendered *rendered, struct kd_error *err)
{
    struct stat st;
    const char *dir = rendered->working_dir;
    if (stat(dir, &st) != 0)
        return kd_fail_errno(err, "the working directory %s: make it, or change workingDir", dir);
    if (!S_ISDIR(st.st_mode))
        return kd_fail(err, "the working directory %s is not a folder: change workingDir", dir);
    const char *program = rendered->argv ? rendered->argv[0] : NULL;
    if (program == NULL)
        return 0;
    if (strchr(program, '/')) {
        if (can_run("", program, dir))
            return 0;
        return kd_fail(err, "the program %s cannot be run from %s: %s", program, dir,
                       errno == EACCES ? "it is not executable (chmod +x)"
                                       : "there is no such program");
    }
    const char *path = path_of(rendered->env);
    if (is_in_path(program, path, dir))
        return 0;
    return kd_fail(err, "the program %s is not in PATH (%s): install it, or name it with its path",
                   program, path);
}
