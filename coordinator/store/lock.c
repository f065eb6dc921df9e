#include "coordinator/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

enum { RETRY_MS = 20, OWNER_MAX = 1024 };

static int open_lock(const char *path, int flags)
{
    char *file = kd_format("%s.lock", path);
    int fd = open(file, flags | O_CLOEXEC | O_NOCTTY, 0644);
    free(file);
    return fd;
}

/* The command line as one line: `katydid run sweep.yaml`. */
static void add_command_line(struct kd_str *out)
{
    char raw[512];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, raw, sizeof raw);
    if (fd >= 0)
        close(fd);
    while (n > 0 && raw[n - 1] == '\0')
        n--;
    for (ssize_t i = 0; i < n; i++)
        kd_str_addc(out, (unsigned char)raw[i] < 0x20 ? ' ' : raw[i]);
}

static void write_owner(int lock)
{
    char host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    struct kd_str text = {0};
    kd_str_addf(&text, "pid %ld on host %s, `", (long)getpid(), host);
    add_command_line(&text);
    kd_str_add(&text, "`\n");
    /* Only for people: a lock without a name still locks. */
    if (ftruncate(lock, 0) != 0 || pwrite(lock, text.text, text.length, 0) < 0)
        errno = 0;
    kd_str_release(&text);
}

static void read_owner(int lock, char *text, int size)
{
    ssize_t n = pread(lock, text, (size_t)size - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (text[0] == '\0')
        snprintf(text, (size_t)size, "another process");
}

static void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

int kd_lock_take(const char *path, double wait_s, bool *held, struct kd_error *err)
{
    *held = false;
    int lock = open_lock(path, O_RDWR | O_CREAT);
    if (lock < 0)
        return kd_fail_errno(err, "cannot write beside the database: cannot open %s.lock", path);
    int64_t deadline = kd_clock_mono_us() + (int64_t)(wait_s * 1e6);
    while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            kd_fail_errno(err, "cannot lock %s.lock", path);
            close(lock);
            return -1;
        }
        if (kd_clock_mono_us() >= deadline) {
            char owner[OWNER_MAX];
            read_owner(lock, owner, sizeof owner);
            close(lock);
            *held = true;
            return kd_fail(err,
                           "%s is in use by %s: wait for it to end, stop it, or give another "
                           "file with --db",
                           path, owner);
        }
        sleep_ms(RETRY_MS);
    }
    write_owner(lock);
    return lock;
}

void kd_lock_give(int lock)
{
    if (lock < 0)
        return;
    if (ftruncate(lock, 0) != 0)
        errno = 0; /* the name only */
    close(lock);
}

bool kd_lock_owner(const char *path, char *text, int size)
{
    int lock = open_lock(path, O_RDONLY);
    if (lock < 0)
        return false;
    bool held = flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (held)
        read_owner(lock, text, size);
    close(lock);
    return held;
}
