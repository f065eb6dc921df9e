/* fixture.h - a temporary folder and a small experiment for the tests of this room. */
#ifndef KD_TESTS_STORE_FIXTURE_H
#define KD_TESTS_STORE_FIXTURE_H

/* cmocka.h wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
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

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    DIR *dir = opendir(f->dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", f->dir, entry->d_name);
        if (entry->d_name[0] != '.' && unlink(path) != 0)
            rmdir(path);
    }
    closedir(dir);
    rmdir(f->dir);
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
