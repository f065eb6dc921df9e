/* best_command.c - `katydid best`: the parameters of the best trial, for people and for other
 * programs. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/log.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/front.h"
#include "coordinator/commands/leader.h"
#include "coordinator/commands/options.h"
#include "coordinator/commands/safe_text.h"
#include "coordinator/commands/trials_table.h"
#include "coordinator/commands/view.h"

static int run(int argc, char **argv);

const struct kd_command kd_command_best = {"best", "[NAME]",
                                           "The parameters of the best trial, or the front", run};

/* For a shell: as it is when harmless, else in single quotes. */
static void add_quoted(struct kd_str *out, const char *text)
{
    static const char harmless[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789@%+=:,./-_";
    if (*text != '\0' && text[strspn(text, harmless)] == '\0') {
        kd_str_add(out, text);
        return;
    }
    kd_str_addc(out, '\'');
    for (; *text; text++)
        if (*text == '\'')
            kd_str_add(out, "'\\''");
        else
            kd_str_addc(out, *text);
    kd_str_addc(out, '\'');
}

static void print_people(const struct kd_experiment_info *e, const struct kd_trial_info *trial)
{
    struct kd_table table = {0};
    kd_table_column(&table, "parameter");
    kd_table_column(&table, "value");
    for (int i = 0; i < trial->n_params; i++) {
        kd_table_text(&table, trial->params[i].name);
        kd_table_text(&table, trial->params[i].text);
    }
    char number[KD_NUMBER_MAX];
    struct kd_str line = {0};
    kd_str_addf(&line, "%s, trial %d%s: %s = %s", e->name, trial->number,
                kd_trial_is_terminal(trial->state) ? "" : " so far",
                e->metric == NULL ? "objective" : e->metric,
                kd_number_text(trial->objective, number));
    struct kd_str safe = {0};
    kd_safe_add(&safe, line.text, line.length, false);
    printf("%s\n", kd_str_text(&safe));
    kd_table_print(&table, KD_FORMAT_AS_TABLE, stdout);
    kd_str_release(&line);
    kd_str_release(&safe);
    kd_table_release(&table);
}

static void print_args(const struct kd_experiment_info *e, const struct kd_trial_info *trial)
{
    (void)e;
    struct kd_str out = {0}, word = {0};
    for (int i = 0; i < trial->n_params; i++) {
        kd_str_clear(&word);
        kd_str_addf(&word, "--%s=%s", trial->params[i].name, trial->params[i].text);
        kd_str_add(&out, i ? " " : "");
        add_quoted(&out, word.text);
    }
    printf("%s\n", kd_str_text(&out));
    kd_str_release(&out);
    kd_str_release(&word);
}

/* A name that a shell cannot take gets underscores. */
static void print_env(const struct kd_experiment_info *e, const struct kd_trial_info *trial)
{
    (void)e;
    struct kd_str out = {0};
    for (int i = 0; i < trial->n_params; i++) {
        const char *name = trial->params[i].name;
        if (isdigit((unsigned char)*name))
            kd_str_addc(&out, '_');
        for (; *name; name++)
            kd_str_addc(&out, isalnum((unsigned char)*name) ? *name : '_');
        kd_str_addc(&out, '=');
        add_quoted(&out, trial->params[i].text);
        kd_str_addc(&out, '\n');
    }
    fputs(kd_str_text(&out), stdout);
    kd_str_release(&out);
}

static void print_json(const struct kd_experiment_info *e, const struct kd_trial_info *trial)
{
    struct kd_str out = {0};
    struct kd_json json = kd_json_to(&out);
    kd_json_open(&json, '{');
    kd_json_add_int(&json, "schema", KD_JSON_SCHEMA);
    kd_json_add_string(&json, "experiment", e->name);
    kd_json_add_int(&json, "trial", trial->number);
    kd_json_add_string(&json, "state", kd_trial_state_name(trial->state));
    kd_json_add_string(&json, "metric", e->metric);
    kd_json_add_number(&json, "objective", trial->objective);
    kd_json_key(&json, "parameters");
    kd_json_open(&json, '{');
    kd_front_write_params(&json, trial);
    kd_json_close(&json, '}');
    kd_json_close(&json, '}');
    printf("%s\n", kd_str_text(&out));
    kd_str_release(&out);
}

/* ---- several objectives ---- */

/* The trials of the front, and what they are about. */
struct found {
    const struct kd_experiment_info *experiment;
    const struct kd_trial_info *trials;
    int n_trials;
    struct kd_front front;
};

static const struct kd_trial_info *member(const struct found *found, int i)
{
    return &found->trials[found->front.trials[i]];
}

static void print_front_people(const struct found *found)
{
    const struct kd_experiment_info *e = found->experiment;
    char *front = kd_front_text(e, &found->front);
    struct kd_str line = {0}, safe = {0};
    kd_str_addf(&line, "%s, front: %s", e->name, front);
    kd_safe_add(&safe, line.text, line.length, false);
    printf("%s\n", kd_str_text(&safe));
    struct kd_table table = {0};
    kd_trials_table(&table, e, found->trials, found->n_trials);
    for (int i = 0; i < found->front.n; i++)
        kd_trials_table_row(&table, e, member(found, i));
    kd_table_print(&table, KD_FORMAT_AS_TABLE, stdout);
    kd_table_release(&table);
    kd_str_release(&line);
    kd_str_release(&safe);
    free(front);
}

static void print_front_args(const struct found *found)
{
    for (int i = 0; i < found->front.n; i++)
        print_args(found->experiment, member(found, i));
}

static void print_front_json(const struct found *found)
{
    struct kd_str out = {0};
    struct kd_json json = kd_json_to(&out);
    kd_json_open(&json, '{');
    kd_json_add_int(&json, "schema", KD_JSON_SCHEMA);
    kd_json_add_string(&json, "experiment", found->experiment->name);
    kd_front_write(&json, found->experiment, found->trials, &found->front);
    kd_json_close(&json, '}');
    printf("%s\n", kd_str_text(&out));
    kd_str_release(&out);
}

struct form {
    const char *name;
    void (*print)(const struct kd_experiment_info *, const struct kd_trial_info *);
    void (*print_front)(const struct found *); /* NULL: needs one best trial */
};

static const struct form forms[] = {{"table", print_people, print_front_people},
                                    {"args", print_args, print_front_args},
                                    {"env", print_env, NULL},
                                    {"json", print_json, print_front_json}};

static const struct form *find_form(const char *name)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, name) == 0)
            return &forms[i];
    return NULL;
}

