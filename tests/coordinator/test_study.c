/* test_study.c - the pure study, data-driven: each file of tests/cases/study is a sentence, an
 * experiment, and events with the actions that must follow.
 *
 *     # a failed trial is run again as often as maxRetries says
 *     experiment {"kind": "command", "parallel": 1, "max_trials": 2, "max_retries": 1}
 *     started {"n_cpus": 2}
 *         do.ask n=1
 *     suggested {"n": 1, "values": [0.5]}
 *         trial 0 Pending
 *         ...
 *
 * An event is written as the journal keeps it; metrics also has "reports": [[step, value], ...],
 * where a third item names another watched metric than the first objective's. "more": [[metric,
 * "minimize" | "maximize"], ...] are objectives after it, "constraints": [[metric, most], ...].
 * "stopper": true stops above 1, "pause" pauses above 1, a name is that stopper with "settings" and
 * "fidelity_max". KD_UPDATE=1 writes what follows now into the file: read the difference before you
 * keep it. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/bus/message.h"
#include "coordinator/study.h"

/* ---- the experiment ---- */

static void *stopper_new(const struct kd_task *task, const struct kd_settings *settings,
                         uint64_t seed, struct kd_error *err)
{
    (void)task, (void)settings, (void)seed, (void)err;
    return kd_alloc(1);
}

static enum kd_verdict stop_above_one(void *self, const struct kd_history *history, int number,
                                      const struct kd_report *report)
{
    (void)self, (void)history, (void)number;
    return report->value > 1 ? KD_STOP : KD_GO;
}

static const struct kd_stopper stopper = {
    .name = "stop_above_one", .new = stopper_new, .judge = stop_above_one, .free = free};

static enum kd_verdict pause_above_one(void *self, const struct kd_history *history, int number,
                                       const struct kd_report *report)
{
    (void)self, (void)history, (void)number;
    return report->value > 1 ? KD_PAUSE : KD_GO;
}

static struct kd_next resume_first(void *self, const struct kd_history *history, double *point)
{
    (void)self;
    for (int i = 0; i < history->n; i++)
        if (history->trials[i].is_paused)
            return (struct kd_next){.kind = KD_NEXT_RESUME, .trial = i, .parent = -1};
    return kd_next_plain(history, point);
}

static const struct kd_stopper pausing = {.name = "pause_above_one",
                                          .can = KD_STOPPER_PAUSES,
                                          .new = stopper_new,
                                          .judge = pause_above_one,
                                          .next = resume_first,
                                          .free = free};

static double number_of(const json_t *options, const char *key, double fallback)
{
    double value;
    return kd_body_number(options, key, &value) ? value : fallback;
}

static bool kind_is(const json_t *options, const char *kind)
{
    const char *text = json_string_value(json_object_get(options, "kind"));
    return text != NULL && strcmp(text, kind) == 0;
}

static const char *text_at(const json_t *list, size_t i)
{
    return json_string_value(json_array_get(list, i));
}

static void add_goals(struct kd_experiment *experiment, const json_t *options)
{
    const json_t *more = json_object_get(options, "more");
    const json_t *constraints = json_object_get(options, "constraints");
    experiment->n_more_objectives = (int)json_array_size(more);
    experiment->n_constraints = (int)json_array_size(constraints);
    experiment->more_objectives = KD_NEW_ARRAY(struct kd_more_objective, json_array_size(more) + 1);
    experiment->constraints = KD_NEW_ARRAY(struct kd_constraint, json_array_size(constraints) + 1);
    for (size_t i = 0; i < json_array_size(more); i++) {
        const json_t *item = json_array_get(more, i);
        bool maximize = strcmp(text_at(item, 1), "maximize") == 0;
        experiment->more_objectives[i] =
            (struct kd_more_objective){.metric = kd_strdup(text_at(item, 0)),
                                       .maximize = maximize,
                                       .pick = maximize ? KD_PICK_MAX : KD_PICK_MIN};
    }
    for (size_t i = 0; i < json_array_size(constraints); i++) {
        const json_t *item = json_array_get(constraints, i);
        experiment->constraints[i] =
            (struct kd_constraint){.metric = kd_strdup(text_at(item, 0)),
                                   .is_max = true,
                                   .bound = json_number_value(json_array_get(item, 1))};
    }
}

