/* findings.h - what is wrong with a file and where, collected while reading and shown in order of
 * position.
 *
 * A mark is a place in the file (line and column from 1; 0 = the file as a whole) or an override
 * from the command line. Finding something never ends the reading: the user sees every problem of a
 * file in one go. */
#ifndef KD_YAML_FINDINGS_H
#define KD_YAML_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "coordinator/base/arr.h"

struct kd_mark {
    int line, column; /* column counts characters */
    const char
        *origin; /* the override this came from, as the user typed it; borrowed; NULL = file */
};

struct kd_source {
    const char *file; /* name for messages; borrowed */
    const char *text; /* UTF-8 without NUL bytes; borrowed */
    size_t length;
    const char *what; /* what it is to hold, for messages: "an Experiment" */
};

struct kd_finding {
    struct kd_mark mark;
    bool is_warning;
    char *message; /* owned */
    size_t order;
};

struct kd_findings {
    struct kd_source source;
    KD_ARR(struct kd_finding) list;
    int n_errors;
};

void kd_found_error(struct kd_findings *findings, struct kd_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void kd_found_warning(struct kd_findings *findings, struct kd_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Takes the text, several lines: "sweep.yaml:12:9: error: ...\n    source line\n    ^". */
typedef void kd_finding_show(void *ud, bool is_warning, char *text);

/* Sorts, puts the source line and a caret under each, and gives everything to `show`; findings is
 * released. A finding made twice (same place, same text) is shown once; after the hundredth the
 * rest are counted. The number of errors found. */
int kd_findings_show(struct kd_findings *findings, kd_finding_show *show, void *ud);

/* "; did you mean X?" or "; known: A, B": the caller frees. */
char *kd_suggestion(const char *name, const char *const *names);

#endif
