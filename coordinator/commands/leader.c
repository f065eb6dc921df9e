#include "coordinator/commands/leader.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/mem.h"
#include "coordinator/watch.h"

/* ---- which point counts ---- */

/* "max", or NULL where the spec does not say. */
static const char *pick_name(const json_t *tree, const char *metric)
{
    const json_t *spec = json_object_get(tree, "spec") ? json_object_get(tree, "spec") : tree;
    const json_t *of_one = json_array_get(json_object_get(spec, "objectives"), 0), *item;
    const json_t *list = json_object_get(json_object_get(spec, "objective"), "metricStrategies");
    const char *pick = json_string_value(json_object_get(of_one, "pick"));
    size_t i;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        if (name && strcmp(name, metric) == 0)
            pick = json_string_value(json_object_get(item, "value"));
    }
    return pick;
}

/* As the canonical spec says, and the best point where it does not. */
static enum kd_metric_pick pick_of(const struct kd_experiment_info *experiment)
{
    static const char *const names[] = {
        [KD_PICK_MIN] = "min", [KD_PICK_MAX] = "max", [KD_PICK_LATEST] = "latest"};
    enum kd_metric_pick pick = experiment->maximize ? KD_PICK_MAX : KD_PICK_MIN;
    json_t *tree = experiment->canonical ? json_loads(experiment->canonical, 0, NULL) : NULL;
    const char *name = pick_name(tree, experiment->metric);
    for (size_t i = 0; name && i < KD_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            pick = (enum kd_metric_pick)i;
    json_decref(tree);
    return pick;
}

typedef KD_ARR(struct kd_report) point_list;

static int take_point(void *ud, const struct kd_metric_point *point)
{
    point_list *points = ud;
    kd_arr_push(points, (struct kd_report){point->step, point->value});
    return 0;
}

/* ---- which trial ---- */

static bool is_ahead(const struct kd_experiment_info *experiment, double value, double best)
{
    return isfinite(value) && (isnan(best) || (experiment->maximize ? value > best : value < best));
}

int kd_leader_find(struct kd_store *store, const struct kd_experiment_info *experiment,
                   struct kd_trial_info *trials, int n, struct kd_error *err)
{
    int leader = -1;
    double best = NAN;
    if (experiment->n_objectives > 1 || experiment->n_constraints > 0 || !experiment->metric)
        return -1;
    enum kd_metric_pick pick = pick_of(experiment);
    point_list points = {0};
    for (int i = 0; i < n && leader > -2; i++) {
        if (kd_trial_is_terminal(trials[i].state))
            continue;
        kd_arr_clear(&points);
        if (kd_query_points(store, experiment->id, trials[i].number, experiment->metric, take_point,
                            &points, err) != 0)
            leader = -2;
        double value = kd_points_pick(points.items, (int)points.n, pick);
        if (leader == -2 || !is_ahead(experiment, value, best))
            continue;
        best = value;
        leader = i;
    }
    kd_arr_release(&points);
    if (leader >= 0) {
        trials[leader].has_objective = true;
        trials[leader].objective = best;
    }
    return leader;
}

char *kd_leader_none_text(const struct kd_experiment_info *experiment)
{
    int n_over = 0;
    for (int state = 0; state < KD_N_TRIAL_STATES; state++)
        if (kd_trial_is_terminal((enum kd_trial_state)state))
            n_over += experiment->counts[state];
    if (n_over == 0)
        return kd_format("no trial of %s is over yet", experiment->name);
    return kd_format("no trial of %s that is over has a finite objective%s", experiment->name,
                     experiment->n_constraints > 0 ? " and holds every constraint" : "");
}
