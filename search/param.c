/* param.c - one parameter of a space: which values it takes, and how they are written. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "search/space.h"

static bool is_list(const struct kd_param *param)
{
    return param->type == KD_PARAM_DISCRETE || param->type == KD_PARAM_CATEGORICAL;
}

static double nearest_integer(double x)
{
    return floor(x + 0.5);
}

/* The largest k with min + k * step <= max, forgiving what decimal fractions lose in binary. */
static double last_step(const struct kd_param *param)
{
    double ratio = (param->max - param->min) / param->step;
    double nearest = nearest_integer(ratio);
    return fabs(ratio - nearest) <= 1e-9 + 4e-16 * ratio ? nearest : floor(ratio);
}

double kd_param_count(const struct kd_param *param)
{
    if (is_list(param))
        return param->n_choices;
    return param->step > 0 ? last_step(param) + 1 : INFINITY;
}

/* 10^p when x * 10^p is a whole number small enough to be exact, the smallest such p up to 12; else
 * 0. */
static double decimal_scale(double x, double y)
{
    double scale = 1;
    for (int p = 0; p <= 12; p++, scale *= 10) {
        double a = x * scale, b = y * scale;
        if (fabs(a) > 0x1p52 || fabs(b) > 0x1p52)
            return 0;
        if (fabs(a - nearest_integer(a)) <= 4e-16 * fabs(a) &&
            fabs(b - nearest_integer(b)) <= 4e-16 * fabs(b))
            return scale;
    }
    return 0;
}

/* As a decimal when min and step are short ones, so that 0 + 3 * 0.1 is the double that "0.3" reads
 * as. */
static double grid_value(const struct kd_param *param, double k)
{
    double scale = decimal_scale(param->min, param->step), value;
    if (scale > 0)
        value = (nearest_integer(param->min * scale) + k * nearest_integer(param->step * scale)) /
                scale;
    else
        value = param->min + k * param->step;
    return value > param->max ? param->max : value;
}

double kd_param_nth(const struct kd_param *param, int64_t k)
{
    kd_assert(k >= 0 && (double)k < kd_param_count(param));
    if (param->type == KD_PARAM_DISCRETE)
        return param->values[k];
    if (param->type == KD_PARAM_CATEGORICAL)
        return (double)k;
    return grid_value(param, (double)k);
}

