#include "coordinator/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int kd_fail(struct kd_error *err, const char *format, ...)
{
    if (err == NULL)
        return -1;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return -1;
}

int kd_fail_errno(struct kd_error *err, const char *format, ...)
{
    int saved = errno;
    if (err == NULL)
        return -1;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(saved));
    return -1;
}

int kd_error_prefix(struct kd_error *err, const char *format, ...)
{
    if (err == NULL)
        return -1;
    char old[KD_ERROR_MAX];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", old);
    return -1;
}

void kd_bug_at(const char *file, int line, const char *format, ...)
{
    fprintf(stderr, "katydid: internal error at %s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(
        stderr,
        "\nThis is a bug in katydid; nothing that was acknowledged is lost. Please report it.\n");
    abort();
}
