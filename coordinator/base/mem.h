/* mem.h - allocation that does not fail: out of memory ends the program with a message.
 *
 * Everything returned is released with free(). */
#ifndef KD_BASE_MEM_H
#define KD_BASE_MEM_H

#include <stddef.h>

enum { KD_OUT_OF_MEMORY = 71 }; /* exit status */

void *kd_alloc(size_t bytes);                /* zeroed */
void *kd_alloc_array(size_t n, size_t size); /* zeroed; n * size is checked for overflow */
void *kd_realloc_array(void *old, size_t n, size_t size);
void *kd_alloc_aligned(size_t alignment, size_t bytes); /* zeroed */
char *kd_strdup(const char *text);                      /* NULL gives NULL */
char *kd_strndup(const char *text, size_t length);
char *kd_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define KD_NEW(type)          ((type *)kd_alloc(sizeof(type)))
#define KD_NEW_ARRAY(type, n) ((type *)kd_alloc_array((n), sizeof(type)))
#define KD_COUNT(array)       (sizeof(array) / sizeof((array)[0]))

#endif
