/* read_job.c - Katib's trialSpec: a Kubernetes Job of one container, run on this machine.
 *
 * What we use of it: the container's command, args, env, workingDir, image and resource limits, the
 * Job's backoffLimit and activeDeadlineSeconds. Everything else belongs to a cluster; it is listed
 * in one warning. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/read.h"

struct job {
    struct kd_reader *reader;
    struct kd_experiment *experiment;
    struct kd_str unused;
};

struct job_field {
    const char *name; /* NULL ends the table */
    void (*read)(struct job *job,
                 const struct kd_yaml *value); /* NULL: known, says nothing to us */
};

/* What the table does not list goes to the list of unused fields. */
static void walk(struct job *job, const struct kd_yaml *map, const struct job_field *fields,
                 const char *path)
{
    if (!kd_yaml_expect(job->reader, map, KD_NODE_MAP, path))
        return;
    for (size_t i = 0; i < map->children.n; i++) {
        const struct kd_yaml *value = map->children.items[i];
        const struct job_field *field = fields;
        while (field->name && strcmp(field->name, value->key) != 0)
            field++;
        if (field->name == NULL)
            kd_str_addf(&job->unused, "%s%s.%s", job->unused.length ? ", " : "", path, value->key);
        else if (field->read && value->kind != KD_NODE_NULL)
            field->read(job, value);
    }
}

static void add_words(struct job *job, const struct kd_yaml *value)
{
    struct kd_template *template = &job->experiment->template;
    size_t n = 0;
    if (!kd_yaml_expect(job->reader, value, KD_NODE_LIST, value->key))
        return;
    while (template->argv && template->argv[n])
        n++;
    template->argv =
        kd_realloc_array(template->argv, n + value->children.n + 1, sizeof *template->argv);
    for (size_t i = 0; i < value->children.n; i++) {
        const char *text = kd_yaml_text(job->reader, value->children.items[i]);
        template->argv[n++] = kd_strdup(text ? text : "");
    }
    template->argv[n] = NULL;
}

/* metadata.labels['app'] and the like, of the Job itself. */
static char *job_metadata(struct job *job, const char *field, const char *what)
{
    size_t length = strlen(what), n = strlen(field);
    if (strncmp(field, what, length) != 0 || strncmp(field + length, "['", 2) != 0 ||
        n < length + 4)
        return NULL;
    char *key = kd_strndup(field + length + 2, n - length - 4);
    const json_t *map = json_object_get(job->experiment->template.job,
                                        strstr(what, "labels") ? "Labels" : "Annotations");
    const char *value = json_string_value(json_object_get(map, key));
    free(key);
    return kd_strdup(value ? value : "");
}

/* The trial's own name is known only when it runs; $(KATIB_TRIAL_NAME) is put in then. */
static char *field_value(struct job *job, const char *field)
{
    if (strcmp(field, "metadata.name") == 0)
        return kd_strdup("$(KATIB_TRIAL_NAME)");
    if (strcmp(field, "metadata.namespace") == 0)
        return kd_strdup(
            json_string_value(json_object_get(job->experiment->template.job, "Namespace")));
    char *value = job_metadata(job, field, "metadata.labels");
    return value ? value : job_metadata(job, field, "metadata.annotations");
}

static char *env_value(struct job *job, const struct kd_yaml *item)
{
    const struct kd_yaml *value = kd_yaml_get(item, "value"),
                         *from = kd_yaml_get(item, "valueFrom");
    const struct kd_yaml *field = kd_yaml_at(from, "fieldRef.fieldPath");
    if (value)
        return kd_strdup(kd_yaml_text(job->reader, value));
    if (from == NULL)
        return kd_strdup("");
    char *text = field && field->text ? field_value(job, field->text) : NULL;
    if (text == NULL)
        kd_found_error(job->reader->findings, from->mark,
                       "this valueFrom is not supported yet: only fieldRef of metadata.name, "
                       "namespace, labels['KEY'] and annotations['KEY']");
    return text;
}

static void read_env(struct job *job, const struct kd_yaml *value)
{
    if (!kd_yaml_expect_list(job->reader, value, "env"))
        return;
    for (size_t i = 0; i < value->children.n; i++) {
        const struct kd_yaml *item = value->children.items[i], *name = kd_yaml_get(item, "name");
        if (name == NULL || name->text == NULL) {
            kd_found_error(job->reader->findings, item->mark, "env: \"name\" is missing");
            continue;
        }
        char *text = env_value(job, item);
        if (text)
            kd_template_add_env(job->reader, name, name->text, text);
        free(text);
    }
}

