/* doctor_checks.c - the machine, the database's place, the libraries and our own programs. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/doctor.h"
#include "coordinator/commands/libraries.h"
#include "coordinator/store/place.h"
#include "coordinator/store/query.h"

void kd_check_libraries(struct kd_doctor *doctor)
{
    char version[KD_LIBRARY_VERSION_MAX];
    struct kd_str text = {0};
    kd_str_addf(&text, "katydid %s", KATYDID_VERSION);
    for (int i = 0; i < kd_n_libraries(); i++)
        kd_str_addf(&text, ", %s %s", kd_library_name(i), kd_library_version(i, version));
    kd_doctor_add(doctor, "versions", KD_HEALTH_OK, "%s", text.text);
    kd_str_release(&text);
}

void kd_check_sqlite(struct kd_doctor *doctor)
{
    const char *note = kd_sqlite_note();
    if (note != NULL)
        kd_doctor_add(doctor, "sqlite", KD_HEALTH_NOTE, "%s: %s", kd_sqlite_version(), note);
}

/* "0-3,8": the CPUs of the set as taskset writes them. */
static void add_cpu_list(struct kd_str *text, const cpu_set_t *set)
{
    const char *comma = "";
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        int last = cpu;
        if (!CPU_ISSET(cpu, set))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
            last++;
        kd_str_addf(text, last > cpu ? "%s%d-%d" : "%s%d", comma, cpu, last);
        comma = ",";
        cpu = last;
    }
}

void kd_check_cores(struct kd_doctor *doctor)
{
    cpu_set_t set;
    struct kd_str list = {0};
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        kd_doctor_add(doctor, "cores", KD_HEALTH_NOTE, "%ld online; the CPU set cannot be read",
                      online);
        return;
    }
    add_cpu_list(&list, &set);
    kd_doctor_add(doctor, "cores", KD_HEALTH_OK, "%d of %ld may be used here: CPUs %s",
                  CPU_COUNT(&set), online, kd_str_text(&list));
    kd_str_release(&list);
}

/* The first number of a file; -1 when there is none ("max" is no number). */
static long long read_number(const char *path)
{
    long long value = -1;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%lld", &value) != 1)
        value = -1;
    fclose(file);
    return value;
}

/* cgroup v2 then v1; a limit above the machine's memory is none. */
static long long memory_limit(long long total)
{
    static const char *const files[] = {"/sys/fs/cgroup/memory.max",
                                        "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    long long limit = total;
    for (size_t i = 0; i < KD_COUNT(files); i++) {
        long long value = read_number(files[i]);
        if (value > 0 && value < limit)
            limit = value;
    }
    return limit;
}

void kd_check_memory(struct kd_doctor *doctor)
{
    char all[32], part[32];
    long long total = (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    long long limit = memory_limit(total);
    kd_doctor_add(doctor, "memory", KD_HEALTH_OK, limit < total ? "%s, limited here to %s" : "%s",
                  kd_bytes_text(total, all), kd_bytes_text(limit, part));
}

static void check_writable(struct kd_doctor *doctor, const char *path)
{
    char *folder = kd_strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
    bool there = access(path, F_OK) == 0;
    if (access(folder, W_OK) != 0 || (there && access(path, W_OK) != 0))
        kd_doctor_add(doctor, "database", KD_HEALTH_BAD,
                      "%s cannot be written by this user: `katydid run` needs to", path);
    free(folder);
}

static void check_contents(struct kd_doctor *doctor, const char *path)
{
    struct kd_error err = {0};
    if (access(path, F_OK) != 0)
        return;
    struct kd_store *store = kd_store_open_readonly(path, &err);
    if (store == NULL)
        kd_doctor_add(doctor, "database", KD_HEALTH_BAD, "%s", err.text);
    kd_store_close(store);
}

void kd_check_database(struct kd_doctor *doctor)
{
    enum { LITTLE = 256 << 20 };
    char room[32], owner[512];
    struct kd_error err = {0};
    char *path = kd_place_resolve(kd_database_path(doctor->db), &err);
    if (path == NULL) {
        kd_doctor_add(doctor, "database", KD_HEALTH_BAD, "%s", err.text);
        return;
    }
    int64_t free_bytes = kd_place_free_bytes(path);
    bool network = kd_place_is_network(path), little = free_bytes >= 0 && free_bytes < LITTLE;
    kd_doctor_add(doctor, "database", network || little ? KD_HEALTH_NOTE : KD_HEALTH_OK,
                  "%s%s; on %s, %s free%s", path, access(path, F_OK) == 0 ? "" : " (not there yet)",
                  kd_place_filesystem(path), kd_bytes_text(free_bytes, room),
                  network ? "; on a network file system nobody can read it while katydid runs"
                          : "");
    if (kd_store_owner(path, owner, sizeof owner))
        kd_doctor_add(doctor, "database", KD_HEALTH_OK, "in use by %s", owner);
    check_writable(doctor, path);
    check_contents(doctor, path);
    free(path);
}

void kd_check_shared_memory(struct kd_doctor *doctor)
{
    enum { NEEDED = 64 << 20 };
    struct statvfs info;
    char room[32];
    if (statvfs("/dev/shm", &info) != 0) {
        kd_doctor_add(doctor, "/dev/shm", KD_HEALTH_NOTE,
                      "is not there: ranks exchange data slowly");
        return;
    }
    int64_t bytes = (int64_t)info.f_bavail * (int64_t)info.f_frsize;
    kd_doctor_add(doctor, "/dev/shm", bytes < NEEDED ? KD_HEALTH_NOTE : KD_HEALTH_OK, "%s free%s",
                  kd_bytes_text(bytes, room),
                  bytes < NEEDED ? ": little for ranks and data loaders; in Docker use --shm-size"
                                 : "");
}

void kd_check_programs(struct kd_doctor *doctor)
{
    static const struct {
        const char *name, *without;
        enum kd_health health;
    } programs[] = {
        {"katydid-supervisor", "no trial can be started", KD_HEALTH_BAD},
        {"katydid-exec", "no trial can be started", KD_HEALTH_BAD},
        {"katydid-trainer", "specs with `trainer:` cannot be run; `command:` can", KD_HEALTH_NOTE},
    };
    for (size_t i = 0; i < KD_COUNT(programs); i++) {
        char *path = kd_program_path(programs[i].name);
        if (path != NULL)
            kd_doctor_add(doctor, programs[i].name, KD_HEALTH_OK, "%s", path);
        else
            kd_doctor_add(doctor, programs[i].name, programs[i].health,
                          "found neither beside katydid nor in ../libexec/katydid nor in "
                          "KATYDID_LIBEXEC: %s",
                          programs[i].without);
        free(path);
    }
}
