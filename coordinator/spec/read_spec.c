/* read_spec.c - the document from its top: apiVersion, metadata, spec and its counts, defaults, and
 * the checks that look at several fields. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/quantity.h"
#include "coordinator/spec/read.h"

enum { KATIB_PARALLEL = 3, MOST_NAME = 40 };

static const struct kd_field metadata_fields[] = {
    {"name", kd_read_text, offsetof(struct kd_experiment, name), 0},
    {"namespace", NULL, 0, KD_FIELD_QUIET},
    {"labels", NULL, 0, KD_FIELD_QUIET},
    {"annotations", NULL, 0, KD_FIELD_QUIET},
    {"generateName", NULL, 0, KD_FIELD_PLANNED},
    {"creationTimestamp", NULL, 0, KD_FIELD_IDLE},
    {"finalizers", NULL, 0, KD_FIELD_IDLE},
    {"generation", NULL, 0, KD_FIELD_IDLE},
    {"managedFields", NULL, 0, KD_FIELD_IDLE},
    {"resourceVersion", NULL, 0, KD_FIELD_IDLE},
    {"uid", NULL, 0, KD_FIELD_IDLE},
    {0},
};

const char *kd_name_refused(const char *name)
{
    size_t length = strlen(name);
    if (length > MOST_NAME)
        return "has more than 40 characters";
    if (name[0] < 'a' || name[0] > 'z')
        return "must start with a letter a-z";
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != length)
        return "may hold only a-z, 0-9 and -";
    return name[length - 1] == '-' ? "must end with a letter or a digit" : NULL;
}

static void check_name(struct kd_reader *reader, const struct kd_yaml *value)
{
    const char *name = reader->experiment->name;
    const char *why = name ? kd_name_refused(name) : NULL;
    if (why)
        kd_found_error(reader->findings, value->mark, "the name \"%s\" %s", name, why);
}

static void read_metadata(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    kd_fields_read(reader, value, metadata_fields, "metadata", target);
    const struct kd_yaml *name = kd_yaml_get(value, "name");
    const char *instead = reader->options ? reader->options->name : NULL;
    struct kd_experiment *experiment = reader->experiment;
    if (instead) {
        struct kd_yaml given = {.mark = {0, 0, "--name"}};
        free(experiment->name);
        experiment->name = kd_strdup(instead);
        check_name(reader, &given);
    } else if (name) {
        check_name(reader, name);
    } else if (value->kind == KD_NODE_MAP) {
        kd_found_error(reader->findings, value->key_mark, "metadata: \"name\" is missing");
    }
}

static void read_api_version(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const char *const versions[] = {"katydid/v1", "kubeflow.org/v1beta1", NULL};
    (void)target;
    kd_yaml_choice(reader, value, "apiVersion", versions);
}

static void read_kind(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const char *const kinds[] = {"Experiment", NULL};
    (void)target;
    kd_yaml_choice(reader, value, "kind", kinds);
}

static void read_parallel(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    bool is_auto = value->kind == KD_NODE_STRING && strcmp(value->text, "auto") == 0;
    if (is_auto && !reader->experiment->is_katib)
        *(int *)target = 0;
    else
        kd_read_count(reader, value, target);
}

static void read_seed(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    long long seed;
    if (!kd_yaml_is_scalar(value) || kd_integer_parse(value->text, &seed) != 0 || seed < 0)
        kd_found_error(reader->findings, value->mark,
                       "seed must be a whole number from 0 to 2^63-1, not %s",
                       value->text ? value->text : kd_yaml_kind_name(value));
    else
        *(uint64_t *)target = (uint64_t)seed;
}

static void read_resume_policy(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const char *const policies[] = {"Never", "LongRunning", "FromVolume", NULL};
    (void)target;
    kd_yaml_choice(reader, value, "resumePolicy", policies);
}

static void read_fidelity_unit(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const char *const units[] = {"epoch", "step", "report", NULL};
    int unit = kd_yaml_choice(reader, value, "unit", units);
    if (unit >= 0)
        *(enum kd_fidelity_unit *)target = (enum kd_fidelity_unit)unit;
}

static void read_fidelity(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"unit", read_fidelity_unit, offsetof(struct kd_experiment, fidelity_unit), 0},
        {"max", kd_read_positive, offsetof(struct kd_experiment, fidelity_max), 0},
        {0},
    };
    kd_fields_read(reader, value, fields, "spec.fidelity", target);
}

#define AT(member) offsetof(struct kd_experiment, member)
static const struct kd_field spec_fields[] = {
    {"objective", kd_read_objective, AT(objective), 0}, /* or objectives */
    {"algorithm", NULL, 0, 0},                          /* after the space, which it must fit */
    {"earlyStopping", NULL, 0, 0},
    {"parameters", kd_read_parameters, AT(space), KD_FIELD_REQUIRED},
    {"parallelTrialCount", read_parallel, AT(parallel_trials), 0},
    {"maxTrialCount", kd_read_count, AT(max_trials), 0},
    {"maxFailedTrialCount", kd_read_count0, AT(max_failed), 0},
    {"trialTemplate", kd_read_template, 0, 0},
    {"metricsCollectorSpec", kd_read_collector, AT(template.collector), 0},
    {"nasConfig", NULL, 0, KD_FIELD_PLANNED},
    {"resumePolicy", read_resume_policy, 0, 0},
    {"resources", kd_read_resources, AT(resources), KD_FIELD_OURS},
    {"limits", kd_read_limits, AT(limits), KD_FIELD_OURS},
    {"fidelity", read_fidelity, 0, KD_FIELD_OURS},
    {"seed", read_seed, AT(seed), KD_FIELD_OURS},
    {"objectives", kd_read_objectives, 0, KD_FIELD_OURS},
    {"constraints", NULL, 0, KD_FIELD_OURS}, /* after the objectives */
    {"enqueue", NULL, 0, KD_FIELD_OURS},     /* after the space */
    {"warmStart", kd_read_warm_start, AT(warm_start), KD_FIELD_OURS},
    {"onRestart", NULL, 0, KD_FIELD_OURS | KD_FIELD_PLANNED},
    {"orphanGrace", NULL, 0, KD_FIELD_OURS | KD_FIELD_PLANNED},
    {0},
};

