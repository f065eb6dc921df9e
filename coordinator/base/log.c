#include "coordinator/base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int debug_is_on(void)
{
    const char *level = getenv("KATYDID_LOG");
    return level != NULL && strcmp(level, "debug") == 0;
}

/* Nobody may be reading: a line that would have to wait is dropped, for the loop waits for nothing but the disk. */
int kd_log_would_block(void)
{
    struct pollfd out = {STDERR_FILENO, POLLOUT, 0};
    return poll(&out, 1, 0) == 0;
}

static void put_safely(const char *text, FILE *out)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f)
            fprintf(out, "\\x%02x", *p);
        else
            putc(*p, out);
}

void kd_log(enum kd_log_level level, const char *format, ...)
{
    static const char *const prefixes[] = {"debug: ", "", "warning: ", "error: "};
    if ((level == KD_LOG_DEBUG && !debug_is_on()) || kd_log_would_block())
        return;
    char text[4000]; /* with its prefix less than what a pipe takes at once */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    flockfile(stderr);
    fprintf(stderr, "katydid: %s", prefixes[level]);
    put_safely(text, stderr);
    putc('\n', stderr);
    funlockfile(stderr);
}
