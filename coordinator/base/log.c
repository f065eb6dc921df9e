#include "coordinator/base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 4096 }; /* what a pipe takes at once */

static int debug_is_on(void)
{
    const char *level = getenv("KATYDID_LOG");
    return level != NULL && strcmp(level, "debug") == 0;
}

/* Nobody may be reading: a line that would have to wait is dropped, for the loop waits for nothing
 * but the disk. */
int kd_log_would_block(void)
{
    struct pollfd out = {STDERR_FILENO, POLLOUT, 0};
    return poll(&out, 1, 0) == 0;
}

/* Appends to the n characters of the line, leaving room for its end. */
static size_t add_safely(char *line, size_t n, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p && n + 5 < LINE_BYTES; p++)
        if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f)
            n += (size_t)sprintf(line + n, "\\x%02x", *p);
        else
            line[n++] = (char)*p;
    return n;
}

/* In one write: the lines of several ranks on one stderr stay lines. */
void kd_log(enum kd_log_level level, const char *format, ...)
{
    static const char *const prefixes[] = {"debug: ", "", "warning: ", "error: "};
    if ((level == KD_LOG_DEBUG && !debug_is_on()) || kd_log_would_block())
        return;
    char text[LINE_BYTES], line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t n = (size_t)snprintf(line, sizeof line, "katydid: %s", prefixes[level]);
    n = add_safely(line, n, text);
    line[n++] = '\n';
    fwrite(line, 1, n, stderr);
}
