/* problem_table.c - problems that are looked up in tables (table.h): learning curves that the
 * repository holds, and what make_tables.py exported into the build folder. */
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "tests/bench/search/kinds.h"
#include "tests/bench/search/table.h"

/* Tables stay in memory once they are read: a problem borrows its own. */
static struct {
    pthread_mutex_t lock;
    KD_ARR(struct loaded {
        char *path;
        struct table *table;
    })
    items;
} tables = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const struct table *get_table(const char *path, struct kd_error *err)
{
    struct table *table = NULL;
    pthread_mutex_lock(&tables.lock);
    for (size_t i = 0; i < tables.items.n && !table; i++) {
        if (strcmp(tables.items.items[i].path, path) == 0)
            table = tables.items.items[i].table;
    }
    if (!table && (table = table_read(path, err)))
        kd_arr_push(&tables.items, (struct loaded){kd_strdup(path), table});
    pthread_mutex_unlock(&tables.lock);
    return table;
}

struct lookup {
    const struct table *table;
    enum table_column column;
};

static double report(const struct problem *problem, const double *point, int step)
{
    const struct lookup *self = problem->self;
    size_t row = table_row(self->table, point);
    return self->table
        ->columns[self->column][row * (size_t)self->table->n_steps + (size_t)step - 1];
}

static double step_s(const struct problem *problem, const double *point)
{
    const struct lookup *self = problem->self;
    return self->table->step_s[table_row(self->table, point)];
}

static double evaluate(const struct problem *problem, const double *point)
{
    const struct lookup *self = problem->self;
    double best = INFINITY;
    for (int step = 1; step <= self->table->n_steps; step++)
        best = fmin(best, report(problem, point, step));
    return best;
}

static double smallest(const struct table *table, enum table_column column)
{
    double best = INFINITY;
    for (size_t i = 0; i < table->n_rows * (size_t)table->n_steps; i++)
        best = fmin(best, table->columns[column][i]);
    return best;
}

static int make_lookup(struct problem *problem, const char *path, enum table_column column,
                       struct kd_error *err)
{
    const struct table *table = get_table(path, err);
    if (!table)
        return -1;
    struct lookup *self = KD_NEW(struct lookup);
    *self = (struct lookup){table, column};
    problem->self = self;
    problem->free_self = free;
    problem->evaluate = evaluate;
    problem->optimum = smallest(table, column);
    if (table->has_curves) {
        problem->n_steps = table->n_steps;
        problem->report = report;
        problem->step_s = step_s;
    }
    for (size_t i = 0; i < table->params.n; i++) {
        const struct table_param *param = &table->params.items[i];
        if (param->is_choice)
            problem_add_choices(problem, param->name, param->n);
        else
            problem_add_number(problem, param->name, KD_PARAM_INT, 0, param->n - 1, KD_UNIFORM);
    }
    return 0;
}

static const struct {
    const char *name, *path;
    enum table_column column;
} curves[] = {
    {"constant-loss", "curves_constant.txt", TABLE_LOSS},
    {"constant-error", "curves_constant.txt", TABLE_ERRORS},
    {"few-loss", "curves_few.txt", TABLE_LOSS},
    {"few-error", "curves_few.txt", TABLE_ERRORS},
};

const char *problem_curve_name(const struct problem_kind *kind, int number)
{
    (void)kind;
    return curves[number].name;
}

int problem_make_curve(struct problem *problem, const struct problem_kind *kind, int number,
                       struct kd_error *err)
{
    (void)kind;
    char *path = kd_format("%s/tests/bench/search/data/%s", KD_SOURCE_DIR, curves[number].path);
    int status = make_lookup(problem, path, curves[number].column, err);
    free(path);
    return status;
}

/* A kind that was found in a folder: KIND-NAME.txt for each of its problems. */
struct found_kind {
    struct problem_kind kind; /* the first member: `make` gets it */
    char *folder;
    KD_ARR(char *) names;
};

static KD_ARR(struct found_kind *) found_kinds;

static const char *found_name(const struct problem_kind *kind, int number)
{
    return ((const struct found_kind *)kind)->names.items[number];
}

static int make_found(struct problem *problem, const struct problem_kind *kind, int number,
                      struct kd_error *err)
{
    const struct found_kind *found = (const struct found_kind *)kind;
    char *path = kd_format("%s/%s-%s.txt", found->folder, kind->name, found->names.items[number]);
    int status = make_lookup(problem, path, TABLE_OBJECTIVE, err);
    free(path);
    return status;
}

static struct found_kind *kind_named(const char *name, const char *folder)
{
    for (size_t i = 0; i < found_kinds.n; i++) {
        if (strcmp(found_kinds.items[i]->kind.name, name) == 0)
            return found_kinds.items[i];
    }
    struct found_kind *found = KD_NEW(struct found_kind);
    found->folder = kd_strdup(folder);
    found->kind = (struct problem_kind){
        .name = kd_strdup(name), .is_fixed = true, .make = make_found, .name_at = found_name};
    kd_arr_push(&found_kinds, found);
    problem_add_kind(&found->kind);
    return found;
}

static int is_table(const struct dirent *entry)
{
    const char *dash = strchr(entry->d_name, '-'), *end = strrchr(entry->d_name, '.');
    return dash && end && dash < end && strcmp(end, ".txt") == 0;
}

void problem_add_tables(const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_table, alphasort);
    for (int i = 0; i < n; i++) {
        const char *file = entries[i]->d_name, *dash = strchr(file, '-');
        char *kind_name = kd_strndup(file, (size_t)(dash - file));
        struct found_kind *found = kind_named(kind_name, folder);
        kd_arr_push(&found->names, kd_strndup(dash + 1, strlen(dash + 1) - strlen(".txt")));
        found->kind.n++;
        free(kind_name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}
