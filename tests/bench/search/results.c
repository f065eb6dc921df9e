#include "tests/bench/search/results.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

void results_release(struct results *results)
{
    for (size_t i = 0; i < results->runs.n; i++) {
        free(results->runs.items[i].strategy);
        free(results->runs.items[i].task);
        kd_arr_release(&results->runs.items[i].steps);
    }
    kd_arr_release(&results->runs);
}

struct result *results_add(struct results *results, const char *strategy, const char *task,
                           int seed)
{
    kd_arr_push(
        &results->runs,
        (struct result){.strategy = kd_strdup(strategy), .task = kd_strdup(task), .seed = seed});
    return &results->runs.items[results->runs.n - 1];
}

static double best_so_far(const struct result *run)
{
    return run->steps.n > 0 ? run->steps.items[run->steps.n - 1].best : INFINITY;
}

void result_tell(struct result *run, double objective)
{
    run->n++;
    if (objective < best_so_far(run))
        kd_arr_push(&run->steps, (struct result_step){run->n, objective});
}

double result_best(const struct result *run, int n)
{
    double best = INFINITY;
    for (size_t i = 0; i < run->steps.n && run->steps.items[i].n <= n; i++)
        best = run->steps.items[i].best;
    return best;
}

void results_write_header(FILE *file)
{
    fprintf(file, "strategy,task,seed,n,best,ask_s\n");
}

static void write_row(FILE *file, const struct result *run, int n, double best)
{
    char text[KD_NUMBER_MAX];
    fprintf(file, "%s,%s,%d,%d,%s,%.6g\n", run->strategy, run->task, run->seed, n,
            kd_number_text(best, text), run->ask_s * n / run->n);
}

void results_write(FILE *file, const struct result *run)
{
    for (size_t i = 0; i < run->steps.n; i++)
        write_row(file, run, run->steps.items[i].n, run->steps.items[i].best);
    if (run->steps.n == 0 || run->steps.items[run->steps.n - 1].n < run->n)
        write_row(file, run, run->n, best_so_far(run));
}

/* One line of the file, cut at its commas. */
enum { STRATEGY, TASK, SEED, N, BEST, ASK, N_FIELDS };

static int split(char *line, char *fields[N_FIELDS])
{
    int n = 0;
    line[strcspn(line, "\r\n")] = '\0';
    while (line && n < N_FIELDS)
        fields[n++] = strsep(&line, ",");
    return line ? N_FIELDS + 1 : n;
}

static int parse_row(struct results *results, char *fields[N_FIELDS], int n_fields)
{
    long long seed, n;
    double best, ask_s = 0;
    if (n_fields < BEST + 1 || n_fields > N_FIELDS)
        return -1;
    if (kd_integer_parse(fields[SEED], &seed) < 0 || kd_integer_parse(fields[N], &n) < 0 ||
        kd_number_parse(fields[BEST], &best) < 0)
        return -1;
    if (n_fields > ASK && kd_number_parse(fields[ASK], &ask_s) < 0)
        return -1;
    struct result *run = results->runs.n > 0 ? &results->runs.items[results->runs.n - 1] : NULL;
    bool is_same = run && run->seed == seed && strcmp(run->task, fields[TASK]) == 0 &&
                   strcmp(run->strategy, fields[STRATEGY]) == 0;
    if (!is_same)
        run = results_add(results, fields[STRATEGY], fields[TASK], (int)seed);
    if (n <= (run->steps.n > 0 ? run->n : 0))
        return -1;
    run->n = (int)n;
    run->ask_s = ask_s;
    if (best < best_so_far(run))
        kd_arr_push(&run->steps, (struct result_step){run->n, best});
    return 0;
}

int results_read(struct results *results, const char *path, struct kd_error *err)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return kd_fail_errno(err, "%s", path);
    char *line = NULL;
    size_t room = 0;
    int number = 0, status = 0;
    while (status == 0 && getline(&line, &room, file) >= 0) {
        char *fields[N_FIELDS] = {0};
        number++;
        int n_fields = split(line, fields);
        if (number == 1 && strcmp(fields[0], "strategy") == 0)
            continue;
        if (n_fields == 1 && fields[0][0] == '\0')
            continue;
        if (parse_row(results, fields, n_fields) < 0)
            status =
                kd_fail(err,
                        "%s:%d: not a row of strategy,task,seed,n,best[,ask_s] with n ascending "
                        "within a run",
                        path, number);
    }
    free(line);
    fclose(file);
    return status;
}
