/* str.h - a string that grows.
 *
 * `struct kd_str s = {0};` is a valid empty string; text is NULL until something was added, so
 * print kd_str_text(&s). Always NUL-terminated; may hold NUL bytes inside (use length). */
#ifndef KD_BASE_STR_H
#define KD_BASE_STR_H

#include <stddef.h>

struct kd_str {
    char *text; /* owned */
    size_t length, capacity;
};

void kd_str_release(struct kd_str *s); /* and empties it */
void kd_str_clear(struct kd_str *s);   /* keeps the memory */
void kd_str_add(struct kd_str *s, const char *text);
void kd_str_addn(struct kd_str *s, const char *bytes, size_t n);
void kd_str_addc(struct kd_str *s, char c);
void kd_str_addf(struct kd_str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *kd_str_text(const struct kd_str *s); /* never NULL; borrowed */
char *kd_str_take(struct kd_str *s); /* the caller frees; s is empty afterwards; never NULL */

/* Shortest decimal text that reads back as the same double ("0.1", "1e-05", "nan", "inf",
 * "-inf"). */
enum { KD_NUMBER_MAX = 32 };
const char *kd_number_text(double value, char buffer[KD_NUMBER_MAX]);

/* Reads a whole string as a double ("1e-3", "nan", "inf"; C locale). 0 ok, -1 when anything else is
 * in it. */
int kd_number_parse(const char *text, double *value);
int kd_integer_parse(const char *text, long long *value);

/* Edit distance for "did you mean"; best of the NULL-terminated names, or NULL when none is
 * near. */
const char *kd_nearest_name(const char *name, const char *const *names);

#endif
