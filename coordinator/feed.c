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

/* ---- writing ---- */

static void write_numbers(struct kd_json *j, const double *numbers, int n)
{
    kd_json_open(j, '[');
    for (int i = 0; i < n; i++)
        kd_json_number(j, numbers[i]);
    kd_json_close(j, ']');
}

/* "complete", [objective, ...], [[step, value]], [constraint, ...]. Of a pruned trial the last
 * point says how far it came; no other outcome's curve says more than its objective. One point, so
 * that an entry's size does not grow with a trial's length. What was not measured is an empty
 * list. */
static void write_end(struct kd_json *j, const struct kd_history *history, int number)
{
    const struct kd_observation *trial = &history->trials[number];
    bool has_all = history->n_objectives == 1 || trial->objectives != NULL;
    kd_json_string(j, outcome_names[trial->outcome]);
    write_numbers(j, trial->objectives ? trial->objectives : &trial->objective,
                  has_all ? history->n_objectives : 0);
    kd_json_open(j, '[');
    if (trial->outcome == KD_PRUNED && trial->n_reports > 0) {
        kd_json_open(j, '[');
        kd_json_int(j, trial->reports[trial->n_reports - 1].step);
        kd_json_number(j, trial->reports[trial->n_reports - 1].value);
        kd_json_close(j, ']');
    }
    kd_json_close(j, ']');
    write_numbers(j, trial->constraints, trial->constraints ? history->n_constraints : 0);
}

void kd_feed_write_prior(struct kd_json *j, const struct kd_history *priors, int number)
{
    kd_json_open(j, '[');
    kd_json_string(j, "prior");
    write_numbers(j, priors->trials[number].values, priors->space->n_params);
    write_end(j, priors, number);
    kd_json_close(j, ']');
}

static void write_add(struct kd_json *j, const struct kd_history *history, int number)
{
    kd_json_open(j, '[');
    kd_json_string(j, "add");
    kd_json_int(j, number);
    write_numbers(j, history->trials[number].values, history->space->n_params);
    if (history->trials[number].parent >= 0)
        kd_json_int(j, history->trials[number].parent);
    kd_json_close(j, ']');
}

static void write_halt(struct kd_json *j, const struct kd_halt *halt)
{
    kd_json_open(j, '[');
    kd_json_string(j, halt->goes_on ? "resumed" : "paused");
    kd_json_int(j, halt->trial);
    kd_json_int(j, halt->step);
    if (!halt->goes_on)
        kd_json_number(j, halt->value);
    kd_json_close(j, ']');
}

static void write_done(struct kd_json *j, const struct kd_history *history, int number)
{
    kd_json_open(j, '[');
    kd_json_string(j, "done");
    kd_json_int(j, number);
    write_end(j, history, number);
    kd_json_close(j, ']');
}

/* A trial is added before it halts, and halts before it is done. */
bool kd_feed_write(struct kd_feed *feed, const struct kd_feed_source *source, size_t most_bytes,
                   struct kd_json *j)
{
    const struct kd_history *own = source->own;
    while (feed->n_priors < source->priors->n && j->out->length < most_bytes)
        kd_feed_write_prior(j, source->priors, feed->n_priors++);
    while (feed->n_trials < source->n_trials && j->out->length < most_bytes)
        write_add(j, own, feed->n_trials++);
    while (feed->n_trials == source->n_trials && feed->n_halts < source->n_halts &&
           j->out->length < most_bytes)
        write_halt(j, &source->halts[feed->n_halts++]);
    while (feed->n_trials == source->n_trials && feed->n_halts == source->n_halts &&
           feed->n_done < source->n_done && j->out->length < most_bytes)
        write_done(j, own, own->done[feed->n_done++]);
    return feed->n_priors < source->priors->n || feed->n_trials < source->n_trials ||
           feed->n_halts < source->n_halts || feed->n_done < source->n_done;
}

/* ---- reading ---- */

