#include "trainer/optim/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

#define KD_SCHEDULE(name) extern const struct kd_schedule_kind kd_schedule_kind_##name;
#include "trainer/optim/schedules.def"
#undef KD_SCHEDULE

const struct kd_schedule_kind *const kd_schedule_kinds[] = {
#define KD_SCHEDULE(name) &kd_schedule_kind_##name,
#include "trainer/optim/schedules.def"
#undef KD_SCHEDULE
    NULL,
};

static const struct kd_field warmup_field = {
    .name = "warmup",
    .fallback = 0,
    .min = 0,
    .max = 1,
    .help = "fraction of all steps in which the rate rises from 0",
};

struct kd_schedule {
    const struct kd_schedule_kind *kind;
    double warmup;
    double values[KD_FIELDS_MAX];
};

static int fail_unknown(const char *name, struct kd_error *err)
{
    const char *names[KD_COUNT(kd_schedule_kinds)];
    for (size_t i = 0; i < KD_COUNT(names); i++)
        names[i] = kd_schedule_kinds[i] ? kd_schedule_kinds[i]->name : NULL;
    return kd_fail_unknown(err, "/schedule/name", "schedule", name, names);
}

static const struct kd_schedule_kind *find_kind(const char *name)
{
    for (int i = 0; kd_schedule_kinds[i]; i++)
        if (strcmp(kd_schedule_kinds[i]->name, name) == 0)
            return kd_schedule_kinds[i];
    return NULL;
}

void kd_schedule_fields(const struct kd_schedule_kind *kind,
                        struct kd_field fields[KD_FIELDS_MAX + 1])
{
    int n = 0;
    for (; kind->fields && kind->fields[n].name; n++)
        fields[n] = kind->fields[n];
    kd_assert(n < KD_FIELDS_MAX);
    fields[n] = warmup_field;
    fields[n + 1] = (struct kd_field){.name = NULL};
}

static struct kd_schedule *new_schedule(const struct kd_schedule_kind *kind)
{
    struct kd_schedule *schedule = KD_NEW(struct kd_schedule);
    schedule->kind = kind;
    return schedule;
}

struct kd_schedule *kd_schedule_read(const json_t *block, struct kd_error *err)
{
    if (!block || json_is_null(block))
        return new_schedule(kd_schedule_kinds[0]);
    const char *name = json_string_value(json_object_get(block, "name"));
    if (!name) {
        kd_fail(err, "/schedule: must be a mapping with a name, such as "
                     "{name: cosine, warmup: 0.1}");
        return NULL;
    }
    const struct kd_schedule_kind *kind = find_kind(name);
    if (!kind) {
        fail_unknown(name, err);
        return NULL;
    }
    struct kd_field fields[KD_FIELDS_MAX + 1];
    kd_schedule_fields(kind, fields);
    struct kd_schedule *schedule = new_schedule(kind);
    if (kd_fields_read(fields, block, "name", "/schedule", schedule->values, err) != 0) {
        free(schedule);
        return NULL;
    }
    int last = 0;
    while (fields[last + 1].name)
        last++;
    schedule->warmup = schedule->values[last];
    return schedule;
}

json_t *kd_schedule_whole(const json_t *block)
{
    const char *name = json_string_value(json_object_get(block, "name"));
    const struct kd_schedule_kind *kind = name ? find_kind(name) : kd_schedule_kinds[0];
    struct kd_field fields[KD_FIELDS_MAX + 1];
    kd_schedule_fields(kind, fields);
    return kd_fields_whole(fields, kind->name, block);
}

/* The warm-up rises to where the schedule begins, which is the base rate but for oneCycle. */
double kd_schedule_factor(const struct kd_schedule *schedule, int64_t step, int64_t total_steps)
{
    int64_t warm = (int64_t)ceil(schedule->warmup * (double)total_steps);
    if (step < warm)
        return schedule->kind->factor(schedule->values, 0.0) * (double)(step + 1) /
               (double)(warm + 1);
    double rest = (double)(total_steps - warm);
    double progress = rest > 0 ? (double)(step - warm) / rest : 0.0;
    return schedule->kind->factor(schedule->values, fmin(progress, 1.0));
}

void kd_schedule_free(struct kd_schedule *schedule)
{
    free(schedule);
}
