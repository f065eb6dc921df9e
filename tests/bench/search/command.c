/* command.c - katydid-bench search: options, runs, tables. */
#include "tests/bench/search/command.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "tests/bench/search/count.h"
#include "tests/bench/search/report.h"
#include "tests/bench/search/runner.h"

static const char usage[] =
    "usage: katydid-bench search NAME[,NAME...] [options]\n"
    "\n"
    "Runs strategies on problems whose best value is known and prints how near they come, as "
    "tables.\n"
    "NAME is a strategy, with settings as NAME:key=value+key=value.\n"
    "\n"
    "  --vs NAME,...     strategies to compare with (default random,tpe)\n"
    "  --with FILE.csv   results of other runs in the same tables; may be given several times\n"
    "  --tasks GLOB,...  problems, as \"bbob-5d/*\" or \"*/f0[1-5]\" (default: some of every "
    "kind)\n"
    "  --seeds N         runs of each strategy on each problem (default 20)\n"
    "  --trials N        trials of a run (default 100)\n"
    "  --batch N         trials that run at the same time (default 1)\n"
    "  --at N            trials after which strategies are compared (default: the largest budget "
    "they have)\n"
    "  --limit SECONDS   start no run later than that (default 50, or none when one of tasks, "
    "seeds and\n"
    "                    trials is given); 0 = none\n"
    "  --jobs N          threads (default 1)\n"
    "  --csv FILE        the results as rows strategy,task,seed,n,best,ask_s\n"
    "  --tables FOLDER   more problems, exported by make_tables.py (default: bench/tables in the "
    "build folder)\n"
    "  --list            the names of the problems\n";

#define DEFAULT_TASKS                                                                              \
    "bbob-2d/*,bbob-5d/*,bbob-10d/*,mixint-10d/*,mixcat-5d/*,tree/*,choices/*,curve/*"

typedef KD_ARR(struct entrant) entrants;
typedef KD_ARR(const char *) texts;

struct options {
    entrants entrants; /* the subjects first */
    size_t n_subjects;
    texts with;
    const char *tasks, *csv, *tables;
    int n_seeds, n_trials, batch, at, n_jobs;
    double limit_s; /* below 0: not given */
    bool is_list;
};

static bool is_entered(const entrants *entered, const char *label)
{
    for (size_t i = 0; i < entered->n; i++) {
        if (strcmp(entered->items[i].label, label) == 0)
            return true;
    }
    return false;
}

/* The names in a list with commas; those that are entered already are passed over. */
static int enter(entrants *entered, const char *list, struct kd_error *err)
{
    char *copy = kd_strdup(list), *rest = copy, *name;
    int status = 0;
    while (status == 0 && (name = strsep(&rest, ","))) {
        struct entrant entrant;
        if (name[0] == '\0' || is_entered(entered, name))
            continue;
        status = entrant_init(&entrant, name, err);
        if (status == 0)
            kd_arr_push(entered, entrant);
    }
    free(copy);
    return status;
}

enum { VS = 1, WITH, TASKS, SEEDS, TRIALS, BATCH, AT, LIMIT, JOBS, CSV, TABLES, LIST, HELP };

static const struct option long_options[] = {
    {"vs", required_argument, NULL, VS},         {"with", required_argument, NULL, WITH},
    {"tasks", required_argument, NULL, TASKS},   {"seeds", required_argument, NULL, SEEDS},
    {"trials", required_argument, NULL, TRIALS}, {"batch", required_argument, NULL, BATCH},
    {"at", required_argument, NULL, AT},         {"limit", required_argument, NULL, LIMIT},
    {"jobs", required_argument, NULL, JOBS},     {"csv", required_argument, NULL, CSV},
    {"tables", required_argument, NULL, TABLES}, {"list", no_argument, NULL, LIST},
    {"help", no_argument, NULL, HELP},           {0},
};

static int read_limit(const char *text, double *limit_s, struct kd_error *err)
{
    if (kd_number_parse(text, limit_s) < 0 || !(*limit_s >= 0))
        return kd_fail(err, "--limit: \"%s\" is not a number of seconds", text);
    return 0;
}

/* 0 read, 1 help was asked for, -1 and err. `vs` is kept for after the subjects. */
static int read_option(struct options *options, int option, const char **vs, struct kd_error *err)
{
    switch (option) {
    case VS:
        *vs = optarg;
        return 0;
    case WITH:
        kd_arr_push(&options->with, optarg);
        return 0;
    case TASKS:
        options->tasks = optarg;
        return 0;
    case SEEDS:
        return bench_read_count("seeds", optarg, 10000, &options->n_seeds, err);
    case TRIALS:
        return bench_read_count("trials", optarg, 100000, &options->n_trials, err);
    case BATCH:
        return bench_read_count("batch", optarg, 10000, &options->batch, err);
    case AT:
        return bench_read_count("at", optarg, 100000, &options->at, err);
    case JOBS:
        return bench_read_count("jobs", optarg, 1024, &options->n_jobs, err);
    case LIMIT:
        return read_limit(optarg, &options->limit_s, err);
    case CSV:
        options->csv = optarg;
        return 0;
    case TABLES:
        options->tables = optarg;
        return 0;
    case LIST:
        options->is_list = true;
        return 0;
    case HELP:
        return 1;
    }
    return kd_fail(err, "see katydid-bench search --help"); /* getopt has said what is wrong */
}

