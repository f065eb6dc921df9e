/* query_gpus.c - which GPUs attempts held, what they made of them, and which of them failed. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/arr.h"
#include "coordinator/store/internal.h"

static double number_or_nan(sqlite3_stmt *s, int at)
{
    return sqlite3_column_type(s, at) == SQLITE_NULL ? NAN : sqlite3_column_double(s, at);
}

struct kd_gpu_total kd_column_gpu_total(sqlite3_stmt *s, int at)
{
    bool has_memory = sqlite3_column_type(s, at + 1) != SQLITE_NULL;
    return (struct kd_gpu_total){
        .seconds = number_or_nan(s, at),
        .memory_peak_bytes = has_memory ? sqlite3_column_int64(s, at + 1) : -1,
        .percent_mean = number_or_nan(s, at + 2),
        .percent_peak = number_or_nan(s, at + 3),
        .celsius_peak = number_or_nan(s, at + 4),
        .joules = number_or_nan(s, at + 5),
    };
}

static struct kd_attempt_gpu_info read_row(sqlite3_stmt *s)
{
    return (struct kd_attempt_gpu_info){
        .number = (int)(sqlite3_column_int64(s, 0) % KD_TRIALS_PER_EXPERIMENT),
        .attempt = sqlite3_column_int(s, 1),
        .gpu = sqlite3_column_int(s, 2),
        .uuid = kd_column_strdup(s, 3),
        .used = kd_column_gpu_total(s, 4),
    };
}

int kd_query_gpus(struct kd_store *store, int64_t experiment, int number,
                  struct kd_attempt_gpu_info **gpus, int *n, struct kd_error *err)
{
    KD_ARR(struct kd_attempt_gpu_info) list = {0};
    int rc;
    *gpus = NULL;
    *n = 0;
    sqlite3_stmt *s = kd_statement_new(
        store,
        "SELECT a.trial_id, a.n, g.gpu, g.uuid, g.seconds, g.memory_peak_bytes, "
        "g.utilization_mean_percent, g.utilization_peak_percent, g.temperature_peak_celsius, "
        "g.energy_joules FROM attempts AS a JOIN attempt_gpus AS g ON g.fence = a.fence "
        "WHERE a.trial_id BETWEEN ?1 AND ?2 ORDER BY a.trial_id, a.n, g.i",
        err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, kd_trial_row_id(experiment, number < 0 ? 0 : number));
    kd_bind_int(s, 2,
                kd_trial_row_id(experiment, number < 0 ? KD_TRIALS_PER_EXPERIMENT - 1 : number));
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        kd_arr_push(&list, read_row(s));
    if (rc != SQLITE_DONE)
        kd_store_fail(store, err, "cannot read the GPUs of the attempts");
    sqlite3_finalize(s);
    *gpus = list.items;
    *n = (int)list.n;
    return rc == SQLITE_DONE ? 0 : -1;
}

void kd_attempt_gpu_infos_free(struct kd_attempt_gpu_info *gpus, int n)
{
    for (int i = 0; i < n; i++)
        free(gpus[i].uuid);
    free(gpus);
}

/* ---- failures ---- */

static struct kd_gpu_failure read_failure(sqlite3_stmt *s)
{
    return (struct kd_gpu_failure){
        .experiment = kd_column_strdup(s, 0),
        .at = sqlite3_column_double(s, 1),
        .uuid = kd_column_strdup(s, 2),
        .xid = sqlite3_column_int(s, 3),
        .is_of_use = sqlite3_column_int(s, 4) != 0,
        .text = kd_column_strdup(s, 5),
    };
}

int kd_query_gpu_failures(struct kd_store *store, int64_t experiment,
                          struct kd_gpu_failure **failures, int *n, struct kd_error *err)
{
    KD_ARR(struct kd_gpu_failure) list = {0};
    int rc;
    *failures = NULL;
    *n = 0;
    sqlite3_stmt *s =
        kd_statement_new(store,
                         "SELECT x.name, e.at, ifnull(json_extract(e.data, '$.uuid'), ''), "
                         "json_extract(e.data, '$.xid'), json_extract(e.data, '$.of_use'), "
                         "ifnull(json_extract(e.data, '$.text'), 'a GPU failed') FROM events AS e "
                         "JOIN experiments AS x ON x.id = e.experiment_id "
                         "WHERE e.kind = 'gpu_failed' AND json_valid(e.data) AND ?1 IN(0, "
                         "e.experiment_id) ORDER BY e.seq",
                         err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, experiment);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        kd_arr_push(&list, read_failure(s));
    if (rc != SQLITE_DONE)
        kd_store_fail(store, err, "cannot read which GPUs failed");
    sqlite3_finalize(s);
    *failures = list.items;
    *n = (int)list.n;
    return rc == SQLITE_DONE ? 0 : -1;
}

void kd_gpu_failures_free(struct kd_gpu_failure *failures, int n)
{
    for (int i = 0; i < n; i++) {
        free(failures[i].experiment);
        free(failures[i].uuid);
        free(failures[i].text);
    }
    free(failures);
}