static void read_spec(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    bool is_ours = !reader->experiment->is_katib;
    kd_fields_read(reader, value, spec_fields, "spec", target);
    if (value->kind != KD_NODE_MAP)
        return;
    if (kd_yaml_get(value, "objectives") == NULL)
        kd_field_require(reader, value, "objective", "spec");
    if (reader->options == NULL || !reader->options->is_for_suggest)
        kd_field_require(reader, value, "trialTemplate", "spec");
    const struct kd_yaml *constraints = kd_yaml_get(value, "constraints");
    const struct kd_yaml *enqueue = kd_yaml_get(value, "enqueue");
    if (constraints && is_ours)
        kd_read_constraints(reader, constraints, target);
    if (enqueue && is_ours)
        kd_read_enqueue(reader, enqueue, target);
    kd_read_algorithm(reader, kd_yaml_get(value, "algorithm"));
    kd_read_stopper(reader, kd_yaml_get(value, "earlyStopping"));
    kd_check_stopper_runs(reader);
}

static const struct kd_field document_fields[] = {
    {"apiVersion", read_api_version, 0, KD_FIELD_REQUIRED},
    {"kind", read_kind, 0, KD_FIELD_REQUIRED},
    {"metadata", read_metadata, 0, KD_FIELD_REQUIRED},
    {"spec", read_spec, 0, KD_FIELD_REQUIRED},
    {"status", NULL, 0, KD_FIELD_IDLE},
    {0},
};

static void set_defaults(struct kd_reader *reader)
{
    struct kd_experiment *experiment = reader->experiment;
    const struct kd_yaml *version = kd_yaml_get(reader->root, "apiVersion");
    experiment->is_katib =
        version && version->text && strncmp(version->text, "kubeflow.org/", 13) == 0;
    experiment->max_trials = experiment->max_failed = -1;
    experiment->parallel_trials = experiment->is_katib ? KATIB_PARALLEL : 0;
    experiment->limits.grace_s = 30;
    experiment->objective.pick = KD_PICK_LATEST;
}

static void check_at_most(struct kd_reader *reader, const char *field, int value)
{
    int most = reader->experiment->max_trials;
    const struct kd_yaml *node = kd_yaml_get(kd_yaml_get(reader->root, "spec"), field);
    bool is_refused =
        reader->experiment->is_katib; /* Katib's rule; ours simply runs what there is */
    if (node && is_refused && most > 0 && value > most)
        kd_found_error(reader->findings, node->mark, "%s %d is above maxTrialCount %d", field,
                       value, most);
}

static void check_counts(struct kd_reader *reader)
{
    struct kd_experiment *experiment = reader->experiment;
    bool is_given = kd_yaml_at(reader->root, "spec.parallelTrialCount") != NULL;
    check_at_most(reader, "parallelTrialCount", experiment->parallel_trials);
    check_at_most(reader, "maxFailedTrialCount", experiment->max_failed);
    if (!is_given && experiment->max_trials > 0 &&
        experiment->parallel_trials > experiment->max_trials)
        experiment->parallel_trials = experiment->max_trials;
    bool is_run = reader->options == NULL || !reader->options->is_for_suggest;
    if (is_run && reader->findings->n_errors == 0 && experiment->max_trials < 0 &&
        experiment->limits.wall_time_s <= 0 && isinf(kd_space_size(&experiment->space)))
        kd_found_warning(reader->findings, kd_yaml_at(reader->root, "spec")->key_mark,
                         "no maxTrialCount and no limits.wallTime: this goes on until %s",
                         experiment->objective.has_goal ? "the goal is met" : "it is stopped");
}

static void default_fidelity(struct kd_reader *reader)
{
    struct kd_experiment *experiment = reader->experiment;
    if (kd_yaml_at(reader->root, "spec.fidelity.unit") == NULL)
        experiment->fidelity_unit =
            experiment->template.kind == KD_TEMPLATE_TRAINER ? KD_UNIT_EPOCH : KD_UNIT_REPORT;
}

/* What katydid-trainer trains by itself: as an Experiment, all of it would be unknown or
 * missing. */
static bool refuse_trainer_block(struct kd_reader *reader)
{
    const struct kd_yaml *block = kd_yaml_get(reader->root, "trainer");
    if (block == NULL || kd_yaml_get(reader->root, "spec") != NULL)
        return false;
    kd_found_error(reader->findings, block->key_mark,
                   "\"trainer\" at the top is one configuration, not an Experiment: train it with "
                   "katydid-trainer, or search with an Experiment that has it under "
                   "spec.trialTemplate");
    return true;
}

void kd_read_document(struct kd_reader *reader)
{
    set_defaults(reader);
    if (refuse_trainer_block(reader))
        return;
    kd_fields_read(reader, reader->root, document_fields, "", reader->experiment);
    if (kd_yaml_at(reader->root, "spec") == NULL ||
        kd_yaml_at(reader->root, "spec")->kind != KD_NODE_MAP)
        return;
    check_counts(reader);
    default_fidelity(reader);
    kd_check_uses(reader);
    if (reader->idle->length > 0)
        kd_found_warning(reader->findings, kd_yaml_at(reader->root, "spec")->key_mark,
                         "these fields have no effect without a cluster: %s",
                         kd_str_text(reader->idle));
}
