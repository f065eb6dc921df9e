#include "kernels/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

/* Where the library lies, most of it as seen from the program's folder: beside a build's bin/, and
 * installed. */
static const char *const places[] = {"../lib", KATYDID_PLUGIN_DIR};

static int program_folder(char folder[PATH_MAX], struct kd_error *err)
{
    ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    if (n < 0)
        return kd_fail_errno(err, "/proc/self/exe: cannot find this program's folder");
    folder[n] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    return 0;
}

/* The caller frees; NULL: in none of the places, which err names. */
static char *find_library(struct kd_error *err)
{
    char folder[PATH_MAX];
    const char *told = getenv(KD_CUDA_PLUGIN_PATH);
    if (told && *told)
        return kd_strdup(told);
    if (program_folder(folder, err) < 0)
        return NULL;
    struct kd_str tried = {0};
    char *found = NULL;
    for (size_t i = 0; i < KD_COUNT(places) && !found; i++) {
        bool is_absolute = places[i][0] == '/';
        char *path = kd_format("%s%s%s/%s", is_absolute ? "" : folder, is_absolute ? "" : "/",
                               places[i], KD_CUDA_PLUGIN_LIBRARY);
        kd_str_addf(&tried, "%s%s", i ? ", " : "", path);
        if (access(path, F_OK) == 0)
            found = path;
        else
            free(path);
    }
    if (!found)
        kd_fail(err,
                "there is no " KD_CUDA_PLUGIN_LIBRARY " (looked for %s): build it with "
                "-DKATYDID_CUDA=ON, or name it in " KD_CUDA_PLUGIN_PATH,
                kd_str_text(&tried));
    kd_str_release(&tried);
    return found;
}

/* A library of another version would be given arguments that it reads otherwise. */
static int check_plugin(const struct kd_plugin *plugin, const char *path, struct kd_error *err)
{
    if (plugin->abi == KD_PLUGIN_ABI && plugin->n_ops == KD_N_OPS &&
        plugin->call_bytes == sizeof(struct kd_call))
        return 0;
    return kd_fail(
        err,
        "%s is of another version of katydid (interface %d with %d ops, this program has "
        "%d with %d): build both from the same sources",
        path, plugin->abi, plugin->n_ops, KD_PLUGIN_ABI, KD_N_OPS);
}

static const struct kd_plugin *load(const char *path, struct kd_error *err)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        kd_fail(err, "the plugin cannot be loaded: %s", dlerror());
        return NULL;
    }
    kd_plugin_fn *ask = NULL;
    void *symbol = dlsym(library, KD_CUDA_PLUGIN_FUNCTION);
    memcpy(&ask, &symbol, sizeof symbol);
    if (!ask) {
        kd_fail(err,
                "%s is no plugin of this version of katydid: it has no " KD_CUDA_PLUGIN_FUNCTION,
                path);
        return NULL;
    }
    return check_plugin(ask(), path, err) < 0 ? NULL : ask();
}

const struct kd_plugin *kd_plugin_load(struct kd_error *err)
{
    static const struct kd_plugin *loaded; /* by the one thread that trains */
    char *path = loaded ? NULL : find_library(err);
    if (path)
        loaded = load(path, err);
    free(path);
    if (!loaded)
        kd_error_prefix(err, "device cuda");
    return loaded;
}
