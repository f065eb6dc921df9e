#include "coordinator/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/feed.h"

static int trial_of_event(const struct kd_study *study, const struct kd_event *event)
{
    const struct kd_study_attempt *attempt =
        event->fence ? kd_study_find_attempt((struct kd_study *)study, event->fence) : NULL;
    return attempt ? attempt->row.trial : -1;
}

int kd_journal_write_event(struct kd_store *store, int64_t experiment, const struct kd_study *study,
                           const struct kd_event *event, struct kd_error *err)
{
    char *data = kd_event_to_json(event, study->experiment->space.n_params);
    int result = kd_store_add_event(store, experiment, event->at, trial_of_event(study, event),
                                    kd_event_name(event->kind), data, err);
    free(data);
    return result;
}

int kd_journal_write_action(struct kd_store *store, int64_t experiment, double at,
                            const struct kd_action *action, struct kd_error *err)
{
    char *data = kd_action_to_json(action);
    int result = kd_store_add_event(store, experiment, at, action->trial,
                                    kd_action_name(action->kind), data, err);
    free(data);
    return result;
}

/* ---- reading ---- */

struct walk {
    struct kd_store *store;
    struct kd_study *study;
    kd_actions actions;       /* of the newest event */
    size_t compared;          /* how many kept ones of them were met in the journal */
    struct kd_replay *replay; /* NULL: resume, nothing is compared */
    struct kd_sampler *sampler;
    struct kd_history told; /* what the strategy has been told */
    struct kd_feed feed;
};

__attribute__((format(printf, 2, 3))) static void differs(struct walk *walk, const char *format,
                                                          ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (walk->replay->n_differences++ == 0)
        walk->replay->first_difference = kd_strdup(text);
}

/* Reports of the watched metrics among the rows of the metrics table. */
struct collected {
    const struct kd_experiment *experiment;
    kd_point_reports reports;
};

static int collect_report(void *ud, const struct kd_metric_point *point)
{
    struct collected *collected = ud;
    kd_watch_point(collected->experiment, point->name, point->step, point->value,
                   &collected->reports);
    return 0;
}

static int load_reports(struct walk *walk, struct kd_event *event, struct collected *collected,
                        struct kd_error *err)
{
    if (event->kind != KD_EVENT_METRICS || event->first_row == 0)
        return 0;
    const struct kd_experiment *experiment = walk->study->experiment;
    const char *only = kd_watch_count(experiment) == 1 ? kd_watch_metric(experiment, 0) : NULL;
    collected->experiment = experiment;
    if (kd_store_each_metric(walk->store, event->first_row, event->last_row, only, collect_report,
                             collected, err) != 0)
        return -1;
    event->reports = collected->reports.items;
    event->n_reports = (int)collected->reports.n;
    return 0;
}

/* ---- comparing ---- */

static int tell(struct walk *walk, struct kd_error *err)
{
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '[');
    struct kd_feed_source source = kd_study_feed_source(walk->study);
    kd_feed_write(&walk->feed, &source, SIZE_MAX, &j);
    kd_json_close(&j, ']');
    json_t *entries = json_loads(text.text, 0, NULL);
    int result = kd_feed_read(entries, &walk->told, err);
    json_decref(entries);
    kd_str_release(&text);
    return result;
}

/* Asks the strategy again from the recorded basis, before the answer reaches the study. */
static int compare_suggestion(struct walk *walk, const struct kd_event *event, struct kd_error *err)
{
    size_t n_params = (size_t)walk->study->experiment->space.n_params;
    int asked = walk->study->ask_n;
    if (!walk->study->asking)
        return 0;
    if (tell(walk, err) != 0)
        return -1;
    double *points = KD_NEW_ARRAY(double, (size_t)asked *n_params);
    int n = kd_sampler_ask(walk->sampler, &walk->told, asked, points);
    walk->replay->n_suggestions += event->n;
    if (n != event->n)
        differs(walk, "trial %zu: the strategy gives %d points now and gave %d",
                walk->study->trials.n, n, event->n);
    else if (memcmp(points, event->values, (size_t)n * n_params * sizeof *points) != 0)
        differs(walk, "trial %zu: the strategy gives another point now", walk->study->trials.n);
    free(points);
    return 0;
}

