/* parzen_fit.c - kernels from trials. */
#include <math.h>

#include "search/parzen_kernels.h"
#include "search/special.h"
#include "search/truncnorm.h"

/* Of a deviation; there the series of parzen_density.c is good to 1e-4 where a kernel matters. */
#define KD_NARROW     0.3
#define SQRT_HALF     0x1.6a09e667f3bcdp-1
#define LOG_SQRT_2_PI 0x1.d67f1c864beb5p-1

/* The trials of the estimator in the order of the axis. */
static void sort_kernels(struct kd_parzen *parzen, int i)
{
    const struct kd_ranked *order = parzen->columns->order[parzen->first + i];
    int n = 0;
    for (int rank = 0; rank < parzen->columns->n; rank++) {
        int kernel = parzen->kernel_of[order[rank].trial];
        if (kernel >= 0)
            parzen->sorted[n++] = (struct kd_ranked){order[rank].coordinate, kernel};
    }
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Deviation of the kernel at a rank, before clipping: the larger gap to its neighbours. */
static double widest_gap(const struct kd_parzen *parzen, const struct kd_axis *axis, int rank)
{
    const struct kd_ranked *at = &parzen->sorted[rank];
    if (parzen->n == 1)
        return larger(at->coordinate - axis->low, axis->high - at->coordinate);
    double left = rank > 0 ? at[0].coordinate - at[-1].coordinate : 0;
    double right = rank < parzen->n - 1 ? at[1].coordinate - at[0].coordinate : 0;
    return larger(left, right);
}

/* The kernel's share of the normal distribution that lies in the range. */
static double mass_in_range(const struct kd_axis *axis, double mu, double sigma)
{
    enum { FAR = 9 }; /* deviations beyond which nothing is left of 1 */
    double a = (axis->low - mu) / sigma, b = (axis->high - mu) / sigma;
    return a < -FAR && b > FAR ? 1 : kd_normal_mass(a, b);
}

/* Is the axis summed as a density (and a cell as density times width)? Else by tables of masses. */
static bool is_density(const struct kd_axis *axis, const struct kd_axis_kernels *kernels)
{
    return !axis->has_cells || kernels->has_narrow_cells;
}

static void set_kernel(struct kd_parzen *parzen, int i, int kernel, double mu, double sigma)
{
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    struct kd_axis_kernels *kernels = &parzen->axes[i];
    struct kd_kernel_memo fresh, *memo = &fresh;
    fresh.sigma = 0;
    if (kernel < parzen->n)
        memo = &parzen->memo[i][parzen->trials[kernel]];
    if (memo->sigma != sigma) {
        memo->sigma = sigma;
        memo->inverse = SQRT_HALF / sigma;
        memo->mass = mass_in_range(axis, mu, sigma);
    }
    kernels->mu[kernel] = mu;
    kernels->sigma[kernel] = sigma;
    kernels->inverse[kernel] = memo->inverse;
    parzen->norms[kernel] *= memo->mass;
    /* Over the range, so that products over many axes stay within the doubles. */
    if (is_density(axis, kernels))
        parzen->norms[kernel] *= sigma / (axis->high - axis->low);
}

/* Equal kernels come one after the other in sorted order. */
static void set_group(struct kd_axis_kernels *kernels, int kernel)
{
    double mu = kernels->mu[kernel], sigma = kernels->sigma[kernel];
    int last = kernels->n_groups - 1;
    if (last < 0 || kernels->group_mu[last] != mu || kernels->group_sigma[last] != sigma) {
        last = kernels->n_groups++;
        kernels->group_mu[last] = mu;
        kernels->group_sigma[last] = sigma;
    }
    kernels->group[kernel] = last;
}

/* The first cell is the widest, in a logarithm too. */
static bool has_narrow_cells(const struct kd_axis *axis, double min_sigma)
{
    double from, to, smallest = axis->deviation < min_sigma ? axis->deviation : min_sigma;
    if (!axis->has_cells)
        return false;
    kd_axis_cell(axis, axis->param->min, &from, &to);
    return to - from <= KD_NARROW * smallest;
}

static void fit_numeric(struct kd_parzen *parzen, int i)
{
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    struct kd_axis_kernels *kernels = &parzen->axes[i];
    double range = axis->high - axis->low;
    double min_sigma = range / (parzen->n + 2 < 100 ? parzen->n + 2 : 100);
    kernels->n_groups = 0;
    kernels->has_narrow_cells = has_narrow_cells(axis, min_sigma);
    sort_kernels(parzen, i);
    for (int rank = 0; rank <= parzen->n; rank++) {
        bool is_prior = rank == parzen->n;
        int kernel = is_prior ? parzen->n : parzen->sorted[rank].trial;
        double mu = is_prior ? axis->mean : parzen->sorted[rank].coordinate;
        double sigma = is_prior ? axis->deviation : widest_gap(parzen, axis, rank);
        if (!is_prior && sigma < min_sigma)
            sigma = min_sigma;
        if (!is_prior && sigma > range)
            sigma = range;
        set_kernel(parzen, i, kernel, mu, sigma);
        if (!is_density(axis, kernels))
            set_group(kernels, kernel);
    }
}

static void fit_categorical(struct kd_parzen *parzen, int i)
{
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    struct kd_axis_kernels *kernels = &parzen->axes[i];
    double share = parzen->prior_weight / (parzen->n + 1);
    double sum = 1 + axis->n_choices * share;
    kernels->log_hit = kd_ln((1 + share) / sum);
    kernels->log_miss = kd_ln(share / sum);
    kernels->n_groups = axis->n_choices + 1; /* the last is the prior's */
    const double *choices = parzen->columns->coordinates[parzen->first + i];
    for (int k = 0; k < parzen->n; k++)
        kernels->group[k] = (int)choices[parzen->trials[k]];
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
    parzen->log_unit = 0;
    for (int i = 0; i < parzen->n_axes; i++) {
        const struct kd_axis *axis = kd_parzen_axis(parzen, i);
        if (axis->is_categorical)
            fit_categorical(parzen, i);
        else
            fit_numeric(parzen, i);
        if (!axis->is_categorical && is_density(axis, &parzen->axes[i]))
            parzen->log_unit += kd_ln(axis->high - axis->low) + LOG_SQRT_2_PI;
        if (i % AT_ONCE == AT_ONCE - 1)
            take_logs(parzen);
    }
    take_logs(parzen);
    pad(parzen);
}