static void add_stopper(struct kd_experiment *experiment, const json_t *options)
{
    const json_t *which = json_object_get(options, "stopper");
    const char *name = json_string_value(which), *key;
    json_t *value;
    experiment->fidelity_max = number_of(options, "fidelity_max", 0);
    if (json_is_true(which))
        experiment->stopper = &stopper;
    else if (name != NULL)
        experiment->stopper = strcmp(name, "pause") == 0 ? &pausing : kd_stopper_find(name);
    if (experiment->stopper == NULL)
        return;
    kd_settings_init(&experiment->stopper_settings, experiment->stopper->settings);
    json_object_foreach(json_object_get(options, "settings"), key, value)
    {
        struct kd_error err;
        if (kd_settings_set(&experiment->stopper_settings, key, json_string_value(value), &err))
            fail_msg("%s", err.text);
    }
}

static struct kd_experiment make_experiment(const json_t *options)
{
    struct kd_experiment experiment = {
        .name = kd_strdup("case"),
        .objective = {.metric = kd_strdup("loss"),
                      .maximize = json_is_true(json_object_get(options, "maximize"))},
        .resources = {.processes = (int)number_of(options, "processes", 0),
                      .cpus = number_of(options, "cpus", 0),
                      .gpus = (int)number_of(options, "gpus", 0)},
        .limits = {.grace_s = 30},
        .template = {.kind =
                         kind_is(options, "trainer") ? KD_TEMPLATE_TRAINER : KD_TEMPLATE_COMMAND},
    };
    experiment.objective.pick = experiment.objective.maximize ? KD_PICK_MAX : KD_PICK_MIN;
    add_stopper(&experiment, options);
    experiment.template.checkpoint.resumable = json_is_true(json_object_get(options, "resumable"));
    add_goals(&experiment, options);
    experiment.space.n_params = 1;
    experiment.space.params = KD_NEW(struct kd_param);
    experiment.space.params[0] =
        (struct kd_param){.name = kd_strdup("x"), .type = KD_PARAM_DOUBLE, .min = 0, .max = 1};
    return experiment;
}

/* ---- events and actions as text ---- */

static kd_point_reports read_reports(const struct kd_experiment *experiment, const json_t *body)
{
    const json_t *list = json_object_get(body, "reports");
    kd_point_reports reports = {0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *metric = json_array_size(item) > 2 ? text_at(item, 2) : "loss";
        double value;
        assert_true(kd_json_to_number(json_array_get(item, 1), &value));
        kd_watch_point(experiment, metric, json_integer_value(json_array_get(item, 0)), value,
                       &reports);
    }
    return reports;
}

static void print_trial(struct kd_str *out, const struct kd_trial *trial)
{
    char number[KD_NUMBER_MAX];
    kd_str_addf(out, "    trial %d %s", trial->number, kd_trial_state_name(trial->state));
    if (trial->until > 0)
        kd_str_addf(out, " until=%lld", (long long)trial->until);
    if (trial->parent >= 0)
        kd_str_addf(out, " parent=%d@%lld", trial->parent, (long long)trial->parent_step);
    if (trial->has_objective)
        kd_str_addf(out, " objective=%s", kd_number_text(trial->objective, number));
    for (int i = 0; trial->has_objective && i < trial->n_more_objectives; i++)
        kd_str_addf(out, ",%s", kd_number_text(trial->more_objectives[i], number));
    for (int i = 0; i < trial->n_constraints; i++)
        kd_str_addf(out, " excess=%s", kd_number_text(trial->excess[i], number));
    if (trial->reason)
        kd_str_addf(out, " \"%s\"", trial->reason);
    kd_str_addc(out, '\n');
}