static const struct kd_action *next_kept(struct walk *walk)
{
    while (walk->compared < walk->actions.n) {
        const struct kd_action *action = &walk->actions.items[walk->compared++];
        if (kd_action_is_kept(action->kind))
            return action;
    }
    return NULL;
}

static void compare_decision(struct walk *walk, int64_t seq, const char *kind, const char *data)
{
    walk->replay->n_decisions++;
    const struct kd_action *action = next_kept(walk);
    if (action == NULL) {
        differs(walk, "journal row %lld: %s %s was decided, and is not now", (long long)seq, kind,
                data);
        return;
    }
    char *now = kd_action_to_json(action);
    if (strcmp(kd_action_name(action->kind), kind) != 0 || strcmp(now, data) != 0)
        differs(walk, "journal row %lld: %s %s was decided, now it is %s %s", (long long)seq, kind,
                data, kd_action_name(action->kind), now);
    free(now);
}

static void expect_no_more_decisions(struct walk *walk, int64_t seq)
{
    const struct kd_action *action = next_kept(walk);
    if (action != NULL)
        differs(walk, "before journal row %lld: %s is decided now, and was not", (long long)seq,
                kd_action_name(action->kind));
}

static int apply_event(struct walk *walk, struct kd_event *event, struct kd_error *err)
{
    struct collected collected = {0};
    bool can_ask = walk->replay && !walk->study->experiment->is_external;
    int result = load_reports(walk, event, &collected, err);
    if (result == 0 && can_ask && event->kind == KD_EVENT_SUGGESTED)
        result = compare_suggestion(walk, event, err);
    if (result == 0) {
        kd_arr_clear(&walk->actions);
        walk->compared = 0;
        kd_study_apply(walk->study, event, &walk->actions);
    }
    kd_arr_release(&collected.reports);
    return result;
}

static int on_row(void *ud, int64_t seq, double at, int trial, const char *kind, const char *data,
                  struct kd_error *err)
{
    struct walk *walk = ud;
    (void)trial;
    if (strncmp(kind, "do.", 3) == 0) {
        if (walk->replay)
            compare_decision(walk, seq, kind, data);
        return 0;
    }
    if (walk->replay) {
        expect_no_more_decisions(walk, seq);
        walk->replay->n_events++;
    }
    struct kd_event event;
    json_t *body;
    double *values;
    int result = kd_event_from_json(kind, at, data, walk->study->experiment->space.n_params, &event,
                                    &body, &values, err);
    if (result == 0)
        result = apply_event(walk, &event, err);
    json_decref(body);
    free(values);
    return result != 0 ? kd_error_prefix(err, "journal row %lld", (long long)seq) : 0;
}

int kd_journal_resume(struct kd_store *store, int64_t experiment, struct kd_study *study,
                      struct kd_error *err)
{
    struct walk walk = {.store = store, .study = study};
    int result = kd_store_each_event(store, experiment, on_row, &walk, err);
    kd_arr_release(&walk.actions);
    return result;
}

int kd_journal_replay(struct kd_store *store, int64_t experiment, struct kd_study *study,
                      struct kd_replay *replay, struct kd_error *err)
{
    const struct kd_experiment *spec = study->experiment;
    struct walk walk = {.store = store, .study = study, .replay = replay};
    *replay = (struct kd_replay){0};
    walk.sampler = kd_experiment_sampler(spec, err);
    if (walk.sampler == NULL)
        return -1;
    kd_experiment_history(spec, &walk.told);
    int result = kd_store_each_event(store, experiment, on_row, &walk, err);
    kd_history_release(&walk.told);
    kd_sampler_free(walk.sampler);
    kd_arr_release(&walk.actions);
    return result;
}
