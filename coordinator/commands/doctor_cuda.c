/* doctor_cuda.c - what the built-in trainer needs to compute on GPUs: its plugin, NCCL, cuBLASLt;
 * and what it costs when one of them is missing. They are only opened, none is started, and stay
 * open until the end: what their constructors took is nobody's to give back.
 *
 * What the plugin holds is the trainer's to know (this room may not include kernels/): its
 * architectures are what `katydid-trainer --describe` says of the device. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/doctor.h"
#include "coordinator/commands/trainer_topics.h"

/* "devices": [{"name": "cuda", "architectures": "70, 80"}, ...] of the trainer's description.
 * Owned; NULL: it says nothing. */
static char *architectures(void)
{
    json_t *description = kd_trainer_description(), *device;
    char *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(description, "devices"), i, device)
    {
        const char *name = json_string_value(json_object_get(device, "name"));
        const char *text = json_string_value(json_object_get(device, "architectures"));
        if (found == NULL && name && text && strcmp(name, "cuda") == 0)
            found = kd_strdup(text);
    }
    json_decref(description);
    return found;
}

static void check_plugin_loads(struct kd_doctor *doctor, const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        kd_doctor_add(doctor, "cuda plugin", KD_HEALTH_BAD,
                      "cannot be loaded (%s): the built-in trainer computes on the CPU only",
                      dlerror());
        return;
    }
    char *built_for = architectures();
    kd_doctor_add(doctor, "cuda plugin", KD_HEALTH_OK, "%s%s%s", path,
                  built_for ? ", built for sm " : "", built_for ? built_for : "");
    free(built_for);
}

void kd_check_cuda_plugin(struct kd_doctor *doctor)
{
    const char *asked = getenv(KD_CUDA_PLUGIN_VARIABLE);
    char *path = kd_cuda_plugin_path();
    if (path != NULL)
        check_plugin_loads(doctor, path);
    else if (asked != NULL)
        kd_doctor_add(doctor, "cuda plugin", KD_HEALTH_BAD,
                      KD_CUDA_PLUGIN_VARIABLE "=%s cannot be read: name the file, or unset it",
                      asked);
    else
        kd_doctor_add(doctor, "cuda plugin", KD_HEALTH_NOTE,
                      "no libkatydid_cuda.so in ../lib or ../" KATYDID_LIBDIR
                      "/katydid nor in " KD_CUDA_PLUGIN_VARIABLE
                      ": the built-in trainer computes on the CPU only; build with "
                      "-DKATYDID_CUDA=ON, which needs nvcc");
    free(path);
}

/* Opens the first of the names that is there; NULL: none. */
static void *open_first(const char *const *names, const char **which)
{
    for (; *names; names++) {
        void *library = dlopen(*names, RTLD_LAZY | RTLD_LOCAL);
        *which = *names;
        if (library != NULL)
            return library;
    }
    return NULL;
}

/* 22304 is 2.23.4; before 2.9 a version had a digit less, 2804 is 2.8.4. */
static int nccl_version(void *library, char text[32])
{
    void *address = dlsym(library, "ncclGetVersion");
    int (*ask)(int *), version = 0;
    memcpy(&ask, &address, sizeof address);
    if (ask == NULL || ask(&version) != 0)
        version = 0;
    int unit = version >= 10000 ? 10000 : 1000;
    snprintf(text, 32, "%d.%d.%d", version / unit, version % unit / 100, version % 100);
    return version;
}

void kd_check_nccl(struct kd_doctor *doctor)
{
    enum { OLDEST = 21800 };
    static const char without[] = "gangs on several GPUs sum gradients through host memory, slower";
    const char *asked = getenv("KATYDID_NCCL"), *which;
    const char *const names[] = {asked ? asked : "libnccl.so.2", NULL};
    char version[32];
    void *library = open_first(names, &which);
    if (library == NULL && asked) {
        kd_doctor_add(doctor, "nccl", KD_HEALTH_BAD, "KATYDID_NCCL=%s cannot be loaded (%s): %s",
                      asked, dlerror(), without);
    } else if (library == NULL) {
        kd_doctor_add(doctor, "nccl", KD_HEALTH_NOTE,
                      "no libnccl.so.2: %s; install NCCL 2.18 or later, or name its file in "
                      "KATYDID_NCCL",
                      without);
    } else if (nccl_version(library, version) < OLDEST) {
        kd_doctor_add(doctor, "nccl", KD_HEALTH_NOTE, "%s (%s), and 2.18 is needed: %s", version,
                      which, without);
    } else {
        kd_doctor_add(doctor, "nccl", KD_HEALTH_OK, "%s (%s)", version, which);
    }
}

void kd_check_cublaslt(struct kd_doctor *doctor)
{
    static const char *const usual[] = {"libcublasLt.so.13", "libcublasLt.so.12", NULL};
    static const char without[] = "matrix products on GPUs are slower, and there is no tf32";
    const char *asked = getenv("KATYDID_CUBLASLT"), *which;
    const char *const named[] = {asked, NULL};
    bool is_named = asked && *asked;
    void *library = open_first(is_named ? named : usual, &which);
    if (library == NULL && is_named) { /* which is how it is turned off */
        kd_doctor_add(doctor, "cublaslt", KD_HEALTH_NOTE,
                      "KATYDID_CUBLASLT=%s cannot be loaded (%s): %s", asked, dlerror(), without);
        return;
    }
    if (library == NULL) {
        kd_doctor_add(doctor, "cublaslt", KD_HEALTH_NOTE,
                      "no libcublasLt.so.13 or .12: %s; install NVIDIA's cuBLAS, put its folder "
                      "into LD_LIBRARY_PATH, or name its file in KATYDID_CUBLASLT",
                      without);
        return;
    }
    void *address = dlsym(library, "cublasLtGetVersion");
    size_t (*ask)(void);
    memcpy(&ask, &address, sizeof address);
    size_t version = ask ? ask() : 0; /* 120805 is 12.8.5 */
    kd_doctor_add(doctor, "cublaslt", KD_HEALTH_OK, "%zu.%zu.%zu (%s)", version / 10000,
                  version % 10000 / 100, version % 100, which);
}
