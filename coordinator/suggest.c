#include "coordinator/suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/spec/render.h"
#include "coordinator/suggest_best.h"
#include "coordinator/suggest_request.h"
#include "coordinator/watch.h"
#include "search/stopper.h"
#include "search/strategy.h"

enum { MOST_ASKED = 10000 };

struct kd_suggest {
    const struct kd_experiment *experiment;
    struct kd_history history;
    struct kd_sampler *sampler;
    struct kd_scheduler *scheduler;
    bool has_schedule; /* the stopper says until when, and whom to resume */
    bool can_pause;
    int resource; /* the parameter that tells a trial its `until` (Katib's resource_name), -1 = none */
    double *point;  /* room for one */
    int n_enqueued; /* rows that the sampler was given */
};

static int check_self_contained(const struct kd_experiment *experiment, struct kd_error *err)
{
    if (experiment->is_external)
        return kd_fail(err, "algorithm external: its points come from a process that asks katydid "
                            "for nothing; use katydid run");
    if (experiment->warm_start.experiment)
        return kd_fail(err,
                       "warmStart: there is no database here to read %s from; leave it out "
                       "(~warmStart), and tell its trials",
                       experiment->warm_start.experiment);
    return 0;
}

struct kd_suggest *kd_suggest_new(const struct kd_experiment *experiment, struct kd_error *err)
{
    if (check_self_contained(experiment, err) != 0)
        return NULL;
    struct kd_sampler *sampler = kd_experiment_sampler(experiment, err);
    struct kd_scheduler *scheduler = sampler ? kd_experiment_scheduler(experiment, err) : NULL;
    if (scheduler == NULL) {
        kd_sampler_free(sampler);
        return NULL;
    }
    const struct kd_stopper *stopper = experiment->stopper;
    struct kd_suggest *suggest = KD_NEW(struct kd_suggest);
    *suggest = (struct kd_suggest){.experiment = experiment,
                                   .sampler = sampler,
                                   .scheduler = scheduler,
                                   .resource = kd_experiment_resource(experiment),
                                   .n_enqueued = experiment->n_enqueued};
    if (stopper) {
        unsigned can = kd_stopper_can(stopper, &experiment->stopper_settings);
        suggest->can_pause = can & KD_STOPPER_PAUSES;
        suggest->has_schedule = can != 0 || experiment->fidelity_max >= 1;
    }
    suggest->point = KD_NEW_ARRAY(double, (size_t)experiment->space.n_params + 1);
    kd_experiment_history(experiment, &suggest->history);
    return suggest;
}

void kd_suggest_free(struct kd_suggest *suggest)
{
    if (suggest == NULL)
        return;
    kd_history_release(&suggest->history);
    kd_scheduler_free(suggest->scheduler);
    kd_sampler_free(suggest->sampler);
    free(suggest->point);
    free(suggest);
}

/* ---- ask ---- */

/* 0: to the end, which nobody has said where it is. */
static int64_t until_of(const struct kd_suggest *suggest, const struct kd_observation *trial)
{
    return trial->until > 0 ? trial->until : (int64_t)suggest->experiment->fidelity_max;
}

static void add_schedule(const struct kd_suggest *suggest, const struct kd_observation *trial,
                         bool is_resumed, struct kd_json *j)
{
    int64_t until = until_of(suggest, trial);
    kd_json_key(j, "until");
    if (until > 0)
        kd_json_int(j, until);
    else
        kd_json_null(j);
    kd_json_add_bool(j, "resume", is_resumed);
    kd_json_key(j, "parent");
    if (trial->parent >= 0)
        kd_json_int(j, trial->parent);
    else
        kd_json_null(j);
}

static void add_trial(const struct kd_suggest *suggest, int number, bool is_resumed,
                      struct kd_json *j)
{
    const struct kd_observation *trial = &suggest->history.trials[number];
    double *values = suggest->point;
    if (suggest->experiment->space.n_params > 0)
        memcpy(values, trial->values, (size_t)suggest->experiment->space.n_params * sizeof *values);
    if (suggest->resource >= 0 && until_of(suggest, trial) > 0)
        values[suggest->resource] =
            kd_param_clip(&suggest->experiment->space.params[suggest->resource],
                          (double)until_of(suggest, trial));
    char *params = kd_point_json(&suggest->experiment->space, values);
    kd_json_open(j, '{');
    kd_json_add_int(j, "number", number);
    kd_json_add_raw(j, "params", params);
    if (suggest->has_schedule)
        add_schedule(suggest, trial, is_resumed, j);
    kd_json_close(j, '}');
    free(params);
}

