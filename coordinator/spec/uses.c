/* uses.c - do the template's placeholders and the parameters fit each other?
 *
 * Every placeholder must name something, every parameter must reach the trial, every trialParameter
 * must be used. What names an inactive parameter is left out of the trial whole: not everything may
 * be. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/placeholders.h"
#include "coordinator/spec/read.h"

enum { MOST_NAMES = 100 };

struct uses {
    struct kd_reader *reader;
    const struct kd_experiment *experiment;
    bool *param_is_used;
    bool *alias_is_used; /* of trialParameters */
    bool in_argv;        /* the place where ${args} may stand */
};

static void all_used(struct uses *uses)
{
    for (int i = 0; i < uses->experiment->space.n_params; i++)
        uses->param_is_used[i] = true;
}

static void note_alias(struct uses *uses, const struct kd_piece *piece)
{
    const struct kd_template *template = &uses->experiment->template;
    for (int i = 0; i < template->n_trial_parameters; i++) {
        const char *name = template->trial_parameters[i].name;
        size_t length = strlen(name);
        if (piece->length >= length &&
            memcmp(piece->start + piece->length - length, name, length) == 0)
            uses->alias_is_used[i] = true;
    }
}

/* A trialParameter whose reference is wrong: that is found where it stands. */
static bool is_alias(const struct kd_experiment *experiment, const struct kd_piece *piece)
{
    static const char prefix[] = "trialParameters.";
    const struct kd_template *template = &experiment->template;
    size_t skip = strncmp(piece->start, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
    for (int i = 0; i < template->n_trial_parameters; i++)
        if (strlen(template->trial_parameters[i].name) == piece->length - skip &&
            memcmp(template->trial_parameters[i].name, piece->start + skip, piece->length - skip) ==
                0)
            return true;
    return false;
}

static void unknown_placeholder(struct uses *uses, struct kd_mark mark,
                                const struct kd_piece *piece)
{
    if (is_alias(uses->experiment, piece))
        return;
    const struct kd_experiment *experiment = uses->experiment;
    const char *names[MOST_NAMES + 1];
    int n = 0;
    for (int i = 0; i < experiment->template.n_trial_parameters && n < MOST_NAMES; i++)
        names[n++] = experiment->template.trial_parameters[i].name;
    for (int i = 0; !experiment->is_katib && i < experiment->space.n_params && n < MOST_NAMES; i++)
        names[n++] = experiment->space.params[i].name;
    names[n] = NULL;
    const char *dot = strncmp(piece->start, "trialParameters.", 16) == 0 ? piece->start + 16 : NULL;
    size_t skip = dot ? 16 : 0;
    char *name = kd_strndup(piece->start + skip, piece->length - skip);
    char *hint = kd_suggestion(name, names);
    kd_found_error(uses->reader->findings, mark, "${%.*s} names no parameter%s%s",
                   (int)piece->length, piece->start, hint,
                   experiment->is_katib ? "" : "; for a plain ${ write $${");
    free(hint);
    free(name);
}

static void check_list_placeholder(struct uses *uses, const struct kd_yaml *node,
                                   const struct kd_piece *piece)
{
    bool is_alone = kd_placeholder_alone(uses->experiment, node->text).kind != KD_BIND_UNKNOWN;
    if (!uses->in_argv || !is_alone)
        kd_found_error(uses->reader->findings, node->mark,
                       "${%.*s} must be a word of its own in command: it becomes one argument per "
                       "parameter",
                       (int)piece->length, piece->start);
    all_used(uses);
}

static void check_piece(struct uses *uses, const struct kd_yaml *node, const struct kd_piece *piece)
{
    if (piece->kind == KD_PIECE_OPEN) {
        kd_found_error(uses->reader->findings, node->mark,
                       "${ without its }; for a plain ${ write $${");
        return;
    }
    struct kd_binding binding = kd_placeholder_find(uses->experiment, piece);
    note_alias(uses, piece);
    if (binding.kind == KD_BIND_UNKNOWN)
        unknown_placeholder(uses, node->mark, piece);
    else if (binding.kind == KD_BIND_PARAM)
        uses->param_is_used[binding.index] = true;
    else if (binding.kind == KD_BIND_ARGS || binding.kind == KD_BIND_OVERRIDES)
        check_list_placeholder(uses, node, piece);
}

static void check_text(struct uses *uses, const struct kd_yaml *node)
{
    const char *cursor = node->text;
    struct kd_piece piece;
    while (kd_piece_next(&cursor, uses->experiment->is_katib, &piece))
        if (piece.kind != KD_PIECE_TEXT)
            check_piece(uses, node, &piece);
}

static void check_tree(struct uses *uses, const struct kd_yaml *node)
{
    if (node && node->text)
        check_text(uses, node);
    for (size_t i = 0; node && i < node->children.n; i++)
        check_tree(uses, node->children.items[i]);
}

/* One trainer process serves many trials: what differs between them must not be in its
 * environment. */
static void check_trainer_env(struct uses *uses, const struct kd_yaml *env)
{
    if (env && env->text && strstr(env->text, "${"))
        kd_found_error(uses->reader->findings, env->mark,
                       "env of the built-in trainer is the same for every trial: no ${...} here");
    for (size_t i = 0; env && i < env->children.n; i++)
        check_trainer_env(uses, env->children.items[i]);
}

static void check_template(struct uses *uses)
{
    static const char *const texts[] = {"env",       "workingDir",     "trainer",
                                        "trialSpec", "checkpoint.dir", "metrics.file"};
    const struct kd_yaml *template = kd_yaml_at(uses->reader->root, "spec.trialTemplate");
    uses->in_argv = true;
    check_tree(uses, kd_yaml_get(template, "command"));
    /* ${args} in a Job of our own form: its command and args become argv too. */
    uses->in_argv = false;
    for (size_t i = 0; i < KD_COUNT(texts); i++) {
        uses->in_argv = strcmp(texts[i], "trialSpec") == 0;
        check_tree(uses, kd_yaml_at(template, texts[i]));
    }
    if (uses->experiment->template.params_file)
        all_used(uses);
    if (uses->experiment->template.kind == KD_TEMPLATE_TRAINER)
        check_trainer_env(uses, kd_yaml_get(template, "env"));
}

static bool is_known_reference(const struct uses *uses, const char *reference)
{
    return strncmp(reference, "${trialSpec.", 12) == 0 ||
           kd_space_find(&uses->experiment->space, reference) >= 0;
}

static void check_aliases(struct uses *uses)
{
    const struct kd_yaml *list =
        kd_yaml_at(uses->reader->root, "spec.trialTemplate.trialParameters");
    for (size_t i = 0; list && list->kind == KD_NODE_LIST && i < list->children.n; i++) {
        const struct kd_yaml *item = list->children.items[i];
        const struct kd_yaml *name = kd_yaml_get(item, "name"),
                             *its = kd_yaml_get(item, "reference");
        if (!name || !name->text || !its || !its->text)
            continue;
        if (!is_known_reference(uses, its->text))
            kd_found_error(uses->reader->findings, its->mark,
                           "trialParameters: %s refers to %s, which is no parameter", name->text,
                           its->text);
        for (int k = 0; k < uses->experiment->template.n_trial_parameters; k++)
            if (strcmp(uses->experiment->template.trial_parameters[k].name, name->text) == 0 &&
                !uses->alias_is_used[k])
                kd_found_error(uses->reader->findings, name->mark,
                               "nothing in the template uses ${trialParameters.%s}", name->text);
    }
}

static void unused_parameter(struct uses *uses, struct kd_mark mark, const char *name)
{
    struct kd_findings *findings = uses->reader->findings;
    if (uses->experiment->is_katib)
        kd_found_error(findings, mark,
                       "nothing uses the parameter %s: add {name: %s, reference: %s} to "
                       "trialParameters and \"${trialParameters.%s}\" to the trialSpec",
                       name, name, name, name);
    else if (uses->experiment->template.kind == KD_TEMPLATE_TRAINER)
        kd_found_error(findings, mark,
                       "nothing uses the parameter %s: write \"${%s}\" in the trainer block where "
                       "its value belongs",
                       name, name);
    else
        kd_found_error(findings, mark,
                       "nothing uses the parameter %s: add \"--%s=${%s}\" or \"${args}\" to the "
                       "command, or use it in env, or say paramsFrom: file",
                       name, name, name);
}

static void check_params(struct uses *uses)
{
    const struct kd_yaml *list = kd_yaml_at(uses->reader->root, "spec.parameters");
    for (int i = 0; i < uses->experiment->space.n_params; i++) {
        const struct kd_yaml *its = kd_yaml_get(list->children.items[i], "name");
        if (!uses->param_is_used[i] && its && its->text)
            unused_parameter(uses, its->mark, its->text);
    }
}

static bool names_file(const struct kd_template *template)
{
    for (char **word = template->argv; word && *word; word++)
        if (strstr(*word, template->collector.file))
            return true;
    for (int i = 0; i < template->n_env; i++)
        if (strstr(template->env[i].value, template->collector.file))
            return true;
    return false;
}

/* Trials that write one file read each other's metrics. */
static void check_metrics_file(struct uses *uses)
{
    const struct kd_template *template = &uses->experiment->template;
    const struct kd_yaml *root = uses->reader->root;
    const struct kd_yaml *ours = kd_yaml_at(root, "spec.trialTemplate.metrics.file");
    const struct kd_yaml *katibs = kd_yaml_at(root, "spec.metricsCollectorSpec");
    const char *file = template->collector.file;
    if (file == NULL || (ours == NULL && katibs == NULL))
        return;
    if (template->kind == KD_TEMPLATE_JOB && !names_file(template))
        kd_found_error(uses->reader->findings, ours ? ours->mark : katibs->key_mark,
                       "all trials would write the same %s: name it in the command or in env, "
                       "then each trial gets its own",
                       file);
    else if (template->kind == KD_TEMPLATE_COMMAND && strstr(file, "${") == NULL)
        kd_found_error(uses->reader->findings, ours ? ours->mark : katibs->key_mark,
                       "all trials would write the same %s: write \"${trialDir}/metrics.log\" or "
                       "the like, here and in the command",
                       file);
}

/* ---- what may be left out ---- */

/* The first conditional parameter that the text names; -1 = none. */
static int conditional_in(const struct uses *uses, const char *text)
{
    const struct kd_space *space = &uses->experiment->space;
    struct kd_piece piece;
    while (text && kd_piece_next(&text, uses->experiment->is_katib, &piece)) {
        struct kd_binding binding = {KD_BIND_UNKNOWN, -1};
        if (piece.kind == KD_PIECE_PLACEHOLDER)
            binding = kd_placeholder_find(uses->experiment, &piece);
        if (binding.kind == KD_BIND_PARAM && space->params[binding.index].condition)
            return binding.index;
    }
    return -1;
}

/* A path that a trial cannot do without. */
static void check_path(struct uses *uses, const struct kd_yaml *node)
{
    int at = node ? conditional_in(uses, node->text) : -1;
    if (at >= 0)
        kd_found_error(uses->reader->findings, node->mark,
                       "%s has a condition, and without its value this path would be missing: use "
                       "a parameter that is always active, or ${trialDir}",
                       uses->experiment->space.params[at].name);
}

/* `--momentum ${momentum}` in two words: only the second is left out. */
static void check_flag(struct uses *uses, const struct kd_yaml *flag, const struct kd_yaml *word)
{
    int at = word->text ? conditional_in(uses, word->text) : -1;
    bool is_alone =
        at >= 0 && kd_placeholder_alone(uses->experiment, word->text).kind == KD_BIND_PARAM;
    if (is_alone && flag->text && flag->text[0] == '-' && strchr(flag->text, '=') == NULL)
        kd_found_warning(uses->reader->findings, word->mark,
                         "%s has a condition: while it is inactive this word is left out and %s "
                         "stays; write %s=%s if the program takes that",
                         uses->experiment->space.params[at].name, flag->text, flag->text,
                         word->text);
}

static void check_left_out(struct uses *uses)
{
    static const char *const paths[] = {"workingDir", "checkpoint.dir", "metrics.file"};
    const struct kd_yaml *template = kd_yaml_at(uses->reader->root, "spec.trialTemplate");
    const struct kd_yaml *command = kd_yaml_get(template, "command");
    if (!kd_space_is_conditional(&uses->experiment->space))
        return;
    for (size_t i = 0; i < KD_COUNT(paths); i++)
        check_path(uses, kd_yaml_at(template, paths[i]));
    for (size_t i = 0; command && i < command->children.n; i++) {
        const struct kd_yaml *word = command->children.items[i];
        if (i > 0)
            check_flag(uses, command->children.items[i - 1], word);
        else if (conditional_in(uses, word->text) >= 0)
            kd_found_error(uses->reader->findings, word->mark,
                           "the program's name hangs on a parameter that has a condition: without "
                           "its value there would be no program");
    }
}

static bool has_template(const struct kd_reader *reader)
{
    const struct kd_template *template = &reader->experiment->template;
    return template->argv || template->trainer;
}

void kd_check_uses(struct kd_reader *reader)
{
    const struct kd_experiment *experiment = reader->experiment;
    if (!has_template(reader))
        return;
    struct uses uses = {
        .reader = reader,
        .experiment = experiment,
        .param_is_used = KD_NEW_ARRAY(bool, (size_t)experiment->space.n_params + 1),
        .alias_is_used = KD_NEW_ARRAY(bool, (size_t)experiment->template.n_trial_parameters + 1),
    };
    check_template(&uses);
    check_aliases(&uses);
    check_params(&uses);
    check_metrics_file(&uses);
    check_left_out(&uses);
    free(uses.param_is_used);
    free(uses.alias_is_used);
}
