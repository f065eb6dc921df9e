/* placeholders.c - splitting a template text and looking names up. */
#include "coordinator/spec/placeholders.h"

#include <string.h>

#define KATIB_PREFIX "trialParameters."

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

/* Where the next placeholder or escape starts; NULL when the rest is text. */
static const char *next_opening(const char *text, bool is_katib)
{
    return strstr(text, is_katib ? "${" KATIB_PREFIX : "${");
}

bool kd_piece_next(const char **cursor, bool is_katib, struct kd_piece *piece)
{
    const char *at = *cursor;
    if (*at == '\0')
        return false;
    const char *open = next_opening(at, is_katib);
    if (!is_katib && open > at && open[-1] == '$')
        open--; /* the escape $${ */
    if (open != at) {
        *piece = (struct kd_piece){KD_PIECE_TEXT, at, open ? (size_t)(open - at) : strlen(at)};
        *cursor = at + piece->length;
        return true;
    }
    if (at[1] == '$') {
        *piece = (struct kd_piece){KD_PIECE_TEXT, at + 1, 2};
        *cursor = at + 3;
        return true;
    }
    const char *close = strchr(at, '}');
    *piece = close ? (struct kd_piece){KD_PIECE_PLACEHOLDER, at + 2, (size_t)(close - at - 2)}
                   : (struct kd_piece){KD_PIECE_OPEN, at, strlen(at)};
    *cursor = close ? close + 1 : at + piece->length;
    return true;
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
    size_t length = piece->length, prefix = strlen(KATIB_PREFIX);
    bool is_prefixed = length > prefix && memcmp(name, KATIB_PREFIX, prefix) == 0;
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
    const char *cursor = text;
    if (!kd_piece_next(&cursor, experiment->is_katib, &piece) || *cursor != '\0' ||
        piece.kind != KD_PIECE_PLACEHOLDER)
        return (struct kd_binding){KD_BIND_UNKNOWN, -1};
    return kd_placeholder_find(experiment, &piece);
}
