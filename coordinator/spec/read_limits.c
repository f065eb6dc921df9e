/* read_limits.c - what a trial may take: resources and limits. */
#include <math.h>

#include "coordinator/spec/quantity.h"
#include "coordinator/spec/read.h"

static const double most_cpus = 1e6;

static int read_quantity(struct kd_reader *reader, const struct kd_yaml *value, double *quantity)
{
    const char *text = kd_yaml_text(reader, value);
    if (text == NULL)
        return -1;
    if (kd_quantity_parse(text, quantity) == 0 && *quantity > 0)
        return 0;
    kd_found_error(reader->findings, value->mark,
                   "%s must be a quantity above 0 such as 2, 500m or 32Gi, not \"%s\"", value->key,
                   text);
    return -1;
}

void kd_read_cpus(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    double cpus;
    if (read_quantity(reader, value, &cpus) != 0)
        return;
    if (cpus > most_cpus)
        kd_found_error(reader->findings, value->mark,
                       "%s is %s, more than any machine has: give "
                       "cores, as in 2 or 500m",
                       value->key, value->text);
    else
        *(double *)target = cpus;
}

void kd_read_memory(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    double bytes;
    if (read_quantity(reader, value, &bytes) != 0)
        return;
    if (bytes < 1024 * 1024 || bytes > 0x1p60)
        kd_found_error(reader->findings, value->mark,
                       "memory %s is %s: say how much in Mi or Gi, as in 32Gi", value->text,
                       bytes < 1024 * 1024 ? "less than 1Mi" : "more than any machine has");
    else
        *(int64_t *)target = (int64_t)bytes;
}

#define AT(member) offsetof(struct kd_resources, member)
void kd_read_resources(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"gpus", kd_read_count0, AT(gpus), 0},
        {"processes", kd_read_count, AT(processes), 0},
        {"cpus", kd_read_cpus, AT(cpus), 0},
        {"memory", kd_read_memory, AT(memory_bytes), 0},
        {"oversubscribe", kd_read_bool, AT(oversubscribe), 0},
        {"nodes", NULL, 0, KD_FIELD_PLANNED},
        {0},
    };
    kd_fields_read(reader, value, fields, "spec.resources", target);
}
#undef AT

#define AT(member) offsetof(struct kd_limits, member)
void kd_read_limits(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"trialTime", kd_read_seconds_above0, AT(trial_time_s), 0},
        {"grace", kd_read_seconds, AT(grace_s), 0},
        {"wallTime", kd_read_seconds_above0, AT(wall_time_s), 0},
        {"progressDeadline", kd_read_seconds_above0, AT(progress_deadline_s), 0},
        {"maxRetries", kd_read_count0, AT(max_retries), 0},
        {"gpuHours", NULL, 0, KD_FIELD_PLANNED},
        {0},
    };
    kd_fields_read(reader, value, fields, "spec.limits", target);
}
