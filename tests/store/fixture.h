/* fixture.h - a temporary folder and a small experiment for the tests of this room. */
#ifndef KD_TESTS_STORE_FIXTURE_H
#define KD_TESTS_STORE_FIXTURE_H

/* cmocka.h wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/store/store.h"

struct fixture {
    char dir[64];
    char db[96];
    struct kd_error err;
};

static inline int setup(void **state)
{
    struct fixture *f = KD_NEW(struct fixture);
    snprintf(f->dir, sizeof f->dir, "/tmp/katydid-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->db, sizeof f->db, "%s/katydid.db", f->dir);
    *state = f;
    return 0;
}

static inline int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* lr (double), units (int), batch (discrete), opt (categorical) */
static inline const struct kd_space *sample_space(void)
{
    static char *batches[] = {"16", "32", "0.5"};
    static double batch_values[] = {16, 32, 0.5};
    static char *opts[] = {"sgd", "adamw"};
    static struct kd_param params[] = {
        {.name = "lr", .type = KD_PARAM_DOUBLE, .min = 1e-5, .max = 1},
        {.name = "units", .type = KD_PARAM_INT, .min = 1, .max = 512, .step = 1},
        {.name = "batch",
         .type = KD_PARAM_DISCRETE,
         .values = batch_values,
         .choices = batches,
         .n_choices = 3},
        {.name = "opt", .type = KD_PARAM_CATEGORICAL, .choices = opts, .n_choices = 2},
    };
    static const struct kd_space space = {4, params};
    return &space;
}

static inline struct kd_store *open_store(struct fixture *f)
{
    enum kd_store_failure why;
    struct kd_store *store = kd_store_open(f->db, &why, &f->err);
    if (store == NULL)
        fail_msg("%s", f->err.text);
    return store;
}

#define must(f, call)                                                                              \
    do {                                                                                           \
        if ((call) != 0)                                                                           \
            fail_msg("%s: %s", #call, (f)->err.text);                                              \
    } while (0)

static inline int64_t add_experiment(struct fixture *f, struct kd_store *store, const char *name)
{
    struct kd_experiment_row row = {
        .name = (char *)name,
        .spec = "spec: {}",
        .canonical = "{\"spec\":{\"objective\":{\"type\":\"maximize\",\"objectiveMetricName\":"
                     "\"accuracy\"}}}",
        .digest = "abc",
        .base_dir = "/tmp",
        .file = "sweep.yaml",
        .state = "Running",
        .reason = "ExperimentRunning",
        .seed = 7,
        .created_at = 1000.5,
    };
    must(f, kd_store_add_experiment(store, &row, &f->err));
    return row.id;
}

static inline struct kd_trial sample_trial(int number, double *values)
{
    return (struct kd_trial){.number = number,
                             .values = values,
                             .state = KD_TRIAL_PENDING,
                             .parent = -1,
                             .ask_basis = "{\"done\":0,\"running\":[]}",
                             .done_seq = -1,
                             .seed = 11 + number,
                             .created_at = 1001,
                             .exit_code = -1,
                             .exit_signal = -1};
}

static const char sample_basis[] = "{\"done\":0,\"running\":[]}";

/* One trial with one attempt on gang 1 and two points; times are fixed so that outputs are. */
static inline void add_sample_trial(struct fixture *f, struct kd_store *store, int64_t id,
                                    struct kd_trial trial, enum kd_attempt_state attempt_state)
{
    bool over = kd_trial_is_terminal(trial.state), was_run = trial.state != KD_TRIAL_PENDING;
    int64_t first, last;
    trial.ask_basis = (char *)sample_basis;
    trial.parent = -1;
    trial.exit_signal = -1;
    trial.created_at = 1700000000;
    trial.started_at = was_run ? 1700000010 : 0;
    trial.finished_at = over ? 1700000010 + 2.5 * (trial.number + 1) : 0;
    trial.attempts = was_run;
    trial.fence = was_run ? trial.number + 1 : 0;
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    if (!was_run)
        return;
    struct kd_attempt attempt = {.fence = trial.fence,
                                 .trial = trial.number,
                                 .n = 1,
                                 .gang = 1,
                                 .state = attempt_state,
                                 .started_at = trial.started_at,
                                 .finished_at = trial.finished_at};
    const struct kd_metric_point points[] = {
        {"accuracy", 1, 0.25, 1700000011},
        {"accuracy", 2, trial.objective, 1700000012},
        {"loss", 1, 1.5, 1700000011},
        {"loss", 2, NAN, 1700000012},
    };
    must(f, kd_store_save_attempt(store, id, &attempt, &f->err));
    must(f, kd_store_add_metrics(store, id, trial.number, trial.fence, points, 4, &first, &last,
                                 &f->err));
}

/* An experiment "sweep" that holds every invariant, with a trial of most states; the owner has
 * closed it. */
static inline void make_sample(struct fixture *f)
{
    struct kd_store *store = open_store(f);
    struct kd_gang gang = {.id = 1, .state = KD_GANG_BUSY};
    double values[6][4] = {{0.001, 64, 32, 1}, {0.01, 128, 16, 0}, {0.5, 8, 0.5, 0},
                           {1e-5, 512, 16, 1}, {0.02, 32, 32, 1},  {0.03, 48, 16, 0}};
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    must(f, kd_store_save_gang(store, &gang, &f->err));
    const struct {
        enum kd_trial_state state;
        const char *reason;
        double objective;
        int done_seq, exit_code;
        enum kd_attempt_state attempt;
    } rows[] = {
        {KD_TRIAL_SUCCEEDED, "TrialSucceeded", 0.875, 0, 0, KD_ATTEMPT_WON},
        {KD_TRIAL_EARLY_STOPPED, "stopped by medianstop\x1b[5m at step 2", 0.5, 2, -1,
         KD_ATTEMPT_WON},
        {KD_TRIAL_FAILED, "exit code 1; last lines:\nepoch 1\n\"out of\tmemory\x1b[31m, sorry\"", 0,
         1, 1, KD_ATTEMPT_FAILED},
        {KD_TRIAL_SUCCEEDED, "TrialSucceeded", NAN, 3, 0, KD_ATTEMPT_WON},
        {KD_TRIAL_RUNNING, NULL, 0, -1, -1, KD_ATTEMPT_LIVE},
        {KD_TRIAL_PENDING, NULL, 0, -1, -1, KD_ATTEMPT_LAUNCHING},
    };
    for (int i = 0; i < 6; i++) {
        struct kd_trial trial = {.number = i,
                                 .values = values[i],
                                 .state = rows[i].state,
                                 .reason = (char *)rows[i].reason,
                                 .has_objective = i < 4 && i != 2,
                                 .objective = rows[i].objective,
                                 .done_seq = rows[i].done_seq,
                                 .exit_code = rows[i].exit_code};
        add_sample_trial(f, store, id, trial, rows[i].attempt);
    }
    must(f, kd_store_commit(store, &f->err));
    kd_store_close(store);
}

/* The one value of a query as text ("NULL" for NULL), through a connection of its own. */
static inline char *ask(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int rc = sqlite3_step(s);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : "no row";
    char *copy = kd_strdup(text == NULL ? "NULL" : text);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return copy;
}

static inline void expect(struct fixture *f, const char *sql, const char *expected)
{
    char *got = ask(f->db, sql);
    if (strcmp(got, expected) != 0)
        fail_msg("%s gives %s, not %s", sql, got, expected);
    free(got);
}

static inline void execute(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

#endif
