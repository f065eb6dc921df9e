#include "coordinator/suggest_request.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/point.h"

/* ---- the line ---- */

static const struct {
    const char *bare, *quoted;
} no_numbers[] = {{"NaN", "\"nan\""}, {"Infinity", "\"inf\""}, {"-Infinity", "\"-inf\""}};

/* Appends the quoted form of a bare NaN or Infinity that stands here; its length, or 0. */
static size_t add_quoted(const char *at, const char *end, struct kd_str *out)
{
    for (size_t i = 0; i < KD_COUNT(no_numbers); i++) {
        size_t length = strlen(no_numbers[i].bare);
        if ((size_t)(end - at) < length || memcmp(at, no_numbers[i].bare, length) != 0)
            continue;
        kd_str_add(out, no_numbers[i].quoted);
        return length;
    }
    return 0;
}

static void quote_no_numbers(const char *line, size_t length, struct kd_str *out)
{
    bool is_text = false;
    for (const char *at = line, *end = line + length; at < end;) {
        size_t skip = is_text ? 0 : add_quoted(at, end, out);
        if (skip == 0) {
            bool is_escape = is_text && *at == '\\' && at + 1 < end;
            is_text ^= *at == '"';
            skip = is_escape ? 2 : 1;
            kd_str_addn(out, at, skip);
        }
        at += skip;
    }
}

json_t *kd_request_parse(const char *line, size_t length, struct kd_error *err)
{
    json_error_t error;
    struct kd_str text = {0};
    json_t *json = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        quote_no_numbers(line, length, &text);
        json = json_loadb(kd_str_text(&text), text.length, JSON_REJECT_DUPLICATES, NULL);
    }
    kd_str_release(&text);
    if (json == NULL)
        kd_fail(err, "this is no JSON: %s (column %d); one line is one object, as in {\"ask\": 1}",
                error.text, error.column);
    return json;
}

/* ---- single values ---- */

static const char *kind_of(const json_t *json)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return json ? names[json_typeof(json)] : "missing";
}

int kd_request_count(const json_t *json, const char *what, int64_t min, int64_t max, int64_t *value,
                     struct kd_error *err)
{
    char text[KD_NUMBER_MAX];
    double number = json_number_value(json);
    if (!json_is_number(json))
        return kd_fail(err, "%s must be a whole number, and is %s", what, kind_of(json));
    if (number != floor(number) || number < (double)min || number > (double)max)
        return kd_fail(err, "%s must be a whole number from %lld to %lld, and is %s", what,
                       (long long)min, (long long)max, kd_number_text(number, text));
    *value = (int64_t)number;
    return 0;
}

/* A number, or one that JSON cannot say: "nan", "inf", "-inf"; null is NaN. */
static int read_value(const json_t *json, const char *what, double *value, struct kd_error *err)
{
    if (json_is_number(json))
        *value = json_number_value(json);
    else if (json_is_null(json))
        *value = NAN;
    else if (!json_is_string(json))
        return kd_fail(err, "%s must be a number, and is %s", what, kind_of(json));
    else if (kd_number_parse(json_string_value(json), value) != 0)
        return kd_fail(err, "%s must be a number (or \"nan\", \"inf\", \"-inf\"), not \"%s\"", what,
                       json_string_value(json));
    return 0;
}

/* keys ends with NULL. */
static int check_keys(const json_t *json, const char *what, const char *const *keys,
                      struct kd_error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(json))
        return kd_fail(err, "%s must be an object, and is %s", what, kind_of(json));
    json_object_foreach((json_t *)json, key, value)
    {
        int i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0)
            i++;
        if (keys[i])
            continue;
        struct kd_str known = {0};
        for (i = 0; keys[i]; i++)
            kd_str_addf(&known, "%s%s", i ? ", " : "", keys[i]);
        kd_fail(err, "%s: there is no \"%s\"; known are %s", what, key, kd_str_text(&known));
        kd_str_release(&known);
        return -1;
    }
    return 0;
}

/* ---- values by the metrics' names ---- */

typedef const char *(*metric_name)(const struct kd_experiment *experiment, int i);

static const char *constraint_metric(const struct kd_experiment *experiment, int i)
{
    return experiment->constraints[i].metric;
}