static void print_action(struct kd_str *out, struct kd_study *study, const struct kd_action *action)
{
    if (action->kind == KD_DO_SAVE_TRIAL) {
        print_trial(out, &study->trials.items[action->trial]);
    } else if (action->kind == KD_DO_SAVE_EXPERIMENT) {
        kd_str_addf(out, "    experiment %s", kd_study_reason_name(study->end));
        if (study->best >= 0 && study->experiment->n_constraints > 0)
            kd_str_addf(out, " best=%d", study->best);
        kd_str_addc(out, '\n');
    } else if (action->kind == KD_DO_SAVE_ATTEMPT) {
        const struct kd_study_attempt *attempt = kd_study_find_attempt(study, action->fence);
        kd_str_addf(out, "    attempt %lld %s\n", (long long)action->fence,
                    kd_attempt_state_name(attempt->row.state));
    } else if (action->kind == KD_DO_SAVE_GANG) {
        const struct kd_study_gang *gang = kd_study_find_gang(study, action->gang);
        kd_str_addf(out, "    gang %lld %s %s\n", (long long)action->gang,
                    kd_gang_state_name(gang->row.state), gang->row.slots);
    } else {
        char *text = kd_action_to_json(action);
        kd_str_addf(out, "    %s %s\n", kd_action_name(action->kind), text);
        free(text);
    }
}

static void apply_line(struct kd_study *study, const char *line, double at, struct kd_str *out)
{
    char kind[32];
    int length = (int)strcspn(line, " \n");
    snprintf(kind, sizeof kind, "%.*s", length, line);
    const char *text = line[length] == ' ' ? line + length + 1 : "{}";
    struct kd_event event;
    struct kd_error err;
    json_t *body;
    double *values;
    if (kd_event_from_json(kind, at, text, 1, &event, &body, &values, &err) != 0)
        fail_msg("%s: %s", line, err.text);
    double asked_at;
    if (kd_body_number(body, "at", &asked_at))
        event.at = asked_at;
    if (event.kind == KD_EVENT_STARTED) {
        event.max_trials = json_object_get(body, "max_trials") ? event.max_trials : -1;
        event.max_failed = json_object_get(body, "max_failed") ? event.max_failed : -1;
        event.next_fence = event.next_fence ? event.next_fence : 1;
        event.next_gang = event.next_gang ? event.next_gang : 1;
    }
    kd_point_reports reports = read_reports(study->experiment, body);
    event.reports = reports.items;
    event.n_reports = (int)reports.n;
    kd_actions actions = {0};
    kd_study_apply(study, &event, &actions);
    for (size_t i = 0; i < actions.n; i++)
        print_action(out, study, &actions.items[i]);
    kd_arr_release(&actions);
    kd_arr_release(&reports);
    free(values);
    json_decref(body);
}

/* ---- a case ---- */

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    struct kd_str text = {0};
    char bytes[4096];
    size_t n;
    while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
        kd_str_addn(&text, bytes, n);
    fclose(file);
    return kd_str_take(&text);
}

static char *run_case(const char *text)
{
    struct kd_str out = {0};
    struct kd_experiment experiment = {0};
    struct kd_study *study = NULL;
    double at = 0;
    char *copy = kd_strdup(text), *rest = copy, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (*line == ' ')
            continue; /* an expectation of before */
        if (*line != '\0' || rest != NULL)
            kd_str_addf(&out, "%s\n", line);
        if (strncmp(line, "experiment ", 11) == 0) {
            json_t *options = json_loads(line + 11, 0, NULL);
            assert_non_null(options);
            experiment = make_experiment(options);
            study = kd_study_new(&experiment);
            json_decref(options);
        } else if (*line != '#' && *line != '\0') {
            assert_non_null(study);
            apply_line(study, line, ++at, &out);
        }
    }
    free(copy);
    kd_study_free(study);
    kd_experiment_release(&experiment);
    return kd_str_take(&out);
}

static void check_case(const char *path)
{
    char *expected = read_all(path);
    char *now = run_case(expected);
    if (getenv("KD_UPDATE")) {
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fputs(now, file);
        fclose(file);
    } else if (strcmp(expected, now) != 0) {
        fail_msg("%s\n---- expected\n%s---- now\n%s", path, expected, now);
    }
    free(expected);
    free(now);
}

static void every_case_gives_the_actions_written_in_it(void **state)
{
    (void)state;
    const char *folder = KD_SOURCE_DIR "/tests/cases/study";
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    struct dirent *entry;
    int n = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (strstr(entry->d_name, ".txt") == NULL)
            continue;
        char *path = kd_format("%s/%s", folder, entry->d_name);
        check_case(path);
        free(path);
        n++;
    }
    closedir(dir);
    assert_true(n >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_gives_the_actions_written_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
