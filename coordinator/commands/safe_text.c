#include "coordinator/commands/safe_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes of the UTF-8 sequence at text (1..4) with its code point, or 0. Overlong forms and
 * surrogates are none. */
static size_t decode(const unsigned char *text, size_t n, uint32_t *point)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80   ? 1
                    : text[0] < 0xc0 ? 0
                    : text[0] < 0xe0 ? 2
                    : text[0] < 0xf0 ? 3
                    : text[0] < 0xf8 ? 4
                                     : 0;
    if (length == 0 || length > n)
        return 0;
    *point = length == 1 ? text[0] : text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (text[i] & 0x3f);
    }
    bool bad =
        *point < lowest[length] || *point > 0x10ffff || (*point >= 0xd800 && *point < 0xe000);
    return bad ? 0 : length;
}

static bool is_harmful(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
           (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0x61c || point == 0xfeff;
}

void kd_safe_add(struct kd_str *out, const char *text, size_t n, bool keep_lines)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < n;) {
        uint32_t point = 0;
        size_t length = decode(p + i, n - i, &point);
        if (length == 0)
            kd_str_addf(out, "\\x%02x", p[i]);
        else if (keep_lines && (point == '\n' || point == '\t'))
            kd_str_addc(out, (char)point);
        else if (keep_lines && point == '\r')
            kd_str_addc(out, '\n'); /* a progress bar's steps become lines */
        else if (point == '\n')
            kd_str_add(out, "\\n");
        else if (point == '\t')
            kd_str_add(out, "\\t");
        else if (is_harmful(point))
            kd_str_addf(out, point < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)point);
        else
            kd_str_addn(out, text + i, length);
        bool is_crlf = point == '\r' && i + 1 < n && p[i + 1] == '\n';
        i += length == 0 ? 1 : length + (keep_lines && is_crlf);
    }
}

int kd_text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

bool kd_wants_colour(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    if (no_colour != NULL && *no_colour != '\0')
        return false;
    return isatty(fileno(out)) && term != NULL && strcmp(term, "dumb") != 0;
}
