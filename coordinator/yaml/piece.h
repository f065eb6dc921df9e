/* piece.h - the ${...} in template texts: where they are; what they name is the caller's. Pure.
 *
 * $${ is a plain ${ (for a shell of the user's own). In a Katib file only ${trialParameters.name}
 * is a placeholder, as in Katib; everything else is left as it stands. */
#ifndef KD_YAML_PIECE_H
#define KD_YAML_PIECE_H

#include <stdbool.h>
#include <stddef.h>

#define KD_KATIB_PREFIX "trialParameters."

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

/* Is the text one placeholder and nothing else? */
bool kd_piece_alone(const char *text, bool is_katib, struct kd_piece *piece);

#endif
