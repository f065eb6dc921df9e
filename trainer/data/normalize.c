#include "trainer/data/normalize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

static const char *const names[] = {
    [KD_NORMALIZE_STANDARD] = "standard",
    [KD_NORMALIZE_MINMAX] = "minmax",
    [KD_NORMALIZE_NONE] = "none",
};

int kd_normalize_read(const json_t *given, struct kd_normalize *normalize, struct kd_error *err)
{
    *normalize = (struct kd_normalize){.kind = KD_NORMALIZE_STANDARD, .factor = 1};
    if (!given)
        return 0;
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
    return kd_fail(err, "must be none, standard, minmax or a number%s%s%s", text ? ", not \"" : "",
                   text ? text : "", text ? "\"" : "");
}

struct scale {
    double shift, factor; /* x becomes (x - shift) * factor */
};

/* Two passes, in double: the one-pass formula loses all digits where the mean is large. */
static void learn_standard(const struct kd_table *rows, int64_t n_train, struct scale *scales)
{
    int64_t f = rows->n_features;
    for (int64_t i = 0; i < n_train; i++)
        for (int64_t j = 0; j < f; j++)
            scales[j].shift += rows->x[i * f + j];
    for (int64_t j = 0; j < f; j++)
        scales[j].shift /= (double)n_train;
    for (int64_t i = 0; i < n_train; i++)
        for (int64_t j = 0; j < f; j++) {
            double off = rows->x[i * f + j] - scales[j].shift;
            scales[j].factor += off * off;
        }
    for (int64_t j = 0; j < f; j++) {
        double deviation = sqrt(scales[j].factor / (double)n_train);
        scales[j].factor = deviation > 1e-12 * fabs(scales[j].shift) ? 1 / deviation : 0;
    }
}

static void learn_minmax(const struct kd_table *rows, int64_t n_train, struct scale *scales)
{
    int64_t f = rows->n_features;
    for (int64_t j = 0; j < f; j++) {
        double low = rows->x[j], high = low;
        for (int64_t i = 1; i < n_train; i++) {
            low = fmin(low, rows->x[i * f + j]);
            high = fmax(high, rows->x[i * f + j]);
        }
        scales[j] = (struct scale){low, high > low ? 1 / (high - low) : 0};
    }
}

void kd_normalize_apply(const struct kd_normalize *normalize, struct kd_table *rows,
                        int64_t n_train)
{
    if (normalize->kind == KD_NORMALIZE_NONE)
        return;
    int64_t f = rows->n_features;
    struct scale *scales = KD_NEW_ARRAY(struct scale, (size_t)f);
    if (normalize->kind == KD_NORMALIZE_STANDARD)
        learn_standard(rows, n_train, scales);
    else if (normalize->kind == KD_NORMALIZE_MINMAX)
        learn_minmax(rows, n_train, scales);
    else
        for (int64_t j = 0; j < f; j++)
            scales[j].factor = normalize->factor;
    for (int64_t i = 0; i < rows->n; i++)
        for (int64_t j = 0; j < f; j++)
            rows->x[i * f + j] = (float)((rows->x[i * f + j] - scales[j].shift) * scales[j].factor);
    free(scales);
}
