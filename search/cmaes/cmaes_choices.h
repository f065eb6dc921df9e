/* cmaes_choices.h - categorical parameters beside CMA-ES: one distribution over the choices per
 * parameter, moved by the same ranks (CatCMA: Hamano, Saito, Nomura, Uchida, Shirakawa, arXiv
 * 2405.09962).
 *
 * A natural-gradient step towards the choices of the better points, in a trust region whose size
 * adapts to the signal-to-noise ratio (ASNG: Akimoto et al., "Adaptive stochastic natural gradient
 * method for one-shot neural architecture search", ICML 2019); then every choice keeps a least
 * probability, so that none is lost for good. */
#ifndef KD_SEARCH_CMAES_CHOICES_H
#define KD_SEARCH_CMAES_CHOICES_H

#include "coordinator/base/rng.h"

struct kd_choices {
    int n_rows, n_free;  /* parameters; sum of (choices - 1) */
    int *counts;         /* owned; choices of each, at least 2 */
    int *at;             /* owned; where the row of each begins */
    double *q;           /* owned; the rows, each with sum 1 */
    double *path;        /* owned; n_free */
    double gain, region; /* gamma and Delta of ASNG */
    double *scratch;
};

/* Begins with even chances. */
void kd_choices_init(struct kd_choices *choices, int n_rows, const int *counts);
void kd_choices_release(struct kd_choices *choices);
void kd_choices_reset(struct kd_choices *choices);

/* n_rows indices. */
void kd_choices_draw(const struct kd_choices *choices, struct kd_rng *rng, int *out);

/* One generation: n rows of n_rows indices, best first, and a weight for each row, none negative,
 * with sum 1. */
void kd_choices_update(struct kd_choices *choices, int n, const int *rows, const double *weights);

/* As likely as they are among these n rows, with one observation of every choice alike added. */
void kd_choices_learn(struct kd_choices *choices, int n, const int *rows);

#endif
