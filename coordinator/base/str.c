#include "coordinator/base/str.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

void kd_str_release(struct kd_str *s)
{
    free(s->text);
    *s = (struct kd_str){0};
}

void kd_str_clear(struct kd_str *s)
{
    s->length = 0;
    if (s->text)
        s->text[0] = '\0';
}

static void reserve(struct kd_str *s, size_t more)
{
    size_t need = s->length + more + 1;
    if (need <= s->capacity)
        return;
    size_t capacity = s->capacity ? s->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    s->text = kd_realloc_array(s->text, capacity, 1);
    s->capacity = capacity;
}

void kd_str_addn(struct kd_str *s, const char *bytes, size_t n)
{
    reserve(s, n);
    if (n > 0)
        memcpy(s->text + s->length, bytes, n);
    s->length += n;
    s->text[s->length] = '\0';
}

void kd_str_add(struct kd_str *s, const char *text)
{
    kd_str_addn(s, text, strlen(text));
}

void kd_str_addc(struct kd_str *s, char c)
{
    kd_str_addn(s, &c, 1);
}

void kd_str_addf(struct kd_str *s, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    reserve(s, (size_t)length);
    vsnprintf(s->text + s->length, (size_t)length + 1, format, again);
    va_end(again);
    s->length += (size_t)length;
}

const char *kd_str_text(const struct kd_str *s)
{
    return s->text ? s->text : "";
}

char *kd_str_take(struct kd_str *s)
{
    char *text = s->text ? s->text : kd_strdup("");
    *s = (struct kd_str){0};
    return text;
}

const char *kd_number_text(double value, char buffer[KD_NUMBER_MAX])
{
    if (isnan(value))
        return strcpy(buffer, "nan");
    if (isinf(value))
        return strcpy(buffer, value > 0 ? "inf" : "-inf");
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buffer, KD_NUMBER_MAX, "%.*g", digits, value);
        if (strtod(buffer, NULL) == value)
            break;
    }
    return buffer;
}

int kd_number_parse(const char *text, double *value)
{
    if (*text == '\0' || *text == ' ' || *text == '\t')
        return -1;
    char *end;
    *value = strtod(text, &end);
    return *end == '\0' ? 0 : -1;
}

int kd_integer_parse(const char *text, long long *value)
{
    if (*text == '\0' || *text == ' ' || *text == '\t')
        return -1;
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0 ? 0 : -1;
}

/* Levenshtein distance, two rows; names are short. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    size_t n = strlen(a), m = strlen(b);
    if (n >= LONGEST || m >= LONGEST)
        return LONGEST;
    size_t row[LONGEST];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *kd_nearest_name(const char *name, const char *const *names)
{
    const char *best = NULL;
    size_t limit = strlen(name) / 3 + 2, best_distance = limit;
    for (; *names; names++) {
        size_t distance = edit_distance(name, *names);
        if (distance < best_distance) {
            best_distance = distance;
            best = *names;
        }
    }
    return best;
}
