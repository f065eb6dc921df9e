#include "tests/bench/search/sim_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

void sim_rows_release(struct sim_rows *rows)
{
    for (size_t i = 0; i < rows->all.n; i++) {
        free(rows->all.items[i].strategy);
        free(rows->all.items[i].task);
    }
    kd_arr_release(&rows->all);
}

void sim_rows_add(struct sim_rows *rows, const char *strategy, int n_workers, const char *task,
                  int seed, const struct sim_result *result)
{
    kd_arr_push(&rows->all, (struct sim_row){.strategy = kd_strdup(strategy),
                                             .task = kd_strdup(task),
                                             .n_workers = n_workers,
                                             .seed = seed,
                                             .result = *result});
}

enum { STRATEGY, WORKERS, TASK, SEED, TO_1PCT, TO_01PCT, REGRET, TRIALS, N_FIELDS };

static int add_fields(struct sim_rows *rows, char *fields[N_FIELDS])
{
    long long workers, seed, trials;
    struct sim_result result;
    if (kd_integer_parse(fields[WORKERS], &workers) < 0 ||
        kd_integer_parse(fields[SEED], &seed) < 0 ||
        kd_integer_parse(fields[TRIALS], &trials) < 0 ||
        kd_number_parse(fields[TO_1PCT], &result.reached[0]) < 0 ||
        kd_number_parse(fields[TO_01PCT], &result.reached[1]) < 0 ||
        kd_number_parse(fields[REGRET], &result.regret) < 0)
        return -1;
    result.n_trials = (int)trials;
    sim_rows_add(rows, fields[STRATEGY], (int)workers, fields[TASK], (int)seed, &result);
    return 0;
}

static int add_line(struct sim_rows *rows, char *line)
{
    char *fields[N_FIELDS] = {0}, *rest = line;
    int n = 0;
    line[strcspn(line, "\r\n")] = '\0';
    while (rest && n < N_FIELDS)
        fields[n++] = strsep(&rest, ",");
    return n == N_FIELDS && !rest ? add_fields(rows, fields) : -1;
}

int sim_rows_read(struct sim_rows *rows, const char *path, struct kd_error *err)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return kd_fail_errno(err, "%s", path);
    char *line = NULL;
    size_t room = 0;
    int number = 0, status = 0;
    while (status == 0 && getline(&line, &room, file) >= 0) {
        number++;
        if (number == 1 && strncmp(line, "strategy,", strlen("strategy,")) == 0)
            continue;
        if (add_line(rows, line) < 0)
            status = kd_fail(
                err,
                "%s:%d: not a row of strategy,workers,task,seed,to_1pct,to_01pct,regret,trials",
                path, number);
    }
    free(line);
    fclose(file);
    return status;
}

int sim_rows_write(const struct sim_rows *rows, const char *path, struct kd_error *err)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return kd_fail_errno(err, "%s", path);
    fprintf(file, "strategy,workers,task,seed,to_1pct,to_01pct,regret,trials\n");
    for (size_t i = 0; i < rows->all.n; i++) {
        const struct sim_row *row = &rows->all.items[i];
        fprintf(file, "%s,%d,%s,%d,%.6g,%.6g,%.6g,%d\n", row->strategy, row->n_workers, row->task,
                row->seed, row->result.reached[0], row->result.reached[1], row->result.regret,
                row->result.n_trials);
    }
    return fclose(file) == 0 ? 0 : kd_fail_errno(err, "%s", path);
}
