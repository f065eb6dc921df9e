/* parzen_kernels.h - the inside of an estimator, shared by its three files: parzen.c (weights,
 * life), parzen_fit.c (kernels from trials) and parzen_density.c (kernels to densities).
 *
 * Arrays over kernels are padded to whole blocks of KD_BLOCK; the padding has log weight -INFINITY.
 * Kernel k < n is the k-th trial, kernel n the prior. */
#ifndef KD_SEARCH_PARZEN_KERNELS_H
#define KD_SEARCH_PARZEN_KERNELS_H

#include "search/tpe/parzen.h"

/* Loops over a block have a fixed length, so that compilers vectorise them without changing the
 * order of sums. */
enum { KD_BLOCK = 64 };

struct kd_axis_kernels {
    double *mu, *sigma; /* of each kernel; numeric axes */
    double *inverse;    /* sqrt(1/2) / sigma */
    double
        *offset; /* minus the log of the kernel's normaliser; axes under a condition, else NULL */
    int *group;  /* cells and categorical: equal kernels share a group */
    double *group_mu, *group_sigma; /* cells */
    double *group_unit;             /* cells: log(sigma sqrt(2 pi)) */
    int n_groups;
    double
        narrow_width; /* cells up to this are so narrow beside any kernel that a series gives their mass */
    bool has_narrow_cells; /* all of them */
    double log_unit;       /* what the normalisers leave out: log(range sqrt(2 pi)); numeric axes */
    double log_hit,
        log_miss; /* categorical: log probability of the observed choice and of another */
};

/* What a trial's kernel on an axis came to, last time; valid while sigma is the same. */
struct kd_kernel_memo {
    double sigma, inverse;
    double norm, log_norm; /* the kernel's mass in the range, times sigma over the range */
};

struct kd_parzen {
    const struct kd_columns *columns;
    int first, n_axes;
    int n;        /* trials; n + 1 kernels */
    int capacity; /* kernels */
    double prior_weight;
    int *trials;
    double *weights; /* normalised */
    double *
        log_base; /* log weight - log of the kernel's normaliser over the axes that are always active */
    double *norms; /* scratch: products of normalisers */
    struct kd_axis_kernels *axes;
    int *kernel_of;               /* trial number -> kernel or -1 */
    struct kd_kernel_memo **memo; /* [axis][trial] */
    int n_known, known_capacity;  /* trials in kernel_of and memo */
    struct kd_ranked *
        sorted; /* scratch: (mu, kernel) in ascending order, of the trials where the axis is active */
    int n_sorted;
    bool has_conditions; /* may an axis be inactive? */
};

/* Of a deviation; up to there the series for a cell's mass is good to 1e-6 where a kernel
 * matters. */
#define KD_NARROW 0.3

static inline const struct kd_axis *kd_parzen_axis(const struct kd_parzen *parzen, int i)
{
    return &parzen->columns->axes[parzen->first + i];
}

static inline bool kd_parzen_is_conditional(const struct kd_parzen *parzen, int i)
{
    return parzen->has_conditions && kd_parzen_axis(parzen, i)->param->condition;
}

static inline int kd_parzen_padded(const struct kd_parzen *parzen)
{
    return (parzen->n + KD_BLOCK) / KD_BLOCK * KD_BLOCK;
}

/* Fills the kernels of every axis and log_base, from trials, n, weights. In parzen_fit.c. */
void kd_parzen_fit_kernels(struct kd_parzen *parzen);

#endif