static int wrong_count(const struct kd_experiment *experiment, const char *what, metric_name name,
                       int n, const json_t *json, struct kd_error *err)
{
    struct kd_str names = {0};
    for (int i = 0; i < n; i++)
        kd_str_addf(&names, "%s%s", i ? ", " : "", name(experiment, i));
    kd_fail(err, "%s must be a list of %d number%s (%s), and is %s of %zu", what, n,
            n == 1 ? "" : "s", kd_str_text(&names), kind_of(json),
            json_is_array(json) ? json_array_size(json) : json_object_size(json));
    kd_str_release(&names);
    return -1;
}

/* n values, owned: a list in the metrics' order, or {metric: value}. NULL and err. */
static double *read_values(const struct kd_experiment *experiment, const json_t *json,
                           const char *what, metric_name name, int n, struct kd_error *err)
{
    bool is_list = json_is_array(json), is_object = json_is_object(json);
    size_t size = is_list ? json_array_size(json) : json_object_size(json);
    if (!is_list && !is_object) {
        kd_fail(err, "%s must be a list of numbers, and is %s", what, kind_of(json));
        return NULL;
    }
    double *values = KD_NEW_ARRAY(double, (size_t)n + 1);
    int bad = is_list && size != (size_t)n ? wrong_count(experiment, what, name, n, json, err) : 0;
    for (int i = 0; i < n && !bad; i++) {
        const char *metric = name(experiment, i);
        const json_t *item =
            is_list ? json_array_get(json, (size_t)i) : json_object_get(json, metric);
        char *whole = kd_format("%s: %s", what, metric);
        bad = read_value(item, whole, &values[i], err);
        free(whole);
    }
    if (!bad)
        return values;
    free(values);
    return NULL;
}

double *kd_request_objectives(const struct kd_experiment *experiment, const json_t *json,
                              const char *what, struct kd_error *err)
{
    return read_values(experiment, json, what, kd_experiment_metric,
                       kd_experiment_n_objectives(experiment), err);
}

/* ---- tell ---- */

/* Also the names that trials have elsewhere (`katydid explain states`). */
static const struct {
    const char *name;
    enum kd_told_state state;
} states[] = {
    {"complete", KD_TOLD_COMPLETE},  {"pruned", KD_TOLD_PRUNED},
    {"failed", KD_TOLD_FAILED},      {"paused", KD_TOLD_PAUSED},
    {"running", KD_TOLD_RUNNING},    {"completed", KD_TOLD_COMPLETE},
    {"succeeded", KD_TOLD_COMPLETE}, {"earlystopped", KD_TOLD_PRUNED},
    {"fail", KD_TOLD_FAILED},        {"killed", KD_TOLD_FAILED},
    {"infeasible", KD_TOLD_FAILED},  {"metricsunavailable", KD_TOLD_FAILED},
};

static int read_state(const json_t *json, struct kd_told *told, struct kd_error *err)
{
    const char *name = json_string_value(json);
    for (size_t i = 0; name && i < KD_COUNT(states); i++)
        if (strcasecmp(states[i].name, name) == 0) {
            told->state = states[i].state;
            return 0;
        }
    return kd_fail(err, "state must be complete, pruned, failed, paused or running, and is %s%s%s",
                   name ? "\"" : kind_of(json), name ? name : "", name ? "\"" : "");
}

static int read_report(const json_t *step, const json_t *value, struct kd_report *report,
                       struct kd_error *err)
{
    if (kd_request_count(step, "step", 0, (int64_t)1 << 53, &report->step, err) != 0)
        return -1;
    return read_value(value, "value", &report->value, err);
}

static int read_reports(const json_t *json, struct kd_told *told, struct kd_error *err)
{
    size_t i;
    json_t *pair;
    if (json == NULL)
        return 0;
    if (!json_is_array(json))
        return kd_fail(err, "intermediate must be a list of [step, value], and is %s",
                       kind_of(json));
    told->reports = KD_NEW_ARRAY(struct kd_report, json_array_size(json) + 1);
    json_array_foreach(json, i, pair)
    {
        if (json_array_size(pair) != 2)
            return kd_fail(err, "intermediate: item %zu must be [step, value]", i);
        if (read_report(json_array_get(pair, 0), json_array_get(pair, 1), &told->reports[i], err))
            return kd_error_prefix(err, "intermediate: item %zu", i);
        told->n_reports++;
    }
    return 0;
}

