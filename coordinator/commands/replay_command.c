/* replay_command.c - katydid replay: derive every decision of an experiment again from its journal,
 * and compare. */
#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/log.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/stored.h"
#include "coordinator/journal.h"
#include "coordinator/store/query.h"

struct arguments {
    const char *database, *name;
    bool json;
};

enum { KEY_DB = 256, KEY_JSON };

static const struct argp_option options[] = {
    {"db", KEY_DB, "FILE", 0, "The database (default: $KATYDID_DB, or katydid.db here)", 0},
    {"json", KEY_JSON, NULL, 0, "Print JSON", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case KEY_DB:
        arguments->database = text;
        return 0;
    case KEY_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->name != NULL)
            argp_error(state, "one NAME only");
        arguments->name = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_result(const struct kd_replay *replay, const char *name, bool json)
{
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '{');
    kd_json_add_int(&j, "schema", 1);
    kd_json_add_string(&j, "experiment", name);
    kd_json_add_int(&j, "events", replay->n_events);
    kd_json_add_int(&j, "suggestions", replay->n_suggestions);
    kd_json_add_int(&j, "decisions", replay->n_decisions);
    kd_json_add_int(&j, "differences", replay->n_differences);
    kd_json_add_string(&j, "first_difference", replay->first_difference);
    kd_json_close(&j, '}');
    if (json)
        puts(text.text);
    else
        printf("%s: %lld events give %lld suggestions and %lld decisions, %lld of them different\n",
               name, (long long)replay->n_events, (long long)replay->n_suggestions,
               (long long)replay->n_decisions, (long long)replay->n_differences);
    if (replay->first_difference)
        kd_warn("first difference: %s", replay->first_difference);
    kd_str_release(&text);
}

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_measured(const struct kd_trial_info *row, const struct kd_trial *trial)
{
    bool same = !trial->has_objective || same_number(row->objective, trial->objective);
    int n_more = trial->has_objective ? trial->n_more_objectives : 0;
    same = same && row->n_objectives == (trial->has_objective ? 1 + n_more : 0);
    for (int i = 0; same && i < n_more; i++)
        same = same_number(row->objectives[i + 1], trial->more_objectives[i]);
    same = same && row->n_constraints == trial->n_constraints;
    for (int i = 0; same && i < trial->n_constraints; i++)
        same = same_number(row->excess[i], trial->excess[i]);
    return same;
}

/* A clone's point is the stopper's: nobody else remembers it. */
static bool same_point(const struct kd_study *study, const struct kd_trial_info *row,
                       const struct kd_trial *trial)
{
    const struct kd_space *space = &study->experiment->space;
    for (int i = 0; i < row->n_params; i++) {
        int at = kd_space_find(space, row->params[i].name);
        char shown[KD_NUMBER_MAX];
        double a, b;
        if (at < 0)
            return false;
        const char *text = kd_param_text(&space->params[at], trial->values[at], shown);
        bool are_numbers =
            kd_number_parse(text, &a) == 0 && kd_number_parse(row->params[i].text, &b) == 0;
        if (are_numbers ? a != b : strcmp(text, row->params[i].text) != 0)
            return false;
    }
    return true;
}

/* The trials' rows are what people read: they must say what the journal says. */
static void compare_trials(struct kd_store *store, int64_t id, const struct kd_study *study,
                           struct kd_replay *replay)
{
    struct kd_trial_info *rows;
    struct kd_error err;
    int n;
    if (kd_query_trials(store, id, -1, &rows, &n, &err) != 0)
        return;
    for (int i = 0; i < n || i < (int)study->trials.n; i++) {
        const struct kd_trial *trial = i < (int)study->trials.n ? &study->trials.items[i] : NULL;
        bool same = trial != NULL && i < n && rows[i].state == trial->state &&
                    rows[i].attempts == trial->attempts && rows[i].until == trial->until &&
                    rows[i].parent == trial->parent && same_point(study, &rows[i], trial) &&
                    rows[i].has_objective == trial->has_objective && same_measured(&rows[i], trial);
        if (!same && replay->n_differences++ == 0)
            replay->first_difference = kd_format("trial %d: its row says something else", i);
    }
    kd_trial_infos_free(rows, n);
}

static int replay_experiment(struct kd_store *store, const char *name, bool json)
{
    struct kd_stored stored;
    struct kd_error err;
    struct kd_replay replay = {0};
    int code = KD_EXIT_ERROR;
    if (kd_stored_read(store, name, &stored, &err) != 0) {
        kd_log(KD_LOG_ERROR, "%s", err.text);
        return code;
    }
    struct kd_study *study = kd_study_new(&stored.experiment);
    if (kd_journal_replay(store, stored.row.id, study, &replay, &err) != 0) {
        kd_log(KD_LOG_ERROR, "%s", err.text);
    } else {
        compare_trials(store, stored.row.id, study, &replay);
        print_result(&replay, name, json);
        if (stored.experiment.is_external)
            kd_info("the points of an external strategy are taken as they were recorded");
        code = replay.n_differences == 0 ? KD_EXIT_OK : KD_EXIT_ERROR;
    }
    free(replay.first_difference);
    kd_study_free(study);
    kd_stored_release(&stored);
    return code;
}

static int run(int argc, char **argv)
{
    struct arguments arguments = {0};
    static const struct argp argp = {
        options,
        parse,
        "[NAME]",
        "Derives every suggestion and decision of an experiment again from its recorded events and "
        "compares, bit for bit. NAME defaults to the latest experiment.",
        NULL,
        NULL,
        NULL};
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
        return KD_EXIT_USAGE;
    struct kd_error err;
    struct kd_experiment_info info;
    struct kd_store *store = kd_store_open_readonly(kd_database_path(arguments.database), &err);
    int found = store ? kd_query_experiment(store, arguments.name, &info, &err) : -1;
    int code = KD_EXIT_NOT_FOUND;
    if (found == 1) {
        code = replay_experiment(store, info.name, arguments.json);
        kd_experiment_info_release(&info);
    } else if (found == 0) {
        kd_log(KD_LOG_ERROR, "there is no experiment '%s'", arguments.name ? arguments.name : "");
    } else {
        kd_log(KD_LOG_ERROR, "%s", err.text);
    }
    kd_store_close(store);
    return code;
}

const struct kd_command kd_command_replay = {
    .name = "replay",
    .arguments = "[NAME]",
    .summary = "Derive every decision again from the journal and compare",
    .run = run,
};
