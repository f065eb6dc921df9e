/* kinds.h - the makers of the built-in kinds of problems (problem_kind.make). */
#ifndef KD_TESTS_BENCH_SEARCH_KINDS_H
#define KD_TESTS_BENCH_SEARCH_KINDS_H

#include "tests/bench/search/problem.h"

int problem_make_bbob(struct problem *, const struct problem_kind *, int number, struct kd_error *);
int problem_make_mixed(struct problem *, const struct problem_kind *, int number,
                       struct kd_error *);
int problem_make_tree(struct problem *, const struct problem_kind *, int number, struct kd_error *);
int problem_make_choices(struct problem *, const struct problem_kind *, int number,
                         struct kd_error *);
int problem_make_curve(struct problem *, const struct problem_kind *, int number,
                       struct kd_error *);
int problem_make_synth(struct problem *, const struct problem_kind *, int number,
                       struct kd_error *);

const char *problem_curve_name(const struct problem_kind *, int number); /* problem_kind.name_at */

#endif
