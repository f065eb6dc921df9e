/* read_start.c - ours: what a search starts from. Points of the user's own, and an earlier
 * experiment. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/point.h"
#include "coordinator/spec/read.h"

/* 0, or -1 and a finding. A value that is null is one to be drawn. */
static int read_value(struct kd_reader *reader, const struct kd_yaml *value,
                      const struct kd_space *space, double *point)
{
    struct kd_error err;
    int at = kd_space_find(space, value->key);
    if (at < 0)
        return kd_found_unknown_parameter(reader, value->key_mark, "enqueue", value->key, space);
    if (value->kind == KD_NODE_NULL)
        return 0;
    const char *text = kd_yaml_text(reader, value);
    if (text == NULL)
        return -1;
    if (kd_param_parse(&space->params[at], text, &point[at], &err) == 0)
        return 0;
    kd_found_error(reader->findings, value->mark, "enqueue: %s", err.text);
    return -1;
}

static bool is_there(const struct kd_experiment *experiment, const double *point)
{
    const struct kd_space *space = &experiment->space;
    for (int i = 0; i < experiment->n_enqueued; i++)
        if (kd_points_equal(space, &experiment->enqueued[i * space->n_params], point))
            return true;
    return false;
}

/* Fills the point, NaN where the item says nothing. */
static int read_point(struct kd_reader *reader, const struct kd_yaml *item,
                      const struct kd_space *space, double *point)
{
    struct kd_error err;
    int bad = 0, at;
    for (int i = 0; i < space->n_params; i++)
        point[i] = NAN;
    if (!kd_yaml_expect(reader, item, KD_NODE_MAP, "a point of enqueue"))
        return -1;
    if (item->children.n == 0) {
        kd_found_error(reader->findings, item->mark,
                       "enqueue: this point gives no value: name a parameter, as in {%s: ...}",
                       space->params[0].name);
        return -1;
    }
    for (size_t i = 0; i < item->children.n; i++)
        bad |= read_value(reader, item->children.items[i], space, point);
    if (bad || kd_point_check(space, point, &at, &err) == 0)
        return bad;
    kd_found_error(reader->findings, kd_yaml_get(item, space->params[at].name)->key_mark,
                   "enqueue: %s", err.text);
    return -1;
}

/* A space that was refused is not asked about. */
void kd_read_enqueue(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    struct kd_experiment *experiment = target;
    size_t n_params = (size_t)experiment->space.n_params;
    if (!kd_yaml_expect_list(reader, value, "enqueue") || reader->findings->n_errors > 0)
        return;
    experiment->enqueued = KD_NEW_ARRAY(double, value->children.n *n_params + 1);
    for (size_t i = 0; i < value->children.n; i++) {
        const struct kd_yaml *item = value->children.items[i];
        double *point = &experiment->enqueued[(size_t)experiment->n_enqueued * n_params];
        if (read_point(reader, item, &experiment->space, point) != 0)
            continue;
        if (is_there(experiment, point))
            kd_found_error(reader->findings, item->mark, "enqueue: this point is there twice");
        else
            experiment->n_enqueued++;
    }
}

static void read_name(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    const char *own = reader->experiment->name;
    kd_read_text(reader, value, target);
    if (value->text && own && strcmp(value->text, own) == 0)
        kd_found_error(reader->findings, value->mark,
                       "warmStart: this experiment itself is called %s; name an earlier one",
                       value->text);
}

void kd_read_warm_start(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"experiment", read_name, offsetof(struct kd_warm_start, experiment), KD_FIELD_REQUIRED},
        {"trials", kd_read_count, offsetof(struct kd_warm_start, trials), 0},
        {0},
    };
    kd_fields_read(reader, value, fields, "spec.warmStart", target);
}
