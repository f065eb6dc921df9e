#include "trainer/report.h"

#include <math.h>
#include <string.h>

#include "coordinator/base/str.h"

const struct kd_metric_name kd_metrics[KD_N_METRICS] = {
#define KD_METRIC(constant, name, better, summary) {name, KD_BETTER_##better, summary},
#include "trainer/metrics.def"
#undef KD_METRIC
};

void kd_report_set(struct kd_report *report, enum kd_metric_kind kind, double value)
{
    report->values[kind] = value;
    report->has[kind] = true;
}

static json_t *number_to_json(double value)
{
    char text[KD_NUMBER_MAX];
    return isfinite(value) ? json_real(value) : json_string(kd_number_text(value, text));
}

static int number_from_json(const json_t *json, double *value)
{
    if (json_is_string(json))
        return kd_number_parse(json_string_value(json), value);
    *value = json_number_value(json);
    return json_is_number(json) ? 0 : -1;
}

json_t *kd_report_to_json(const struct kd_report *report)
{
    json_t *values = json_object();
    for (int i = 0; i < KD_N_METRICS; i++)
        if (report->has[i])
            json_object_set_new(values, kd_metrics[i].name, number_to_json(report->values[i]));
    return json_pack("[I, f, o]", (json_int_t)report->step, report->at, values);
}

int kd_report_from_json(const json_t *json, struct kd_report *report)
{
    json_t *values = json_array_get(json, 2);
    *report = (struct kd_report){.step = json_integer_value(json_array_get(json, 0)),
                                 .at = json_number_value(json_array_get(json, 1))};
    if (!json_is_object(values))
        return -1;
    for (int i = 0; i < KD_N_METRICS; i++) {
        const json_t *value = json_object_get(values, kd_metrics[i].name);
        double number;
        if (!value)
            continue;
        if (number_from_json(value, &number) < 0)
            return -1;
        kd_report_set(report, (enum kd_metric_kind)i, number);
    }
    return 0;
}
