#include "tests/bench/rates/options.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/search/count.h"

enum { DEVICE = 1, PRECISION, RUNS, RANKS, QUICK, LIST, JSON, HELP };
enum { RUNS_MAX = 1000, RANKS_MAX = 256 };

static const struct option long_options[] = {
    {"device", required_argument, NULL, DEVICE},
    {"precision", required_argument, NULL, PRECISION},
    {"runs", required_argument, NULL, RUNS},
    {"ranks", required_argument, NULL, RANKS},
    {"quick", no_argument, NULL, QUICK},
    {"list", no_argument, NULL, LIST},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {0},
};

static int read_precision(const char *name, enum kd_precision *precision, struct kd_error *err)
{
    for (int p = 0; p < KD_N_PRECISIONS; p++)
        if (strcmp(name, kd_precision_name((enum kd_precision)p)) == 0) {
            *precision = (enum kd_precision)p;
            return 0;
        }
    static const char there_are[] =
#define KD_PRECISION(name, constant, value_bytes) " " #name
#include "kernels/precisions.def"
#undef KD_PRECISION
        ;
    return kd_fail(err, "--precision is \"%s\"; there are:%s", name, there_are);
}

/* 0 read, 1 help was asked for, -1 and err. */
static int read_option(struct rates_options *options, int option, struct kd_error *err)
{
    switch (option) {
    case DEVICE:
        options->device = optarg;
        return 0;
    case PRECISION:
        return read_precision(optarg, &options->precision, err);
    case RUNS:
        return bench_read_count("runs", optarg, RUNS_MAX, &options->runs, err);
    case RANKS:
        return bench_read_count("ranks", optarg, RANKS_MAX, &options->ranks, err);
    case QUICK:
        options->is_quick = true;
        return 0;
    case LIST:
        options->is_list = true;
        return 0;
    case JSON:
        options->is_json = true;
        return 0;
    case HELP:
        return 1;
    }
    return kd_fail(err, "see --help"); /* getopt has said what is wrong */
}

int rates_options_read(struct rates_options *options, int argc, char **argv, const char *usage)
{
    struct kd_error err;
    int option, status = 0;
    options->pattern = "*";
    optind = 1;
    while (status == 0 && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        status = read_option(options, option, &err);
    if (status == 0 && argc - optind > 1)
        status = kd_fail(&err, "\"%s\" is one pattern too many", argv[optind + 1]);
    if (status > 0)
        fputs(usage, stdout);
    if (status < 0)
        fprintf(stderr, "katydid-bench %s: %s\n", argv[0], err.text);
    if (status != 0)
        return status > 0 ? 0 : 2;
    if (optind < argc)
        options->pattern = argv[optind];
    return -1;
}

static bool matches(const char *pattern, const char *name)
{
    return strpbrk(pattern, "*?[") ? fnmatch(pattern, name, 0) == 0 : strstr(name, pattern) != NULL;
}

bool rates_options_match(const struct rates_options *options, const char *a, const char *b)
{
    return matches(options->pattern, a) || matches(options->pattern, b);
}