/* "objective": 0.3 of one, "objectives": [0.3, 12] of several. */
static int read_measured(const struct kd_experiment *experiment, const json_t *json,
                         struct kd_told *told, struct kd_error *err)
{
    const json_t *one = json_object_get(json, "objective");
    const json_t *all = json_object_get(json, "objectives");
    const json_t *constraints = json_object_get(json, "constraints");
    int n = kd_experiment_n_objectives(experiment);
    if (one && (all || n > 1))
        return kd_fail(err, "objective: %s",
                       n > 1 ? "there are several, so give objectives: a list in the spec's order"
                             : "give objective or objectives, not both");
    if (one) {
        told->objectives = KD_NEW_ARRAY(double, 1);
        if (read_value(one, "objective", told->objectives, err) != 0)
            return -1;
    }
    if (all &&
        (told->objectives = kd_request_objectives(experiment, all, "objectives", err)) == NULL)
        return -1;
    if (constraints == NULL)
        return 0;
    if (experiment->n_constraints == 0)
        return kd_fail(err, "constraints: the spec has none");
    told->constraints = read_values(experiment, constraints, "constraints", constraint_metric,
                                    experiment->n_constraints, err);
    return told->constraints ? 0 : -1;
}

void kd_told_release(struct kd_told *told)
{
    free(told->objectives);
    free(told->constraints);
    free(told->reports);
    *told = (struct kd_told){0};
}

int kd_request_tell(const struct kd_experiment *experiment, const json_t *json,
                    struct kd_told *told, struct kd_error *err)
{
    static const char *const keys[] = {"number",      "state",        "objective", "objectives",
                                       "constraints", "intermediate", NULL};
    *told = (struct kd_told){0};
    if (check_keys(json, "tell", keys, err) == 0 &&
        kd_request_count(json_object_get(json, "number"), "number", 0, INT32_MAX, &told->number,
                         err) == 0 &&
        read_state(json_object_get(json, "state"), told, err) == 0 &&
        read_reports(json_object_get(json, "intermediate"), told, err) == 0 &&
        read_measured(experiment, json, told, err) == 0)
        return 0;
    kd_told_release(told);
    return -1;
}

/* ---- judge, enqueue ---- */

int kd_request_judge(const json_t *json, struct kd_judged *judged, struct kd_error *err)
{
    static const char *const keys[] = {"number", "step", "value", NULL};
    if (check_keys(json, "judge", keys, err) != 0 ||
        kd_request_count(json_object_get(json, "number"), "number", 0, INT32_MAX, &judged->number,
                         err) != 0)
        return -1;
    return read_report(json_object_get(json, "step"), json_object_get(json, "value"),
                       &judged->report, err);
}

/* A parameter's value as text: a choice may be written as the number or the bool that it looks
 * like. */
static char *value_text(const json_t *json)
{
    char buffer[KD_NUMBER_MAX];
    if (json_is_string(json))
        return kd_strdup(json_string_value(json));
    if (json_is_boolean(json))
        return kd_strdup(json_is_true(json) ? "true" : "false");
    if (json_is_integer(json))
        return kd_format("%lld", (long long)json_integer_value(json));
    return json_is_real(json) ? kd_strdup(kd_number_text(json_real_value(json), buffer)) : NULL;
}

static int read_param(const struct kd_space *space, const char *name, const json_t *json,
                      double *point, struct kd_error *err)
{
    int at = kd_space_find(space, name);
    if (at < 0)
        return kd_fail(err, "there is no parameter \"%s\"", name);
    if (json_is_null(json))
        return 0;
    char *text = value_text(json);
    int rc = text ? kd_param_parse(&space->params[at], text, &point[at], err)
                  : kd_fail(err, "%s cannot be %s", name, kind_of(json));
    free(text);
    return rc;
}

int kd_request_point(const struct kd_space *space, const json_t *json, double *point,
                     struct kd_error *err)
{
    const char *name;
    json_t *value;
    int at;
    if (!json_is_object(json))
        return kd_fail(err, "a point must be an object, and is %s", kind_of(json));
    for (int i = 0; i < space->n_params; i++)
        point[i] = NAN;
    json_object_foreach((json_t *)json, name, value)
    {
        if (read_param(space, name, value, point, err) != 0)
            return -1;
    }
    return kd_point_check(space, point, &at, err);
}
