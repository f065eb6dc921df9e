/* placeholders.h - what the ${...} in template texts name (yaml/piece.h: where they are). Pure.
 *
 * In our own form ${name} and ${trialParameters.name} are a parameter's value, and the built-in
 * names below are of the trial. In a Katib file only ${trialParameters.name} is a placeholder, as
 * in Katib. */
#ifndef KD_SPEC_PLACEHOLDERS_H
#define KD_SPEC_PLACEHOLDERS_H

#include <stdbool.h>

#include "coordinator/spec/experiment.h"
#include "coordinator/yaml/piece.h"

/* name, what it becomes */
#define KD_PLACEHOLDERS(X)                                                                         \
    X(ARGS, "args", "one argument --name=value per active parameter")                              \
    X(OVERRIDES, "overrides", "one argument name=value per active parameter")                      \
    X(TRIAL_DIR, "trialDir", "the trial's private folder")                                         \
    X(CHECKPOINT_DIR, "checkpointDir", "where the trial's checkpoints belong")                     \
    X(TRIAL_NUMBER, "trialNumber", "0, 1, ...")                                                    \
    X(TRIAL_NAME, "trialName", "<experiment>-<number>")                                            \
    X(SEED, "seed", "the trial's seed, 63 bits")

enum kd_binding_kind {
    KD_BIND_UNKNOWN,
    KD_BIND_PARAM, /* index: of the parameter in the space */
    KD_BIND_META,  /* Katib's ${trialSpec.X}: index of the trial parameter that refers to it */
#define X(id, name, text) KD_BIND_##id,
    KD_PLACEHOLDERS(X)
#undef X
};

struct kd_binding {
    enum kd_binding_kind kind;
    int index;
};

struct kd_binding kd_placeholder_find(const struct kd_experiment *experiment,
                                      const struct kd_piece *piece);
bool kd_placeholder_is_builtin(const char *name);

/* Is the text one placeholder and nothing else? Then its binding, else KD_BIND_UNKNOWN. */
struct kd_binding kd_placeholder_alone(const struct kd_experiment *experiment, const char *text);

#endif
