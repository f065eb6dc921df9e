/* findings.c - collecting and showing what is wrong with a file. */
#include "coordinator/yaml/findings.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

enum { MOST_SHOWN = 100, LINE_WIDTH = 110, LIST_UP_TO = 16 };

static void found(struct kd_findings *findings, struct kd_mark mark, bool is_warning,
                  const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *message = kd_alloc((size_t)length + 1);
    vsnprintf(message, (size_t)length + 1, format, args);
    findings->n_errors += !is_warning;
    kd_arr_push(&findings->list, (struct kd_finding){mark, is_warning, message, findings->list.n});
}

void kd_found_error(struct kd_findings *findings, struct kd_mark mark, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    found(findings, mark, false, format, args);
    va_end(args);
}

void kd_found_warning(struct kd_findings *findings, struct kd_mark mark, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    found(findings, mark, true, format, args);
    va_end(args);
}

static int by_position(const void *a, const void *b)
{
    const struct kd_finding *x = a, *y = b;
    bool from_x = x->mark.origin != NULL, from_y = y->mark.origin != NULL;
    if (from_x != from_y)
        return from_x - from_y;
    if (x->mark.line != y->mark.line)
        return x->mark.line < y->mark.line ? -1 : 1;
    if (x->mark.column != y->mark.column)
        return x->mark.column < y->mark.column ? -1 : 1;
    /* Of overrides the order is the user's; equal findings must come to stand together. */
    if (from_x && x->mark.origin != y->mark.origin)
        return x->order < y->order ? -1 : 1;
    int by_message = strcmp(x->message, y->message);
    return by_message ? by_message : x->order < y->order ? -1 : x->order > y->order;
}

static bool same_finding(const struct kd_finding *a, const struct kd_finding *b)
{
    return a->mark.line == b->mark.line && a->mark.column == b->mark.column &&
           a->mark.origin == b->mark.origin && strcmp(a->message, b->message) == 0;
}

static const char *next_character(const char *p, const char *end)
{
    p++;
    while (p < end && ((unsigned char)*p & 0xc0) == 0x80)
        p++;
    return p;
}

/* Texts of the user's file go to a terminal: control characters must not drive it. */
static void add_printable(struct kd_str *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        kd_str_addc(out, c < 0x20 || c == 0x7f ? (c == '\t' ? ' ' : '?') : (char)c);
    }
}

/* The line of the mark; false when the file has no such line. */
static bool source_line(const struct kd_source *source, int line, const char **start,
                        const char **end)
{
    const char *p = source->text, *last = source->text + source->length;
    for (int at = 1; at < line; at++) {
        p = memchr(p, '\n', (size_t)(last - p));
        if (p == NULL)
            return false;
        p++;
    }
    const char *newline = memchr(p, '\n', (size_t)(last - p));
    *start = p;
    *end = newline ? newline : last;
    if (*end > *start && (*end)[-1] == '\r')
        (*end)--;
    return true;
}

/* Long lines are cut to a window around the caret. */
static void show_line(struct kd_str *out, const struct kd_source *source, struct kd_mark mark)
{
    const char *start, *end;
    if (mark.line < 1 || !source_line(source, mark.line, &start, &end))
        return;
    int column = mark.column < 1 ? 1 : mark.column;
    while (column > LINE_WIDTH / 2 && end - start > LINE_WIDTH) {
        start = next_character(start, end);
        column--;
    }
    const char *stop = start;
    for (int i = 0; i < LINE_WIDTH && stop < end; i++)
        stop = next_character(stop, end);
    kd_str_add(out, "\n    ");
    add_printable(out, start, (size_t)(stop - start));
    kd_str_addf(out, "\n    %*s^", column - 1, "");
}

static char *shown(const struct kd_findings *findings, const struct kd_finding *finding)
{
    const char *word = finding->is_warning ? "warning" : "error";
    struct kd_str out = {0};
    if (finding->mark.origin) {
        kd_str_add(&out, "override '");
        add_printable(&out, finding->mark.origin, strlen(finding->mark.origin));
        kd_str_addf(&out, "': %s: ", word);
    } else if (finding->mark.line > 0) {
        kd_str_addf(&out, "%s:%d:%d: %s: ", findings->source.file, finding->mark.line,
                    finding->mark.column, word);
    } else {
        kd_str_addf(&out, "%s: %s: ", findings->source.file, word);
    }
    add_printable(&out, finding->message, strlen(finding->message));
    if (finding->mark.origin == NULL)
        show_line(&out, &findings->source, finding->mark);
    return kd_str_take(&out);
}

int kd_findings_show(struct kd_findings *findings, kd_finding_show *show, void *ud)
{
    int n_errors = findings->n_errors, n_shown = 0, n_left_out = 0;
    size_t n = findings->list.n;
    if (n > 0)
        qsort(findings->list.items, n, sizeof *findings->list.items, by_position);
    for (size_t i = 0; i < n; i++) {
        const struct kd_finding *finding = &findings->list.items[i];
        if (i > 0 && same_finding(finding, finding - 1))
            continue;
        if (n_shown++ >= MOST_SHOWN)
            n_left_out++;
        else
            show(ud, finding->is_warning, shown(findings, finding));
    }
    if (n_left_out > 0)
        show(ud, n_errors == 0, kd_format("%s: and %d more", findings->source.file, n_left_out));
    for (size_t i = 0; i < n; i++)
        free(findings->list.items[i].message);
    kd_arr_release(&findings->list);
    findings->n_errors = 0;
    return n_errors;
}

char *kd_suggestion(const char *name, const char *const *names)
{
    const char *nearest = kd_nearest_name(name, names);
    if (nearest)
        return kd_format("; did you mean \"%s\"?", nearest);
    struct kd_str list = {0};
    int n = 0;
    for (; names[n] && n < LIST_UP_TO; n++)
        kd_str_addf(&list, "%s%s", n ? ", " : "; known: ", names[n]);
    if (names[n])
        kd_str_add(&list, ", ...");
    return kd_str_take(&list);
}
