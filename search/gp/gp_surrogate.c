#include "search/gp/gp_surrogate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/gp/gp_fit.h"
#include "search/math/linalg.h"
#include "search/strategy.h"

enum { SKETCH_TRIALS = 64, SKETCH_EVALUATIONS = 30, FIT_EVALUATIONS = 40 };

static const double LAMBDAS[] = {1, 0.5, 0, -0.5};

void kd_surrogate_init(struct kd_surrogate *surrogate, struct kd_cube *cube, int n_constraints,
                       uint64_t seed)
{
    size_t n_models = 1 + (size_t)n_constraints, n_dims = (size_t)cube->n_dims;
    *surrogate = (struct kd_surrogate){.cube = cube, .n_constraints = n_constraints, .seed = seed};
    surrogate->models = KD_NEW_ARRAY(struct kd_gp_model, n_models);
    for (size_t i = 0; i < n_models; i++) {
        struct kd_gp_model *model = &surrogate->models[i];
        model->gp = kd_gp_new(cube->n_dims, cube->is_category);
        model->theta = KD_NEW_ARRAY(double, (size_t)kd_gp_n_theta(cube->n_dims));
        model->lambda = 1;
        kd_gp_guess(cube->n_dims, model->theta);
    }
    surrogate->trainer = kd_gp_new(cube->n_dims, cube->is_category);
    struct kd_acquisition *acquisition = &surrogate->acquisition;
    acquisition->objective = surrogate->models[0].gp;
    acquisition->n_constraints = n_constraints;
    acquisition->constraints = KD_NEW_ARRAY(struct kd_gp *, n_models);
    acquisition->limits = KD_NEW_ARRAY(double, n_models);
    acquisition->scratch = KD_NEW_ARRAY(double, 2 * n_dims * KD_LANES + 1);
    for (int i = 0; i < n_constraints; i++)
        acquisition->constraints[i] = surrogate->models[1 + i].gp;
}

void kd_surrogate_release(struct kd_surrogate *surrogate)
{
    for (int i = 0; i < 1 + surrogate->n_constraints; i++) {
        kd_gp_free(surrogate->models[i].gp);
        kd_gp_data_release(&surrogate->models[i].data);
        free(surrogate->models[i].theta);
    }
    free(surrogate->models);
    kd_gp_free(surrogate->trainer);
    free(surrogate->acquisition.constraints);
    free(surrogate->acquisition.limits);
    free(surrogate->acquisition.scratch);
    free(surrogate->running);
    *surrogate = (struct kd_surrogate){0};
}

/* Fits are made at every number up to 32, then at every second up to 64, every fourth up to 128,
 * and so on. */
static int fit_at(int n_done)
{
    int step = 1;
    while (n_done >= 32 * step)
        step *= 2;
    return n_done - n_done % step;
}

static void load(struct kd_gp *gp, const struct kd_gp_data *data)
{
    kd_gp_truncate(gp, 0);
    for (int i = 0; i < data->n; i++)
        kd_gp_add(gp, &data->rows[(size_t)i * (size_t)data->n_dims], data->targets[i]);
}

/* The lambda under which the values are most probable, Jacobian included, tried on few trials;
 * theta follows it. */
static void sketch(struct kd_surrogate *surrogate, struct kd_gp_model *model)
{
    int n_theta = kd_gp_n_theta(surrogate->cube->n_dims);
    double *theta = KD_NEW_ARRAY(double, (size_t)n_theta), best = -INFINITY;
    for (size_t i = 0; i < KD_COUNT(LAMBDAS); i++) {
        double jacobian = kd_gp_data_warp(&model->data, LAMBDAS[i]);
        load(surrogate->trainer, &model->data);
        kd_gp_guess(surrogate->cube->n_dims, theta);
        double score = jacobian + kd_gp_fit(surrogate->trainer, theta, SKETCH_EVALUATIONS);
        if (!(score > best))
            continue;
        best = score;
        model->lambda = LAMBDAS[i];
        memcpy(model->theta, theta, (size_t)n_theta * sizeof *theta);
    }
    free(theta);
}

static void fit_objective(struct kd_surrogate *surrogate, const struct kd_history *history)
{
    struct kd_gp_model *model = &surrogate->models[0];
    struct kd_gp_data *data = &model->data;
    int n = fit_at(history->n_done);
    kd_gp_data_read(data, surrogate->cube, history, n);
    kd_gp_data_thin(data, KD_GP_FIT_TRIALS);
    uint64_t hash = kd_gp_data_hash(data);
    if (model->fitted_to == hash)
        return;
    model->fitted_to = hash;
    kd_gp_guess(surrogate->cube->n_dims, model->theta);
    kd_gp_data_thin(data, SKETCH_TRIALS);
    sketch(surrogate, model);
    if (n <= SKETCH_TRIALS)
        return;
    kd_gp_data_read(data, surrogate->cube, history, n);
    kd_gp_data_thin(data, KD_GP_FIT_TRIALS);
    kd_gp_data_warp(data, model->lambda);
    load(surrogate->trainer, data);
    kd_gp_fit(surrogate->trainer, model->theta, FIT_EVALUATIONS);
}

