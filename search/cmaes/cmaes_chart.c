#include "search/cmaes/cmaes_chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

/* A finer grid is as good as continuous: a margin beside the mean would be narrower than a double
 * can tell. */
enum { MOST_CELLS = 1 << 20 };

void kd_chart_init(struct kd_chart *chart, const struct kd_space *space)
{
    size_t n = (size_t)space->n_params + 1;
    *chart = (struct kd_chart){.n_params = space->n_params, .axes = kd_axes_new(space)};
    chart->numbers = KD_NEW_ARRAY(int, n);
    chart->choices = KD_NEW_ARRAY(int, n);
    chart->fixed = KD_NEW_ARRAY(double, n);
    chart->all_cells = true;
    for (int i = 0; i < space->n_params; i++) {
        double count = kd_param_count(&space->params[i]);
        if (count == 1) {
            chart->fixed[i] = kd_param_nth(&space->params[i], 0);
        } else if (chart->axes[i].is_categorical) {
            chart->choices[chart->n_choices++] = i;
        } else {
            chart->numbers[chart->n_numbers++] = i;
            chart->all_cells = chart->all_cells && count <= MOST_CELLS;
        }
    }
}

void kd_chart_release(struct kd_chart *chart)
{
    free(chart->axes);
    free(chart->numbers);
    free(chart->choices);
    free(chart->fixed);
    *chart = (struct kd_chart){0};
}

static const struct kd_axis *axis_of(const struct kd_chart *chart, int j)
{
    return &chart->axes[chart->numbers[j]];
}

/* Half of the axis: its whole width may be more than a double holds. */
static double half_width(const struct kd_axis *axis)
{
    return axis->high / 2 - axis->low / 2;
}

static double to_unit(const struct kd_axis *axis, double at)
{
    return (at / 2 - axis->low / 2) / half_width(axis);
}

double kd_chart_coordinate(const struct kd_chart *chart, int j, double value)
{
    const struct kd_axis *axis = axis_of(chart, j);
    double x = to_unit(axis, kd_axis_coordinate(axis, value));
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

double kd_chart_value(const struct kd_chart *chart, int j, double x)
{
    const struct kd_axis *axis = axis_of(chart, j);
    x = x < 0 ? 0 : x > 1 ? 1 : x;
    double part = x * half_width(axis);
    return kd_axis_value(axis, axis->low + part + part);
}

bool kd_chart_has_cells(const struct kd_chart *chart, int j)
{
    const struct kd_axis *axis = axis_of(chart, j);
    return axis->has_cells && kd_param_count(axis->param) <= MOST_CELLS;
}

void kd_chart_cell(const struct kd_chart *chart, int j, double x, double *from, double *to)
{
    const struct kd_axis *axis = axis_of(chart, j);
    double value = kd_chart_value(chart, j, x), count = kd_param_count(axis->param);
    double at = (double)kd_param_position(axis->param, value);
    kd_axis_cell(axis, value, from, to);
    *from = at > 0 ? to_unit(axis, *from) : -INFINITY;
    *to = at < count - 1 ? to_unit(axis, *to) : INFINITY;
}
