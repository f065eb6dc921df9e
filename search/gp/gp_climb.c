#include "search/gp/gp_climb.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/gp/gp_candidates.h"
#include "search/math/linalg.h"

/* At most so many values of a dimension are tried, so many batches of eight in a round, and so many
 * rounds. */
enum { VALUES_TRIED = 32, BATCHES = 64, ROUNDS = 3, EVALUATIONS = 50 };

void kd_climb_init(struct kd_climb *climb, const struct kd_cube *cube)
{
    size_t n = (size_t)cube->n_dims + 1;
    *climb = (struct kd_climb){.cube = cube};
    climb->free_dims = KD_NEW_ARRAY(int, n);
    climb->listed_dims = KD_NEW_ARRAY(int, n);
    for (int dim = 0; dim < cube->n_dims; dim++) {
        if (cube->kind[dim] == KD_DIM_CONTINUOUS)
            climb->free_dims[climb->n_free++] = dim;
        else
            climb->listed_dims[climb->n_listed++] = dim;
    }
    climb->rows = KD_NEW_ARRAY(double, n *KD_LANES);
    climb->points = KD_NEW_ARRAY(double, n *KD_LANES);
    climb->slopes = KD_NEW_ARRAY(double, n *KD_LANES);
    climb->lower = KD_NEW_ARRAY(double, n);
    climb->upper = KD_NEW_ARRAY(double, n);
    climb->lengths = KD_NEW_ARRAY(double, n);
    for (int lane = 0; lane < KD_LANES; lane++) {
        kd_lbfgs_init(&climb->search[lane], climb->n_free);
        climb->search[lane].max_evaluations = EVALUATIONS;
        climb->search[lane].gradient_tolerance = 1e-3;
        climb->search[lane].value_tolerance = 1e-5;
    }
}

void kd_climb_release(struct kd_climb *climb)
{
    for (int lane = 0; lane < KD_LANES; lane++)
        kd_lbfgs_release(&climb->search[lane]);
    free(climb->free_dims), free(climb->listed_dims), free(climb->rows), free(climb->points);
    free(climb->slopes), free(climb->lower), free(climb->upper), free(climb->lengths);
    *climb = (struct kd_climb){0};
}

static double *row_of(const struct kd_climb *climb, int lane)
{
    return &climb->rows[(size_t)lane * (size_t)climb->cube->n_dims];
}

static void start(struct kd_climb *climb, const struct kd_gp *gp)
{
    double *x = climb->slopes; /* scratch */
    for (int i = 0; i < climb->n_free; i++) {
        climb->lengths[i] = 1 / sqrt(gp->weights[climb->free_dims[i]]);
        climb->upper[i] = 1 / climb->lengths[i];
    }
    for (int lane = 0; lane < KD_LANES; lane++) {
        const double *row = row_of(climb, lane);
        for (int i = 0; i < climb->n_free; i++)
            x[i] = row[climb->free_dims[i]] / climb->lengths[i];
        kd_lbfgs_start(&climb->search[lane], x, climb->lower, climb->upper);
    }
}

static void fill_points(struct kd_climb *climb)
{
    int n_dims = climb->cube->n_dims;
    for (int lane = 0; lane < KD_LANES; lane++) {
        const double *row = row_of(climb, lane);
        for (int dim = 0; dim < n_dims; dim++)
            climb->points[dim * KD_LANES + lane] = row[dim];
        for (int i = 0; i < climb->n_free; i++)
            climb->points[climb->free_dims[i] * KD_LANES + lane] =
                climb->search[lane].trial[i] * climb->lengths[i];
    }
}

/* All lanes are evaluated until the last one has arrived. */
static void move_free(struct kd_climb *climb, struct kd_acquisition *acquisition)
{
    bool is_under_way[KD_LANES], any = true;
    double values[KD_LANES], *gradient = KD_NEW_ARRAY(double, (size_t)climb->n_free);
    start(climb, acquisition->objective);
    for (int lane = 0; lane < KD_LANES; lane++)
        is_under_way[lane] = true;
    while (any) {
        fill_points(climb);
        kd_acquisition_at(acquisition, climb->points, values, climb->slopes);
        any = false;
        for (int lane = 0; lane < KD_LANES; lane++) {
            if (!is_under_way[lane])
                continue;
            for (int i = 0; i < climb->n_free; i++)
                gradient[i] =
                    -climb->lengths[i] * climb->slopes[climb->free_dims[i] * KD_LANES + lane];
            is_under_way[lane] = kd_lbfgs_tell(&climb->search[lane], -values[lane], gradient);
            any = any || is_under_way[lane];
        }
    }
    free(gradient);
}

static void round_free(struct kd_climb *climb, struct kd_acquisition *acquisition)
{
    move_free(climb, acquisition);
    for (int lane = 0; lane < KD_LANES; lane++) {
        double *row = row_of(climb, lane);
        for (int i = 0; i < climb->n_free; i++) {
            int dim = climb->free_dims[i];
            row[dim] = kd_cube_snap(climb->cube, dim, climb->search[lane].x[i] * climb->lengths[i]);
        }
    }
    kd_acquisition_of_rows(acquisition, climb->rows, KD_LANES, climb->values);
}

/* Tries the values of one dimension of one row; returns how many batches that took. */
static int try_values(struct kd_climb *climb, struct kd_acquisition *acquisition, int lane, int dim,
                      struct kd_rng *rng)
{
    double rows_values[VALUES_TRIED], n_values = climb->cube->n_values[dim];
    size_t n_dims = (size_t)climb->cube->n_dims;
    bool is_every = n_values <= VALUES_TRIED;
    int n = is_every ? (int)n_values : VALUES_TRIED;
    double *rows = KD_NEW_ARRAY(double, n_dims *(size_t)n), *row = row_of(climb, lane);
    for (int i = 0; i < n; i++) {
        double k = is_every ? i : (double)kd_rng_below(rng, (uint64_t)n_values);
        memcpy(&rows[(size_t)i * n_dims], row, n_dims * sizeof *row);
        rows[(size_t)i * n_dims + (size_t)dim] = kd_cube_nth(climb->cube, dim, k);
    }
    kd_acquisition_of_rows(acquisition, rows, n, rows_values);
    for (int i = 0; i < n; i++) {
        if (!(rows_values[i] > climb->values[lane]))
            continue;
        climb->values[lane] = rows_values[i];
        row[dim] = rows[(size_t)i * n_dims + (size_t)dim];
    }
    free(rows);
    return (n + KD_LANES - 1) / KD_LANES;
}

/* The lanes stand in the order of hope, so the first ones get their moves when there are too many
 * dimensions. */
static bool round_listed(struct kd_climb *climb, struct kd_acquisition *acquisition,
                         struct kd_rng *rng)
{
    bool improved = false;
    int left = BATCHES;
    for (int lane = 0; lane < KD_LANES && left > 0; lane++) {
        double before = climb->values[lane];
        int turn = (int)kd_rng_below(rng, (uint64_t)climb->n_listed);
        for (int i = 0; i < climb->n_listed && left > 0; i++) {
            int dim = climb->listed_dims[(i + turn) % climb->n_listed];
            left -= try_values(climb, acquisition, lane, dim, rng);
        }
        improved = improved || climb->values[lane] > before;
    }
    return improved;
}

void kd_climb_run(struct kd_climb *climb, struct kd_acquisition *acquisition, struct kd_rng *rng)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (climb->n_free > 0)
            round_free(climb, acquisition);
        if (climb->n_listed == 0 || !round_listed(climb, acquisition, rng))
            return;
    }
}
