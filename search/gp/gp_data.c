#include "search/gp/gp_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/special.h"

void kd_gp_data_release(struct kd_gp_data *data)
{
    free(data->trials), free(data->rows), free(data->values);
    free(data->is_whole), free(data->targets);
    *data = (struct kd_gp_data){0};
}

static void clear(struct kd_gp_data *data, int n_dims, int capacity)
{
    if (capacity > data->capacity) {
        kd_gp_data_release(data);
        size_t n = 2 * (size_t)capacity;
        data->capacity = 2 * capacity;
        data->trials = KD_NEW_ARRAY(int, n);
        data->rows = KD_NEW_ARRAY(double, n *(size_t)n_dims + 1);
        data->values = KD_NEW_ARRAY(double, n);
        data->is_whole = KD_NEW_ARRAY(bool, n);
        data->targets = KD_NEW_ARRAY(double, n);
    }
    data->n = 0;
    data->n_dims = n_dims;
}

static void add(struct kd_gp_data *data, const struct kd_cube *cube,
                const struct kd_observation *trial, double value)
{
    kd_cube_from_point(cube, trial->values, &data->rows[data->n * data->n_dims]);
    data->trials[data->n] = (int)trial->number;
    data->values[data->n] = value;
    data->is_whole[data->n] = trial->outcome == KD_COMPLETE && isfinite(value);
    data->n++;
}

/* What a trial says before the others are known: NAN = nothing. */
static double own_value(const struct kd_observation *trial)
{
    if (trial->outcome == KD_INFEASIBLE)
        return NAN;
    if (isfinite(trial->objective))
        return trial->objective;
    if (trial->outcome != KD_PRUNED || trial->n_reports == 0)
        return NAN;
    double last = trial->reports[trial->n_reports - 1].value;
    return isfinite(last) ? last : NAN;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The values of the complete trials, sorted; of all that have one when none is complete. */
static int sort_known(const struct kd_gp_data *data, double *sorted)
{
    bool any_whole = false;
    int n = 0;
    for (int i = 0; i < data->n; i++)
        any_whole = any_whole || data->is_whole[i];
    for (int i = 0; i < data->n; i++) {
        if (any_whole ? data->is_whole[i] : isfinite(data->values[i]))
            sorted[n++] = data->values[i];
    }
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    return n;
}

static void impute(struct kd_gp_data *data)
{
    int n = sort_known(data, data->targets);
    double median = n > 0 ? data->targets[n / 2] : 0, worst = n > 0 ? data->targets[n - 1] : 0;
    for (int i = 0; i < data->n; i++) {
        double *value = &data->values[i];
        if (data->is_whole[i])
            continue;
        if (isnan(*value) || *value > worst)
            *value = worst;
        else if (*value < median)
            *value = median;
    }
}

void kd_gp_data_read(struct kd_gp_data *data, const struct kd_cube *cube,
                     const struct kd_history *history, int n_done)
{
    clear(data, cube->n_dims, n_done);
    for (int i = 0; i < n_done; i++) {
        const struct kd_observation *trial = &history->trials[history->done[i]];
        add(data, cube, trial, own_value(trial));
    }
    impute(data);
}

/* sign(c) ln(1 + |c| / scale) */
static double tame(double c, double scale)
{
    double size = kd_log1p(fabs(c) / scale);
    return c < 0 ? -size : size;
}

static double median_size(struct kd_gp_data *data)
{
    for (int i = 0; i < data->n; i++)
        data->targets[i] = fabs(data->values[i]);
    qsort(data->targets, (size_t)data->n, sizeof *data->targets, ascending);
    double median = data->n > 0 ? data->targets[data->n / 2] : 0;
    return median > 0x1p-900 ? median : 1;
}

void kd_gp_data_read_constraint(struct kd_gp_data *data, const struct kd_cube *cube,
                                const struct kd_history *history, int n_done, int c, double *limit)
{
    clear(data, cube->n_dims, n_done);
    for (int i = 0; i < n_done; i++) {
        const struct kd_observation *trial = &history->trials[history->done[i]];
        if (trial->constraints && isfinite(trial->constraints[c]))
            add(data, cube, trial, trial->constraints[c]);
    }
    double scale = median_size(data), mean = 0, square = 0;
    for (int i = 0; i < data->n; i++) {
        double tamed = tame(data->values[i], scale);
        data->values[i] = tamed > 700 ? 700 : tamed < -700 ? -700 : tamed;
        mean += data->values[i] / data->n;
    }
    for (int i = 0; i < data->n; i++) {
        data->values[i] -= mean;
        square += data->values[i] * data->values[i];
    }
    double deviation = square > 0 ? sqrt(square / data->n) : 1;
    for (int i = 0; i < data->n; i++)
        data->targets[i] = data->values[i] /= deviation;
    *limit = -mean / deviation;
}

double kd_gp_data_warp(struct kd_gp_data *data, double lambda)
{
    int n = sort_known(data, data->targets);
    struct kd_warp_scale scale = {0, 1};
    if (n > 0)
        scale = kd_warp_scale_of(data->targets, n);
    return kd_warp(scale, data->values, data->n, lambda, data->targets);
}

struct ranked {
    double value;
    int at;
};

static int by_value(const void *a_, const void *b_)
{
    const struct ranked *a = a_, *b = b_;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static void mark_best(const struct kd_gp_data *data, int want, bool *keep)
{
    struct ranked *ranked = KD_NEW_ARRAY(struct ranked, (size_t)data->n);
    for (int i = 0; i < data->n; i++)
        ranked[i] = (struct ranked){data->values[i], i};
    qsort(ranked, (size_t)data->n, sizeof *ranked, by_value);
    for (int i = 0; i < want; i++)
        keep[ranked[i].at] = true;
    free(ranked);
}

/* Every so many of those that are left, so that `want` are kept. */
static void mark_spread(int n, int want, bool *keep)
{
    int n_kept = 0, n_passed = 0;
    for (int i = 0; i < n; i++)
        n_kept += keep[i];
    int n_left = n - n_kept, n_more = want - n_kept;
    for (int i = 0; i < n; i++) {
        if (keep[i])
            continue;
        int64_t before = (int64_t)n_passed * n_more / n_left;
        n_passed++;
        keep[i] = (int64_t)n_passed * n_more / n_left > before;
    }
}

void kd_gp_data_thin(struct kd_gp_data *data, int want)
{
    if (data->n <= want)
        return;
    size_t n_dims = (size_t)data->n_dims;
    bool *keep = KD_NEW_ARRAY(bool, (size_t)data->n);
    mark_best(data, want / 3, keep);
    for (int i = data->n - want / 3; i < data->n; i++)
        keep[i] = true;
    mark_spread(data->n, want, keep);
    int n = 0;
    for (int i = 0; i < data->n; i++) {
        if (!keep[i])
            continue;
        memmove(&data->rows[(size_t)n * n_dims], &data->rows[(size_t)i * n_dims],
                n_dims * sizeof *data->rows);
        data->trials[n] = data->trials[i];
        data->values[n] = data->values[i];
        data->targets[n] = data->targets[i];
        data->is_whole[n++] = data->is_whole[i];
    }
    data->n = n;
    free(keep);
}

uint64_t kd_gp_data_hash(const struct kd_gp_data *data)
{
    size_t n = (size_t)data->n;
    uint64_t rows = kd_hash_bytes(data->rows, n * (size_t)data->n_dims * sizeof *data->rows);
    return kd_hash2(rows, kd_hash_bytes(data->values, n * sizeof *data->values));
}
