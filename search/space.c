#include "search/space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"

static void release_param(struct kd_param *param)
{
    for (int i = 0; param->choices && i < param->n_choices; i++)
        free(param->choices[i]);
    free(param->choices);
    free(param->values);
    if (param->condition)
        free(param->condition->values);
    free(param->condition);
    free(param->name);
}

void kd_space_release(struct kd_space *space)
{
    for (int i = 0; i < space->n_params; i++)
        release_param(&space->params[i]);
    free(space->params);
    *space = (struct kd_space){0};
}

static void copy_param(struct kd_param *to, const struct kd_param *from)
{
    *to = *from;
    to->name = kd_strdup(from->name);
    if (from->values) {
        to->values = KD_NEW_ARRAY(double, (size_t)from->n_choices);
        memcpy(to->values, from->values, (size_t)from->n_choices * sizeof *to->values);
    }
    if (from->choices) {
        to->choices = KD_NEW_ARRAY(char *, (size_t)from->n_choices);
        for (int i = 0; i < from->n_choices; i++)
            to->choices[i] = kd_strdup(from->choices[i]);
    }
    if (from->condition) {
        size_t n = (size_t)from->condition->n_values;
        to->condition = KD_NEW(struct kd_condition);
        *to->condition = *from->condition;
        to->condition->values = KD_NEW_ARRAY(double, n);
        memcpy(to->condition->values, from->condition->values, n * sizeof(double));
    }
}

void kd_space_copy(struct kd_space *to, const struct kd_space *from)
{
    to->n_params = from->n_params;
    to->params = KD_NEW_ARRAY(struct kd_param, (size_t)from->n_params);
    for (int i = 0; i < from->n_params; i++)
        copy_param(&to->params[i], &from->params[i]);
}

int kd_space_find(const struct kd_space *space, const char *name)
{
    for (int i = 0; i < space->n_params; i++) {
        if (strcmp(space->params[i].name, name) == 0)
            return i;
    }
    return -1;
}

static bool same_value(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

bool kd_points_equal(const struct kd_space *space, const double *a, const double *b)
{
    for (int i = 0; i < space->n_params; i++) {
        if (!same_value(a[i], b[i]))
            return false;
    }
    return true;
}

uint64_t kd_point_hash(const struct kd_space *space, const double *values)
{
    uint64_t hash = 0;
    for (int i = 0; i < space->n_params; i++) {
        double value = values[i] == 0 ? 0 : values[i]; /* -0 too */
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        hash = kd_hash2(hash, isnan(value) ? UINT64_MAX : bits);
    }
    return hash;
}
