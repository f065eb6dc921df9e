#include "search/gp/gp_candidates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/linalg.h"
#include "search/math/special.h"
#include "search/math/truncnorm.h"

enum { CENTRES = 5 };

void kd_candidates_init(struct kd_candidates *candidates, int n_dims)
{
    *candidates = (struct kd_candidates){.n_dims = n_dims};
    candidates->rows = KD_NEW_ARRAY(double, KD_CANDIDATES *(size_t)n_dims + 1);
    candidates->values = KD_NEW_ARRAY(double, KD_CANDIDATES + KD_LANES);
    candidates->order = KD_NEW_ARRAY(int, KD_CANDIDATES);
    kd_sobol_init(&candidates->sobol, n_dims < KD_SOBOL_DIMS ? n_dims : KD_SOBOL_DIMS);
}

void kd_candidates_release(struct kd_candidates *candidates)
{
    kd_sobol_release(&candidates->sobol);
    free(candidates->rows), free(candidates->values), free(candidates->order);
    *candidates = (struct kd_candidates){0};
}

static double *row_at(const struct kd_candidates *candidates, int i)
{
    return &candidates->rows[(size_t)i * (size_t)candidates->n_dims];
}

static void enumerate(struct kd_candidates *candidates, const struct kd_cube *cube,
                      const struct kd_history *history, int size)
{
    double *point = KD_NEW_ARRAY(double, (size_t)cube->space->n_params + 1);
    for (int i = 0; i < size; i++) {
        kd_space_nth(cube->space, (uint64_t)i, point);
        if (!kd_history_has(history, point))
            kd_cube_from_point(cube, point, row_at(candidates, candidates->n++));
    }
    free(point);
}

/* The observations with the lowest targets, lowest first; returns how many. */
static int find_centres(const struct kd_gp_model *model, int centres[CENTRES])
{
    int n = 0;
    const double *targets = model->gp->targets;
    for (int i = 0; i < model->data.n; i++) {
        int at = n < CENTRES ? n++ : CENTRES;
        for (; at > 0 && targets[i] < targets[centres[at - 1]]; at--) {
            if (at < CENTRES)
                centres[at] = centres[at - 1];
        }
        if (at < CENTRES)
            centres[at] = i;
    }
    return n;
}

/* How far a step of relative size 1 goes: half of the cube, or of the length scale where that is
 * less. */
static double reach(const struct kd_gp *gp, int dim)
{
    double length = 1 / sqrt(gp->weights[dim]);
    return length < 1 ? length / 2 : 0.5;
}

/* One coordinate of a step. Where only a few dimensions move, each may go anywhere. */
static double move(const struct kd_surrogate *surrogate, int dim, double x, double size,
                   bool is_lonely, struct kd_rng *rng)
{
    const struct kd_cube *cube = surrogate->cube;
    if (cube->is_category[dim] || (is_lonely && kd_rng_below(rng, 2) == 0))
        return kd_cube_draw(cube, dim, rng);
    double to = x + size * reach(surrogate->models[0].gp, dim) * kd_normal_draw(rng);
    return kd_cube_snap(cube, dim, to);
}

/* All numbers move and the more categories the larger the step is; or about two dimensions of any
 * kind do. */
static void step_from(const struct kd_surrogate *surrogate, const double *centre, double *row,
                      struct kd_rng *rng)
{
    const struct kd_cube *cube = surrogate->cube;
    double size = kd_exp(-6.9 * kd_rng_uniform(rng)); /* 1 to 0.001 */
    bool is_lonely = kd_rng_below(rng, 2) == 0;
    int sure = (int)kd_rng_below(rng, (uint64_t)cube->n_dims); /* one dimension at least moves */
    for (int dim = 0; dim < cube->n_dims; dim++) {
        double share = is_lonely ? 2.0 / cube->n_dims : cube->is_category[dim] ? size / 2 : 1;
        bool moves = kd_rng_uniform(rng) < share || dim == sure;
        row[dim] = moves ? move(surrogate, dim, centre[dim], size, is_lonely, rng) : centre[dim];
    }
}

