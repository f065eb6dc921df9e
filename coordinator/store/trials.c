/* trials.c - the rows of trials with their parameters and objectives, attempts, gangs and
 * artifacts. */
#include <math.h>

#include "coordinator/base/str.h"
#include "coordinator/store/internal.h"

/* A discrete value has the type in which the user wrote it: 32 is an integer, 0.5 and 1e3 are
 * not. */
static bool is_written_as_integer(const struct kd_param *param, double value)
{
    long long integer;
    for (int i = 0; param->choices != NULL && i < param->n_choices; i++)
        if (param->values[i] == value)
            return kd_integer_parse(param->choices[i], &integer) == 0;
    return value == floor(value) && fabs(value) < 9e15;
}

static void bind_param(sqlite3_stmt *s, int at, const struct kd_param *param, double value)
{
    if (param->type == KD_PARAM_CATEGORICAL)
        kd_bind_text(s, at, param->choices[(int)value]);
    else if (param->type == KD_PARAM_INT ||
             (param->type == KD_PARAM_DISCRETE && is_written_as_integer(param, value)))
        kd_bind_int(s, at, (int64_t)value);
    else
        sqlite3_bind_double(s, at, value);
}

/* An inactive parameter (NaN) has no row. */
static int add_params(struct kd_store *store, int64_t trial_id, const struct kd_trial *trial,
                      const struct kd_space *space, struct kd_error *err)
{
    for (int i = 0; i < space->n_params; i++) {
        if (isnan(trial->values[i]))
            continue;
        sqlite3_stmt *s = kd_statement_change(store, KD_SQL_ADD_PARAM, err);
        if (s == NULL)
            return -1;
        kd_bind_int(s, 1, trial_id);
        kd_bind_int(s, 2, i);
        kd_bind_text(s, 3, space->params[i].name);
        bind_param(s, 4, &space->params[i], trial->values[i]);
        if (kd_statement_run(store, s, "cannot save the parameters of a trial", err) != 0)
            return -1;
    }
    return 0;
}

static int save_value(struct kd_store *store, enum kd_statement which, int64_t trial_id, int i,
                      double value, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, which, err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, trial_id);
    kd_bind_int(s, 2, i);
    kd_bind_value(s, 3, value);
    return kd_statement_run(store, s, "cannot save what a trial measured", err);
}

static int drop_objectives(struct kd_store *store, int64_t trial_id, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_DROP_OBJECTIVES, err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, trial_id);
    return kd_statement_run(store, s, "cannot save the objectives of a trial", err);
}

static int save_measured(struct kd_store *store, int64_t trial_id, const struct kd_trial *trial,
                         struct kd_error *err)
{
    int result = 0;
    if (!trial->has_objective)
        result = drop_objectives(store, trial_id, err);
    else
        result = save_value(store, KD_SQL_SAVE_OBJECTIVE, trial_id, 0, trial->objective, err);
    for (int i = 0; trial->has_objective && i < trial->n_more_objectives && result == 0; i++)
        result = save_value(store, KD_SQL_SAVE_OBJECTIVE, trial_id, i + 1,
                            trial->more_objectives[i], err);
    for (int i = 0; i < trial->n_constraints && result == 0; i++)
        result = save_value(store, KD_SQL_SAVE_CONSTRAINT, trial_id, i, trial->excess[i], err);
    return result;
}

/* 1 there is such a row, 0 not, -1. */
static int has_trial(struct kd_store *store, int64_t trial_id, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_HAS_TRIAL, err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, trial_id);
    int rc = sqlite3_step(s);
    int found = rc == SQLITE_ROW    ? 1
                : rc == SQLITE_DONE ? 0
                                    : kd_store_fail(store, err, "cannot look up a trial");
    sqlite3_reset(s);
    return found;
}

