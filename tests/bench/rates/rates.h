/* rates.h - the commands of `katydid-bench` that say how fast the parts of a training are, beside
 * what the device can do. In a build without the trainer they say that it is not there
 * (tests/bench/without_trainer.c). */
#ifndef KD_TESTS_BENCH_RATES_H
#define KD_TESTS_BENCH_RATES_H

/* argv[0] is the subcommand's name. Returns the exit status: 0, 1 after a message, or 2 after one
 * for bad usage. */
int bench_ops(int argc, char **argv);
int bench_step(int argc, char **argv);
int bench_allreduce(int argc, char **argv);

#endif
