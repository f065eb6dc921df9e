/* safe_text.h - text of others (a trial's output, a reason, a name) made harmless for a
 * terminal. */
#ifndef KD_COMMANDS_SAFE_TEXT_H
#define KD_COMMANDS_SAFE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "coordinator/base/str.h"

/* Control characters, direction marks and bytes that are no UTF-8 become \x1b, \u202e ...; with
 * keep_lines tabs and newlines stay and a carriage return ends a line, too. */
void kd_safe_add(struct kd_str *out, const char *text, size_t n, bool keep_lines);

/* Columns that the text takes on a terminal, one per code point. */
int kd_text_width(const char *text);

/* Is colour wanted there: a terminal, no NO_COLOR, TERM not dumb? */
bool kd_wants_colour(FILE *out);

#endif
