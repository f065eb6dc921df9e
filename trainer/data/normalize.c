#include "trainer/data/normalize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

enum { CHUNK_FLOATS = 1 << 16 };

static const char *const names[] = {
    [KD_NORMALIZE_STANDARD] = "standard",
    [KD_NORMALIZE_MINMAX] = "minmax",
    [KD_NORMALIZE_NONE] = "none",
};

/* ---- reading */

static int check_numbers(const json_t *list, const char *name, bool positive, struct kd_error *err)
{
    const json_t *item;
    size_t i;
    if (!json_is_array(list) || json_array_size(list) == 0)
        return kd_fail(err, "%s must be a list of numbers, one for each channel or feature", name);
    json_array_foreach(list, i, item)
    {
        double value = json_number_value(item);
        if (!json_is_number(item) || !isfinite(value) || (positive && value <= 0))
            return kd_fail(err, "%s: entry %zu must be a %snumber", name, i,
                           positive ? "positive " : "");
    }
    return 0;
}

static int read_given(const json_t *given, struct kd_normalize *normalize, struct kd_error *err)
{
    normalize->kind = KD_NORMALIZE_GIVEN;
    normalize->mean = json_object_get(given, "mean");
    normalize->deviation = json_object_get(given, "deviation");
    if (json_object_size(given) != 2 || !normalize->mean || !normalize->deviation)
        return kd_fail(err, "must have mean and deviation, such as {mean: [125, 123, 114], "
                            "deviation: [63, 62, 67]}, and nothing else");
    if (check_numbers(normalize->mean, "mean", false, err) < 0 ||
        check_numbers(normalize->deviation, "deviation", true, err) < 0)
        return -1;
    size_t n = json_array_size(normalize->mean), m = json_array_size(normalize->deviation);
    return n == m ? 0 : kd_fail(err, "mean has %zu numbers but deviation %zu", n, m);
}

int kd_normalize_read(const json_t *given, struct kd_normalize *normalize, struct kd_error *err)
{
    *normalize = (struct kd_normalize){.kind = KD_NORMALIZE_STANDARD, .factor = 1};
    if (!given)
        return 0;
    if (json_is_object(given))
        return read_given(given, normalize, err);
    if (json_is_number(given)) {
        normalize->kind = KD_NORMALIZE_FACTOR;
        normalize->factor = json_number_value(given);
        return isfinite(normalize->factor) && normalize->factor != 0
                   ? 0
                   : kd_fail(err, "a factor of %g makes every feature the same", normalize->factor);
    }
    const char *text = json_string_value(given);
    for (size_t i = 0; text && i < KD_COUNT(names); i++) {
        if (strcmp(names[i], text) == 0) {
            normalize->kind = (enum kd_normalize_kind)i;
            return 0;
        }
    }
    return kd_fail(err,
                   "must be none, standard, minmax, a number or {mean: [..], deviation: [..]}"
                   "%s%s%s",
                   text ? ", not \"" : "", text ? text : "", text ? "\"" : "");
}

/* ---- learning */

/* Folds n numbers, whose first one stands for scale 0, into the scales. */
typedef void fold_fn(struct kd_scales *scales, const float *x, int64_t n);

static void add(struct kd_scales *scales, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += scales->n)
        for (int64_t j = 0; j < scales->n; j++)
            scales->center[j] += x[i + j];
}

static void add_squares(struct kd_scales *scales, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += scales->n)
        for (int64_t j = 0; j < scales->n; j++) {
            double off = x[i + j] - scales->center[j];
            scales->factor[j] += off * off;
        }
}

/* center: the least, factor: the greatest */
static void widen(struct kd_scales *scales, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += scales->n)
        for (int64_t j = 0; j < scales->n; j++) {
            scales->center[j] = fmin(scales->center[j], x[i + j]);
            scales->factor[j] = fmax(scales->factor[j], x[i + j]);
        }
}

static void fold_part(struct kd_scales *scales, const struct kd_part *part, fold_fn *fold)
{
    int64_t size = kd_shape_count(part->table->shape);
    int64_t most = CHUNK_FLOATS / size > 0 ? CHUNK_FLOATS / size : 1;
    float *x = KD_NEW_ARRAY(float, (size_t)(most * size));
    int32_t *rows = KD_NEW_ARRAY(int32_t, (size_t)most);
    for (int64_t at = 0; at < part->n; at += most) {
        int64_t n = part->n - at < most ? part->n - at : most;
        for (int64_t i = 0; i < n; i++)
            rows[i] = kd_part_row(part, at + i);
        kd_table_floats(part->table, rows, n, x);
        fold(scales, x, n * size);
    }
    free(rows);
    free(x);
}

