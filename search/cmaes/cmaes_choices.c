#include "search/cmaes/cmaes_choices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/eigen.h"
#include "search/math/linalg.h"
#include "search/math/special.h"

#define ALPHA 1.5 /* ASNG's threshold of the signal-to-noise ratio */

void kd_choices_init(struct kd_choices *choices, int n_rows, const int *counts)
{
    *choices = (struct kd_choices){.n_rows = n_rows};
    choices->counts = KD_NEW_ARRAY(int, (size_t)n_rows + 1);
    choices->at = KD_NEW_ARRAY(int, (size_t)n_rows + 1);
    for (int i = 0; i < n_rows; i++) {
        choices->counts[i] = counts[i];
        choices->at[i + 1] = choices->at[i] + counts[i];
    }
    size_t size = (size_t)choices->at[n_rows];
    choices->n_free = choices->at[n_rows] - n_rows;
    choices->q = KD_NEW_ARRAY(double, size + 1);
    choices->path = KD_NEW_ARRAY(double, size + 1);
    choices->scratch = KD_NEW_ARRAY(double, 2 * size + 1);
    kd_choices_reset(choices);
}

void kd_choices_release(struct kd_choices *choices)
{
    free(choices->counts);
    free(choices->at);
    free(choices->q);
    free(choices->path);
    free(choices->scratch);
    *choices = (struct kd_choices){0};
}

void kd_choices_reset(struct kd_choices *choices)
{
    for (int i = 0; i < choices->n_rows; i++) {
        for (int k = choices->at[i]; k < choices->at[i + 1]; k++)
            choices->q[k] = 1.0 / choices->counts[i];
    }
    memset(choices->path, 0, (size_t)choices->n_free * sizeof *choices->path);
    choices->gain = 0;
    choices->region = 1;
}

void kd_choices_draw(const struct kd_choices *choices, struct kd_rng *rng, int *out)
{
    for (int i = 0; i < choices->n_rows; i++) {
        const double *q = &choices->q[choices->at[i]];
        double left = kd_rng_uniform(rng);
        int k = 0;
        while (k + 1 < choices->counts[i] && left >= q[k])
            left -= q[k++];
        out[i] = k;
    }
}

/* sum of w (c - q) over the rows: the natural gradient of the expected rank. */
static void gradient(const struct kd_choices *choices, int n, const int *rows,
                     const double *weights, double *out)
{
    for (int k = 0; k < choices->at[choices->n_rows]; k++)
        out[k] = -choices->q[k];
    for (int r = 0; r < n; r++) {
        for (int i = 0; i < choices->n_rows; i++)
            out[choices->at[i] + rows[r * choices->n_rows + i]] += weights[r];
    }
}

/* The gradient times the root of the Fisher matrix, n_free components (ASNG, appendix B). */
static void whiten(const struct kd_choices *choices, const double *slope, double *out)
{
    for (int i = 0; i < choices->n_rows; i++) {
        const double *q = &choices->q[choices->at[i]], *g = &slope[choices->at[i]];
        int n = choices->counts[i] - 1;
        double sum = 0;
        for (int k = 0; k < n; k++)
            sum += g[k];
        for (int k = 0; k < n; k++)
            *out++ = g[k] / sqrt(q[k]) + sqrt(q[k]) * sum / (q[n] + sqrt(q[n]));
    }
}

/* The trust region grows while successive steps agree and shrinks while they do not. */
static void adapt_region(struct kd_choices *choices, const double *white, double length)
{
    double step = 1 / choices->region, beta = step / sqrt(choices->n_free), keep = 1 - beta;
    double fresh = sqrt(beta * (2 - beta)) / length;
    for (int i = 0; i < choices->n_free; i++)
        choices->path[i] = keep * choices->path[i] + fresh * white[i];
    choices->gain = keep * keep * choices->gain + beta * (2 - beta);
    double square = kd_dot(choices->path, choices->path, choices->n_free);
    choices->region *= kd_exp(beta * (choices->gain - square / ALPHA));
    /* Below 1 a step would leave the simplex; the margin repairs that, and a beta above 1 would not
     * be a share. */
    double least = 1 / sqrt(choices->n_free);
    choices->region = choices->region > least ? choices->region : least;
}

/* Raises what is below the least probability and takes it from the others in proportion to what
 * they have above. */
static void keep_margin(struct kd_choices *choices)
{
    double least_alive = 1 - kd_exp(kd_ln(0.73) / choices->n_rows);
    for (int i = 0; i < choices->n_rows; i++) {
        double *q = &choices->q[choices->at[i]], sum = 0, total = 0;
        int n = choices->counts[i];
        double least = least_alive / (n - 1);
        least = least < 0.5 / n ? least : 0.5 / n;
        for (int k = 0; k < n; k++) {
            q[k] = q[k] > least ? q[k] : least;
            sum += q[k];
        }
        double share = (sum - 1) / (sum - least * n);
        for (int k = 0; k < n; k++) {
            q[k] -= share * (q[k] - least);
            total += q[k];
        }
        for (int k = 0; k < n; k++)
            q[k] /= total;
    }
}

void kd_choices_update(struct kd_choices *choices, int n, const int *rows, const double *weights)
{
    if (choices->n_rows == 0)
        return;
    int size = choices->at[choices->n_rows];
    double *slope = choices->scratch, *white = &slope[size];
    gradient(choices, n, rows, weights, slope);
    whiten(choices, slope, white);
    double length = sqrt(kd_dot(white, white, choices->n_free)) + 1e-30;
    double pace = 1 / (choices->region * length);
    for (int k = 0; k < size; k++)
        choices->q[k] += pace * slope[k];
    adapt_region(choices, white, length);
    keep_margin(choices);
}

void kd_choices_learn(struct kd_choices *choices, int n, const int *rows)
{
    for (int i = 0; i < choices->n_rows; i++) {
        double *q = &choices->q[choices->at[i]];
        for (int k = 0; k < choices->counts[i]; k++)
            q[k] = 1.0 / choices->counts[i] / (n + 1);
        for (int r = 0; r < n; r++)
            q[rows[r * choices->n_rows + i]] += 1.0 / (n + 1);
    }
    if (choices->n_rows > 0)
        keep_margin(choices);
}