static void read_image(struct job *job, const struct kd_yaml *value)
{
    kd_read_text(job->reader, value, &job->experiment->template.image);
}

static void read_working_dir(struct job *job, const struct kd_yaml *value)
{
    kd_read_text(job->reader, value, &job->experiment->template.working_dir);
}

/* What the user says in our own words goes before what the container says. */
static bool is_said(struct job *job, const char *path)
{
    return kd_yaml_at(job->reader->root, path) != NULL;
}

static void read_cpu(struct job *job, const struct kd_yaml *value)
{
    if (!is_said(job, "spec.resources.cpus"))
        kd_read_cpus(job->reader, value, &job->experiment->resources.cpus);
}

static void read_memory(struct job *job, const struct kd_yaml *value)
{
    if (!is_said(job, "spec.resources.memory"))
        kd_read_memory(job->reader, value, &job->experiment->resources.memory_bytes);
}

static void read_gpus(struct job *job, const struct kd_yaml *value)
{
    if (!is_said(job, "spec.resources.gpus"))
        kd_read_count0(job->reader, value, &job->experiment->resources.gpus);
}

static void read_limits(struct job *job, const struct kd_yaml *value)
{
    static const struct job_field fields[] = {
        {"cpu", read_cpu}, {"memory", read_memory}, {"nvidia.com/gpu", read_gpus}, {0}};
    walk(job, value, fields, "container.resources.limits");
}

static void read_resources(struct job *job, const struct kd_yaml *value)
{
    static const struct job_field fields[] = {{"limits", read_limits}, {0}};
    walk(job, value, fields, "container.resources");
}

static void check_container(struct job *job, const struct kd_yaml *container)
{
    const struct kd_yaml *name = kd_yaml_get(container, "name");
    const struct kd_yaml *primary =
        kd_yaml_at(job->reader->root, "spec.trialTemplate.primaryContainerName");
    if (name == NULL)
        kd_found_error(job->reader->findings, container->mark, "container: \"name\" is missing");
    if (primary == NULL)
        kd_found_error(job->reader->findings,
                       kd_yaml_at(job->reader->root, "spec.trialTemplate")->key_mark,
                       "trialTemplate: \"primaryContainerName\" is missing");
    else if (name && name->text && primary->text && strcmp(name->text, primary->text) != 0)
        kd_found_error(job->reader->findings, primary->mark,
                       "primaryContainerName is %s, but the container is called %s", primary->text,
                       name->text);
}

static void read_container(struct job *job, const struct kd_yaml *container)
{
    static const struct job_field fields[] = {
        {"name", NULL},
        {"image", read_image},
        {"command", NULL},
        {"args", NULL},
        {"env", read_env},
        {"workingDir", read_working_dir},
        {"resources", read_resources},
        {"imagePullPolicy", NULL},
        {0},
    };
    walk(job, container, fields, "container");
    if (container->kind != KD_NODE_MAP)
        return;
    const struct kd_yaml *command = kd_yaml_get(container, "command");
    const struct kd_yaml *args = kd_yaml_get(container, "args");
    if (command)
        add_words(job, command);
    if (args)
        add_words(job, args);
    if (command == NULL || (command->kind == KD_NODE_LIST && command->children.n == 0))
        kd_found_error(job->reader->findings, container->mark,
                       "the container has no command: its image is not opened here, so say what to "
                       "run");
    check_container(job, container);
}

static void read_containers(struct job *job, const struct kd_yaml *value)
{
    if (!kd_yaml_expect(job->reader, value, KD_NODE_LIST, "containers"))
        return;
    if (value->children.n == 1)
        read_container(job, value->children.items[0]);
    else
        kd_found_error(job->reader->findings, value->key_mark,
                       "a Job with %zu containers is not supported yet: exactly one",
                       value->children.n);
}

static void refuse_init(struct job *job, const struct kd_yaml *value)
{
    kd_found_error(job->reader->findings, value->key_mark, "initContainers is not supported yet");
}

/* A trial that fails is not started again by itself: what Never says. */
static void read_restart_policy(struct job *job, const struct kd_yaml *value)
{
    if (value->text == NULL || strcmp(value->text, "Never") != 0)
        kd_str_addf(&job->unused, "%spod.restartPolicy", job->unused.length ? ", " : "");
}

static void read_pod(struct job *job, const struct kd_yaml *value)
{
    static const struct job_field fields[] = {{"containers", read_containers},
                                              {"initContainers", refuse_init},
                                              {"restartPolicy", read_restart_policy},
                                              {0}};
    walk(job, value, fields, "pod");
    if (value->kind == KD_NODE_MAP && kd_yaml_get(value, "containers") == NULL)
        kd_found_error(job->reader->findings, value->key_mark, "\"containers\" is missing");
}

