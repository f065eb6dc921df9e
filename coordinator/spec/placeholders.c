/* placeholders.c - looking up what a placeholder names. */
#include "coordinator/spec/placeholders.h"

#include <string.h>

static const struct {
    const char *name;
    enum kd_binding_kind kind;
} builtins[] = {
#define X(id, name, text) {name, KD_BIND_##id},
    KD_PLACEHOLDERS(X)
#undef X
};

static bool is_name(const char *text, const char *start, size_t length)
{
    return text && strlen(text) == length && memcmp(text, start, length) == 0;
}

static struct kd_binding find_parameter(const struct kd_experiment *experiment, const char *name,
                                        size_t length)
{
    for (int i = 0; i < experiment->space.n_params; i++)
        if (is_name(experiment->space.params[i].name, name, length))
            return (struct kd_binding){KD_BIND_PARAM, i};
    return (struct kd_binding){KD_BIND_UNKNOWN, -1};
}

static struct kd_binding find_trial_parameter(const struct kd_experiment *experiment,
                                              const char *name, size_t length)
{
    const struct kd_template *template = &experiment->template;
    for (int i = 0; i < template->n_trial_parameters; i++) {
        const char *reference = template->trial_parameters[i].reference;
        if (!is_name(template->trial_parameters[i].name, name, length))
            continue;
        if (strncmp(reference, "${trialSpec.", 12) == 0)
            return (struct kd_binding){KD_BIND_META, i};
        return find_parameter(experiment, reference, strlen(reference));
    }
    return (struct kd_binding){KD_BIND_UNKNOWN, -1};
}

static enum kd_binding_kind find_builtin(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (is_name(builtins[i].name, name, length))
            return builtins[i].kind;
    return KD_BIND_UNKNOWN;
}

bool kd_placeholder_is_builtin(const char *name)
{
    return find_builtin(name, strlen(name)) != KD_BIND_UNKNOWN;
}

struct kd_binding kd_placeholder_find(const struct kd_experiment *experiment,
                                      const struct kd_piece *piece)
{
    const char *name = piece->start;
    size_t length = piece->length, prefix = strlen(KD_KATIB_PREFIX);
    bool is_prefixed = length > prefix && memcmp(name, KD_KATIB_PREFIX, prefix) == 0;
    if (is_prefixed)
        name += prefix, length -= prefix;
    struct kd_binding binding = find_trial_parameter(experiment, name, length);
    if (binding.kind != KD_BIND_UNKNOWN || experiment->is_katib)
        return binding;
    binding = find_parameter(experiment, name, length);
    if (binding.kind != KD_BIND_UNKNOWN || is_prefixed)
        return binding;
    return (struct kd_binding){find_builtin(name, length), -1};
}

struct kd_binding kd_placeholder_alone(const struct kd_experiment *experiment, const char *text)
{
    struct kd_piece piece;
    if (!kd_piece_alone(text, experiment->is_katib, &piece))
        return (struct kd_binding){KD_BIND_UNKNOWN, -1};
    return kd_placeholder_find(experiment, &piece);
}
