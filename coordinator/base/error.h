/* error.h - the three kinds of trouble and what each does.
 *
 * Our bug:               kd_bug("...") prints a report and aborts.
 * The user's or world's: return kd_fail(err, "what, where, value seen, what to do"), which is -1.
 * Out of memory:         the allocators of mem.h end the program with a message.
 *
 * A function that can fail takes `struct kd_error *err` last and returns int (0 ok, -1 failed) or a
 * pointer (NULL failed). The text is made where the facts are known; callers add context with
 * kd_error_prefix and never log what they return. */
#ifndef KD_BASE_ERROR_H
#define KD_BASE_ERROR_H

enum { KD_ERROR_MAX = 2048 };

struct kd_error {
    char text
        [KD_ERROR_MAX]; /* one or more lines, no newline at the end; empty while nothing failed */
};

/* Writes the text (when err is not NULL) and returns -1. */
int kd_fail(struct kd_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, with ": <strerror(errno)>" appended; errno is read first. */
int kd_fail_errno(struct kd_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "<prefix>: " before the text that is already there; returns -1. */
int kd_error_prefix(struct kd_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define kd_bug(...)          kd_bug_at(__FILE__, __LINE__, __VA_ARGS__)
#define kd_assert(condition) ((condition) ? (void)0 : kd_bug("assertion failed: %s", #condition))

void kd_bug_at(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#endif
