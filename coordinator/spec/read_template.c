/* read_template.c - trialTemplate: what one trial is. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/read.h"
#include "coordinator/yaml/json.h"

static void read_argv(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    char ***argv = target;
    if (kd_yaml_is_scalar(value)) {
        kd_found_error(reader->findings, value->mark,
                       "command must be a list of words, as in [python, train.py, \"${args}\"]: "
                       "no shell is involved");
        return;
    }
    if (!kd_yaml_expect(reader, value, KD_NODE_LIST, "command"))
        return;
    if (value->children.n == 0)
        kd_found_error(reader->findings, value->mark, "command is empty: name the program to run");
    *argv = KD_NEW_ARRAY(char *, value->children.n + 1);
    for (size_t i = 0, n = 0; i < value->children.n; i++) {
        const struct kd_yaml *item = value->children.items[i];
        const char *text = kd_yaml_text(reader, item);
        if (text && item->kind == KD_NODE_NULL)
            kd_found_error(reader->findings, item->mark, "an empty word: write \"\" for one");
        else if (text)
            (*argv)[n++] = kd_strdup(text);
    }
}

static const char *env_name_refused(const char *name)
{
    if (*name == '\0' || strchr(name, '='))
        return "is no name for an environment variable";
    if (strncmp(name, "KATYDID_", 8) == 0)
        return "is set by katydid itself";
    return NULL;
}

/* Also the Job's reader: env is the same there. */
void kd_template_add_env(struct kd_reader *reader, const struct kd_yaml *at, const char *name,
                         const char *value)
{
    struct kd_template *template = &reader->experiment->template;
    const char *why = env_name_refused(name);
    for (int i = 0; i < template->n_env && why == NULL; i++)
        why = strcmp(template->env[i].name, name) == 0 ? "is there twice" : NULL;
    if (why) {
        kd_found_error(reader->findings, at->mark, "env: \"%s\" %s", name, why);
        return;
    }
    template->env =
        kd_realloc_array(template->env, (size_t) template->n_env + 1, sizeof *template->env);
    template->env[template->n_env++] = (struct kd_env_pair){kd_strdup(name), kd_strdup(value)};
}

static void read_env_item(struct kd_reader *reader, const struct kd_yaml *item)
{
    static const struct kd_field fields[] = {
        {"name", NULL, 0, KD_FIELD_REQUIRED},
        {"value", NULL, 0, KD_FIELD_REQUIRED},
        {0},
    };
    kd_fields_read(reader, item, fields, "env", NULL);
    const struct kd_yaml *name = kd_yaml_get(item, "name"), *value = kd_yaml_get(item, "value");
    const char *text = value ? kd_yaml_text(reader, value) : NULL;
    if (name && text && kd_yaml_text(reader, name))
        kd_template_add_env(reader, name, name->text, text);
}

static void read_env(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    (void)target;
    if (value->kind != KD_NODE_LIST && !kd_yaml_expect(reader, value, KD_NODE_MAP, "env"))
        return;
    if (value->children.n > KD_LIST_MAX)
        kd_found_error(reader->findings, value->mark, "more than %d variables", KD_LIST_MAX);
    for (size_t i = 0; i < value->children.n && i < KD_LIST_MAX; i++) {
        const struct kd_yaml *item = value->children.items[i];
        const char *text = value->kind == KD_NODE_MAP ? kd_yaml_text(reader, item) : NULL;
        struct kd_yaml key = {.mark = item->key_mark};
        if (value->kind == KD_NODE_LIST)
            read_env_item(reader, item);
        else if (text)
            kd_template_add_env(reader, &key, item->key, text);
    }
}

static void read_env_policy(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const char *const policies[] = {"inherit", "clean", NULL};
    int policy = kd_yaml_choice(reader, value, "envPolicy", policies);
    if (policy >= 0)
        *(enum kd_env_policy *)target = (enum kd_env_policy)policy;
}

static void read_params_from(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const char *const sources[] = {"file", NULL};
    if (kd_yaml_choice(reader, value, "paramsFrom", sources) == 0)
        *(char **)target = kd_strdup("${trialDir}/params.json");
}