static void fit_constraint(struct kd_surrogate *surrogate, const struct kd_history *history, int c)
{
    struct kd_gp_model *model = &surrogate->models[1 + c];
    kd_gp_data_read_constraint(&model->data, surrogate->cube, history, fit_at(history->n_done), c,
                               &model->limit);
    kd_gp_data_thin(&model->data, KD_GP_FIT_TRIALS);
    uint64_t hash = kd_gp_data_hash(&model->data);
    if (model->fitted_to == hash)
        return;
    model->fitted_to = hash;
    kd_gp_guess(surrogate->cube->n_dims, model->theta);
    load(surrogate->trainer, &model->data);
    if (model->data.n > 0)
        kd_gp_fit(surrogate->trainer, model->theta, FIT_EVALUATIONS);
}

static bool has_row(const struct kd_gp *gp, int i, const double *x)
{
    for (int j = 0; j < gp->n_dims; j++) {
        if (gp->columns[(size_t)j * (size_t)gp->capacity + (size_t)i] != x[j])
            return false;
    }
    return true;
}

/* How many trials have finished since the best one, of this experiment, did. */
static int count_stalled(const struct kd_gp_data *data, int n_prior)
{
    int best = -1, n = 0;
    for (int i = 0; i < data->n; i++) {
        if (data->trials[i] < n_prior || !data->is_whole[i])
            continue;
        if (best < 0 || data->values[i] < data->values[best]) {
            best = i;
            n = 0;
        } else {
            n++;
        }
    }
    return n;
}

/* What the process is asked with: theta; or, for about every second trial while nothing gets
 * better, theta with no length longer than was expected before there were data. The most probable
 * theta may hold that a dimension does not matter, because all trials so far have said so, and then
 * no trial ever tries (Wang and de Freitas, arXiv 1406.7758; Berkenkamp et al., JMLR 20, 2019).
 * Which trials is a coin and not the parity of their number, because a portfolio may leave every
 * second trial to another strategy. */
static void choose_lengths(const struct kd_surrogate *surrogate, const struct kd_history *history,
                           double *theta)
{
    enum { PATIENCE = 5, FOR_LENGTHS = 7 };
    const struct kd_gp_model *model = &surrogate->models[0];
    int n_dims = surrogate->cube->n_dims;
    memcpy(theta, model->theta, (size_t)kd_gp_n_theta(n_dims) * sizeof *theta);
    struct kd_rng rng = kd_rng_at(surrogate->seed, KD_STREAM(FOR_LENGTHS, history->n));
    bool is_heads = kd_rng_u32(&rng) & 1;
    if (is_heads || count_stalled(&model->data, history->n_prior) < PATIENCE)
        return;
    for (int j = 0; j < n_dims; j++) {
        double longest = kd_gp_expected_length(n_dims);
        theta[j] = theta[j] < longest ? theta[j] : longest;
    }
}

/* Learns the data; what the process knows already, in the same order, keeps its factor. */
static void learn(struct kd_gp_model *model, const double *theta)
{
    const struct kd_gp_data *data = &model->data;
    struct kd_gp *gp = model->gp;
    int n = 0;
    while (n < gp->n && n < data->n &&
           has_row(gp, n, &data->rows[(size_t)n * (size_t)data->n_dims]))
        n++;
    kd_gp_truncate(gp, n);
    memcpy(gp->targets, data->targets, (size_t)n * sizeof *data->targets);
    for (; n < data->n; n++)
        kd_gp_add(gp, &data->rows[(size_t)n * (size_t)data->n_dims], data->targets[n]);
    kd_gp_condition(gp, theta);
}

static void read_running(struct kd_surrogate *surrogate, const struct kd_history *history)
{
    int n_running = history->n - history->n_done;
    size_t n_dims = (size_t)surrogate->cube->n_dims;
    if (n_running > surrogate->running_capacity) {
        surrogate->running_capacity = 2 * n_running;
        surrogate->running = kd_realloc_array(
            surrogate->running, 2 * (size_t)n_running * n_dims + 1, sizeof *surrogate->running);
    }
    surrogate->n_running = 0;
    for (int i = 0; i < history->n; i++) {
        if (history->trials[i].outcome == KD_RUNNING)
            kd_cube_from_point(surrogate->cube, history->trials[i].values,
                               &surrogate->running[(size_t)(surrogate->n_running++) * n_dims]);
    }
}

