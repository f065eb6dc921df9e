/* command.h - what `katydid-bench` can be asked to do; each is a line in
 * tests/bench/katydid_bench.c. */
#ifndef KD_TESTS_BENCH_SEARCH_COMMAND_H
#define KD_TESTS_BENCH_SEARCH_COMMAND_H

/* argv[0] is the subcommand's name. Returns the exit status: 0, or 2 after a message for bad
 * usage. */
int bench_search(int argc, char **argv);
int bench_stoppers(int argc, char **argv);

#endif
