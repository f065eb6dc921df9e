#include "coordinator/launch/kernel_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *kd_kernel_log_path(void)
{
    const char *told = getenv("KATYDID_KMSG");
    return told ? told : "/dev/kmsg";
}

int kd_kernel_log_open(struct kd_kernel_log *log)
{
    log->length = 0;
    log->is_open = false;
    log->fd = open(kd_kernel_log_path(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (log->fd < 0)
        return -1;
    lseek(log->fd, 0, SEEK_END);
    log->is_open = true;
    return 0;
}

void kd_kernel_log_close(struct kd_kernel_log *log)
{
    if (log->is_open)
        close(log->fd);
    log->is_open = false;
}

/* One record of the device, or what a file has. False: nothing is there now. */
static bool read_more(struct kd_kernel_log *log)
{
    if (log->length > KD_KERNEL_RECORD)
        log->length = 0; /* longer than any record is */
    for (;;) {
        ssize_t n = read(log->fd, log->text + log->length, KD_KERNEL_RECORD);
        bool goes_on =
            n < 0 && (errno == EPIPE || errno == EINTR); /* EPIPE: some were overwritten */
        if (n > 0)
            log->length += (size_t)n;
        if (!goes_on)
            return n > 0;
    }
}

/* The first line, without its end. False: none is whole yet. */
static bool take_line(struct kd_kernel_log *log, char line[KD_KERNEL_RECORD])
{
    char *end = memchr(log->text, '\n', log->length);
    if (!end)
        return false;
    size_t length = (size_t)(end - log->text), kept = length;
    if (kept > KD_KERNEL_RECORD - 1)
        kept = KD_KERNEL_RECORD - 1;
    memcpy(line, log->text, kept);
    line[kept] = '\0';
    log->length -= length + 1;
    memmove(log->text, end + 1, log->length);
    return true;
}

static bool begins_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* The driver writes more lines of the same error, with its registers: they say no severity. */
static bool parse(const char *line, struct kd_sxid *sxid)
{
    int length = 0;
    const char *driver = strstr(line, "nvidia-nvswitch");
    const char *at = driver ? strstr(driver, "SXid (PCI:") : NULL;
    if (!at ||
        sscanf(at, "SXid (PCI:%31[^)]): %9d, %n", sxid->place, &sxid->number, &length) != 2 ||
        length == 0)
        return false;
    snprintf(sxid->detail, sizeof sxid->detail, "%s", at + length);
    return begins_with(sxid->detail, "Fatal") || begins_with(sxid->detail, "Non-fatal");
}

bool kd_kernel_log_next(struct kd_kernel_log *log, struct kd_sxid *sxid)
{
    char line[KD_KERNEL_RECORD];
    if (!log->is_open)
        return false;
    do
        while (take_line(log, line))
            if (parse(line, sxid))
                return true;
    while (read_more(log));
    return false;
}
