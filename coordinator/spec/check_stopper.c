/* check_stopper.c - will what runs trials do what the stopper asks for? One that pauses trials
 * needs trials that go on from their checkpoint, and that count their steps as the spec does.
 * `katydid suggest` runs none and is not asked. */
#include <string.h>

#include "coordinator/spec/read.h"

static const struct kd_yaml *stopper_name(const struct kd_reader *reader)
{
    const struct kd_yaml *spec = kd_yaml_get(reader->root, "spec");
    const struct kd_yaml *name = kd_yaml_at(spec, "earlyStopping.algorithmName");
    return name ? name : kd_yaml_at(spec, "algorithm.algorithmName");
}

/* ---- commands ---- */

static void refuse_command(struct kd_reader *reader, const struct kd_yaml *name, unsigned can)
{
    const char *instead = reader->experiment->stopper->instead;
    kd_found_error(
        reader->findings, name->mark,
        "\"%s\" %s, and nothing says that this command can go on from a checkpoint. One that saves "
        "in KATYDID_CHECKPOINT_DIR, starts from what is there and ends at step KATYDID_BUDGET says "
        "so with trialTemplate.checkpoint: {dir: \"${trialDir}/checkpoint\", resumable: "
        "true}%s%s%s",
        name->text,
        can & KD_STOPPER_CLONES ? "lets a trial start from another one's checkpoint"
                                : "pauses trials and goes on with the best of them",
        reader->experiment->is_katib ? " (in a spec of apiVersion katydid/v1)" : "",
        instead ? ". Otherwise " : "", instead ? instead : "");
}

/* Trials that share a folder would go on from each other's checkpoints. */
static void check_folder(struct kd_reader *reader)
{
    const struct kd_yaml *dir = kd_yaml_at(reader->root, "spec.trialTemplate.checkpoint.dir");
    if (dir != NULL && dir->text != NULL && strstr(dir->text, "${") == NULL)
        kd_found_error(reader->findings, dir->mark,
                       "all trials would save in \"%s\", and one goes on from what it finds there: "
                       "begin it with ${trialDir}",
                       dir->text);
}

static void check_command(struct kd_reader *reader, const struct kd_yaml *name, unsigned can)
{
    if (!reader->experiment->template.checkpoint.resumable)
        refuse_command(reader, name, can);
    else
        check_folder(reader);
}

/* ---- the built-in trainer ---- */

/* Its steps are optimizer steps when it reports by them, else epochs. */
static bool counts_steps(const json_t *trainer)
{
    return json_is_number(json_object_get(json_object_get(trainer, "report"), "every"));
}

static void check_unit(struct kd_reader *reader, const struct kd_yaml *name)
{
    const struct kd_yaml *unit = kd_yaml_at(reader->root, "spec.fidelity.unit");
    bool steps = counts_steps(reader->experiment->template.trainer);
    const char *counted = steps ? "step" : "epoch";
    bool fits = unit ? unit->text && strcmp(unit->text, counted) == 0 : !steps;
    if (!fits)
        kd_found_error(reader->findings, unit ? unit->mark : name->mark,
                       "the trainer counts in units of one %s here (report.every: %s): say "
                       "fidelity: {unit: %s}",
                       counted, steps ? "N" : "epoch", counted);
}

/* A placeholder differs from trial to trial: then it is the trial that says where it ends. */
static void check_length(struct kd_reader *reader, const struct kd_yaml *name)
{
    const struct kd_experiment *experiment = reader->experiment;
    const struct kd_yaml *max = kd_yaml_at(reader->root, "spec.fidelity.max");
    const char *key = counts_steps(experiment->template.trainer) ? "steps" : "epochs";
    const json_t *length = json_object_get(experiment->template.trainer, key);
    if (!json_is_number(length) || experiment->fidelity_max <= 0 ||
        json_number_value(length) == experiment->fidelity_max)
        return;
    kd_found_error(reader->findings, max ? max->mark : name->mark,
                   "a whole trial has %g steps for \"%s\", and the trainer's %s are %g: make them "
                   "the same, or the last rung is not the end",
                   experiment->fidelity_max, name->text, key, json_number_value(length));
}

/* ---- all ---- */

/* Katib's hyperband says the length of a whole trial in a setting of its own. */
static void take_length(struct kd_experiment *experiment)
{
    const struct kd_settings *settings = &experiment->stopper_settings;
    if (experiment->fidelity_max <= 0 && kd_settings_has(settings, "r_l") &&
        kd_settings_given(settings, "r_l"))
        experiment->fidelity_max = kd_settings_number(settings, "r_l");
}

void kd_check_stopper_runs(struct kd_reader *reader)
{
    struct kd_experiment *experiment = reader->experiment;
    bool is_for_suggest = reader->options && reader->options->is_for_suggest;
    if (experiment->stopper == NULL || is_for_suggest || reader->findings->n_errors > 0)
        return;
    unsigned can = kd_stopper_can(experiment->stopper, &experiment->stopper_settings);
    const struct kd_yaml *name = stopper_name(reader);
    if ((can & (KD_STOPPER_PAUSES | KD_STOPPER_CLONES)) == 0)
        return;
    take_length(experiment);
    if (experiment->template.kind != KD_TEMPLATE_TRAINER) {
        check_command(reader, name, can);
        return;
    }
    check_unit(reader, name);
    check_length(reader, name);
}