/* Two passes, in double: the one-pass formula loses all digits where the mean is large. */
static void learn_standard(struct kd_scales *scales, const struct kd_part *train)
{
    double n = (double)(train->n * kd_shape_count(train->table->shape) / scales->n);
    fold_part(scales, train, add);
    for (int64_t j = 0; j < scales->n; j++)
        scales->center[j] /= n;
    fold_part(scales, train, add_squares);
    for (int64_t j = 0; j < scales->n; j++) {
        double deviation = sqrt(scales->factor[j] / n);
        scales->factor[j] = deviation > 1e-12 * fabs(scales->center[j]) ? 1 / deviation : 0;
    }
}

static void learn_minmax(struct kd_scales *scales, const struct kd_part *train)
{
    for (int64_t j = 0; j < scales->n; j++) {
        scales->center[j] = INFINITY;
        scales->factor[j] = -INFINITY;
    }
    fold_part(scales, train, widen);
    for (int64_t j = 0; j < scales->n; j++) {
        double width = scales->factor[j] - scales->center[j];
        scales->factor[j] = width > 0 ? 1 / width : 0;
    }
}

/* The numbers that papers give are of pixels from 0 to 1; files hold 0 to 255. */
static int take_given(struct kd_scales *scales, const struct kd_normalize *normalize,
                      const struct kd_table *table, struct kd_error *err)
{
    bool tiny = kd_table_is_images(table) && table->element == KD_ELEMENT_U8;
    int64_t n = (int64_t)json_array_size(normalize->mean);
    if (n != scales->n && n != 1)
        return kd_fail(err, "normalize: %lld numbers, but there are %lld %s", (long long)n,
                       (long long)scales->n, kd_table_is_images(table) ? "channels" : "features");
    scales->n = n;
    for (int64_t j = 0; j < n; j++) {
        double deviation = json_number_value(json_array_get(normalize->deviation, (size_t)j));
        scales->center[j] = json_number_value(json_array_get(normalize->mean, (size_t)j));
        scales->factor[j] = 1 / deviation;
        tiny = tiny && deviation < 1 && scales->center[j] > 0 && scales->center[j] < 1;
    }
    if (!tiny)
        return 0;
    return kd_fail(err,
                   "normalize: mean %g and deviation %g suit pixels from 0 to 1, but the file's go "
                   "from 0 to 255; multiply them by 255",
                   scales->center[0], 1 / scales->factor[0]);
}

int kd_scales_learn(struct kd_scales *scales, const struct kd_normalize *normalize,
                    const struct kd_part *train, struct kd_error *err)
{
    const struct kd_table *table = train->table;
    *scales = (struct kd_scales){0};
    if (normalize->kind == KD_NORMALIZE_NONE || kd_table_is_tokens(table))
        return 0;
    scales->n = normalize->kind == KD_NORMALIZE_FACTOR ? 1 : kd_shape_last(table->shape);
    scales->center = KD_NEW_ARRAY(double, (size_t)scales->n);
    scales->factor = KD_NEW_ARRAY(double, (size_t)scales->n);
    if (normalize->kind == KD_NORMALIZE_GIVEN)
        return take_given(scales, normalize, table, err);
    if (normalize->kind == KD_NORMALIZE_STANDARD)
        learn_standard(scales, train);
    else if (normalize->kind == KD_NORMALIZE_MINMAX)
        learn_minmax(scales, train);
    else
        scales->factor[0] = normalize->factor;
    return 0;
}

void kd_scales_release(struct kd_scales *scales)
{
    free(scales->center);
    free(scales->factor);
    *scales = (struct kd_scales){0};
}

void kd_scales_apply(const struct kd_scales *scales, struct kd_table *table)
{
    int64_t n = table->n * kd_shape_count(table->shape);
    for (int64_t i = 0; scales->n > 0 && i < n; i += scales->n)
        for (int64_t j = 0; j < scales->n; j++)
            table->floats[i + j] =
                (float)((table->floats[i + j] - scales->center[j]) * scales->factor[j]);
}
