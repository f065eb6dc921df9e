/* gp.c - observations, the evidence for a theta, and learning under one. Predicting is
 * gp_predict.c. */
#include "search/gp/gp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/gp/gp_kernel.h"
#include "search/math/linalg.h"
#include "search/math/special.h"

static void free_rows(struct kd_gp *gp)
{
    free(gp->columns), free(gp->targets), free(gp->factor), free(gp->alpha);
    free(gp->slopes), free(gp->inverse), free(gp->work);
    free(gp->lane_k), free(gp->lane_slope), free(gp->lane_v);
}

void kd_gp_free(struct kd_gp *gp)
{
    if (!gp)
        return;
    free_rows(gp);
    free(gp->theta), free(gp->weights);
    free(gp);
}

/* Room for more observations; the matrices are made anew and the factor is lost. */
static void grow(struct kd_gp *gp)
{
    struct kd_gp old = *gp;
    size_t n_dims = (size_t)gp->n_dims;
    size_t n = old.capacity < 32 ? 32 : (size_t)old.capacity + (size_t)old.capacity / 2;
    gp->capacity = (int)n;
    gp->n_factored = 0;
    gp->columns = KD_NEW_ARRAY(double, n_dims *n + 1);
    gp->targets = KD_NEW_ARRAY(double, n);
    gp->factor = KD_NEW_ARRAY(double, n *n);
    gp->alpha = KD_NEW_ARRAY(double, n);
    gp->work = KD_NEW_ARRAY(double, n *KD_LANES);
    gp->lane_k = KD_NEW_ARRAY(double, n *KD_LANES);
    gp->lane_slope = KD_NEW_ARRAY(double, n *KD_LANES);
    gp->lane_v = KD_NEW_ARRAY(double, n *KD_LANES);
    for (int i = 0; i < old.n; i++) {
        gp->targets[i] = old.targets[i];
        for (size_t j = 0; j < n_dims; j++)
            gp->columns[j * n + (size_t)i] = old.columns[j * (size_t)old.capacity + (size_t)i];
    }
    gp->slopes = gp->inverse = NULL;
    free_rows(&old);
}

struct kd_gp *kd_gp_new(int n_dims, const bool *is_category)
{
    struct kd_gp *gp = KD_NEW(struct kd_gp);
    *gp = (struct kd_gp){.n_dims = n_dims, .is_category = is_category};
    gp->theta = KD_NEW_ARRAY(double, (size_t)kd_gp_n_theta(n_dims));
    gp->weights = KD_NEW_ARRAY(double, (size_t)n_dims + 1);
    grow(gp); /* so that there is something to point at before the first observation */
    return gp;
}

void kd_gp_add(struct kd_gp *gp, const double *x, double target)
{
    if (gp->n == gp->capacity)
        grow(gp);
    for (int j = 0; j < gp->n_dims; j++)
        gp->columns[(size_t)j * (size_t)gp->capacity + (size_t)gp->n] = x[j];
    gp->targets[gp->n++] = target;
}

void kd_gp_truncate(struct kd_gp *gp, int n)
{
    gp->n = n < gp->n ? n : gp->n;
    gp->n_factored = gp->n_factored < gp->n ? gp->n_factored : gp->n;
}

static const double *column(const struct kd_gp *gp, int j)
{
    return &gp->columns[(size_t)j * (size_t)gp->capacity];
}

static double *row(const struct kd_gp *gp, double *matrix, int i)
{
    return &matrix[(size_t)i * (size_t)gp->capacity];
}

static void set_theta(struct kd_gp *gp, const double *theta)
{
    memmove(gp->theta, theta, (size_t)kd_gp_n_theta(gp->n_dims) * sizeof *theta);
    for (int j = 0; j < gp->n_dims; j++)
        gp->weights[j] = kd_exp(-2 * theta[j]);
}

static void add_scaled(double *restrict to, const double *restrict squares, double weight, int n)
{
    for (int i = 0; i < n; i++)
        to[i] += weight * squares[i];
}

/* Squared scaled distances of observation i to those before it. */
static void measure(struct kd_gp *gp, int i, double *r2)
{
    memset(r2, 0, (size_t)i * sizeof *r2);
    for (int j = 0; j < gp->n_dims; j++) {
        const double *x = column(gp, j);
        kd_gp_squares(x, x[i], i, gp->is_category[j], gp->work);
        add_scaled(r2, gp->work, gp->weights[j], i);
    }
}

static double variance_of(const struct kd_gp *gp)
{
    return kd_exp(gp->theta[gp->n_dims]);
}

