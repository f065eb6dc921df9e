/* katydid_bench.c - katydid-bench: how good and how fast the parts are. One subcommand is one line
 * of the table. */
#include <stdio.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "tests/bench/rates/rates.h"
#include "tests/bench/search/command.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0]: the name */
    const char *summary;
} commands[] = {
    {"search", bench_search, "strategies on problems whose best value is known"},
    {"stoppers", bench_stoppers, "strategies with stoppers, simulated on learning curves"},
    {"ops", bench_ops, "the time of every op, beside what the device reaches at best"},
    {"step", bench_step, "training steps of whole models"},
    {"allreduce", bench_allreduce, "sums over ranks, each way that there is"},
};

static void print_usage(FILE *file)
{
    fprintf(file, "usage: katydid-bench COMMAND [options]; katydid-bench COMMAND --help\n\n");
    for (size_t i = 0; i < KD_COUNT(commands); i++)
        fprintf(file, "  %-12s %s\n", commands[i].name, commands[i].summary);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    for (size_t i = 0; i < KD_COUNT(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_usage(stdout);
        return 0;
    }
    fprintf(stderr, "katydid-bench: \"%s\" is not a command\n", argv[1]);
    print_usage(stderr);
    return 2;
}
