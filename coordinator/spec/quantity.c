/* quantity.c - quantities and durations. */
#include "coordinator/spec/quantity.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

struct unit {
    const char *suffix;
    double factor;
};

static const struct unit quantity_units[] = {
    {"", 1},
    {"m", 1e-3},
    {"k", 1e3},
    {"M", 1e6},
    {"G", 1e9},
    {"T", 1e12},
    {"P", 1e15},
    {"Ki", 1024.0},
    {"Mi", 1048576.0},
    {"Gi", 1073741824.0},
    {"Ti", 1099511627776.0},
    {"Pi", 1125899906842624.0},
};

static const struct unit duration_units[] = {
    {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400},
};

static const struct unit *unit_of(const struct unit *units, size_t n, const char *text,
                                  size_t length)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(units[i].suffix) == length && strncmp(units[i].suffix, text, length) == 0)
            return &units[i];
    return NULL;
}

/* A decimal number without sign words; NULL when there is none. */
static const char *digits_of(const char *text, double *value)
{
    if (strspn(text, "0123456789.") == 0)
        return NULL;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return NULL;
    char *end;
    *value = strtod(text, &end);
    return end == text ? NULL : end;
}

int kd_quantity_parse(const char *text, double *value)
{
    const char *rest = digits_of(text + (*text == '+'), value);
    if (rest == NULL)
        return -1;
    const struct unit *unit = unit_of(quantity_units, KD_COUNT(quantity_units), rest, strlen(rest));
    if (unit == NULL)
        return -1;
    *value *= unit->factor;
    return isfinite(*value) ? 0 : -1;
}

int kd_duration_parse(const char *text, double *seconds)
{
    double sum = 0, part;
    const char *rest = digits_of(text, &part);
    if (rest && *rest == '\0') {
        *seconds = part;
        return 0;
    }
    do {
        rest = digits_of(text, &part);
        if (rest == NULL)
            return -1;
        size_t length = strcspn(rest, "0123456789.");
        const struct unit *unit = unit_of(duration_units, KD_COUNT(duration_units), rest, length);
        if (unit == NULL)
            return -1;
        sum += part * unit->factor;
        text = rest + length;
    } while (*text);
    *seconds = sum;
    return 0;
}
