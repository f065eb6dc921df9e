/* Every tests/cases/spec/NAME.yaml is read and what comes out is compared with NAME.out: the
 * problems exactly as they are printed, and for a good spec what was understood. A line "#
 * override: key=value", "# name: NAME" or "# suggest" at the top of a case is given like an
 * argument of the command line. KATYDID_UPDATE=1 writes the .out files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/render.h"
#include "coordinator/spec/spec_read.h"

#define CASES KD_SOURCE_DIR "/tests/cases/spec"

enum { MOST_OVERRIDES = 16 };

static int read_file(const char *path, struct kd_str *out)
{
    char buffer[4096];
    size_t n;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    kd_str_add(out, "");
    while ((n = fread(buffer, 1, sizeof buffer, file)) > 0)
        kd_str_addn(out, buffer, n);
    fclose(file);
    return 0;
}

static void say_template(struct kd_str *out, const struct kd_template *template)
{
    static const char *const kinds[] = {"command", "trainer", "job"};
    kd_str_addf(out, "template: %s", kinds[template->kind]);
    for (char **word = template->argv; word && *word; word++)
        kd_str_addf(out, " [%s]", *word);
    if (template->image)
        kd_str_addf(out, "\nimage: %s", template->image);
    if (template->working_dir)
        kd_str_addf(out, "\nworking dir: %s", template->working_dir);
    for (int i = 0; i < template->n_env; i++)
        kd_str_addf(out, "\nenv: %s=%s", template->env[i].name, template->env[i].value);
    if (template->env_policy == KD_ENV_CLEAN)
        kd_str_add(out, "\nenv policy: clean");
    if (template->params_file)
        kd_str_addf(out, "\nparams file: %s", template->params_file);
    if (template->checkpoint.dir)
        kd_str_addf(out, "\ncheckpoint: %s, resumable %d, keep %d", template->checkpoint.dir,
                    template->checkpoint.resumable, template->checkpoint.keep);
    if (template->collector.file)
        kd_str_addf(out, "\nmetrics file: %s", template->collector.file);
    for (int i = 0; i < template->collector.n_filters; i++)
        kd_str_addf(out, "\nfilter: %s", template->collector.filters[i]);
    kd_str_add(out, template->collector.format == KD_FORMAT_JSON ? "\nformat: json\n" : "\n");
}

static void say_settings(struct kd_str *out, const struct kd_settings *settings)
{
    for (int i = 0; settings->declared && settings->declared[i].name; i++)
        if (settings->texts[i])
            kd_str_addf(out, " %s=%s", settings->declared[i].name, settings->texts[i]);
    kd_str_add(out, "\n");
}

static void say_limits(struct kd_str *out, const struct kd_experiment *e)
{
    static const char *const units[] = {"epoch", "step", "report"};
    kd_str_addf(out,
                "resources: gpus %d, processes %d, cpus %g, memory %" PRId64 ", oversubscribe %d\n",
                e->resources.gpus, e->resources.processes, e->resources.cpus,
                e->resources.memory_bytes, e->resources.oversubscribe);
    kd_str_addf(out, "limits: trial %g s, grace %g s, wall %g s, progress %g s, retries %d\n",
                e->limits.trial_time_s, e->limits.grace_s, e->limits.wall_time_s,
                e->limits.progress_deadline_s, e->limits.max_retries);
    kd_str_addf(out, "fidelity: %s, max %g; seed %" PRIu64 "\n", units[e->fidelity_unit],
                e->fidelity_max, e->seed);
}

static void say_conditions(struct kd_str *out, const struct kd_space *space)
{
    char text[KD_NUMBER_MAX];
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_condition *condition = space->params[i].condition;
        const struct kd_param *parent = condition ? &space->params[condition->parent] : NULL;
        if (condition)
            kd_str_addf(out, "%s while %s in", space->params[i].name, parent->name);
        for (int k = 0; condition && k < condition->n_values; k++)
            kd_str_addf(out, " [%s]", kd_param_text(parent, condition->values[k], text));
        kd_str_add(out, condition ? "\n" : "");
    }
}

static void say_start(struct kd_str *out, const struct kd_experiment *e)
{
    for (int i = 0; i < e->n_enqueued; i++) {
        char *point = kd_point_json(&e->space, &e->enqueued[i * e->space.n_params]);
        kd_str_addf(out, "enqueued: %s\n", point);
        free(point);
    }
    if (e->warm_start.experiment)
        kd_str_addf(out, "warm start: %s, trials %d\n", e->warm_start.experiment,
                    e->warm_start.trials);
    if (e->is_external)
        kd_str_addf(out, "external, deadline %g s\n", e->external_deadline_s);
}

static void say_measures(struct kd_str *out, const struct kd_experiment *e)
{
    static const char *const picks[] = {"min", "max", "latest"};
    for (int i = 1; i < kd_experiment_n_objectives(e); i++)
        kd_str_addf(out, "objective: %s %s (%s)\n",
                    kd_experiment_maximizes(e, i) ? "maximize" : "minimize",
                    kd_experiment_metric(e, i), picks[kd_experiment_pick(e, i)]);
    for (int i = 0; i < e->n_constraints; i++)
        kd_str_addf(out, "constraint: %s %s %g\n", e->constraints[i].metric,
                    e->constraints[i].is_max ? "<=" : ">=", e->constraints[i].bound);
}

static void say_experiment(struct kd_str *out, const struct kd_experiment *e)
{
    static const char *const picks[] = {"min", "max", "latest"};
    kd_str_addf(out, "ok %s: %s %s (%s)", e->name, e->objective.maximize ? "maximize" : "minimize",
                e->objective.metric, picks[e->objective.pick]);
    if (e->objective.has_goal)
        kd_str_addf(out, ", goal %g", e->objective.goal);
    for (int i = 0; i < e->objective.n_additional; i++)
        kd_str_addf(out, ", also %s", e->objective.additional[i]);
    kd_str_addf(out, "\nalgorithm: %s", e->algorithm);
    say_settings(out, &e->strategy_settings);
    if (e->stopper) {
        kd_str_addf(out, "stopper: %s", e->stopper->name);
        say_settings(out, &e->stopper_settings);
    }
    say_measures(out, e);
    say_conditions(out, &e->space);
    say_start(out, e);
    kd_str_addf(out, "trials: parallel %d, max %d, failed %d\n", e->parallel_trials, e->max_trials,
                e->max_failed);
    say_limits(out, e);
    say_template(out, &e->template);
    kd_str_addf(out, "%s\n", e->canonical);
}

/* Arguments of the case: points into text, whose lines it ends. */
static void case_options(char *text, const char **overrides, struct kd_spec_options *options)
{
    int n = 0;
    for (char *line = strtok(text, "\n"); line && line[0] == '#'; line = strtok(NULL, "\n")) {
        if (strncmp(line, "# override: ", 12) == 0 && n < MOST_OVERRIDES)
            overrides[n++] = line + 12;
        if (strncmp(line, "# name: ", 8) == 0)
            options->name = line + 8;
        if (strcmp(line, "# suggest") == 0)
            options->is_for_suggest = true;
    }
    overrides[n] = NULL;
}

