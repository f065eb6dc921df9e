/* parzen_density.c - kernels to densities: the part that costs the time, points times kernels times
 * axes. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/math/special.h"
#include "search/math/truncnorm.h"
#include "search/tpe/parzen_kernels.h"

/* What one axis does to one point's sum over kernels. */
struct factor {
    enum { NOTHING, SMOOTH, NARROW, TABLE } kind;
    const double *mu, *inverse; /* SMOOTH, NARROW: per kernel */
    double x;                   /* coordinate; NARROW: the middle of the cell */
    double width2;        /* NARROW: 2 width^2, so that inverse^2 width2 is (width / sigma)^2 */
    const int *group;     /* TABLE: per kernel */
    double *table;        /* log factor per group */
    bool owns_table;      /* the first point with this value does */
    const double *offset; /* per kernel; NULL when log_base has it */
    double constant;      /* what is the same for all kernels */
};

/* acc[k] -= ((x - mu) / sigma)^2 / 2 */
static void add_smooth(double *restrict acc, const double *restrict mu,
                       const double *restrict inverse, double x)
{
    for (int j = 0; j < KD_BLOCK; j++) {
        double z = (x - mu[j]) * inverse[j];
        acc[j] -= z * z;
    }
}

static void add_narrow(double *restrict acc, const double *restrict mu,
                       const double *restrict inverse, double x, double width2)
{
    for (int j = 0; j < KD_BLOCK; j++) {
        double root = (x - mu[j]) * inverse[j];
        double half = root * root;
        acc[j] += kd_normal_narrow_series(half + half, width2 * (inverse[j] * inverse[j])) - half;
    }
}

static void add_table(double *restrict acc, const int *restrict group, const double *restrict table)
{
    for (int j = 0; j < KD_BLOCK; j++)
        acc[j] += table[group[j]];
}

static void add_offset(double *restrict acc, const double *restrict offset)
{
    for (int j = 0; j < KD_BLOCK; j++)
        acc[j] += offset[j];
}

static void add_factor(double *acc, const struct factor *factor, int block)
{
    if (factor->offset)
        add_offset(acc, factor->offset + block);
    if (factor->kind == SMOOTH)
        add_smooth(acc, factor->mu + block, factor->inverse + block, factor->x);
    else if (factor->kind == NARROW)
        add_narrow(acc, factor->mu + block, factor->inverse + block, factor->x, factor->width2);
    else if (factor->kind == TABLE)
        add_table(acc, factor->group + block, factor->table);
}

/* A running log-sum-exp: log(sum) + max. */
struct log_sum {
    double max, sum;
};

static void add_block(struct log_sum *total, const double *acc)
{
    enum { NEGLIGIBLE = 50 }; /* exp(-50) is less than the rounding of 1, thousands of them too */
    double max = total->max;
    for (int j = 0; j < KD_BLOCK; j++)
        max = acc[j] > max ? acc[j] : max;
    if (max == -INFINITY)
        return;
    if (max > total->max) {
        total->sum *= kd_exp(total->max - max);
        total->max = max;
    }
    for (int j = 0; j < KD_BLOCK; j++) {
        if (acc[j] - max > -NEGLIGIBLE)
            total->sum += kd_exp(acc[j] - max);
    }
}

static void fill_categorical(const struct kd_parzen *parzen, int i, double value, double *table)
{
    const struct kd_axis_kernels *kernels = &parzen->axes[i];
    int n_choices = kernels->n_groups - 1;
    for (int c = 0; c < n_choices; c++)
        table[c] = kernels->log_miss;
    table[(int)value] = kernels->log_hit;
    table[n_choices] = -kd_ln(n_choices);
}

/* Over width / (sigma sqrt(2 pi)) in all cases, as the smooth factors are. */
static void fill_cells(const struct kd_parzen *parzen, int i, double value, double *table)
{
    const struct kd_axis_kernels *kernels = &parzen->axes[i];
    double from, to;
    kd_axis_cell(kd_parzen_axis(parzen, i), value, &from, &to);
    double log_width = kd_ln(to - from), middle = 0.5 * (from + to);
    for (int g = 0; g < kernels->n_groups; g++) {
        double mu = kernels->group_mu[g], sigma = kernels->group_sigma[g];
        double z = (middle - mu) / sigma, width = (to - from) / sigma;
        if (width <= KD_NARROW)
            table[g] = kd_normal_narrow_series(z * z, width * width) - 0.5 * z * z + log_width;
        else
            table[g] =
                kd_normal_log_mass((from - mu) / sigma, (to - mu) / sigma) + kernels->group_unit[g];
    }
}

