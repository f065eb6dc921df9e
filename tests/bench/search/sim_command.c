/* sim_command.c - katydid-bench stoppers: options, simulations, the table. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "tests/bench/search/command.h"
#include "tests/bench/search/count.h"
#include "tests/bench/search/sim_rows.h"

static const char usage[] =
    "usage: katydid-bench stoppers NAME[,NAME...] [options]\n"
    "\n"
    "Simulates strategies with stoppers on W workers over learning curves and prints the time to "
    "the best value within\n"
    "1% and 0.1%, in whole trainings. NAME is asha, hyperband, bohb, or STRATEGY/STOPPER, STOPPER "
    "also none or\n"
    "asha-published (the algorithm of the paper and nothing else), with settings as "
    "NAME:key=value+key=value.\n"
    "\n"
    "  --vs NAME,...      others in the same table (default random/asha-published,random/none)\n"
    "  --with FILE.csv    results of other runs in the same table; may be given several times\n"
    "  --tasks GLOB,...   problems with learning curves (default curve/*,synth/*)\n"
    "  --workers N,...    (default 1,4,16,64)\n"
    "  --seeds N          (default 10)\n"
    "  --csv FILE         the results as rows\n";

typedef KD_ARR(struct sim_entrant) sim_entrants;

struct options {
    sim_entrants entrants;
    KD_ARR(const char *) with;
    KD_ARR(int) workers;
    const char *tasks, *csv;
    int n_seeds;
};

static int enter(sim_entrants *entered, const char *list, struct kd_error *err)
{
    char *copy = kd_strdup(list), *rest = copy, *name;
    int status = 0;
    while (status == 0 && (name = strsep(&rest, ","))) {
        struct sim_entrant entrant;
        bool is_known = name[0] == '\0';
        for (size_t i = 0; i < entered->n; i++)
            is_known |= strcmp(entered->items[i].label, name) == 0;
        if (is_known)
            continue;
        status = sim_entrant_init(&entrant, name, err);
        if (status == 0)
            kd_arr_push(entered, entrant);
    }
    free(copy);
    return status;
}

static int read_workers(struct options *options, const char *list, struct kd_error *err)
{
    char *copy = kd_strdup(list), *rest = copy, *text;
    int status = 0, n = 0;
    kd_arr_clear(&options->workers);
    while (status == 0 && (text = strsep(&rest, ","))) {
        status = bench_read_count("workers", text, 10000, &n, err);
        if (status == 0)
            kd_arr_push(&options->workers, n);
    }
    free(copy);
    return status;
}

enum { VS = 1, WITH, TASKS, WORKERS, SEEDS, CSV, HELP };

static const struct option long_options[] = {
    {"vs", required_argument, NULL, VS},
    {"with", required_argument, NULL, WITH},
    {"tasks", required_argument, NULL, TASKS},
    {"seeds", required_argument, NULL, SEEDS},
    {"workers", required_argument, NULL, WORKERS},
    {"csv", required_argument, NULL, CSV},
    {"help", no_argument, NULL, HELP},
    {0},
};

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
    case WORKERS:
        return read_workers(options, optarg, err);
    case SEEDS:
        return bench_read_count("seeds", optarg, 10000, &options->n_seeds, err);
    case CSV:
        options->csv = optarg;
        return 0;
    case HELP:
        return 1;
    }
    return kd_fail(err, "see katydid-bench stoppers --help");
}

static int read_options(struct options *options, int argc, char **argv, struct kd_error *err)
{
    const char *vs = "random/asha-published,random/none";
    int option, status = 0;
    *options = (struct options){.tasks = "curve/*,synth/*", .n_seeds = 10};
    status = read_workers(options, "1,4,16,64", err);
    optind = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        status = read_option(options, option, &vs, err);
    if (status == 0 && optind == argc && options->with.n == 0)
        return kd_fail(err, "name what is simulated, as in: katydid-bench stoppers asha,bohb");
    for (int i = optind; status == 0 && i < argc; i++)
        status = enter(&options->entrants, argv[i], err);
    if (status == 0 && options->entrants.n > 0)
        status = enter(&options->entrants, vs, err);
    return status;
}

static void release_options(struct options *options)
{
    for (size_t i = 0; i < options->entrants.n; i++)
        sim_entrant_release(&options->entrants.items[i]);
    kd_arr_release(&options->entrants);
    kd_arr_release(&options->with);
    kd_arr_release(&options->workers);
}

/* All entrants on one problem, with each number of workers. */
static int simulate(const struct options *options, const struct problem *problem, int seed,
                    struct sim_rows *rows, struct kd_error *err)
{
    enum { MOST_TRIALS = 4000 };
    for (size_t w = 0; w < options->workers.n; w++) {
        struct sim_plan plan = {.n_workers = options->workers.items[w], .max_trials = MOST_TRIALS};
        plan.limit = sim_default_limit(plan.n_workers);
        for (size_t i = 0; i < options->entrants.n; i++) {
            const struct sim_entrant *entrant = &options->entrants.items[i];
            struct sim_result result;
            if (sim_run(entrant, problem, seed, &plan, &result, err) < 0)
                return kd_error_prefix(err, "%s on %s", entrant->label, problem->name);
            sim_rows_add(rows, entrant->label, plan.n_workers, problem->name, seed, &result);
        }
    }
    return 0;
}

static int simulate_task(const struct options *options, const char *name, struct sim_rows *rows,
                         struct kd_error *err)
{
    int status = 0;
    for (int seed = 1; status == 0 && seed <= options->n_seeds; seed++) {
        struct problem *problem = problem_new(name, seed, err);
        if (!problem)
            return -1;
        if (problem->n_steps == 0)
            status = kd_fail(err, "%s has no learning curves", name);
        else
            status = simulate(options, problem, seed, rows, err);
        problem_free(problem);
    }
    return status;
}

static int run_and_print(const struct options *options, struct kd_error *err)
{
    struct sim_rows rows = {0};
    problem_names tasks = {0};
    int status = 0;
    problem_find_names(options->tasks, &tasks);
    if (tasks.n == 0)
        status = kd_fail(err, "--tasks: no problem is named like \"%s\"", options->tasks);
    for (size_t i = 0; status == 0 && options->entrants.n > 0 && i < tasks.n; i++)
        status = simulate_task(options, tasks.items[i], &rows, err);
    if (status == 0 && options->csv)
        status = sim_rows_write(&rows, options->csv, err);
    for (size_t i = 0; status == 0 && i < options->with.n; i++)
        status = sim_rows_read(&rows, options->with.items[i], err);
    if (status == 0)
        sim_rows_print(stdout, &rows);
    problem_names_release(&tasks);
    sim_rows_release(&rows);
    return status;
}

int bench_stoppers(int argc, char **argv)
{
    struct options options;
    struct kd_error err;
    int status = read_options(&options, argc, argv, &err);
    if (status > 0)
        fputs(usage, stdout);
    else if (status == 0)
        status = run_and_print(&options, &err);
    if (status < 0)
        fprintf(stderr, "katydid-bench stoppers: %s\n", err.text);
    release_options(&options);
    return status < 0 ? 2 : 0;
}