static int none_yet(const struct kd_experiment_info *e)
{
    char *why = kd_leader_none_text(e);
    kd_info("%s", why);
    free(why);
    return KD_EXIT_NOT_FOUND;
}

/* No trial that is over is the best: what is ahead so far will do, and is called so. */
static int print_leader(struct kd_view *view, const struct form *form)
{
    struct kd_error err = {0};
    struct kd_trial_info *trials = NULL;
    const struct kd_experiment_info *e = &view->experiment;
    int n = 0, at = -2;
    if (kd_query_trials(view->store, e->id, -1, &trials, &n, &err) == 0)
        at = kd_leader_find(view->store, e, trials, n, &err);
    int code = at == -2 ? kd_command_fail(&err) : at == -1 ? none_yet(e) : KD_EXIT_OK;
    if (code == KD_EXIT_OK) {
        char *why = kd_leader_none_text(e);
        kd_info("%s; trial %d, which is %s, is the best so far", why, trials[at].number,
                kd_trial_state_name(trials[at].state));
        form->print(e, &trials[at]);
        free(why);
    }
    kd_trial_infos_free(trials, n);
    return code;
}

static int print_front(struct kd_view *view, const struct form *form)
{
    struct kd_error err = {0};
    struct kd_trial_info *trials = NULL;
    struct found found = {.experiment = &view->experiment};
    int n = 0, code = KD_EXIT_OK;
    if (form->print_front == NULL) {
        kd_info("%s has %d objectives, so a front and no best trial: --format %s cannot write it; "
                "table, args (a line for each trial) and json can",
                found.experiment->name, found.experiment->n_objectives, form->name);
        return KD_EXIT_USAGE;
    }
    if (kd_query_trials(view->store, found.experiment->id, -1, &trials, &n, &err) != 0)
        code = kd_command_fail(&err);
    found.trials = trials;
    found.n_trials = n;
    if (code == KD_EXIT_OK)
        kd_front_find(found.experiment, trials, n, &found.front);
    if (code == KD_EXIT_OK && found.front.n == 0)
        code = none_yet(found.experiment);
    if (code == KD_EXIT_OK)
        form->print_front(&found);
    kd_front_release(&found.front);
    kd_trial_infos_free(trials, n);
    return code;
}

static int print(struct kd_view *view, const struct form *form)
{
    struct kd_error err = {0};
    struct kd_trial_info *trial = NULL;
    const struct kd_experiment_info *e = &view->experiment;
    int n = 0, code = KD_EXIT_OK;
    if (e->n_objectives > 1)
        return print_front(view, form);
    if (e->best < 0)
        return print_leader(view, form);
    if (kd_query_trials(view->store, e->id, e->best, &trial, &n, &err) != 0)
        code = kd_command_fail(&err);
    else
        form->print(e, &trial[0]);
    kd_trial_infos_free(trial, n);
    return code;
}

static int run(int argc, char **argv)
{
    const char *format = "table";
    const struct kd_option options[] = {
        {"format", 'f', "FORM", "table, args (--name=value ...), env (name=value lines), json",
         &format},
        {0},
    };
    struct kd_usage usage = {.command = &kd_command_best,
                             .options = options,
                             .common = KD_OPTION_DB | KD_OPTION_JSON,
                             .max_words = 1};
    struct kd_view view;
    kd_usage_read(&usage, argc, argv);
    const struct form *form = find_form(usage.format == KD_FORMAT_AS_JSON ? "json" : format);
    if (form == NULL) {
        kd_info("--format takes table, args, env or json, not `%s`", format);
        return KD_EXIT_USAGE;
    }
    int code = kd_view_open(&view, usage.db, usage.words[0]);
    if (code != KD_EXIT_OK)
        return code;
    code = print(&view, form);
    kd_view_close(&view);
    return code;
}