/* Where the value stands in the sorted list. */
static int list_position(const struct kd_param *param, double value)
{
    int from = 0, to = param->n_choices - 1;
    while (from < to) {
        int middle = from + (to - from) / 2;
        if (param->values[middle] < value)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

int64_t kd_param_position(const struct kd_param *param, double value)
{
    if (param->type == KD_PARAM_DISCRETE)
        return list_position(param, value);
    if (param->type == KD_PARAM_CATEGORICAL)
        return (int64_t)value;
    return (int64_t)nearest_integer((value - param->min) / param->step);
}

static double nearest_in_list(const double *values, int n, double value)
{
    int best = 0;
    for (int i = 1; i < n; i++) {
        if (fabs(values[i] - value) < fabs(values[best] - value))
            best = i;
    }
    return values[best];
}

double kd_param_clip(const struct kd_param *param, double value)
{
    if (isnan(value))
        return param->type == KD_PARAM_DISCRETE ? param->values[0] : param->min;
    if (param->type == KD_PARAM_DISCRETE)
        return nearest_in_list(param->values, param->n_choices, value);
    double inside = value < param->min ? param->min : value > param->max ? param->max : value;
    if (param->type == KD_PARAM_CATEGORICAL)
        return nearest_integer(inside);
    if (param->step == 0)
        return inside;
    double k = nearest_integer((inside - param->min) / param->step), last = last_step(param);
    return grid_value(param, k > last ? last : k);
}

bool kd_param_allows(const struct kd_param *param, double value)
{
    return kd_param_clip(param, value) == value;
}

const char *kd_param_text(const struct kd_param *param, double value, char buffer[32])
{
    if (isnan(value))
        return kd_number_text(value, buffer);
    if (param->type == KD_PARAM_CATEGORICAL)
        return param->choices[(int)kd_param_clip(param, value)];
    for (int i = 0; param->type == KD_PARAM_DISCRETE && param->choices && i < param->n_choices;
         i++) {
        if (param->values[i] == value)
            return param->choices[i];
    }
    if (param->type == KD_PARAM_INT && fabs(value) < 0x1p63) {
        snprintf(buffer, 32, "%lld", (long long)value);
        return buffer;
    }
    return kd_number_text(value, buffer);
}

static void list_choices(const struct kd_param *param, struct kd_str *out)
{
    enum { SHOWN = 20 };
    char buffer[32];
    for (int i = 0; i < param->n_choices && i < SHOWN; i++) {
        const char *text =
            param->choices ? param->choices[i] : kd_number_text(param->values[i], buffer);
        kd_str_addf(out, "%s%s", i > 0 ? ", " : "", text);
    }
    if (param->n_choices > SHOWN)
        kd_str_addf(out, ", ... (%d in all)", param->n_choices);
}

static int not_a_choice(const struct kd_param *param, const char *text, struct kd_error *err)
{
    struct kd_str accepted = {0};
    list_choices(param, &accepted);
    kd_fail(err, "%s: \"%s\" is not one of %s", param->name, text, kd_str_text(&accepted));
    kd_str_release(&accepted);
    return -1;
}

static int parse_choice(const struct kd_param *param, const char *text, double *value,
                        struct kd_error *err)
{
    bool discrete = param->type == KD_PARAM_DISCRETE;
    double number;
    bool numeric = discrete && kd_number_parse(text, &number) == 0;
    for (int i = 0; i < param->n_choices; i++) {
        if ((param->choices && strcmp(param->choices[i], text) == 0) ||
            (numeric && param->values[i] == number)) {
            *value = discrete ? param->values[i] : i;
            return 0;
        }
    }
    return not_a_choice(param, text, err);
}

int kd_param_parse(const struct kd_param *param, const char *text, double *value,
                   struct kd_error *err)
{
    char low[32], high[32], nearest[32];
    if (is_list(param))
        return parse_choice(param, text, value, err);
    const char *kind = param->type == KD_PARAM_INT ? "a whole number" : "a number";
    kd_param_text(param, param->min, low), kd_param_text(param, param->max, high);
    double number;
    if (kd_number_parse(text, &number) < 0 || isnan(number))
        return kd_fail(err, "%s: \"%s\" is not %s; give one from %s to %s", param->name, text, kind,
                       low, high);
    if (number < param->min || number > param->max)
        return kd_fail(err, "%s: %s is outside %s to %s", param->name, text, low, high);
    *value = kd_param_clip(param, number);
    double slack = param->step > 0 ? 1e-9 * param->step : 0;
    if (fabs(*value - number) > slack)
        return kd_fail(err, "%s: %s is not on its grid; the nearest value is %s", param->name, text,
                       kd_param_text(param, *value, nearest));
    return 0;
}

struct entry {
    double value;
    char *choice;
};

static int by_value(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

static void sort_values(struct kd_param *param)
{
    size_t n = (size_t)param->n_choices;
    struct entry *entries = KD_NEW_ARRAY(struct entry, n);
    for (size_t i = 0; i < n; i++)
        entries[i] = (struct entry){param->values[i], param->choices ? param->choices[i] : NULL};
    qsort(entries, n, sizeof *entries, by_value);
    for (size_t i = 0; i < n; i++) {
        param->values[i] = entries[i].value;
        if (param->choices)
            param->choices[i] = entries[i].choice;
    }
    free(entries);
}

static int check_discrete(struct kd_param *param, struct kd_error *err)
{
    char text[32];
    for (int i = 0; i < param->n_choices; i++) {
        if (!isfinite(param->values[i]))
            return kd_fail(err, "feasibleSpace.list: %s is not a finite number",
                           kd_number_text(param->values[i], text));
    }
    sort_values(param);
    for (int i = 1; i < param->n_choices; i++) {
        if (param->values[i] == param->values[i - 1])
            return kd_fail(err, "feasibleSpace.list: %s is there twice; list each value once",
                           kd_number_text(param->values[i], text));
    }
    param->min = param->values[0];
    param->max = param->values[param->n_choices - 1];
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_categorical(struct kd_param *param, struct kd_error *err)
{
    size_t n = (size_t)param->n_choices;
    const char **sorted = KD_NEW_ARRAY(const char *, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = param->choices[i];
    qsort(sorted, n, sizeof *sorted, by_text);
    int rc = 0;
    for (size_t i = 1; i < n && rc == 0; i++) {
        if (strcmp(sorted[i], sorted[i - 1]) == 0)
            rc = kd_fail(err, "feasibleSpace.list: \"%s\" is there twice; list each choice once",
                         sorted[i]);
    }
    free(sorted);
    param->min = 0;
    param->max = param->n_choices - 1;
    return rc;
}

static int check_list(struct kd_param *param, struct kd_error *err)
{
    if (param->n_choices < 1)
        return kd_fail(err, "feasibleSpace.list: is empty; list at least one value");
    param->step = 0;
    return param->type == KD_PARAM_DISCRETE ? check_discrete(param, err)
                                            : check_categorical(param, err);
}

static bool is_log(const struct kd_param *param)
{
    return param->distribution == KD_LOG_UNIFORM || param->distribution == KD_LOG_NORMAL;
}

static int check_bounds(const struct kd_param *param, struct kd_error *err)
{
    char low[32], high[32];
    kd_number_text(param->min, low), kd_number_text(param->max, high);
    if (!isfinite(param->min))
        return kd_fail(err, "feasibleSpace.min: %s is not a finite number", low);
    if (!isfinite(param->max))
        return kd_fail(err, "feasibleSpace.max: %s is not a finite number", high);
    if (param->min >= param->max)
        return kd_fail(err, "feasibleSpace.min: %s is not below max %s", low, high);
    if (!isfinite(param->max - param->min))
        return kd_fail(err, "feasibleSpace.max: %s is too far from min %s; narrow the range", high,
                       low);
    if (is_log(param) && param->min <= 0)
        return kd_fail(err, "feasibleSpace.min: %s must be above 0 for a log distribution", low);
    return 0;
}

/* The integers that a double holds exactly end at 2^53. */
static int check_int(struct kd_param *param, struct kd_error *err)
{
    struct {
        const char *field;
        double value;
    } fields[] = {{"min", param->min}, {"max", param->max}, {"step", param->step}};
    char text[32];
    if (param->step == 0)
        param->step = 1;
    for (size_t i = 0; i < KD_COUNT(fields); i++) {
        double value = fields[i].value;
        if (floor(value) != value || fabs(value) > 0x1p53)
            return kd_fail(err, "feasibleSpace.%s: %s is not a whole number of at most 2^53",
                           fields[i].field, kd_number_text(value, text));
    }
    return 0;
}

/* Beyond 2^53 neither positions nor whole numbers are exact any more. */
static int check_count(const struct kd_param *param, struct kd_error *err)
{
    char text[32], range[32];
    kd_number_text(param->step, text), kd_number_text(param->max - param->min, range);
    if (param->type == KD_PARAM_INT && param->max - param->min > 0x1p53)
        return kd_fail(err, "feasibleSpace.max: max - min is %s, more than 2^53; narrow the range",
                       range);
    if (param->step > 0 && (param->max - param->min) / param->step > 0x1p53)
        return kd_fail(err,
                       "feasibleSpace.step: %s divides the range of %s into more than 2^53 values; "
                       "take a larger step, or leave it out for a continuous parameter",
                       text, range);
    return 0;
}

int kd_param_check(struct kd_param *param, struct kd_error *err)
{
    char text[32];
    if (is_list(param))
        return check_list(param, err);
    if (check_bounds(param, err) < 0)
        return -1;
    if (!(param->step >= 0) || isinf(param->step))
        return kd_fail(err, "feasibleSpace.step: %s is not above 0",
                       kd_number_text(param->step, text));
    if (param->type == KD_PARAM_INT && check_int(param, err) < 0)
        return -1;
    if (param->step > param->max - param->min)
        return kd_fail(err,
                       "feasibleSpace.step: %s is more than max - min; nothing but min is left",
                       kd_number_text(param->step, text));
    return check_count(param, err);
}
