#include "search/gp/gp_cube.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"

enum { FEW_VALUES = 24 };

static enum kd_dim_kind kind_of(const struct kd_axis *axis, double n_values)
{
    if (axis->is_categorical)
        return KD_DIM_CATEGORY;
    return n_values <= FEW_VALUES ? KD_DIM_CELLS : KD_DIM_CONTINUOUS;
}

void kd_cube_init(struct kd_cube *cube, const struct kd_space *space)
{
    size_t n = (size_t)space->n_params + 1;
    *cube = (struct kd_cube){.space = space, .axes = kd_axes_new(space)};
    cube->param_of = KD_NEW_ARRAY(int, n);
    cube->kind = KD_NEW_ARRAY(enum kd_dim_kind, n);
    cube->is_category = KD_NEW_ARRAY(bool, n);
    cube->n_values = KD_NEW_ARRAY(double, n);
    for (int i = 0; i < space->n_params; i++) {
        double n_values = kd_param_count(&space->params[i]);
        if (n_values <= 1)
            continue;
        int dim = cube->n_dims++;
        cube->param_of[dim] = i;
        cube->n_values[dim] = n_values;
        cube->kind[dim] = kind_of(&cube->axes[i], n_values);
        cube->is_category[dim] = cube->axes[i].is_categorical;
    }
}

void kd_cube_release(struct kd_cube *cube)
{
    free(cube->axes), free(cube->param_of), free(cube->kind);
    free(cube->is_category), free(cube->n_values);
    *cube = (struct kd_cube){0};
}

static const struct kd_axis *axis_of(const struct kd_cube *cube, int dim)
{
    return &cube->axes[cube->param_of[dim]];
}

static double clip(double x, double from, double to)
{
    return x < from ? from : x > to ? to : x;
}

/* In halves: the difference of the ends of the widest axis would overflow. */
static double to_unit(const struct kd_axis *axis, double value)
{
    if (axis->is_categorical)
        return value;
    double coordinate = clip(kd_axis_coordinate(axis, value), axis->low, axis->high);
    return (coordinate / 2 - axis->low / 2) / (axis->high / 2 - axis->low / 2);
}

static double from_unit(const struct kd_axis *axis, double x)
{
    if (axis->is_categorical)
        return x;
    return kd_axis_value(axis, clip(axis->low * (1 - x) + axis->high * x, axis->low, axis->high));
}

void kd_cube_from_point(const struct kd_cube *cube, const double *point, double *x)
{
    for (int dim = 0; dim < cube->n_dims; dim++) {
        const struct kd_axis *axis = axis_of(cube, dim);
        double value = point[cube->param_of[dim]];
        x[dim] = to_unit(
            axis, kd_param_allows(axis->param, value) ? value : kd_param_clip(axis->param, value));
    }
}

void kd_cube_to_point(const struct kd_cube *cube, const double *x, double *point)
{
    for (int i = 0; i < cube->space->n_params; i++)
        point[i] = cube->space->params[i].min;
    for (int dim = 0; dim < cube->n_dims; dim++)
        point[cube->param_of[dim]] = from_unit(axis_of(cube, dim), x[dim]);
}

double kd_cube_nth(const struct kd_cube *cube, int dim, double k)
{
    const struct kd_axis *axis = axis_of(cube, dim);
    return to_unit(axis, kd_param_nth(axis->param, (int64_t)k));
}

double kd_cube_snap(const struct kd_cube *cube, int dim, double x)
{
    const struct kd_axis *axis = axis_of(cube, dim);
    return axis->has_cells ? to_unit(axis, from_unit(axis, x)) : clip(x, 0, 1);
}

double kd_cube_quantile(const struct kd_cube *cube, int dim, double u)
{
    const struct kd_axis *axis = axis_of(cube, dim);
    return to_unit(axis, kd_axis_quantile(axis, u));
}

double kd_cube_draw(const struct kd_cube *cube, int dim, struct kd_rng *rng)
{
    const struct kd_axis *axis = axis_of(cube, dim);
    return to_unit(axis, kd_axis_draw(axis, rng));
}