static void bind_trial(sqlite3_stmt *s, int64_t id, int64_t experiment,
                       const struct kd_trial *trial)
{
    kd_bind_int(s, 1, id);
    kd_bind_int(s, 2, experiment);
    kd_bind_int(s, 3, trial->number);
    kd_bind_text(s, 4, kd_trial_state_name(trial->state));
    kd_bind_text(s, 5, trial->reason);
    if (trial->has_objective && isfinite(trial->objective))
        sqlite3_bind_double(s, 6, trial->objective);
    else
        sqlite3_bind_null(s, 6);
    kd_bind_int_or_null(s, 7, trial->until, trial->until > 0);
    kd_bind_int_or_null(s, 8, trial->parent, trial->parent >= 0);
    kd_bind_int(s, 9, trial->attempts);
    kd_bind_int(s, 10, trial->user_failures);
    kd_bind_int(s, 11, trial->infra_failures);
    kd_bind_int_or_null(s, 12, trial->fence, trial->fence > 0);
    kd_bind_text(s, 13, trial->ask_basis);
    kd_bind_int_or_null(s, 14, trial->done_seq, trial->done_seq >= 0);
    kd_bind_int(s, 15, trial->seed);
    kd_bind_time(s, 16, trial->created_at);
    kd_bind_time(s, 17, trial->started_at);
    kd_bind_time(s, 18, trial->finished_at);
    kd_bind_int_or_null(s, 19, trial->exit_code, trial->exit_code >= 0);
    kd_bind_int_or_null(s, 20, trial->exit_signal, trial->exit_signal >= 0);
    kd_bind_text(s, 21, trial->log);
}

int kd_store_save_trial(struct kd_store *store, int64_t experiment, const struct kd_trial *trial,
                        const struct kd_space *space, struct kd_error *err)
{
    int64_t id = kd_trial_row_id(experiment, trial->number);
    int had = has_trial(store, id, err);
    sqlite3_stmt *s = had < 0 ? NULL : kd_statement_change(store, KD_SQL_SAVE_TRIAL, err);
    if (s == NULL)
        return -1;
    bind_trial(s, id, experiment, trial);
    if (kd_statement_run(store, s, "cannot save a trial", err) != 0)
        return -1;
    if (!had && add_params(store, id, trial, space, err) != 0)
        return -1;
    if (!had && !trial->has_objective)
        return 0;
    return save_measured(store, id, trial, err);
}

int kd_store_save_attempt(struct kd_store *store, int64_t experiment,
                          const struct kd_attempt *attempt, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_SAVE_ATTEMPT, err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, attempt->fence);
    kd_bind_int(s, 2, kd_trial_row_id(experiment, attempt->trial));
    kd_bind_int(s, 3, attempt->n);
    kd_bind_int_or_null(s, 4, attempt->gang, attempt->gang > 0);
    kd_bind_text(s, 5, kd_attempt_state_name(attempt->state));
    kd_bind_int(s, 6, attempt->last_seq);
    kd_bind_int(s, 7, attempt->log_offset);
    kd_bind_time(s, 8, attempt->started_at);
    kd_bind_time(s, 9, attempt->finished_at);
    kd_bind_text(s, 10, attempt->outcome);
    return kd_statement_run(store, s, "cannot save an attempt", err);
}

int kd_store_save_gang(struct kd_store *store, const struct kd_gang *gang, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_SAVE_GANG, err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, gang->id);
    kd_bind_text(s, 2, gang->token_hash);
    kd_bind_text(s, 3, gang->shape);
    kd_bind_text(s, 4, gang->slots);
    kd_bind_text(s, 5, gang->run_dir);
    kd_bind_text(s, 6, gang->boot_id);
    kd_bind_text(s, 7, kd_gang_state_name(gang->state));
    return kd_statement_run(store, s, "cannot save a gang", err);
}

int kd_store_add_artifact(struct kd_store *store, int64_t experiment, int trial, const char *kind,
                          const char *path, int64_t bytes, const char *digest, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_SAVE_ARTIFACT, err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, kd_trial_row_id(experiment, trial));
    kd_bind_text(s, 2, kind);
    kd_bind_text(s, 3, path);
    kd_bind_int(s, 4, bytes);
    kd_bind_text(s, 5, digest);
    return kd_statement_run(store, s, "cannot save an artifact", err);
}

int kd_store_highest(struct kd_store *store, int64_t *fence, int64_t *gang, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_get(store, KD_SQL_HIGHEST, err);
    if (s == NULL)
        return -1;
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *fence = sqlite3_column_int64(s, 0);
        *gang = sqlite3_column_int64(s, 1);
    } else {
        kd_store_fail(store, err, "cannot read the highest fence");
    }
    sqlite3_reset(s);
    return rc == SQLITE_ROW ? 0 : -1;
}