/* false: there is no point left. */
static bool start_new(struct kd_suggest *suggest, const struct kd_next *next, struct kd_json *j)
{
    struct kd_history *history = &suggest->history;
    if (!next->has_point && kd_sampler_ask(suggest->sampler, history, 1, suggest->point) < 1)
        return false;
    int number = kd_history_add(history, suggest->point);
    kd_history_schedule(history, number, next->until, next->parent);
    add_trial(suggest, number, false, j);
    return true;
}

static const char *reason_of_end(const struct kd_suggest *suggest, bool has_number)
{
    if (suggest->can_pause)
        return has_number ? "the rungs are used up"
                          : "maxTrialCount is reached, and the rungs are used up";
    return has_number ? "every point of the space has been proposed" : "maxTrialCount is reached";
}

/* One free slot. true: something was done; else *end says whether there will be more. */
static bool ask_one(struct kd_suggest *suggest, struct kd_json *j, const char **end)
{
    int most = suggest->experiment->max_trials;
    bool has_number = most < 0 || suggest->history.n < most, may_start = has_number;
    for (;;) {
        struct kd_next next = {.kind = KD_NEXT_END};
        if (may_start || suggest->can_pause)
            next = kd_scheduler_next(suggest->scheduler, &suggest->history,
                                     may_start ? suggest->point : NULL);
        if (next.kind == KD_NEXT_NEW && start_new(suggest, &next, j))
            return true;
        if (next.kind == KD_NEXT_RESUME) {
            kd_history_resume(&suggest->history, next.trial, next.until);
            add_trial(suggest, next.trial, true, j);
            return true;
        }
        *end = next.kind == KD_NEXT_END ? reason_of_end(suggest, has_number) : NULL;
        if (next.kind != KD_NEXT_NEW)
            return false;
        may_start = false;
    }
}

static int ask(struct kd_suggest *suggest, const json_t *json, struct kd_json *j,
               struct kd_error *err)
{
    int64_t n;
    const char *end = NULL;
    if (kd_request_count(json, "ask", 1, MOST_ASKED, &n, err) != 0)
        return -1;
    kd_json_key(j, "trials");
    kd_json_open(j, '[');
    while (n > 0 && ask_one(suggest, j, &end))
        n--;
    kd_json_close(j, ']');
    kd_json_add_bool(j, "end", end != NULL);
    if (end)
        kd_json_add_string(j, "reason", end);
    return 0;
}

/* ---- tell ---- */

/* The trial, which must still be running (or paused). NULL and err. */
static const struct kd_observation *find_running(const struct kd_suggest *suggest, int64_t number,
                                                 struct kd_error *err)
{
    if (number >= suggest->history.n) {
        kd_fail(err, "there is no trial %lld: %d were asked for", (long long)number,
                suggest->history.n);
        return NULL;
    }
    if (suggest->history.trials[number].outcome == KD_RUNNING)
        return &suggest->history.trials[number];
    kd_fail(err, "trial %lld has ended: it was told before", (long long)number);
    return NULL;
}

/* Only a trial that stands at its rung is compared there, and resumed. */
static bool has_reached(const struct kd_observation *trial, const struct kd_told *told)
{
    bool reached =
        trial->n_reports > 0 && trial->reports[trial->n_reports - 1].step >= trial->until;
    for (int i = 0; i < told->n_reports; i++)
        reached = reached || told->reports[i].step >= trial->until;
    return reached;
}