static char *outcome(const char *file, const struct kd_str *text)
{
    struct kd_experiment experiment;
    struct kd_problems problems;
    struct kd_str out = {0};
    const char *overrides[MOST_OVERRIDES + 1];
    struct kd_spec_options options = {.overrides = overrides};
    char *arguments = kd_strdup(kd_str_text(text));
    case_options(arguments, overrides, &options);
    int rc = kd_spec_read_text(kd_str_text(text), text->length, file, "/base", &options,
                               &experiment, &problems);
    for (int i = 0; i < problems.n; i++)
        kd_str_addf(&out, "%s\n", problems.items[i].text);
    assert_int_equal(rc, problems.n_errors > 0 ? -1 : 0);
    if (rc == 0)
        say_experiment(&out, &experiment);
    kd_experiment_release(&experiment);
    kd_problems_release(&problems);
    free(arguments);
    return kd_str_take(&out);
}

static bool check_case(const char *file, bool update)
{
    struct kd_str text = {0}, expected = {0};
    char *in = kd_format("%s/%s", CASES, file);
    char *out = kd_format("%s/%.*s.out", CASES, (int)(strlen(file) - 5), file);
    assert_int_equal(read_file(in, &text), 0);
    char *seen = outcome(file, &text);
    if (update) {
        FILE *to = fopen(out, "wb");
        assert_non_null(to);
        fputs(seen, to);
        fclose(to);
    }
    bool same = read_file(out, &expected) == 0 && strcmp(seen, kd_str_text(&expected)) == 0;
    if (!same)
        print_message("%s\n--- expected\n%s--- seen\n%s", file, kd_str_text(&expected), seen);
    kd_str_release(&text);
    kd_str_release(&expected);
    free(seen);
    free(out);
    free(in);
    return same;
}

static void each_case_gives_exactly_what_is_written_beside_it(void **state)
{
    (void)state;
    bool update = getenv("KATYDID_UPDATE") != NULL;
    int n = 0, n_wrong = 0;
    DIR *dir = opendir(CASES);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length < 6 || strcmp(entry->d_name + length - 5, ".yaml") != 0)
            continue;
        n++;
        n_wrong += !check_case(entry->d_name, update);
    }
    closedir(dir);
    assert_int_equal(n_wrong, 0);
    assert_true(n >= 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_gives_exactly_what_is_written_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
