/* kinds.h - the makers of the built-in kinds of problems (problem_kind.make). */
#ifndef KD_TESTS_BENCH_SEARCH_KINDS_H
#define KD_TESTS_BENCH_SEARCH_KINDS_H

#include "tests/bench/search/problem.h"

void problem_make_bbob(struct problem *, const struct problem_kind *, int number);
void problem_make_mixed(struct problem *, const struct problem_kind *, int number);
void problem_make_tree(struct problem *, const struct problem_kind *, int number);
void problem_make_choices(struct problem *, const struct problem_kind *, int number);

#endif