static int check_told(const struct kd_suggest *suggest, const struct kd_told *told,
                      struct kd_error *err)
{
    const struct kd_observation *trial = find_running(suggest, told->number, err);
    bool has_reports = trial && (told->n_reports > 0 || trial->n_reports > 0);
    int n = kd_experiment_n_objectives(suggest->experiment);
    if (trial == NULL)
        return -1;
    if (trial->is_paused && told->state == KD_TOLD_RUNNING)
        return kd_fail(err, "trial %lld is paused: it goes on when ask resumes it",
                       (long long)told->number);
    if (told->state == KD_TOLD_PAUSED && !suggest->can_pause)
        return kd_fail(err, "nothing would resume trial %lld: %s does not pause trials",
                       (long long)told->number, suggest->experiment->algorithm);
    if (told->state == KD_TOLD_PAUSED && !has_reached(trial, told))
        return kd_fail(err,
                       "trial %lld cannot pause before its rung: give the intermediate value of "
                       "step %lld with it",
                       (long long)told->number, (long long)trial->until);
    if (told->state == KD_TOLD_COMPLETE && told->objectives == NULL && (n > 1 || !has_reports))
        return kd_fail(err, "a complete trial needs its %s",
                       n > 1 ? "objectives" : "objective, or intermediate values");
    if (told->state == KD_TOLD_COMPLETE && told->constraints == NULL &&
        suggest->experiment->n_constraints > 0)
        return kd_fail(err, "a complete trial needs its constraints: what was measured, in the "
                            "spec's order");
    return 0;
}

/* The objective that follows from the reports, as the spec picks it. Reports are minimised: the
 * extremes change places. */
static double picked(const struct kd_suggest *suggest, const struct kd_observation *trial)
{
    enum kd_metric_pick pick = suggest->experiment->objective.pick;
    if (suggest->experiment->objective.maximize && pick != KD_PICK_LATEST)
        pick = pick == KD_PICK_MIN ? KD_PICK_MAX : KD_PICK_MIN;
    return kd_points_pick(trial->reports, trial->n_reports, pick);
}

