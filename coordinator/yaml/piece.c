/* piece.c - splitting a template text. */
#include "coordinator/yaml/piece.h"

#include <string.h>

/* Where the next placeholder or escape starts; NULL when the rest is text. */
static const char *next_opening(const char *text, bool is_katib)
{
    return strstr(text, is_katib ? "${" KD_KATIB_PREFIX : "${");
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

bool kd_piece_alone(const char *text, bool is_katib, struct kd_piece *piece)
{
    return kd_piece_next(&text, is_katib, piece) && *text == '\0' &&
           piece->kind == KD_PIECE_PLACEHOLDER;
}