/* Dimensions beyond those of the sequence are random. */
static void draw_anywhere(const struct kd_candidates *candidates, const struct kd_cube *cube,
                          uint64_t seed, int index, struct kd_rng *rng, double *row)
{
    kd_sobol_scrambled(&candidates->sobol, seed, (uint32_t)index, row);
    for (int dim = 0; dim < candidates->n_dims; dim++) {
        double u = dim < candidates->sobol.n_dims ? row[dim] : kd_rng_uniform(rng);
        row[dim] = kd_cube_quantile(cube, dim, u);
    }
}

static void draw(struct kd_candidates *candidates, const struct kd_surrogate *surrogate,
                 struct kd_rng *rng)
{
    const struct kd_gp_model *model = &surrogate->models[0];
    int centres[CENTRES], n_centres = find_centres(model, centres);
    uint64_t seed = kd_rng_u32(rng);
    candidates->n = KD_CANDIDATES;
    for (int i = 0; i < candidates->n; i++) {
        double *row = row_at(candidates, i);
        if (i % 2 == 0 || n_centres == 0) {
            draw_anywhere(candidates, surrogate->cube, seed, i / 2, rng, row);
            continue;
        }
        double u = kd_rng_uniform(rng);
        int centre = centres[(int)(u * u * n_centres)];
        step_from(surrogate, &model->data.rows[(size_t)centre * (size_t)candidates->n_dims], row,
                  rng);
    }
}

void kd_candidates_draw(struct kd_candidates *candidates, const struct kd_surrogate *surrogate,
                        const struct kd_history *history, struct kd_rng *rng)
{
    double size = kd_space_size(surrogate->cube->space);
    candidates->n = 0;
    candidates->is_all = size <= KD_CANDIDATES;
    if (candidates->is_all)
        enumerate(candidates, surrogate->cube, history, (int)size);
    else
        draw(candidates, surrogate, rng);
}

void kd_acquisition_of_rows(struct kd_acquisition *acquisition, const double *rows, int n,
                            double *values)
{
    int n_dims = acquisition->objective->n_dims;
    double *points = KD_NEW_ARRAY(double, (size_t)n_dims *KD_LANES), lanes[KD_LANES];
    for (int first = 0; first < n; first += KD_LANES) {
        int n_lanes = n - first < KD_LANES ? n - first : KD_LANES;
        for (int lane = 0; lane < KD_LANES; lane++) {
            const double *row =
                &rows[(size_t)(first + (lane < n_lanes ? lane : 0)) * (size_t)n_dims];
            for (int dim = 0; dim < n_dims; dim++)
                points[dim * KD_LANES + lane] = row[dim];
        }
        kd_acquisition_at(acquisition, points, lanes, NULL);
        memcpy(&values[first], lanes, (size_t)n_lanes * sizeof *lanes);
    }
    free(points);
}

struct ranked {
    double value;
    int at;
};

static int by_hope(const void *a_, const void *b_)
{
    const struct ranked *a = a_, *b = b_;
    if (a->value != b->value)
        return a->value > b->value ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

void kd_candidates_rank(struct kd_candidates *candidates, struct kd_acquisition *acquisition)
{
    struct ranked ranked[KD_CANDIDATES];
    kd_acquisition_of_rows(acquisition, candidates->rows, candidates->n, candidates->values);
    for (int i = 0; i < candidates->n; i++) {
        double *value = &candidates->values[i];
        *value = isnan(*value) ? -INFINITY : *value;
        ranked[i] = (struct ranked){*value, i};
    }
    qsort(ranked, (size_t)candidates->n, sizeof *ranked, by_hope);
    for (int i = 0; i < candidates->n; i++)
        candidates->order[i] = ranked[i].at;
}