static struct factor table_factor(const struct kd_parzen *parzen, int i, double value)
{
    const struct kd_axis_kernels *kernels = &parzen->axes[i];
    struct factor factor = {.kind = TABLE, .group = kernels->group};
    factor.table = KD_NEW_ARRAY(double, (size_t)kernels->n_groups);
    if (kd_parzen_axis(parzen, i)->is_categorical)
        fill_categorical(parzen, i, value, factor.table);
    else
        fill_cells(parzen, i, value, factor.table);
    return factor;
}

static struct factor cell_factor(const struct kd_parzen *parzen, int i, double value)
{
    const struct kd_axis_kernels *kernels = &parzen->axes[i];
    double from, to;
    kd_axis_cell(kd_parzen_axis(parzen, i), value, &from, &to);
    if (to - from > kernels->narrow_width)
        return table_factor(parzen, i, value);
    return (struct factor){.kind = NARROW,
                           .constant = kd_ln(to - from),
                           .mu = kernels->mu,
                           .inverse = kernels->inverse,
                           .x = 0.5 * (from + to),
                           .width2 = 2 * (to - from) * (to - from)};
}

static struct factor make_factor(const struct kd_parzen *parzen, int i, double value)
{
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    const struct kd_axis_kernels *kernels = &parzen->axes[i];
    if (isnan(value))
        return (struct factor){.kind = NOTHING};
    if (axis->is_categorical)
        return table_factor(parzen, i, value);
    struct factor factor = {.kind = SMOOTH, .mu = kernels->mu, .inverse = kernels->inverse};
    if (axis->has_cells)
        factor = cell_factor(parzen, i, value);
    else
        factor.x = kd_axis_coordinate(axis, value);
    factor.offset = kernels->offset;
    factor.constant -= kernels->log_unit;
    return factor;
}

static bool has_table(const struct kd_parzen *parzen, int i)
{
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    return axis->is_categorical || (axis->has_cells && !parzen->axes[i].has_narrow_cells);
}

/* factors: n_points rows of n_axes. Points with the same value on an axis share its table. */
static void make_factors(const struct kd_parzen *parzen, const double *points, int n_points,
                         struct factor *factors, double *constants)
{
    int n_axes = parzen->n_axes;
    for (int p = 0; p < n_points; p++) {
        constants[p] = 0;
        for (int i = 0; i < n_axes; i++) {
            int at = p * n_axes + i, same = has_table(parzen, i) ? i : at;
            while (same < at && (factors[same].kind != TABLE || points[same] != points[at]))
                same += n_axes;
            factors[at] = same < at ? factors[same] : make_factor(parzen, i, points[at]);
            factors[at].owns_table = factors[at].kind == TABLE && same >= at;
            constants[p] += factors[at].constant;
        }
    }
}

static void free_factors(struct factor *factors, int n)
{
    for (int i = 0; i < n; i++) {
        if (factors[i].owns_table)
            free(factors[i].table);
    }
    free(factors);
}

/* All points before the next block: a block's kernels stay in the cache meanwhile. */
static void sum_kernels(const struct kd_parzen *parzen, const struct factor *factors, int n_points,
                        struct log_sum *sums)
{
    double acc[KD_BLOCK];
    for (int block = 0; block < kd_parzen_padded(parzen); block += KD_BLOCK) {
        for (int p = 0; p < n_points; p++) {
            for (int j = 0; j < KD_BLOCK; j++)
                acc[j] = parzen->log_base[block + j];
            for (int i = 0; i < parzen->n_axes; i++)
                add_factor(acc, &factors[p * parzen->n_axes + i], block);
            add_block(&sums[p], acc);
        }
    }
}

void kd_parzen_log_density(const struct kd_parzen *parzen, const double *points, int n_points,
                           double *out)
{
    int n_factors = n_points * parzen->n_axes;
    struct factor *factors = KD_NEW_ARRAY(struct factor, (size_t)n_factors + 1);
    struct log_sum *sums = KD_NEW_ARRAY(struct log_sum, (size_t)n_points + 1);
    make_factors(parzen, points, n_points, factors, out);
    for (int p = 0; p < n_points; p++)
        sums[p].max = -INFINITY;
    sum_kernels(parzen, factors, n_points, sums);
    for (int p = 0; p < n_points; p++)
        out[p] = sums[p].max == -INFINITY ? -INFINITY : out[p] + sums[p].max + kd_ln(sums[p].sum);
    free_factors(factors, n_factors);
    free(sums);
}
