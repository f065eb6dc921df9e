/* placeholders.h - the ${...} in template texts: where they are and what they name. Pure.
 *
 * In our own form ${name} and ${trialParameters.name} are a parameter's value, the built-in names below are of the
 * trial, and $${ is a plain ${ (for a shell of the user's own). In a Katib file only ${trialParameters.name} is a
 * placeholder, as in Katib; everything else is left as it stands. */
#ifndef KD_SPEC_PLACEHOLDERS_H
#define KD_SPEC_PLACEHOLDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "coordinator/spec/experiment.h"

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

enum kd_piece_kind {
    KD_PIECE_TEXT,
    KD_PIECE_PLACEHOLDER,
    KD_PIECE_OPEN /* "${" without its "}" */
};
struct kd_piece {
    enum kd_piece_kind kind;
    const char *start; /* borrowed; of a placeholder: the name between the braces */
    size_t length;
};

/* The next piece of a text; false at its end. */
bool kd_piece_next(const char **cursor, bool is_katib, struct kd_piece *piece);

struct kd_binding kd_placeholder_find(const struct kd_experiment *experiment,
                                      const struct kd_piece *piece);
bool kd_placeholder_is_builtin(const char *name);

/* Is the text one placeholder and nothing else? Then its binding, else KD_BIND_UNKNOWN. */
struct kd_binding kd_placeholder_alone(const struct kd_experiment *experiment, const char *text);

#endif
