#include "kernels/cuda/lt_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WHAT_TO_DO                                                                                 \
    "install NVIDIA's cuBLAS 12 or later, or name the file of libcublasLt by " KD_LT_PATH

static const char *const names[] = {"libcublasLt.so.13", "libcublasLt.so.12"};
enum { N_NAMES = 2, NEWEST = 13 };

static const char *named(void)
{
    const char *path = getenv(KD_LT_PATH);
    return path && *path ? path : NULL;
}

static const char *name_at(int major, int i)
{
    int first = major >= NEWEST ? 0 : 1;
    return named() ? named() : names[(first + i) % N_NAMES];
}

static const char *origin(void)
{
    return named() ? "from " KD_LT_PATH : KD_LT_PATH " is not set";
}

static int cannot_load(const char *path, struct kd_error *err)
{
    const char *why = dlerror();
    return kd_fail(err, "cuBLASLt: cannot load \"%s\" (%s%s): %s: " WHAT_TO_DO, path, origin(),
                   named() ? "" : ", nor is there another version", why ? why : "no reason given");
}

/* Function pointers do not convert from void * in C. `to` is one. */
static int find(void *library, const char *path, const char *name, void *to, struct kd_error *err)
{
    void *symbol = dlsym(library, name);
    if (!symbol)
        return kd_fail(err, "cuBLASLt: \"%s\" (%s) has no %s: " WHAT_TO_DO, path, origin(), name);
    memcpy(to, &symbol, sizeof symbol);
    return 0;
}

/* An old one also lacks calls, and that it is old says more. */
static int check_version(void *library, const char *path, struct kd_lt *lt, struct kd_error *err)
{
    size_t (*get_version)(void) = NULL;
    if (find(library, path, "cublasLtGetVersion", &get_version, err) < 0)
        return -1;
    lt->version = get_version();
    if (lt->version >= KD_LT_OLDEST)
        return 0;
    return kd_fail(err, "cuBLASLt: \"%s\" (%s) is version %zu, which is too old: " WHAT_TO_DO, path,
                   origin(), lt->version);
}

static int fill(void *library, const char *path, struct kd_lt *lt, struct kd_error *err)
{
    if (check_version(library, path, lt, err) < 0)
        return -1;
#define KD_LT_CALL(result, name, parameters)                                                       \
    if (find(library, path, #name, &lt->name, err) < 0)                                            \
        return -1;
#include "kernels/cuda/lt_calls.def"
#undef KD_LT_CALL
    return 0;
}

static int load(int major, struct kd_lt *lt, struct kd_error *err)
{
    void *library = NULL;
    const char *path = NULL;
    for (int i = 0; i < N_NAMES && !library; i++)
        library = dlopen(path = name_at(major, i), RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return cannot_load(path, err);
    int status = fill(library, path, lt, err);
    if (status < 0)
        dlclose(library);
    return status;
}

const struct kd_lt *kd_lt_get(int major, struct kd_error *err)
{
    static struct kd_lt lt;
    static bool is_loaded;
    if (!is_loaded)
        is_loaded = load(major, &lt, err) == 0;
    return is_loaded ? &lt : NULL;
}