static void read_checkpoint(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"dir", kd_read_text, offsetof(struct kd_checkpoint_policy, dir), 0},
        {"resumable", kd_read_bool, offsetof(struct kd_checkpoint_policy, resumable), 0},
        {"keep", kd_read_count, offsetof(struct kd_checkpoint_policy, keep), 0},
        {0},
    };
    kd_fields_read(reader, value, fields, "checkpoint", target);
}

static void read_trainer(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    if (kd_yaml_expect(reader, value, KD_NODE_MAP, "trainer"))
        *(json_t **)target = kd_yaml_json(value);
}

static bool is_reference_to_job(const char *reference)
{
    static const char *const known[] = {"Name}", "Namespace}", "Kind}", "APIVersion}", NULL};
    size_t length = strlen(reference);
    if (strncmp(reference, "${trialSpec.", 12) != 0 || reference[length - 1] != '}')
        return false;
    const char *field = reference + 12;
    for (int i = 0; known[i]; i++)
        if (strcmp(field, known[i]) == 0)
            return true;
    bool is_map = strncmp(field, "Labels[", 7) == 0 || strncmp(field, "Annotations[", 12) == 0;
    return is_map && reference[length - 2] == ']';
}

static void check_trial_parameter(struct kd_reader *reader, const struct kd_yaml *name,
                                  const struct kd_yaml *reference)
{
    const struct kd_template *template = &reader->experiment->template;
    if (strpbrk(name->text, "{}"))
        kd_found_error(reader->findings, name->mark, "the name \"%s\" may not hold { or }",
                       name->text);
    for (int i = 0; i < template->n_trial_parameters; i++) {
        if (strcmp(template->trial_parameters[i].name, name->text) == 0)
            kd_found_error(reader->findings, name->mark, "trialParameters: %s is there twice",
                           name->text);
        if (strcmp(template->trial_parameters[i].reference, reference->text) == 0)
            kd_found_error(reader->findings, reference->mark,
                           "trialParameters: two of them refer to %s; use one name for it",
                           reference->text);
    }
    if (strncmp(reference->text, "${", 2) == 0 && !is_reference_to_job(reference->text))
        kd_found_error(reader->findings, reference->mark,
                       "unknown reference %s; known: ${trialSpec.Name}, Namespace, Kind, "
                       "APIVersion, Labels[KEY], Annotations[KEY]",
                       reference->text);
}

static void read_trial_parameter(struct kd_reader *reader, const struct kd_yaml *item)
{
    static const struct kd_field fields[] = {
        {"name", NULL, 0, KD_FIELD_REQUIRED},
        {"reference", NULL, 0, KD_FIELD_REQUIRED},
        {"description", NULL, 0, KD_FIELD_QUIET},
        {0},
    };
    struct kd_template *template = &reader->experiment->template;
    kd_fields_read(reader, item, fields, "trialParameters", NULL);
    const struct kd_yaml *name = kd_yaml_get(item, "name");
    const struct kd_yaml *reference = kd_yaml_get(item, "reference");
    if (!name || !reference || !kd_yaml_text(reader, name) || !kd_yaml_text(reader, reference))
        return;
    check_trial_parameter(reader, name, reference);
    template->trial_parameters =
        kd_realloc_array(template->trial_parameters, (size_t) template->n_trial_parameters + 1,
                         sizeof *template->trial_parameters);
    template->trial_parameters[template->n_trial_parameters].name = kd_strdup(name->text);
    template->trial_parameters[template->n_trial_parameters++].reference =
        kd_strdup(reference->text);
}

static void read_trial_parameters(struct kd_reader *reader, const struct kd_yaml *value,
                                  void *target)
{
    (void)target;
    if (!kd_yaml_expect_list(reader, value, "trialParameters"))
        return;
    for (size_t i = 0; i < value->children.n; i++)
        read_trial_parameter(reader, value->children.items[i]);
}

/* Of Katib's GJSON conditions we know those that mean "the Job is Complete" and "the Job is
 * Failed". */