static double noise_of(const struct kd_gp *gp)
{
    return kd_exp(gp->theta[gp->n_dims + 1]);
}

/* Rows from .. n-1 of K + noise, then of its factor. */
static void factor_from(struct kd_gp *gp, int from, bool with_slopes)
{
    double variance = variance_of(gp), noise = noise_of(gp);
    for (int i = from; i < gp->n; i++) {
        double *k = row(gp, gp->factor, i);
        measure(gp, i, k);
        if (with_slopes)
            kd_matern_slopes(k, i, variance, k, row(gp, gp->slopes, i));
        else
            kd_matern_values(k, i, variance, k);
        k[i] = variance + noise;
    }
    kd_cholesky_extend(gp->factor, gp->capacity, from, gp->n, gp->work);
    gp->n_factored = gp->n;
}

static void solve_targets(struct kd_gp *gp)
{
    memcpy(gp->alpha, gp->targets, (size_t)gp->n * sizeof *gp->alpha);
    kd_cholesky_forward(gp->factor, gp->capacity, gp->n, gp->alpha);
    kd_cholesky_backward(gp->factor, gp->capacity, gp->n, gp->alpha);
}

/* slopes[i][k] times (alpha alpha' - K^-1)[i][k], below the diagonal. */
static void weigh_slopes(struct kd_gp *gp)
{
    for (int i = 1; i < gp->n; i++) {
        double *restrict slope = row(gp, gp->slopes, i);
        const double *restrict inverse = row(gp, gp->inverse, i), *restrict alpha = gp->alpha;
        double a = alpha[i];
        for (int k = 0; k < i; k++)
            slope[k] *= a * alpha[k] - inverse[k];
    }
}

/* Equation 5.9: dL/dtheta = tr((alpha alpha' - K^-1) dK/dtheta) / 2. Of the variance and the noise
 * the trace comes to sums, because K - noise is K^-1's own matrix less a diagonal. */
static void fill_gradient(struct kd_gp *gp, double *gradient)
{
    int n = gp->n, n_dims = gp->n_dims;
    weigh_slopes(gp);
    for (int j = 0; j < n_dims; j++) {
        const double *x = column(gp, j);
        double sum = 0;
        for (int i = 1; i < n; i++) {
            kd_gp_squares(x, x[i], i, gp->is_category[j], gp->work);
            sum += kd_dot(row(gp, gp->slopes, i), gp->work, i);
        }
        gradient[j] = gp->weights[j] * sum;
    }
    double noise = noise_of(gp), trace = 0;
    for (int i = 0; i < n; i++)
        trace += row(gp, gp->inverse, i)[i];
    double fit = kd_dot(gp->alpha, gp->targets, n), size = kd_dot(gp->alpha, gp->alpha, n);
    gradient[n_dims] = 0.5 * (fit - noise * size - (n - noise * trace));
    gradient[n_dims + 1] = 0.5 * noise * (size - trace);
}

/* Only what is fitted needs the matrices of the gradient. */
static void make_room(struct kd_gp *gp)
{
    if (gp->slopes)
        return;
    size_t n = (size_t)gp->capacity;
    gp->slopes = KD_NEW_ARRAY(double, n *n);
    gp->inverse = KD_NEW_ARRAY(double, n *n);
}

double kd_gp_evidence(struct kd_gp *gp, const double *theta, double *gradient)
{
    make_room(gp);
    set_theta(gp, theta);
    factor_from(gp, 0, true);
    solve_targets(gp);
    kd_cholesky_invert(gp->factor, gp->capacity, gp->n, gp->inverse, gp->work);
    fill_gradient(gp, gradient);
    double fit = kd_dot(gp->alpha, gp->targets, gp->n);
    double half_log_det = kd_cholesky_half_log_det(gp->factor, gp->capacity, gp->n);
    return -0.5 * fit - half_log_det - gp->n * KD_LOG_SQRT_2_PI;
}

void kd_gp_condition(struct kd_gp *gp, const double *theta)
{
    size_t size = (size_t)kd_gp_n_theta(gp->n_dims) * sizeof *theta;
    if (memcmp(gp->theta, theta, size) != 0)
        gp->n_factored = 0;
    set_theta(gp, theta);
    factor_from(gp, gp->n_factored, false);
    solve_targets(gp);
}

double kd_gp_fitted(const struct kd_gp *gp, int i)
{
    return gp->targets[i] - noise_of(gp) * gp->alpha[i];
}
