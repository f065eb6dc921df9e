#include "search/tpe/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

void kd_columns_init(struct kd_columns *columns, const struct kd_axis *axes, int n_axes)
{
    *columns = (struct kd_columns){.axes = axes, .n_axes = n_axes};
    columns->coordinates = KD_NEW_ARRAY(double *, (size_t)n_axes + 1);
    columns->order = KD_NEW_ARRAY(struct kd_ranked *, (size_t)n_axes + 1);
    columns->n_ranked = KD_NEW_ARRAY(int, (size_t)n_axes + 1);
}

void kd_columns_release(struct kd_columns *columns)
{
    for (int i = 0; i < columns->n_axes; i++) {
        free(columns->coordinates[i]);
        free(columns->order[i]);
    }
    free(columns->coordinates);
    free(columns->order);
    free(columns->n_ranked);
    free(columns->values);
    *columns = (struct kd_columns){0};
}

static void reserve(struct kd_columns *columns, int n)
{
    if (n <= columns->capacity)
        return;
    size_t capacity = 2 * (size_t)n;
    columns->capacity = (int)capacity;
    columns->values = kd_realloc_array(columns->values, capacity * (size_t)columns->n_axes + 1,
                                       sizeof *columns->values);
    for (int i = 0; i < columns->n_axes; i++) {
        columns->coordinates[i] =
            kd_realloc_array(columns->coordinates[i], capacity, sizeof **columns->coordinates);
        columns->order[i] = kd_realloc_array(columns->order[i], capacity, sizeof **columns->order);
    }
}

static double *row(const struct kd_columns *columns, int trial)
{
    return &columns->values[(size_t)trial * (size_t)columns->n_axes];
}

static int common_trials(const struct kd_columns *columns, const struct kd_history *history)
{
    size_t bytes = (size_t)columns->n_axes * sizeof(double);
    int n = columns->n < history->n ? columns->n : history->n;
    for (int i = 0; i < n; i++) {
        if (memcmp(row(columns, i), history->trials[i].values, bytes) != 0)
            return i;
    }
    return n;
}

static void drop_from(struct kd_columns *columns, int first)
{
    for (int i = 0; i < columns->n_axes && first < columns->n; i++) {
        int kept = 0;
        if (columns->axes[i].is_categorical)
            continue;
        for (int j = 0; j < columns->n_ranked[i]; j++) {
            if (columns->order[i][j].trial < first)
                columns->order[i][kept++] = columns->order[i][j];
        }
        columns->n_ranked[i] = kept;
    }
    columns->n = first;
}

static int by_coordinate(const void *a, const void *b)
{
    const struct kd_ranked *x = a, *y = b;
    if (x->coordinate != y->coordinate)
        return x->coordinate < y->coordinate ? -1 : 1;
    return (x->trial > y->trial) - (x->trial < y->trial);
}

/* One more entry into n that are in order. */
static void insert(struct kd_ranked *order, int n, struct kd_ranked entry)
{
    int from = 0, to = n;
    while (from < to) {
        int middle = from + (to - from) / 2;
        if (by_coordinate(&order[middle], &entry) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    memmove(&order[from + 1], &order[from], (size_t)(n - from) * sizeof *order);
    order[from] = entry;
}

/* The trials from `first` on; many at once (after a reload) are cheaper to sort than to insert. */
static void rank_new(struct kd_columns *columns, int axis, int first, int n)
{
    enum { FEW = 32 };
    struct kd_ranked *order = columns->order[axis];
    int *n_ranked = &columns->n_ranked[axis];
    for (int i = first; i < n; i++) {
        struct kd_ranked entry = {columns->coordinates[axis][i], i};
        if (isnan(entry.coordinate))
            continue;
        if (n - first <= FEW)
            insert(order, *n_ranked, entry);
        else
            order[*n_ranked] = entry;
        ++*n_ranked;
    }
    if (n - first > FEW)
        qsort(order, (size_t)*n_ranked, sizeof *order, by_coordinate);
}

static double coordinate_of(const struct kd_axis *axis, double value)
{
    return isnan(value) ? NAN : kd_axis_coordinate(axis, value);
}

static void append(struct kd_columns *columns, const struct kd_history *history)
{
    int first = columns->n;
    size_t bytes = (size_t)columns->n_axes * sizeof(double);
    for (int i = first; i < history->n; i++) {
        if (bytes > 0)
            memcpy(row(columns, i), history->trials[i].values, bytes);
        for (int j = 0; j < columns->n_axes; j++)
            columns->coordinates[j][i] =
                coordinate_of(&columns->axes[j], history->trials[i].values[j]);
    }
    for (int j = 0; j < columns->n_axes; j++) {
        if (!columns->axes[j].is_categorical)
            rank_new(columns, j, first, history->n);
    }
    columns->n = history->n;
}

void kd_columns_sync(struct kd_columns *columns, const struct kd_history *history)
{
    columns->n_kept = common_trials(columns, history);
    drop_from(columns, columns->n_kept);
    reserve(columns, history->n);
    append(columns, history);
}
