#include "search/math/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/linalg.h"

enum { SHORTENED_AT_MOST = 12 };
static const double ENOUGH = 1e-4; /* of the slope (Armijo) */

void kd_lbfgs_init(struct kd_lbfgs *search, int n)
{
    size_t row = (size_t)n;
    double *memory = KD_NEW_ARRAY(double, row *(4 + 2 * KD_LBFGS_MEMORY) + 1);
    *search = (struct kd_lbfgs){.n = n,
                                .max_evaluations = 100,
                                .gradient_tolerance = 1e-5,
                                .value_tolerance = 1e-9,
                                .first_step = 0.1,
                                .memory = memory,
                                .trial = memory,
                                .x = memory + row,
                                .gradient = memory + 2 * row,
                                .direction = memory + 3 * row,
                                .steps = memory + 4 * row,
                                .changes = memory + (4 + KD_LBFGS_MEMORY) * row};
}

void kd_lbfgs_release(struct kd_lbfgs *search)
{
    free(search->memory);
    *search = (struct kd_lbfgs){0};
}

static double clip(double x, double lower, double upper)
{
    return x < lower ? lower : x > upper ? upper : x;
}

void kd_lbfgs_start(struct kd_lbfgs *search, const double *x, const double *lower,
                    const double *upper)
{
    search->lower = lower, search->upper = upper;
    search->n_evaluations = search->n_pairs = search->next_pair = 0;
    search->f = INFINITY;
    for (int i = 0; i < search->n; i++)
        search->x[i] = search->trial[i] = clip(x[i], lower[i], upper[i]);
}

/* Is the coordinate at a bound, and does descending push it outwards? */
static bool is_held(const struct kd_lbfgs *search, int i)
{
    double g = search->gradient[i];
    return (search->x[i] <= search->lower[i] && g > 0) ||
           (search->x[i] >= search->upper[i] && g < 0);
}

static double *step_at(const struct kd_lbfgs *search, int age)
{
    int at = (search->next_pair - 1 - age + 2 * KD_LBFGS_MEMORY) % KD_LBFGS_MEMORY;
    return &search->steps[at * search->n];
}

static double *change_at(const struct kd_lbfgs *search, int age)
{
    return step_at(search, age) + (search->changes - search->steps);
}

static void add(double *to, double times, const double *what, int n)
{
    for (int i = 0; i < n; i++)
        to[i] += times * what[i];
}

/* direction = -H gradient, H the inverse curvature that the remembered pairs (s, y) tell of. */
static void recurse(struct kd_lbfgs *search)
{
    double weight[KD_LBFGS_MEMORY], *d = search->direction;
    int n = search->n;
    for (int age = 0; age < search->n_pairs; age++) {
        const double *s = step_at(search, age), *y = change_at(search, age);
        weight[age] = kd_dot(s, d, n) / kd_dot(s, y, n);
        add(d, -weight[age], y, n);
    }
    const double *s = step_at(search, 0), *y = change_at(search, 0);
    double scale = kd_dot(s, y, n) / kd_dot(y, y, n);
    for (int i = 0; i < n; i++)
        d[i] *= scale;
    for (int age = search->n_pairs - 1; age >= 0; age--) {
        const double *sa = step_at(search, age), *ya = change_at(search, age);
        double back = kd_dot(ya, d, n) / kd_dot(sa, ya, n);
        add(d, weight[age] - back, sa, n);
    }
}

static void hold(struct kd_lbfgs *search)
{
    for (int i = 0; i < search->n; i++) {
        if (is_held(search, i))
            search->direction[i] = 0;
    }
}

static void point_downhill(struct kd_lbfgs *search)
{
    for (int i = 0; i < search->n; i++)
        search->direction[i] = -search->gradient[i];
    hold(search);
}

static void choose_direction(struct kd_lbfgs *search)
{
    point_downhill(search);
    search->step = 1;
    if (search->n_pairs > 0) {
        recurse(search);
        hold(search);
        search->slope = kd_dot(search->gradient, search->direction, search->n);
        if (search->slope < 0)
            return;
        search->n_pairs = 0;
        point_downhill(search);
    }
    double length = sqrt(kd_dot(search->direction, search->direction, search->n));
    search->step = length > 0 ? search->first_step / length : 0;
    search->slope = -length * length;
}

static bool propose(struct kd_lbfgs *search)
{
    bool moves = false;
    for (int i = 0; i < search->n; i++) {
        double to = search->x[i] + search->step * search->direction[i];
        search->trial[i] = clip(to, search->lower[i], search->upper[i]);
        moves = moves || search->trial[i] != search->x[i];
    }
    return moves && search->n_evaluations < search->max_evaluations;
}

static bool is_flat(const struct kd_lbfgs *search)
{
    for (int i = 0; i < search->n; i++) {
        double to = clip(search->x[i] - search->gradient[i], search->lower[i], search->upper[i]);
        if (fabs(to - search->x[i]) > search->gradient_tolerance)
            return false;
    }
    return true;
}

/* Remembers a step when the function curves upwards along it. */
static void remember(struct kd_lbfgs *search, const double *gradient)
{
    int n = search->n;
    double *s = &search->steps[search->next_pair * n], *y = &search->changes[search->next_pair * n];
    for (int i = 0; i < n; i++) {
        s[i] = search->trial[i] - search->x[i];
        y[i] = gradient[i] - search->gradient[i];
    }
    double sy = kd_dot(s, y, n), yy = kd_dot(y, y, n);
    if (!(sy > 1e-10 * yy) || !(yy > 0) || !isfinite(yy))
        return;
    search->next_pair = (search->next_pair + 1) % KD_LBFGS_MEMORY;
    if (search->n_pairs < KD_LBFGS_MEMORY)
        search->n_pairs++;
}

static bool accept(struct kd_lbfgs *search, double f, const double *gradient)
{
    double gain = search->f - f;
    memcpy(search->x, search->trial, (size_t)search->n * sizeof *search->x);
    memcpy(search->gradient, gradient, (size_t)search->n * sizeof *gradient);
    search->f = f;
    search->n_shortened = 0;
    double size = fabs(f) > 1 ? fabs(f) : 1;
    if (gain <= search->value_tolerance * size || is_flat(search))
        return false;
    choose_direction(search);
    return propose(search);
}

/* The parabola through what is known of the line has its lowest point here; not too near either
 * end. */
static bool shorten(struct kd_lbfgs *search, double f)
{
    double factor = 0.1;
    if (isfinite(f)) {
        double slope = search->slope * search->step, rise = f - search->f;
        factor = clip(-slope / (2 * (rise - slope)), 0.1, 0.5);
    }
    search->step *= factor;
    if (++search->n_shortened <= SHORTENED_AT_MOST)
        return propose(search);
    if (search->n_pairs == 0)
        return false;
    search->n_pairs = search->n_shortened = 0;
    choose_direction(search);
    return propose(search);
}

static double slope_to_trial(const struct kd_lbfgs *search)
{
    double slope = 0;
    for (int i = 0; i < search->n; i++)
        slope += search->gradient[i] * (search->trial[i] - search->x[i]);
    return slope;
}

bool kd_lbfgs_tell(struct kd_lbfgs *search, double f, const double *gradient)
{
    search->n_evaluations++;
    if (search->n_evaluations == 1) {
        if (!isfinite(f))
            return false;
        return accept(search, f, gradient);
    }
    if (!isfinite(f) || f > search->f + ENOUGH * slope_to_trial(search))
        return shorten(search, f);
    remember(search, gradient);
    return accept(search, f, gradient);
}