/* Exactly n numbers, or with may_lack none at all: *numbers (owned by the caller) is then NULL. */
static int read_numbers(const json_t *list, int n, bool may_lack, double **numbers)
{
    *numbers = NULL;
    if (may_lack && json_array_size(list) == 0)
        return 0;
    if ((int)json_array_size(list) != n)
        return -1;
    *numbers = KD_NEW_ARRAY(double, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        if (!kd_json_to_number(json_array_get(list, (size_t)i), &(*numbers)[i]))
            return -1;
    return 0;
}

/* What stands behind the outcome of an entry. */
struct ending {
    int outcome;
    double *objectives, *constraints; /* owned; NULL = not measured */
    const json_t *reports;
};

static int find_outcome(const char *name)
{
    for (size_t i = 0; name && i < KD_COUNT(outcome_names); i++)
        if (strcmp(name, outcome_names[i]) == 0)
            return (int)i;
    return -1;
}

static int read_end(const json_t *entry, size_t at, const struct kd_history *history,
                    struct ending *end)
{
    end->outcome = find_outcome(json_string_value(json_array_get(entry, at)));
    end->reports = json_array_get(entry, at + 2);
    if (end->outcome <= KD_RUNNING ||
        read_numbers(json_array_get(entry, at + 1), history->n_objectives, true,
                     &end->objectives) != 0)
        return -1;
    return read_numbers(json_array_get(entry, at + 3), history->n_constraints, true,
                        &end->constraints);
}

static void release_end(struct ending *end)
{
    free(end->objectives);
    free(end->constraints);
}

static struct kd_measured measured(const struct ending *end)
{
    return (struct kd_measured){.objectives = end->objectives, .constraints = end->constraints};
}

static void add_reports(const struct ending *end, struct kd_history *history, int number)
{
    for (size_t i = 0; i < json_array_size(end->reports); i++) {
        const json_t *pair = json_array_get(end->reports, i);
        double value;
        if (kd_json_to_number(json_array_get(pair, 1), &value))
            kd_history_report(history, number, json_integer_value(json_array_get(pair, 0)), value);
    }
}

static int read_prior(const json_t *entry, struct kd_history *history, struct kd_error *err)
{
    struct ending end = {0};
    double *point = NULL;
    int result = 0, number = history->n;
    if (history->n != history->n_prior ||
        read_numbers(json_array_get(entry, 1), history->space->n_params, false, &point) != 0 ||
        read_end(entry, 2, history, &end) != 0) {
        result = kd_fail(err, "TELL: a 'prior' entry that does not fit (the %d. one)", number + 1);
    } else {
        kd_history_add_prior_measured(history, point, (enum kd_outcome)end.outcome, measured(&end));
        add_reports(&end, history, number);
    }
    release_end(&end);
    free(point);
    return result;
}

/* A clone says whose: an enqueued point is for the i-th trial that is none. */
static int add_child(const json_t *entry, int number, struct kd_history *history,
                     struct kd_error *err)
{
    const json_t *parent = json_array_get(entry, 3);
    int at = parent ? history->n_prior + (int)json_integer_value(parent) : -1;
    if (parent && (at < history->n_prior || at >= number))
        return kd_fail(err, "TELL: the parent of trial %d comes after it",
                       number - history->n_prior);
    if (parent)
        kd_history_schedule(history, number, 0, at);
    return 0;
}

static int read_add(const json_t *entry, struct kd_history *history, struct kd_error *err)
{
    int next = history->n - history->n_prior;
    double *point = NULL;
    int result = 0;
    if (json_integer_value(json_array_get(entry, 1)) != next ||
        read_numbers(json_array_get(entry, 2), history->space->n_params, false, &point) != 0)
        result = kd_fail(err, "TELL: trial %d with %d numbers was expected", next,
                         history->space->n_params);
    else
        result = add_child(entry, kd_history_add(history, point), history, err);
    free(point);
    return result;
}

/* The trial of an entry, which must not be over; -1 = no such one. */
static int find_open(const json_t *entry, const struct kd_history *history)
{
    json_int_t own = json_integer_value(json_array_get(entry, 1));
    int number = history->n_prior + (int)own;
    bool is_open =
        own >= 0 && own < history->n - history->n_prior && history->trials[number].done_seq < 0;
    return is_open ? number : -1;
}

static int read_paused(const json_t *entry, struct kd_history *history, struct kd_error *err)
{
    int number = find_open(entry, history);
    double value;
    if (number < 0 || !kd_json_to_number(json_array_get(entry, 3), &value))
        return kd_fail(err, "TELL: a 'paused' entry that does not fit");
    kd_history_report(history, number, json_integer_value(json_array_get(entry, 2)), value);
    kd_history_pause(history, number);
    return 0;
}

static int read_resumed(const json_t *entry, struct kd_history *history, struct kd_error *err)
{
    int number = find_open(entry, history);
    if (number < 0 || !history->trials[number].is_paused)
        return kd_fail(err, "TELL: a 'resumed' entry that does not fit");
    kd_history_resume(history, number, json_integer_value(json_array_get(entry, 2)));
    return 0;
}

static int read_done(const json_t *entry, struct kd_history *history, struct kd_error *err)
{
    int number = find_open(entry, history), result = 0;
    struct ending end = {0};
    if (number < 0 || read_end(entry, 2, history, &end) != 0) {
        result = kd_fail(err, "TELL: a 'done' entry that does not fit (trial %d)",
                         (int)json_integer_value(json_array_get(entry, 1)));
    } else {
        add_reports(&end, history, number);
        kd_history_finish_measured(history, number, (enum kd_outcome)end.outcome, measured(&end));
    }
    release_end(&end);
    return result;
}

static const struct {
    const char *kind;
    int (*read)(const json_t *, struct kd_history *, struct kd_error *);
} readers[] = {{"prior", read_prior},
               {"add", read_add},
               {"paused", read_paused},
               {"resumed", read_resumed},
               {"done", read_done}};

static int read_entry(const json_t *entry, struct kd_history *history, struct kd_error *err)
{
    const char *kind = json_string_value(json_array_get(entry, 0));
    for (size_t i = 0; kind && i < KD_COUNT(readers); i++)
        if (strcmp(readers[i].kind, kind) == 0)
            return readers[i].read(entry, history, err);
    return kd_fail(err, "TELL: an entry of no known kind");
}

int kd_feed_read(const json_t *entries, struct kd_history *history, struct kd_error *err)
{
    for (size_t i = 0; i < json_array_size(entries); i++)
        if (read_entry(json_array_get(entries, i), history, err) != 0)
            return -1;
    return 0;
}