/* What was not given. A selection by the user is run in full. */
static void fill_defaults(struct options *options)
{
    enum { SEEDS_DEFAULT = 20, TRIALS_DEFAULT = 100, LIMIT_DEFAULT = 50 };
    bool is_selected = options->tasks || options->n_seeds || options->n_trials;
    if (options->limit_s < 0)
        options->limit_s = is_selected ? 0 : LIMIT_DEFAULT;
    options->tasks = options->tasks ? options->tasks : DEFAULT_TASKS;
    options->n_seeds = options->n_seeds ? options->n_seeds : SEEDS_DEFAULT;
    options->n_trials = options->n_trials ? options->n_trials : TRIALS_DEFAULT;
}

static int read_options(struct options *options, int argc, char **argv, struct kd_error *err)
{
    const char *vs = "random,tpe";
    int option, status = 0;
    *options = (struct options){.batch = 1, .n_jobs = 1, .limit_s = -1, .tables = KD_BENCH_TABLES};
    optind = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        status = read_option(options, option, &vs, err);
    if (status != 0 || options->is_list)
        return status;
    if (optind == argc && options->with.n == 0)
        return kd_fail(err, "name a strategy, as in: katydid-bench search tpe --vs random");
    for (int i = optind; status == 0 && i < argc; i++)
        status = enter(&options->entrants, argv[i], err);
    options->n_subjects = options->entrants.n;
    if (status == 0 && options->n_subjects > 0)
        status = enter(&options->entrants, vs, err);
    fill_defaults(options);
    return status;
}

static void release_options(struct options *options)
{
    for (size_t i = 0; i < options->entrants.n; i++)
        entrant_release(&options->entrants.items[i]);
    kd_arr_release(&options->entrants);
    kd_arr_release(&options->with);
}

static int write_csv(const struct results *results, const char *path, struct kd_error *err)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return kd_fail_errno(err, "%s", path);
    results_write_header(file);
    for (size_t i = 0; i < results->runs.n; i++)
        results_write(file, &results->runs.items[i]);
    return fclose(file) == 0 ? 0 : kd_fail_errno(err, "%s", path);
}

static int run(const struct options *options, struct results *results, struct kd_error *err)
{
    problem_names tasks = {0};
    problem_find_names(options->tasks, &tasks);
    int status = 0;
    if (tasks.n == 0)
        status = kd_fail(err, "--tasks: no problem is named like \"%s\"; --list shows them",
                         options->tasks);
    struct plan plan = {.entrants = options->entrants.items,
                        .n_entrants = options->entrants.n,
                        .tasks = &tasks,
                        .n_seeds = options->n_seeds,
                        .n_trials = options->n_trials,
                        .batch = options->batch,
                        .n_jobs = options->n_jobs,
                        .limit_s = options->limit_s};
    bool was_cut = false;
    if (status == 0)
        status = runner_run(&plan, results, &was_cut, err);
    if (was_cut)
        printf("Cut after %g s; --limit 0 runs all %zu tasks with %d seeds.\n", options->limit_s,
               tasks.n, options->n_seeds);
    if (status == 0 && options->csv)
        status = write_csv(results, options->csv, err);
    problem_names_release(&tasks);
    return status;
}

/* Without runs of our own, everything that was read is a subject. */
static void print(const struct options *options, const struct field *field)
{
    texts subjects = {0};
    for (size_t i = 0; i < options->n_subjects; i++)
        kd_arr_push(&subjects, options->entrants.items[i].label);
    for (size_t i = 0; options->n_subjects == 0 && i < field->strategies.n; i++)
        kd_arr_push(&subjects, field->strategies.items[i]);
    report_print(stdout, field,
                 &(struct report_options){
                     .subjects = subjects.items, .n_subjects = subjects.n, .at = options->at});
    kd_arr_release(&subjects);
}

static int run_and_print(const struct options *options, struct kd_error *err)
{
    struct results results = {0};
    struct field field = {0};
    int status = options->entrants.n > 0 ? run(options, &results, err) : 0;
    for (size_t i = 0; status == 0 && i < options->with.n; i++)
        status = results_read(&results, options->with.items[i], err);
    if (status == 0)
        status = field_init(&field, &results, err);
    if (status == 0)
        print(options, &field);
    field_release(&field);
    results_release(&results);
    return status;
}

static void list(void)
{
    problem_names names = {0};
    problem_find_names("*", &names);
    for (size_t i = 0; i < names.n; i++)
        puts(names.items[i]);
    problem_names_release(&names);
}

int bench_search(int argc, char **argv)
{
    struct options options;
    struct kd_error err;
    int status = read_options(&options, argc, argv, &err);
    problem_add_tables(options.tables);
    if (status > 0)
        fputs(usage, stdout);
    else if (status == 0 && options.is_list)
        list();
    else if (status == 0)
        status = run_and_print(&options, &err);
    if (status < 0)
        fprintf(stderr, "katydid-bench search: %s\n", err.text);
    release_options(&options);
    return status < 0 ? 2 : 0;
}
