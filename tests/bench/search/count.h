/* count.h - the number behind an option of a command. */
#ifndef KD_TESTS_BENCH_SEARCH_COUNT_H
#define KD_TESTS_BENCH_SEARCH_COUNT_H

#include "coordinator/base/error.h"

/* A whole number from 1 to most; else -1 and a text that names the option. */
int bench_read_count(const char *option, const char *text, int most, int *count,
                     struct kd_error *err);

#endif
