/* options.h - the words that the rate commands have in common: --device, --precision, --runs,
 * --quick, --list, --json, and one pattern. */
#ifndef KD_TESTS_BENCH_OPTIONS_H
#define KD_TESTS_BENCH_OPTIONS_H

#include <stdbool.h>

#include "kernels/precision.h"

struct rates_options {
    const char *device;  /* cpu, cuda */
    const char *pattern; /* as a shell's; "*" when none was given */
    enum kd_precision precision;
    int runs, ranks;
    bool is_quick, is_list, is_json;
};

/* Into *options, which holds the defaults. -1: go on; else the exit status, since help was asked
 * for or the usage was wrong; all is printed. */
int rates_options_read(struct rates_options *options, int argc, char **argv, const char *usage);

/* Does the pattern match one of the names? Without a wildcard it may be any part of one. */
bool rates_options_match(const struct rates_options *options, const char *a, const char *b);

#endif