static void read_pod_template(struct job *job, const struct kd_yaml *value)
{
    static const struct job_field fields[] = {{"metadata", NULL}, {"spec", read_pod}, {0}};
    walk(job, value, fields, "template");
}

static void read_backoff(struct job *job, const struct kd_yaml *value)
{
    if (!is_said(job, "spec.limits.maxRetries"))
        kd_read_count0(job->reader, value, &job->experiment->limits.max_retries);
}

static void read_deadline(struct job *job, const struct kd_yaml *value)
{
    double seconds = 0;
    if (is_said(job, "spec.limits.trialTime"))
        return;
    kd_read_positive(job->reader, value, &seconds);
    if (seconds <= KD_LONGEST_DURATION_S)
        job->experiment->limits.trial_time_s = seconds;
    else
        kd_found_error(job->reader->findings, value->mark,
                       "%s is %s, more than 10 years (3650d): give less", value->key, value->text);
}

static void read_job_spec(struct job *job, const struct kd_yaml *value)
{
    static const struct job_field fields[] = {{"template", read_pod_template},
                                              {"backoffLimit", read_backoff},
                                              {"activeDeadlineSeconds", read_deadline},
                                              {0}};
    walk(job, value, fields, "spec");
}

static void check_metadata(struct job *job, const struct kd_yaml *spec)
{
    static const char *const ours[] = {"name", "namespace"};
    const struct kd_yaml *metadata = kd_yaml_get(spec, "metadata");
    for (size_t i = 0; i < KD_COUNT(ours); i++) {
        const struct kd_yaml *node = kd_yaml_get(metadata, ours[i]);
        if (node)
            kd_found_error(job->reader->findings, node->key_mark,
                           "trialSpec.metadata.%s must be left out: each trial gets its own",
                           ours[i]);
    }
}

static json_t *texts_of(const struct kd_yaml *map)
{
    json_t *texts = json_object();
    for (size_t i = 0; map && map->kind == KD_NODE_MAP && i < map->children.n; i++)
        if (map->children.items[i]->text)
            json_object_set_new(texts, map->children.items[i]->key,
                                json_string(map->children.items[i]->text));
    return texts;
}

/* What ${trialSpec.X} may name; Name is the trial's. */
static json_t *job_facts(struct job *job, const struct kd_yaml *spec)
{
    const struct kd_yaml *space = kd_yaml_at(job->reader->root, "metadata.namespace");
    const struct kd_yaml *version = kd_yaml_get(spec, "apiVersion");
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "Namespace",
                     space && space->text ? space->text : "default", "Kind", "Job", "APIVersion",
                     version && version->text ? version->text : "", "Labels",
                     texts_of(kd_yaml_at(spec, "metadata.labels")), "Annotations",
                     texts_of(kd_yaml_at(spec, "metadata.annotations")));
}

/* true: a Job, to be read on. */
static bool check_kind(struct kd_reader *reader, const struct kd_yaml *spec)
{
    const struct kd_yaml *kind = kd_yaml_get(spec, "kind"), *api = kd_yaml_get(spec, "apiVersion");
    if (!kd_yaml_expect(reader, spec, KD_NODE_MAP, "trialSpec"))
        return false;
    if (kind == NULL || api == NULL)
        kd_found_error(reader->findings, spec->key_mark, "trialSpec: \"%s\" is missing",
                       kind ? "apiVersion" : "kind");
    const char *name = kind ? kd_yaml_text(reader, kind) : NULL;
    if (name == NULL)
        return false;
    if (strcmp(name, "Job") != 0)
        kd_found_error(reader->findings, kind->mark,
                       "a trialSpec of kind %s is not supported yet: only Job", name);
    return strcmp(name, "Job") == 0;
}

void kd_read_job(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct job_field fields[] = {
        {"apiVersion", NULL}, {"kind", NULL}, {"metadata", NULL}, {"spec", read_job_spec}, {0}};
    struct job job = {.reader = reader, .experiment = target};
    if (!check_kind(reader, value))
        return;
    job.experiment->template.job = job_facts(&job, value);
    check_metadata(&job, value);
    walk(&job, value, fields, "trialSpec");
    if (kd_yaml_get(value, "spec") == NULL)
        kd_found_error(reader->findings, value->key_mark, "trialSpec: \"spec\" is missing");
    if (job.unused.length > 0)
        kd_found_warning(reader->findings, value->key_mark,
                         "these fields of the Job are not used here: %s", kd_str_text(&job.unused));
    kd_str_release(&job.unused);
}
