#include "coordinator/feed.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/bus/message.h"

static const char *const outcome_names[] = {
    [KD_RUNNING] = "running",
    [KD_COMPLETE] = "complete",
    [KD_PRUNED] = "pruned",
    [KD_INFEASIBLE] = "infeasible",
};

static void write_add(struct kd_json *j, const struct kd_history *history, int number)
{
    kd_json_open(j, '[');
    kd_json_string(j, "add");
    kd_json_int(j, number);
    kd_json_open(j, '[');
    for (int i = 0; i < history->space->n_params; i++)
        kd_json_number(j, history->trials[number].values[i]);
    kd_json_close(j, ']');
    kd_json_close(j, ']');
}

/* Of a pruned trial the last point says how far it came; no other outcome's curve says more than its objective. One point,
 * so that an entry's size does not grow with a trial's length. */
static void write_done(struct kd_json *j, const struct kd_observation *trial)
{
    kd_json_open(j, '[');
    kd_json_string(j, "done");
    kd_json_int(j, trial->number);
    kd_json_string(j, outcome_names[trial->outcome]);
    kd_json_number(j, trial->objective);
    kd_json_open(j, '[');
    if (trial->outcome == KD_PRUNED && trial->n_reports > 0) {
        kd_json_open(j, '[');
        kd_json_int(j, trial->reports[trial->n_reports - 1].step);
        kd_json_number(j, trial->reports[trial->n_reports - 1].value);
        kd_json_close(j, ']');
    }
    kd_json_close(j, ']');
    kd_json_close(j, ']');
}

bool kd_feed_write(struct kd_feed *feed, const struct kd_history *history, int n_trials, int n_done,
                   size_t most_bytes, struct kd_json *j)
{
    while (feed->n_trials < n_trials && j->out->length < most_bytes)
        write_add(j, history, feed->n_trials++);
    while (feed->n_trials == n_trials && feed->n_done < n_done && j->out->length < most_bytes)
        write_done(j, &history->trials[history->done[feed->n_done++]]);
    return feed->n_trials < n_trials || feed->n_done < n_done;
}

static int read_add(const json_t *entry, struct kd_history *history, struct kd_error *err)
{
    const json_t *values = json_array_get(entry, 2);
    int n_params = history->space->n_params;
    if (json_integer_value(json_array_get(entry, 1)) != history->n ||
        (int)json_array_size(values) != n_params)
        return kd_fail(err, "TELL: trial %d with %d values was expected", history->n, n_params);
    double *point = KD_NEW_ARRAY(double, (size_t)n_params);
    int result = 0;
    for (int i = 0; i < n_params && result == 0; i++)
        if (!kd_json_to_number(json_array_get(values, (size_t)i), &point[i]))
            result = kd_fail(err, "TELL: trial %d: value %d is no number", history->n, i);
    if (result == 0)
        kd_history_add(history, point);
    free(point);
    return result;
}

static int find_outcome(const char *name)
{
    for (size_t i = 0; name && i < KD_COUNT(outcome_names); i++)
        if (strcmp(outcome_names[i], name) == 0)
            return (int)i;
    return -1;
}

static int read_done(const json_t *entry, struct kd_history *history, struct kd_error *err)
{
    int number = (int)json_integer_value(json_array_get(entry, 1));
    int outcome = find_outcome(json_string_value(json_array_get(entry, 2)));
    const json_t *reports = json_array_get(entry, 4);
    double objective;
    if (number < 0 || number >= history->n || history->trials[number].done_seq >= 0 ||
        outcome <= KD_RUNNING || !kd_json_to_number(json_array_get(entry, 3), &objective))
        return kd_fail(err, "TELL: a 'done' entry that does not fit (trial %d)", number);
    for (size_t i = 0; i < json_array_size(reports); i++) {
        const json_t *pair = json_array_get(reports, i);
        double value;
        if (kd_json_to_number(json_array_get(pair, 1), &value))
            kd_history_report(history, number, json_integer_value(json_array_get(pair, 0)), value);
    }
    kd_history_finish(history, number, (enum kd_outcome)outcome, objective);
    return 0;
}

int kd_feed_read(const json_t *entries, struct kd_history *history, struct kd_error *err)
{
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        const char *kind = json_string_value(json_array_get(entry, 0));
        bool is_add = kind != NULL && strcmp(kind, "add") == 0;
        int result = is_add ? read_add(entry, history, err) : read_done(entry, history, err);
        if (result != 0)
            return -1;
    }
    return 0;
}
