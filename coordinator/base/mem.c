#include "coordinator/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t bytes)
{
    fprintf(stderr, "katydid: out of memory (asked for %zu bytes)\n", bytes);
    _Exit(KD_OUT_OF_MEMORY);
}

static size_t checked_product(size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size)
        out_of_memory(SIZE_MAX);
    return n * size;
}

void *kd_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    if (memory == NULL)
        out_of_memory(bytes);
    return memory;
}

void *kd_alloc_array(size_t n, size_t size)
{
    return kd_alloc(checked_product(n, size));
}

void *kd_realloc_array(void *old, size_t n, size_t size)
{
    size_t bytes = checked_product(n, size);
    void *memory = realloc(old, bytes ? bytes : 1);
    if (memory == NULL)
        out_of_memory(bytes);
    return memory;
}

void *kd_alloc_aligned(size_t alignment, size_t bytes)
{
    size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void *memory = aligned_alloc(alignment, rounded ? rounded : alignment);
    if (memory == NULL)
        out_of_memory(bytes);
    memset(memory, 0, rounded ? rounded : alignment);
    return memory;
}

char *kd_strdup(const char *text)
{
    return text ? kd_strndup(text, strlen(text)) : NULL;
}

char *kd_strndup(const char *text, size_t length)
{
    char *copy = kd_alloc(length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *kd_format(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = kd_alloc((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
