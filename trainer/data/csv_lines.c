#include "trainer/data/csv_lines.h"

#include <string.h>

void kd_csv_lines_init(struct kd_csv_lines *lines, const char *path, char *text, size_t n,
                       char delimiter)
{
    *lines = (struct kd_csv_lines){
        .path = path, .at = text, .end = text + n, .delimiter = delimiter, .line = 0};
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        lines->at += 3;
}

void kd_csv_lines_release(struct kd_csv_lines *lines)
{
    kd_arr_release(&lines->cells);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts blanks and one pair of quotes off [text, end); the byte at end may be overwritten. */
static char *trim(char *text, char *end)
{
    while (text < end && is_blank(*text))
        text++;
    while (end > text && is_blank(end[-1]))
        end--;
    if (end - text >= 2 && *text == '"' && end[-1] == '"') {
        text++;
        end--;
    }
    *end = '\0';
    return text;
}

static void cut(struct kd_csv_lines *lines, char *text, char *end)
{
    for (;;) {
        char *stop = memchr(text, lines->delimiter, (size_t)(end - text));
        char *next = stop ? stop + 1 : NULL;
        kd_arr_push(&lines->cells, (struct kd_csv_cell){trim(text, stop ? stop : end)});
        if (!next)
            return;
        text = next;
    }
}

static bool is_empty_line(const char *text, const char *end)
{
    while (text < end && is_blank(*text))
        text++;
    return text == end;
}

int kd_csv_lines_next(struct kd_csv_lines *lines, struct kd_error *err)
{
    kd_arr_clear(&lines->cells);
    while (lines->at < lines->end) {
        char *text = lines->at;
        char *end = memchr(text, '\n', (size_t)(lines->end - text));
        lines->at = end ? end + 1 : lines->end;
        if (!end)
            end = lines->end; /* the file's text ends with a NUL of ours, so *end may be written */
        lines->line++;
        if (memchr(text, '\0', (size_t)(end - text)))
            return kd_fail(err, "%s:%d: a zero byte: this is not a CSV text file", lines->path,
                           lines->line);
        if (is_empty_line(text, end))
            continue;
        cut(lines, text, end);
        return 1;
    }
    return 0;
}
