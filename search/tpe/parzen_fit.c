/* parzen_fit.c - kernels from trials. */
#include <math.h>

#include "search/math/special.h"
#include "search/math/truncnorm.h"
#include "search/tpe/parzen_kernels.h"

/* The trials of the estimator that have a value on the axis, in its order. */
static void sort_kernels(struct kd_parzen *parzen, int i)
{
    const struct kd_ranked *order = parzen->columns->order[parzen->first + i];
    int n = 0, n_ranked = parzen->columns->n_ranked[parzen->first + i];
    for (int rank = 0; rank < n_ranked; rank++) {
        int kernel = parzen->kernel_of[order[rank].trial];
        parzen->sorted[n] = (struct kd_ranked){order[rank].coordinate, kernel};
        n += kernel >= 0;
    }
    parzen->n_sorted = n;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Deviation of the kernel at a rank, before clipping: the larger gap to its neighbours. */
static double widest_gap(const struct kd_parzen *parzen, const struct kd_axis *axis, int rank)
{
    const struct kd_ranked *at = &parzen->sorted[rank];
    if (parzen->n_sorted == 1)
        return larger(at->coordinate - axis->low, axis->high - at->coordinate);
    double left = rank > 0 ? at[0].coordinate - at[-1].coordinate : 0;
    double right = rank < parzen->n_sorted - 1 ? at[1].coordinate - at[0].coordinate : 0;
    return larger(left, right);
}

/* The kernel's share of the normal distribution that lies in the range. */
static double mass_in_range(const struct kd_axis *axis, double mu, double sigma)
{
    enum { FAR = 9 }; /* deviations beyond which nothing is left of 1 */
    double a = (axis->low - mu) / sigma, b = (axis->high - mu) / sigma;
    return a < -FAR && b > FAR ? 1 : kd_normal_mass(a, b);
}

/* Over the range, so that products over many axes stay within the doubles. */
static double norm_of(const struct kd_axis *axis, double mu, double sigma)
{
    return mass_in_range(axis, mu, sigma) * (sigma / (axis->high - axis->low));
}

static void set_kernel(struct kd_parzen *parzen, int i, int kernel, double mu, double sigma)
{
    struct kd_axis_kernels *kernels = &parzen->axes[i];
    struct kd_kernel_memo fresh = {0}, *memo = &fresh;
    if (kernel < parzen->n)
        memo = &parzen->memo[i][parzen->trials[kernel]];
    if (memo->sigma != sigma) {
        memo->sigma = sigma;
        memo->inverse = KD_SQRT_HALF / sigma;
        memo->norm = norm_of(kd_parzen_axis(parzen, i), mu, sigma);
        memo->log_norm = kernels->offset ? kd_ln(memo->norm) : 0;
    }
    kernels->mu[kernel] = mu;
    kernels->sigma[kernel] = sigma;
    kernels->inverse[kernel] = memo->inverse;
    if (kernels->offset)
        kernels->offset[kernel] = -memo->log_norm;
    else
        parzen->norms[kernel] *= memo->norm;
}

/* Equal kernels come one after the other in sorted order. */
static void set_group(struct kd_axis_kernels *kernels, int kernel)
{
    double mu = kernels->mu[kernel], sigma = kernels->sigma[kernel];
    int last = kernels->n_groups - 1;
    if (last < 0 || kernels->group_mu[last] != mu || kernels->group_sigma[last] != sigma) {
        bool is_known = last >= 0 && kernels->group_sigma[last] == sigma;
        kernels->group_unit[last + 1] =
            is_known ? kernels->group_unit[last] : kd_ln(sigma) + KD_LOG_SQRT_2_PI;
        last = kernels->n_groups++;
        kernels->group_mu[last] = mu;
        kernels->group_sigma[last] = sigma;
    }
    kernels->group[kernel] = last;
}

/* Which cells are narrow beside every kernel. The first is the widest, in a logarithm too. */
static void set_narrow(struct kd_axis_kernels *kernels, const struct kd_axis *axis,
                       double min_sigma)
{
    double from, to;
    kernels->narrow_width = KD_NARROW * (axis->deviation < min_sigma ? axis->deviation : min_sigma);
    kernels->has_narrow_cells = false;
    if (!axis->has_cells)
        return;
    kd_axis_cell(axis, axis->param->min, &from, &to);
    kernels->has_narrow_cells = to - from <= kernels->narrow_width;
}

static void set_prior_kernel(struct kd_parzen *parzen, int i, int kernel)
{
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    set_kernel(parzen, i, kernel, axis->mean, axis->deviation);
    if (axis->has_cells && !parzen->axes[i].has_narrow_cells)
        set_group(&parzen->axes[i], kernel);
}

/* Of the trials that have no value on the axis, and of the prior. */
static void fit_prior(struct kd_parzen *parzen, int i)
{
    const double *coordinates = parzen->columns->coordinates[parzen->first + i];
    for (int k = 0; k < parzen->n && parzen->n_sorted < parzen->n; k++) {
        if (isnan(coordinates[parzen->trials[k]]))
            set_prior_kernel(parzen, i, k);
    }
    set_prior_kernel(parzen, i, parzen->n);
}

static void fit_numeric(struct kd_parzen *parzen, int i)
{
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    struct kd_axis_kernels *kernels = &parzen->axes[i];
    sort_kernels(parzen, i);
    int n = parzen->n_sorted;
    double range = axis->high - axis->low, min_sigma = range / (n + 2 < 100 ? n + 2 : 100);
    kernels->n_groups = 0;
    kernels->log_unit = kd_ln(range) + KD_LOG_SQRT_2_PI;
    set_narrow(kernels, axis, min_sigma);
    bool has_groups = axis->has_cells && !kernels->has_narrow_cells;
    for (int rank = 0; rank < n; rank++) {
        double sigma = widest_gap(parzen, axis, rank);
        sigma = sigma < min_sigma ? min_sigma : sigma > range ? range : sigma;
        set_kernel(parzen, i, parzen->sorted[rank].trial, parzen->sorted[rank].coordinate, sigma);
        if (has_groups)
            set_group(kernels, parzen->sorted[rank].trial);
    }
    fit_prior(parzen, i);
}

static void fit_categorical(struct kd_parzen *parzen, int i)
{
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    struct kd_axis_kernels *kernels = &parzen->axes[i];
    double share = parzen->prior_weight / (parzen->n + 1);
    double sum = 1 + axis->n_choices * share;
    kernels->log_hit = kd_ln((1 + share) / sum);
    kernels->log_miss = kd_ln(share / sum);
    kernels->n_groups =
        axis->n_choices + 1; /* the last is the prior's, and of trials without a value */
    const double *choices = parzen->columns->coordinates[parzen->first + i];
    for (int k = 0; k < parzen->n; k++) {
        double choice = choices[parzen->trials[k]];
        kernels->group[k] = isnan(choice) ? axis->n_choices : (int)choice;
    }
    kernels->group[parzen->n] = axis->n_choices;
}

static void pad(struct kd_parzen *parzen)
{
    for (int k = parzen->n + 1; k < kd_parzen_padded(parzen); k++) {
        parzen->log_base[k] = -INFINITY;
        for (int i = 0; i < parzen->n_axes; i++) {
            struct kd_axis_kernels *kernels = &parzen->axes[i];
            if (kernels->mu)
                kernels->mu[k] = kernels->inverse[k] = 0;
            if (kernels->offset)
                kernels->offset[k] = 0;
            if (kernels->group)
                kernels->group[k] = 0;
        }
    }
}

/* Moves the products of normalisers into the logarithm. */
static void take_logs(struct kd_parzen *parzen)
{
    for (int k = 0; k <= parzen->n; k++) {
        parzen->log_base[k] -= kd_ln(parzen->norms[k]);
        parzen->norms[k] = 1;
    }
}

void kd_parzen_fit_kernels(struct kd_parzen *parzen)
{
    enum {
        AT_ONCE = 64
    }; /* each normaliser is above 1e-3, so a product of 64 is far from underflow */
    for (int k = 0; k <= parzen->n; k++) {
        parzen->log_base[k] = 0;
        parzen->norms[k] = 1 / parzen->weights[k];
    }
    for (int i = 0; i < parzen->n_axes; i++) {
        const struct kd_axis *axis = kd_parzen_axis(parzen, i);
        if (axis->is_categorical)
            fit_categorical(parzen, i);
        else
            fit_numeric(parzen, i);
        if (i % AT_ONCE == AT_ONCE - 1)
            take_logs(parzen);
    }
    take_logs(parzen);
    pad(parzen);
}
