/* point.c - do the values that a user gives go together? */
#include "coordinator/spec/point.h"

#include <math.h>

#include "coordinator/base/str.h"

/* "opt is sgd or rmsprop" */
static void add_condition(struct kd_str *out, const struct kd_space *space,
                          const struct kd_condition *condition)
{
    char text[KD_NUMBER_MAX];
    const struct kd_param *parent = &space->params[condition->parent];
    kd_str_addf(out, "%s is ", parent->name);
    for (int i = 0; i < condition->n_values; i++)
        kd_str_addf(out, "%s%s", i ? " or " : "",
                    kd_param_text(parent, condition->values[i], text));
}

static bool holds(const struct kd_condition *condition, double value)
{
    for (int i = 0; i < condition->n_values; i++)
        if (condition->values[i] == value)
            return true;
    return false;
}

static int refuse(const struct kd_space *space, int i, double parent_value, struct kd_error *err)
{
    char text[KD_NUMBER_MAX];
    struct kd_str when = {0};
    const struct kd_condition *condition = space->params[i].condition;
    const struct kd_param *parent = &space->params[condition->parent];
    add_condition(&when, space, condition);
    if (isnan(parent_value))
        kd_fail(err, "%s is active only while %s: give %s, too", space->params[i].name,
                kd_str_text(&when), parent->name);
    else
        kd_fail(err, "%s is active only while %s, and here %s is %s: leave it out",
                space->params[i].name, kd_str_text(&when), parent->name,
                kd_param_text(parent, parent_value, text));
    kd_str_release(&when);
    return -1;
}

int kd_point_check(const struct kd_space *space, const double *values, int *at,
                   struct kd_error *err)
{
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_condition *condition = space->params[i].condition;
        if (isnan(values[i]) || condition == NULL || holds(condition, values[condition->parent]))
            continue;
        *at = i;
        return refuse(space, i, values[condition->parent], err);
    }
    return 0;
}