static bool all_finite(const double *values, int n)
{
    for (int i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static void finish(struct kd_suggest *suggest, const struct kd_told *told)
{
    const struct kd_experiment *experiment = suggest->experiment;
    const struct kd_observation *trial = &suggest->history.trials[told->number];
    int n = kd_experiment_n_objectives(experiment), n_constraints = experiment->n_constraints;
    double *objectives = KD_NEW_ARRAY(double, (size_t)n);
    double *excess = KD_NEW_ARRAY(double, (size_t)n_constraints + 1);
    bool counts = told->state != KD_TOLD_FAILED && (told->objectives || n == 1);
    for (int i = 0; i < n; i++)
        objectives[i] = !counts ? NAN
                        : told->objectives
                            ? kd_experiment_flip(suggest->experiment, i, told->objectives[i])
                            : picked(suggest, trial);
    for (int i = 0; told->constraints && i < n_constraints; i++)
        excess[i] = kd_constraint_excess(&experiment->constraints[i], told->constraints[i]);
    enum kd_outcome outcome = told->state == KD_TOLD_PRUNED         ? KD_PRUNED
                              : counts && all_finite(objectives, n) ? KD_COMPLETE
                                                                    : KD_INFEASIBLE;
    struct kd_measured measured = {counts ? objectives : NULL, told->constraints ? excess : NULL};
    kd_history_finish_measured(&suggest->history, (int)told->number, outcome, measured);
    free(objectives);
    free(excess);
}

/* Told by the judgement already, or by the user, or by both. */
static void stand_still(struct kd_suggest *suggest, int number)
{
    if (!suggest->history.trials[number].is_paused)
        kd_history_pause(&suggest->history, number);
}

static int tell(struct kd_suggest *suggest, const json_t *json, struct kd_json *j,
                struct kd_error *err)
{
    struct kd_told told;
    if (kd_request_tell(suggest->experiment, json, &told, err) != 0)
        return -1;
    int rc = check_told(suggest, &told, err), number = (int)told.number;
    for (int i = 0; rc == 0 && i < told.n_reports; i++)
        kd_history_report(&suggest->history, number, told.reports[i].step,
                          kd_experiment_flip(suggest->experiment, 0, told.reports[i].value));
    if (rc == 0 && told.state == KD_TOLD_PAUSED)
        stand_still(suggest, number);
    else if (rc == 0 && told.state != KD_TOLD_RUNNING)
        finish(suggest, &told);
    kd_told_release(&told);
    if (rc == 0)
        kd_json_add_bool(j, "ok", true);
    return rc;
}

/* ---- judge, best, enqueue ---- */

static int judge(struct kd_suggest *suggest, const json_t *json, struct kd_json *j,
                 struct kd_error *err)
{
    static const char *const decisions[] = {
        [KD_GO] = "go", [KD_STOP] = "stop", [KD_PAUSE] = "pause"};
    struct kd_judged judged;
    if (kd_request_judge(json, &judged, err) != 0)
        return -1;
    const struct kd_observation *trial = find_running(suggest, judged.number, err);
    if (trial == NULL)
        return -1;
    if (trial->is_paused)
        return kd_fail(err, "trial %lld is paused: it goes on when ask resumes it",
                       (long long)judged.number);
    struct kd_report report = judged.report;
    report.value = kd_experiment_flip(suggest->experiment, 0, report.value);
    kd_history_report(&suggest->history, (int)judged.number, report.step, report.value);
    enum kd_verdict verdict =
        kd_scheduler_judge(suggest->scheduler, &suggest->history, (int)judged.number, &report);
    if (verdict == KD_PAUSE)
        stand_still(suggest, (int)judged.number);
    kd_json_add_string(j, "decision", decisions[verdict]);
    return 0;
}

static int best(struct kd_suggest *suggest, const json_t *json, struct kd_json *j,
                struct kd_error *err)
{
    return kd_suggest_best(suggest->experiment, &suggest->history, json, j, err);
}

/* The sampler's row i is for the i-th trial that is no clone: rows of those asked for already are
 * filled up. */
static void enqueue_row(struct kd_suggest *suggest, const double *point)
{
    int n_params = suggest->experiment->space.n_params;
    int skipped =
        kd_history_n_proposed(&suggest->history, suggest->history.n) - suggest->n_enqueued;
    skipped = skipped > 0 ? skipped : 0;
    double *rows = KD_NEW_ARRAY(double, (size_t)(skipped + 1) * (size_t)n_params + 1);
    if (n_params > 0)
        memcpy(&rows[skipped * n_params], point, (size_t)n_params * sizeof *rows);
    kd_sampler_enqueue(suggest->sampler, rows, skipped + 1);
    suggest->n_enqueued += skipped + 1;
    free(rows);
}

static bool is_whole(const struct kd_space *space, const double *point)
{
    for (int i = 0; i < space->n_params; i++)
        if (isnan(point[i]) && kd_space_is_active(space, point, i))
            return false;
    return true;
}

static int enqueue(struct kd_suggest *suggest, const json_t *json, struct kd_json *j,
                   struct kd_error *err)
{
    const struct kd_space *space = &suggest->experiment->space;
    if (kd_request_point(space, json, suggest->point, err) != 0)
        return -1;
    if (is_whole(space, suggest->point) && kd_history_has(&suggest->history, suggest->point))
        return kd_fail(err, "this point has been proposed already");
    enqueue_row(suggest, suggest->point);
    kd_json_add_bool(j, "ok", true);
    return 0;
}

/* ---- lines ---- */

static const struct verb {
    const char *name;
    int (*run)(struct kd_suggest *, const json_t *, struct kd_json *, struct kd_error *);
} verbs[] = {
    {"ask", ask}, {"tell", tell}, {"judge", judge}, {"best", best}, {"enqueue", enqueue},
};

static const struct verb *find_verb(const json_t *json, struct kd_error *err)
{
    const char *name = json_object_iter_key(json_object_iter((json_t *)json));
    if (json_object_size(json) != 1) {
        kd_fail(err, "a line is an object with one key: ask, tell, judge, best or enqueue");
        return NULL;
    }
    for (size_t i = 0; i < KD_COUNT(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    kd_fail(err, "there is no \"%s\"; known are ask, tell, judge, best and enqueue", name);
    return NULL;
}

static int answer_line(struct kd_suggest *suggest, const char *line, size_t length,
                       struct kd_json *j, struct kd_error *err)
{
    json_t *json = kd_request_parse(line, length, err);
    const struct verb *verb = json ? find_verb(json, err) : NULL;
    int rc = verb ? verb->run(suggest, json_object_get(json, verb->name), j, err) : -1;
    json_decref(json);
    return rc;
}

void kd_suggest_answer(struct kd_suggest *suggest, const char *line, size_t length,
                       struct kd_str *answer)
{
    struct kd_error err = {{0}};
    struct kd_str fields = {0};
    struct kd_json j = kd_json_to(&fields);
    kd_json_open(&j, '{');
    if (answer_line(suggest, line, length, &j, &err) != 0) {
        kd_str_clear(&fields);
        j = kd_json_to(&fields);
        kd_json_open(&j, '{');
        kd_json_add_string(&j, "error", err.text);
    }
    kd_json_close(&j, '}');
    kd_str_addn(answer, fields.text, fields.length);
    kd_str_release(&fields);
}
