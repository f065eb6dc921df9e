#include "search/tpe/parzen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/truncnorm.h"
#include "search/tpe/parzen_kernels.h"

struct kd_parzen *kd_parzen_new(const struct kd_columns *columns, int first, int n_axes)
{
    struct kd_parzen *parzen = KD_NEW(struct kd_parzen);
    *parzen = (struct kd_parzen){.columns = columns, .first = first, .n_axes = n_axes};
    for (int i = 0; i < n_axes && n_axes > 1; i++)
        parzen->has_conditions |= columns->axes[first + i].param->condition != NULL;
    parzen->axes = KD_NEW_ARRAY(struct kd_axis_kernels, (size_t)n_axes + 1);
    parzen->memo = KD_NEW_ARRAY(struct kd_kernel_memo *, (size_t)n_axes + 1);
    return parzen;
}

static void free_axis(struct kd_axis_kernels *axis)
{
    free(axis->mu);
    free(axis->sigma);
    free(axis->inverse);
    free(axis->offset);
    free(axis->group);
    free(axis->group_mu);
    free(axis->group_sigma);
    free(axis->group_unit);
}

void kd_parzen_free(struct kd_parzen *parzen)
{
    for (int i = 0; parzen && i < parzen->n_axes; i++) {
        free_axis(&parzen->axes[i]);
        free(parzen->memo[i]);
    }
    if (!parzen)
        return;
    free(parzen->axes);
    free(parzen->memo);
    free(parzen->trials);
    free(parzen->weights);
    free(parzen->log_base);
    free(parzen->norms);
    free(parzen->kernel_of);
    free(parzen->sorted);
    free(parzen);
}

static void grow(double **array, int n)
{
    *array = kd_realloc_array(*array, (size_t)n, sizeof **array);
}

static void reserve_axis(struct kd_parzen *parzen, int i, int n)
{
    struct kd_axis_kernels *kernels = &parzen->axes[i];
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    if (!axis->is_categorical) {
        grow(&kernels->mu, n);
        grow(&kernels->sigma, n);
        grow(&kernels->inverse, n);
        if (kd_parzen_is_conditional(parzen, i))
            grow(&kernels->offset, n);
    }
    if (axis->has_cells && !axis->is_categorical) {
        grow(&kernels->group_mu, n);
        grow(&kernels->group_sigma, n);
        grow(&kernels->group_unit, n);
    }
    if (axis->has_cells)
        kernels->group = kd_realloc_array(kernels->group, (size_t)n, sizeof *kernels->group);
}

static void reserve_kernels(struct kd_parzen *parzen)
{
    int need = kd_parzen_padded(parzen);
    if (need <= parzen->capacity)
        return;
    int n = parzen->capacity = need + need / 2 / KD_BLOCK * KD_BLOCK;
    parzen->trials = kd_realloc_array(parzen->trials, (size_t)n, sizeof *parzen->trials);
    parzen->sorted = kd_realloc_array(parzen->sorted, (size_t)n, sizeof *parzen->sorted);
    grow(&parzen->weights, n);
    grow(&parzen->log_base, n);
    grow(&parzen->norms, n);
    for (int i = 0; i < parzen->n_axes; i++)
        reserve_axis(parzen, i, n);
}

/* Forgets what was kept of trials that the columns have dropped or changed, and makes room for new
 * ones. */
static void track_trials(struct kd_parzen *parzen)
{
    int n = parzen->columns->n, kept = parzen->columns->n_kept;
    if (n > parzen->known_capacity) {
        size_t capacity = 2 * (size_t)n;
        parzen->known_capacity = (int)capacity;
        parzen->kernel_of =
            kd_realloc_array(parzen->kernel_of, capacity, sizeof *parzen->kernel_of);
        for (int i = 0; i < parzen->n_axes; i++)
            parzen->memo[i] = kd_realloc_array(parzen->memo[i], capacity, sizeof **parzen->memo);
    }
    for (int i = 0; i < parzen->n_axes; i++) {
        for (int trial = kept < parzen->n_known ? kept : parzen->n_known; trial < n; trial++)
            parzen->memo[i][trial].sigma = 0;
    }
    parzen->n_known = n;
}

static double raw_weight(int at, int n)
{
    enum { NEWEST = 25 };
    int n_old = n - NEWEST;
    if (n < NEWEST || at >= n_old)
        return 1;
    double lowest = 1.0 / n;
    return n_old == 1 ? lowest : lowest + at * ((1 - lowest) / (n_old - 1));
}

static void set_weights(struct kd_parzen *parzen, const double *weights)
{
    double sum = parzen->weights[parzen->n] = parzen->prior_weight;
    for (int i = 0; i < parzen->n; i++) {
        parzen->weights[i] = weights ? weights[i] : raw_weight(i, parzen->n);
        sum += parzen->weights[i];
    }
    for (int i = 0; i <= parzen->n; i++)
        parzen->weights[i] /= sum;
}

void kd_parzen_fit(struct kd_parzen *parzen, const int *trials, int n, const double *weights,
                   double prior_weight)
{
    parzen->n = n;
    parzen->prior_weight = prior_weight;
    reserve_kernels(parzen);
    track_trials(parzen);
    for (int trial = 0; trial < parzen->n_known; trial++)
        parzen->kernel_of[trial] = -1;
    for (int i = 0; i < n; i++) {
        parzen->trials[i] = trials[i];
        parzen->kernel_of[trials[i]] = i;
    }
    set_weights(parzen, weights);
    kd_parzen_fit_kernels(parzen);
}

static int draw_kernel(const struct kd_parzen *parzen, struct kd_rng *rng)
{
    double u = kd_rng_uniform(rng), sum = 0;
    for (int k = 0; k < parzen->n; k++) {
        sum += parzen->weights[k];
        if (u < sum)
            return k;
    }
    return parzen->n;
}

/* The observed choice owns [0, 1), the prior's even share of the choices lies above it. */
static double draw_choice(const struct kd_parzen *parzen, int i, int kernel, double u)
{
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    double share = parzen->prior_weight / (parzen->n + 1), even = u * axis->n_choices;
    int observed = parzen->axes[i].group[kernel];
    if (observed < axis->n_choices) {
        double t = u * (1 + axis->n_choices * share);
        if (t < 1)
            return observed;
        even = (t - 1) / share;
    }
    return even < axis->n_choices - 1 ? floor(even) : axis->n_choices - 1;
}

static double draw_value(const struct kd_parzen *parzen, int i, int kernel, double u)
{
    const struct kd_axis *axis = kd_parzen_axis(parzen, i);
    if (axis->is_categorical)
        return draw_choice(parzen, i, kernel, u);
    double mu = parzen->axes[i].mu[kernel], sigma = parzen->axes[i].sigma[kernel];
    double z = kd_truncnorm_quantile(u, (axis->low - mu) / sigma, (axis->high - mu) / sigma);
    return kd_axis_value(axis, mu + z * sigma);
}

void kd_parzen_draw(const struct kd_parzen *parzen, struct kd_rng *rng, double *values)
{
    int kernel = draw_kernel(parzen, rng);
    for (int i = 0; i < parzen->n_axes; i++)
        values[i] = draw_value(parzen, i, kernel, kd_rng_uniform(rng));
}