static bool are_close(const struct kd_cube *cube, const double *a, const double *b)
{
    for (int dim = 0; dim < cube->n_dims; dim++) {
        if (cube->is_category[dim] ? a[dim] != b[dim] : fabs(a[dim] - b[dim]) >= 0.01)
            return false;
    }
    return true;
}

bool kd_surrogate_is_crowded(const struct kd_surrogate *surrogate, const double *x)
{
    for (int i = 0; i < surrogate->n_running; i++) {
        const double *other = &surrogate->running[(size_t)i * (size_t)surrogate->cube->n_dims];
        if (are_close(surrogate->cube, x, other))
            return true;
    }
    return false;
}

/* Adds running trials at their posterior means. A value at the mean leaves the mean as it is,
 * everywhere: so all means can be taken first. */
static void believe(struct kd_gp_model *model, const double *rows, int n)
{
    struct kd_gp *gp = model->gp;
    int n_dims = gp->n_dims;
    double *means = KD_NEW_ARRAY(double, (size_t)n + KD_LANES), variance[KD_LANES];
    double *points = KD_NEW_ARRAY(double, (size_t)n_dims *KD_LANES);
    for (int first = 0; first < n; first += KD_LANES) {
        for (int lane = 0; lane < KD_LANES; lane++) {
            int i = first + lane < n ? first + lane : n - 1;
            for (int j = 0; j < n_dims; j++)
                points[j * KD_LANES + lane] = rows[(size_t)i * (size_t)n_dims + (size_t)j];
        }
        kd_gp_predict(gp, points, (struct kd_gp_prediction){&means[first], variance});
    }
    for (int i = 0; i < n; i++)
        kd_gp_add(gp, &rows[(size_t)i * (size_t)n_dims], means[i]);
    if (n > 0)
        kd_gp_condition(gp, gp->theta);
    free(points);
    free(means);
}

/* Is the k-th running trial expected to keep all constraints? */
static bool is_believed_feasible(const struct kd_surrogate *surrogate, int k)
{
    for (int c = 0; c < surrogate->n_constraints; c++) {
        const struct kd_gp_model *model = &surrogate->models[1 + c];
        if (model->gp->targets[model->data.n + k] > model->limit)
            return false;
    }
    return true;
}

/* What is to be improved upon: the best of this experiment's feasible trials, those that run
 * included, or they would be hoped for once more. Without any, all that is known is worth improving
 * upon. */
static void choose_best(struct kd_surrogate *surrogate, const struct kd_history *history)
{
    struct kd_acquisition *acquisition = &surrogate->acquisition;
    const struct kd_gp_model *model = &surrogate->models[0];
    double best = INFINITY, worst = -INFINITY;
    bool any_feasible = history->n_constraints == 0;
    for (int i = 0; i < model->data.n; i++) {
        const struct kd_observation *trial = &history->trials[model->data.trials[i]];
        bool is_feasible = history->n_constraints == 0 || trial->violation <= 0;
        double fitted = kd_gp_fitted(model->gp, i);
        worst = fitted > worst ? fitted : worst;
        if (!model->data.is_whole[i] || !is_feasible)
            continue;
        any_feasible = true;
        if (trial->number >= history->n_prior && fitted < best)
            best = fitted;
    }
    for (int k = 0; k < model->gp->n - model->data.n; k++) {
        double believed = model->gp->targets[model->data.n + k];
        if (believed < best && is_believed_feasible(surrogate, k))
            best = believed;
    }
    acquisition->has_best = any_feasible;
    acquisition->best = isfinite(best) ? best : worst;
}

void kd_surrogate_update(struct kd_surrogate *surrogate, const struct kd_history *history)
{
    struct kd_gp_model *objective = &surrogate->models[0];
    fit_objective(surrogate, history);
    kd_gp_data_read(&objective->data, surrogate->cube, history, history->n_done);
    kd_gp_data_thin(&objective->data, KD_GP_TRIALS);
    kd_gp_data_warp(&objective->data, objective->lambda);
    double *theta = KD_NEW_ARRAY(double, (size_t)kd_gp_n_theta(surrogate->cube->n_dims));
    choose_lengths(surrogate, history, theta);
    learn(objective, theta);
    free(theta);
    read_running(surrogate, history);
    believe(objective, surrogate->running, surrogate->n_running);
    for (int c = 0; c < surrogate->n_constraints; c++) {
        struct kd_gp_model *model = &surrogate->models[1 + c];
        fit_constraint(surrogate, history, c);
        kd_gp_data_read_constraint(&model->data, surrogate->cube, history, history->n_done, c,
                                   &model->limit);
        kd_gp_data_thin(&model->data, KD_GP_TRIALS);
        learn(model, model->theta);
        believe(model, surrogate->running, surrogate->n_running);
        surrogate->acquisition.limits[c] = model->limit;
    }
    choose_best(surrogate, history);
}
