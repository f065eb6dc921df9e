#include "kernels/cuda/nccl_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WHAT_TO_DO                                                                                 \
    "install NCCL 2.18 or later (package libnccl2), or name its file by " KD_NCCL_PATH

static const char *path(void)
{
    const char *named = getenv(KD_NCCL_PATH);
    return named && *named ? named : KD_NCCL_LIBRARY;
}

static const char *origin(void)
{
    return strcmp(path(), KD_NCCL_LIBRARY) == 0 ? KD_NCCL_PATH " is not set" : "from " KD_NCCL_PATH;
}

/* Function pointers do not convert from void * in C. `to` is one. */
static int find(void *library, const char *name, void *to, struct kd_error *err)
{
    void *symbol = dlsym(library, name);
    if (!symbol)
        return kd_fail(err, "NCCL: \"%s\" (%s) has no %s: " WHAT_TO_DO, path(), origin(), name);
    memcpy(to, &symbol, sizeof symbol);
    return 0;
}

static int check_version(int version, struct kd_error *err)
{
    if (version >= KD_NCCL_OLDEST)
        return 0;
    int unit = version < KD_NCCL_CODE_OF_2_9 ? 1000 : 10000;
    return kd_fail(err, "NCCL: \"%s\" (%s) is version %d.%d.%d, which is too old: " WHAT_TO_DO,
                   path(), origin(), version / unit, version % unit / 100, version % 100);
}

static int read_version(void *library, struct kd_nccl *nccl, struct kd_error *err)
{
    int (*get_version)(int *version) = NULL;
    if (find(library, "ncclGetVersion", &get_version, err) < 0)
        return -1;
    if (get_version(&nccl->version) != KD_NCCL_SUCCESS)
        return kd_fail(err, "NCCL: \"%s\" (%s) does not tell its version: " WHAT_TO_DO, path(),
                       origin());
    return check_version(nccl->version, err);
}

/* The version first: an old one also lacks calls, and that it is old says more. */
static int fill(void *library, struct kd_nccl *nccl, struct kd_error *err)
{
    if (read_version(library, nccl, err) < 0)
        return -1;
#define KD_NCCL_CALL(result, name, parameters)                                                     \
    if (find(library, #name, &nccl->name, err) < 0)                                                \
        return -1;
#include "kernels/cuda/nccl_calls.def"
#undef KD_NCCL_CALL
    return 0;
}

/* What a graph sums NCCL would register where it can (with network adapters, say), and give up some
 * calls after the graph is gone. Plans come and go while the communicator stays: memory of the next
 * one at the same address would be taken for what is freed. Whoever sets the variable knows. */
static void keep_from_registering(void)
{
    setenv("NCCL_GRAPH_REGISTER", "0", 0);
}

static int load(struct kd_nccl *nccl, struct kd_error *err)
{
    keep_from_registering();
    void *library = dlopen(path(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return kd_fail(err, "NCCL: cannot load \"%s\" (%s): %s: " WHAT_TO_DO, path(), origin(),
                       dlerror());
    int status = fill(library, nccl, err);
    if (status < 0)
        dlclose(library);
    return status;
}

const struct kd_nccl *kd_nccl_get(struct kd_error *err)
{
    static struct kd_nccl nccl;
    static bool is_loaded;
    if (!is_loaded)
        is_loaded = load(&nccl, err) == 0;
    return is_loaded ? &nccl : NULL;
}