static void read_condition(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const char *const known[] = {
        "status.conditions.#(type==\"Complete\")#|#(status==\"True\")#",
        "status.conditions.#(type==\"Succeeded\")#|#(status==\"True\")#",
        "status.conditions.#(type==\"Failed\")#|#(status==\"True\")#",
    };
    (void)target;
    const char *text = kd_yaml_text(reader, value);
    bool is_failure = strcmp(value->key, "failureCondition") == 0;
    for (size_t i = 0; text && i < KD_COUNT(known); i++)
        if (strcmp(text, known[i]) == 0 && (i == 2) == is_failure)
            return;
    if (text)
        kd_found_error(reader->findings, value->mark,
                       "this %s is not supported yet: a trial succeeds when its program exits with "
                       "0; leave the field out",
                       value->key);
}

#define AT(member) offsetof(struct kd_experiment, template.member)
static const struct kd_field template_fields[] = {
    {"command", read_argv, AT(argv), KD_FIELD_OURS},
    {"trainer", read_trainer, AT(trainer), KD_FIELD_OURS},
    {"trialSpec", kd_read_job, 0, 0},
    {"configMap", NULL, 0, KD_FIELD_PLANNED},
    {"env", read_env, 0, KD_FIELD_OURS},
    {"envPolicy", read_env_policy, AT(env_policy), KD_FIELD_OURS},
    {"workingDir", kd_read_text, AT(working_dir), KD_FIELD_OURS},
    {"checkpoint", read_checkpoint, AT(checkpoint), KD_FIELD_OURS},
    {"paramsFrom", read_params_from, AT(params_file), KD_FIELD_OURS},
    {"metrics", kd_read_metrics, AT(collector), KD_FIELD_OURS},
    {"trialParameters", read_trial_parameters, 0, 0},
    {"primaryContainerName", NULL, 0, 0}, /* read with the Job */
    {"primaryPodLabels", NULL, 0, KD_FIELD_QUIET},
    {"retain", NULL, 0, KD_FIELD_QUIET},
    {"successCondition", read_condition, 0, 0},
    {"failureCondition", read_condition, 0, 0},
    {0},
};

/* command, trainer, trialSpec in the order of enum kd_template_kind; and what the two others have
 * no use for. */
static const struct form {
    const char *name, *instead;
    const char *refused[8];
} forms[] = {
    {"command", "it is the Job's", {"primaryContainerName", NULL}},
    {"trainer",
     "the built-in trainer has its own",
     {"paramsFrom", "checkpoint", "metrics", "primaryContainerName", NULL}},
    {"trialSpec", "write it in the container", {"env", "workingDir", NULL}},
};

static void check_form(struct kd_reader *reader, const struct kd_yaml *value)
{
    const struct kd_yaml *first = NULL;
    for (size_t i = 0; i < KD_COUNT(forms); i++) {
        const struct kd_yaml *node = kd_yaml_get(value, forms[i].name);
        if (node && first)
            kd_found_error(reader->findings, node->key_mark,
                           "trialTemplate has %s already: keep one of command, trainer, trialSpec",
                           first->key);
        if (node && !first) {
            first = node;
            reader->experiment->template.kind = (enum kd_template_kind)i;
        }
    }
    if (first == NULL && !kd_yaml_get(value, "configMap"))
        kd_found_error(reader->findings, value->key_mark, "trialTemplate needs %s",
                       reader->experiment->is_katib ? "a trialSpec"
                                                    : "one of command, trainer, trialSpec");
}

static void check_companions(struct kd_reader *reader, const struct kd_yaml *value)
{
    const struct form *form = &forms[reader->experiment->template.kind];
    const struct kd_yaml *collector = kd_yaml_at(reader->root, "spec.metricsCollectorSpec");
    if (collector && reader->experiment->template.kind == KD_TEMPLATE_TRAINER)
        kd_found_error(reader->findings, collector->key_mark,
                       "metricsCollectorSpec does not go with trainer: %s", form->instead);
    for (int i = 0; form->refused[i]; i++) {
        const struct kd_yaml *node = kd_yaml_get(value, form->refused[i]);
        if (node)
            kd_found_error(reader->findings, node->key_mark, "%s does not go with %s: %s",
                           node->key, form->name, form->instead);
    }
}

void kd_read_template(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    reader->experiment->template.checkpoint.keep = 3;
    kd_fields_read(reader, value, template_fields, "trialTemplate", target);
    if (value->kind != KD_NODE_MAP)
        return;
    check_form(reader, value);
    check_companions(reader, value);
}
