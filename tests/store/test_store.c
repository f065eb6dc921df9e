/* What is written is what is there, typed and in order; what is not committed is not. */
#include "tests/store/fixture.h"

#include <math.h>

#include "coordinator/store/query.h"
#include "coordinator/store/schema_1.h"
#include "coordinator/store/schema_2.h"

static void a_new_file_has_our_tables_wal_and_an_id(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    assert_int_equal(strlen(kd_store_run_uuid(store)), 32);
    assert_int_equal(kd_store_term(store), 1);
    expect(f, "PRAGMA application_id", "1263819076");
    expect(f, "PRAGMA user_version", "3");
    expect(f, "PRAGMA journal_mode", "wal");
    expect(f,
           "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type IN "
           "('table', 'view') ORDER BY name)",
           "artifacts,attempt_gpus,attempts,constraints,events,experiments,gangs,meta,metric,"
           "metrics,objectives,"
           "params,trials");
    kd_store_close(store);
}

static void every_start_counts_and_the_id_stays(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    char uuid[33];
    strcpy(uuid, kd_store_run_uuid(store));
    kd_store_close(store);
    store = open_store(f);
    assert_string_equal(kd_store_run_uuid(store), uuid);
    assert_int_equal(kd_store_term(store), 2);
    kd_store_close(store);
}

static void closing_leaves_one_file_and_the_lock(void **state)
{
    struct fixture *f = *state;
    char wal[120];
    snprintf(wal, sizeof wal, "%s-wal", f->db);
    struct kd_store *store = open_store(f);
    must(f, kd_store_begin(store, &f->err));
    add_experiment(f, store, "sweep");
    must(f, kd_store_commit(store, &f->err));
    assert_int_equal(access(wal, F_OK), 0);
    kd_store_close(store);
    assert_int_not_equal(access(wal, F_OK), 0);
}

static void an_experiment_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    struct kd_experiment_row row;
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    must(f, kd_store_commit(store, &f->err));
    assert_int_equal(kd_store_find_experiment(store, "other", &row, &f->err), 0);
    assert_int_equal(kd_store_find_experiment(store, "sweep", &row, &f->err), 1);
    assert_int_equal(row.id, id);
    assert_int_equal(row.seed, 7);
    assert_string_equal(row.base_dir, "/tmp");
    assert_true(row.created_at == 1000.5 && row.finished_at == 0);

    free(row.state);
    row.state = kd_strdup("Succeeded");
    row.finished_at = 2000.25;
    must(f, kd_store_begin(store, &f->err));
    must(f, kd_store_save_experiment(store, &row, &f->err));
    must(f, kd_store_commit(store, &f->err));
    expect(f, "SELECT state || finished_at FROM experiments", "Succeeded2000.25");
    kd_experiment_row_release(&row);
    kd_store_close(store);
}

static void parameters_are_typed_as_the_user_wrote_them(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    double values[] = {1e-3, 64, 0.5, 1};
    double others[] = {NAN, 1, 32, 0};
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    struct kd_trial trial = sample_trial(0, values), second = sample_trial(1, others);
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    must(f, kd_store_save_trial(store, id, &second, sample_space(), &f->err));
    must(f, kd_store_commit(store, &f->err));
    const char *sql = "SELECT group_concat(name || ':' || typeof(value) || ':' || value, ' ') FROM "
                      "(SELECT * FROM params WHERE trial_id = 1000000000 ORDER BY i)";
    expect(f, sql, "lr:real:0.001 units:integer:64 batch:real:0.5 opt:text:adamw");
    expect(f, "SELECT count(*) FROM params WHERE trial_id = 1000000001", "3");
    expect(f,
           "SELECT value || typeof(value) FROM params WHERE trial_id = 1000000001 AND "
           "name = 'batch'",
           "32integer");
    kd_store_close(store);
}

static void saving_a_trial_again_updates_it(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    double values[] = {1e-3, 64, 32, 1};
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    struct kd_trial trial = sample_trial(0, values);
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    trial.state = KD_TRIAL_SUCCEEDED;
    trial.reason = "done";
    trial.has_objective = true;
    trial.objective = 0.75;
    trial.done_seq = 0;
    trial.exit_code = 0;
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    must(f, kd_store_commit(store, &f->err));
    expect(f,
           "SELECT count(*) || state || objective || exit_code || ifnull(exit_signal, '-') "
           "FROM trials",
           "1Succeeded0.750-");
    expect(f, "SELECT value FROM objectives", "0.75");
    expect(f, "SELECT count(*) FROM params", "4");

    trial.objective = NAN;
    must(f, kd_store_begin(store, &f->err));
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    must(f, kd_store_commit(store, &f->err));
    expect(f, "SELECT ifnull(value, 'null') || nonfinite FROM objectives", "nullnan");
    expect(f, "SELECT objective FROM trials", "NULL");
    kd_store_close(store);
}

static void all_objectives_and_constraints_of_a_trial_are_kept(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    double values[] = {1e-3, 64, 32, 1}, more[] = {INFINITY, -2.5}, excess[] = {-1, NAN};
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    struct kd_trial trial = sample_trial(0, values);
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    trial.state = KD_TRIAL_SUCCEEDED;
    trial.done_seq = 0;
    trial.has_objective = true;
    trial.objective = 0.75;
    trial.more_objectives = more;
    trial.excess = excess;
    trial.n_more_objectives = trial.n_constraints = 2;
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    must(f, kd_store_commit(store, &f->err));
    expect(f,
           "SELECT group_concat(i || ':' || ifnull(value, nonfinite), ' ') FROM "
           "(SELECT * FROM objectives ORDER BY i)",
           "0:0.75 1:inf 2:-2.5");
    expect(f,
           "SELECT group_concat(i || ':' || ifnull(value, nonfinite), ' ') FROM "
           "(SELECT * FROM constraints ORDER BY i)",
           "0:-1.0 1:nan");
    struct kd_trial_info *rows;
    int n;
    must(f, kd_query_trials(store, id, -1, &rows, &n, &f->err));
    assert_int_equal(rows[0].n_objectives, 3);
    assert_true(rows[0].objective == 0.75 && isinf(rows[0].objectives[1]));
    assert_int_equal(rows[0].n_constraints, 2);
    assert_false(rows[0].is_feasible);
    kd_trial_infos_free(rows, n);
    kd_store_close(store);
}

/* A file as version 1 left it: the tables of then, and a trial. */
static void make_version_1(struct fixture *f)
{
    execute(f->db, KD_SCHEMA_1);
    execute(f->db,
            "PRAGMA application_id = 1263819076; PRAGMA user_version = 1; INSERT INTO meta "
            "VALUES(1, '0123456789abcdef0123456789abcdef', 4, 'boot', 1000);"
            "INSERT INTO experiments VALUES(1, 'old', 'spec: {}', '{}', 'abc', '/tmp', 'old.yaml', "
            "7, 'Running', NULL, 1000, NULL);"
            "INSERT INTO trials VALUES(1000000000, 1, 0, 'Succeeded', 'finished', 0.5, NULL, NULL, "
            "0, 0, 0, NULL, NULL, 0, 1, 1, 1, 2, NULL, NULL, NULL);"
            "INSERT INTO objectives VALUES(1000000000, 0, 0.5, NULL)");
}

static void expect_old_trial(struct fixture *f, struct kd_store *store)
{
    struct kd_experiment_info info;
    struct kd_trial_info *rows;
    int n;
    assert_int_equal(kd_query_experiment(store, "old", &info, &f->err), 1);
    assert_int_equal(info.best, 0);
    must(f, kd_query_trials(store, info.id, -1, &rows, &n, &f->err));
    assert_int_equal(n, 1);
    assert_true(rows[0].is_feasible && rows[0].objective == 0.5);
    kd_trial_infos_free(rows, n);
    kd_experiment_info_release(&info);
}

static void a_file_of_version_1_is_read_as_it_is_and_brought_forward_by_its_owner(void **state)
{
    struct fixture *f = *state;
    make_version_1(f);
    struct kd_store *reader = kd_store_open_readonly(f->db, &f->err);
    if (reader == NULL)
        fail_msg("%s", f->err.text);
    expect_old_trial(f, reader);
    kd_store_close(reader);
    expect(f, "PRAGMA user_version", "1");

    struct kd_store *store = open_store(f);
    expect_old_trial(f, store);
    expect(f, "PRAGMA user_version", "3");
    expect(f, "SELECT run_uuid || term FROM meta", "0123456789abcdef0123456789abcdef5");
    expect(f, "SELECT count(*) FROM constraints", "0");
    expect(f, "SELECT count(*) FROM attempt_gpus", "0");
    kd_store_close(store);
}

/* A file as version 2 left it has the constraints and lacks the GPUs. */
static void a_reader_of_version_2_sees_no_gpus(void **state)
{
    struct fixture *f = *state;
    struct kd_attempt_gpu_info *gpus;
    int n;
    make_version_1(f);
    execute(f->db, KD_SCHEMA_2 "PRAGMA user_version = 2");
    struct kd_store *reader = kd_store_open_readonly(f->db, &f->err);
    assert_non_null(reader);
    expect_old_trial(f, reader);
    must(f, kd_query_gpus(reader, 1, -1, &gpus, &n, &f->err));
    assert_int_equal(n, 0);
    kd_attempt_gpu_infos_free(gpus, n);
    kd_store_close(reader);
    expect(f, "PRAGMA user_version", "2");
}

static struct kd_gpu_usage usage_of(double seconds, int percent, int64_t energy_mj)
{
    struct kd_gpu_usage usage = {0};
    struct kd_gpu_reading begin = {.at_s = 10, .power_mw = -1};
    struct kd_gpu_reading end = {.at_s = 10 + seconds,
                                 .percent = percent,
                                 .memory_bytes = 1 << 30,
                                 .celsius = -1,
                                 .energy_mj = energy_mj,
                                 .power_mw = -1};
    kd_gpu_usage_add(&usage, &begin);
    kd_gpu_usage_add(&usage, &end);
    return usage;
}

/* 1 s at 100 % and 3 s at 20 % are 40 %; what one GPU does not tell is not known of it, nor
 * guessed. */
static void gpus_of_all_attempts_are_added_up(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    double values[] = {1e-3, 64, 32, 1};
    struct kd_trial trial = sample_trial(0, values);
    struct kd_gpu_usage first = usage_of(1, 100, 5000), second = usage_of(3, 20, 7500), none = {0};
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    for (int n = 1; n <= 2; n++) {
        struct kd_attempt attempt = {.fence = n, .n = n, .state = KD_ATTEMPT_LOST};
        must(f, kd_store_save_attempt(store, id, &attempt, &f->err));
        must(f, kd_store_add_attempt_gpu(store, n, 0, 2, "GPU-b", &f->err));
        must(f, kd_store_save_gpu_usage(store, n, 0, n == 1 ? &first : &second, &f->err));
    }
    must(f, kd_store_add_attempt_gpu(store, 2, 1, 3, "GPU-c", &f->err));
    must(f, kd_store_save_gpu_usage(store, 2, 1, &none, &f->err));
    must(f, kd_store_commit(store, &f->err));
    expect(f, "SELECT count(*) FROM attempt_gpus WHERE seconds IS NULL AND energy_joules IS NULL",
           "1");

    struct kd_trial_info *rows;
    int n;
    must(f, kd_query_trials(store, id, -1, &rows, &n, &f->err));
    assert_int_equal(rows[0].n_gpus, 3);
    assert_true(rows[0].gpus.joules == 12.5 && rows[0].gpus.percent_peak == 100);
    assert_true(fabs(rows[0].gpus.percent_mean - 40) < 1e-9 && isnan(rows[0].gpus.celsius_peak));
    assert_int_equal(rows[0].gpus.memory_peak_bytes, 1 << 30);
    kd_trial_infos_free(rows, n);

    struct kd_attempt_gpu_info *gpus;
    must(f, kd_query_gpus(store, id, 0, &gpus, &n, &f->err));
    assert_int_equal(n, 3);
    assert_int_equal(gpus[2].attempt, 2);
    assert_int_equal(gpus[2].gpu, 3);
    assert_string_equal(gpus[2].uuid, "GPU-c");
    assert_true(isnan(gpus[2].used.joules) && gpus[2].used.memory_peak_bytes == -1);
    kd_attempt_gpu_infos_free(gpus, n);
    kd_store_close(store);
}

static void every_state_of_trial_h_has_its_place_in_the_schema(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    double values[] = {1e-3, 64, 32, 1};
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    for (int i = 0; i < KD_N_TRIAL_STATES; i++) {
        struct kd_trial trial = sample_trial(i, values);
        trial.state = (enum kd_trial_state)i;
        trial.done_seq = kd_trial_is_terminal(trial.state) ? i : -1;
        must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
        struct kd_attempt attempt = {.fence = i + 1, .trial = i, .n = 1};
        attempt.state = (enum kd_attempt_state)(i % KD_N_ATTEMPT_STATES);
        must(f, kd_store_save_attempt(store, id, &attempt, &f->err));
        struct kd_gang gang = {.id = i + 1, .state = (enum kd_gang_state)(i % KD_N_GANG_STATES)};
        must(f, kd_store_save_gang(store, &gang, &f->err));
    }
    must(f, kd_store_commit(store, &f->err));
    int64_t fence, gang;
    must(f, kd_store_highest(store, &fence, &gang, &f->err));
    assert_int_equal(fence, KD_N_TRIAL_STATES);
    assert_int_equal(gang, KD_N_TRIAL_STATES);
    kd_store_close(store);
}

static void the_database_forbids_a_second_live_attempt(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    double values[] = {1e-3, 64, 32, 1};
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    struct kd_trial trial = sample_trial(0, values);
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    struct kd_attempt first = {.fence = 1, .n = 1, .state = KD_ATTEMPT_WON};
    struct kd_attempt second = {.fence = 2, .n = 2, .state = KD_ATTEMPT_LAUNCHING};
    must(f, kd_store_save_attempt(store, id, &first, &f->err));
    assert_int_equal(kd_store_save_attempt(store, id, &second, &f->err), -1);
    assert_non_null(strstr(f->err.text, "UNIQUE"));
    assert_int_equal(kd_store_commit(store, &f->err), -1);
    expect(f, "SELECT count(*) FROM trials", "0");

    must(f, kd_store_begin(store, &f->err));
    id = add_experiment(f, store, "sweep");
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    first.state = KD_ATTEMPT_LOST;
    must(f, kd_store_save_attempt(store, id, &first, &f->err));
    must(f, kd_store_save_attempt(store, id, &second, &f->err));
    must(f, kd_store_commit(store, &f->err));
    kd_store_close(store);
}

static void what_is_rolled_back_never_was(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    must(f, kd_store_begin(store, &f->err));
    add_experiment(f, store, "sweep");
    kd_store_rollback(store);
    expect(f, "SELECT count(*) FROM experiments", "0");
    must(f, kd_store_begin(store, &f->err));
    add_experiment(f, store, "sweep");
    must(f, kd_store_commit(store, &f->err));
    expect(f, "SELECT count(*) FROM experiments", "1");
    assert_true(kd_store_commit_seconds(store) > 0);
    kd_store_close(store);
}

static void a_commit_that_breaks_a_reference_is_undone_whole(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    must(f, kd_store_add_event(store, id, 1.0, 3, "suggested", "{}", &f->err));
    assert_int_equal(kd_store_commit(store, &f->err), -1);
    assert_non_null(strstr(f->err.text, "FOREIGN KEY"));
    expect(f, "SELECT count(*) FROM experiments", "0");
    must(f, kd_store_begin(store, &f->err));
    must(f, kd_store_commit(store, &f->err));
    kd_store_close(store);
}

static void artifacts_are_kept_once_per_path(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    double values[] = {1e-3, 64, 32, 1};
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    struct kd_trial trial = sample_trial(0, values);
    must(f, kd_store_save_trial(store, id, &trial, sample_space(), &f->err));
    must(f, kd_store_add_artifact(store, id, 0, "checkpoint", "/a", 10, "d1", &f->err));
    must(f, kd_store_add_artifact(store, id, 0, "checkpoint", "/a", 20, NULL, &f->err));
    must(f, kd_store_commit(store, &f->err));
    expect(f, "SELECT count(*) || ':' || bytes FROM artifacts", "1:20");
    kd_store_close(store);
}

struct seen_events {
    int n, stop_after;
    int trials[8];
    char kinds[8][16];
    int64_t last_seq;
};

static int see_event(void *ud, int64_t seq, double at, int trial, const char *kind,
                     const char *data, struct kd_error *err)
{
    (void)at, (void)data, (void)err;
    struct seen_events *seen = ud;
    assert_true(seq > seen->last_seq);
    seen->last_seq = seq;
    seen->trials[seen->n] = trial;
    snprintf(seen->kinds[seen->n], sizeof seen->kinds[0], "%s", kind);
    return ++seen->n == seen->stop_after ? 42 : 0;
}

static void events_come_back_in_their_order_and_of_one_experiment(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    struct seen_events seen = {0};
    double values[] = {1e-3, 64, 32, 1};
    must(f, kd_store_begin(store, &f->err));
    int64_t a = add_experiment(f, store, "a"), b = add_experiment(f, store, "b");
    /* The journal may name a trial whose row is written later in the same transaction. */
    must(f, kd_store_add_event(store, a, 1.0, 5, "suggested", "{}", &f->err));
    must(f, kd_store_add_event(store, b, 2.0, -1, "other", "{}", &f->err));
    must(f, kd_store_add_event(store, a, 0.5, -1, "timer", "{}", &f->err));
    struct kd_trial trial = sample_trial(5, values);
    must(f, kd_store_save_trial(store, a, &trial, sample_space(), &f->err));
    must(f, kd_store_commit(store, &f->err));
    must(f, kd_store_each_event(store, a, see_event, &seen, &f->err));
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.trials[0], 5);
    assert_int_equal(seen.trials[1], -1);
    assert_string_equal(seen.kinds[1], "timer");
    seen = (struct seen_events){.stop_after = 1};
    assert_int_equal(kd_store_each_event(store, a, see_event, &seen, &f->err), 42);
    kd_store_close(store);
}

static const struct kd_metric_point points[] = {
    {"loss", 1, 0.5, 10}, {"loss", 2, NAN, 11},       {"loss", 3, INFINITY, 12},
    {"acc", 1, 0.25, 13}, {"loss", 4, -INFINITY, 14},
};

static int compare_point(void *ud, const struct kd_metric_point *point)
{
    const struct kd_metric_point *expected = &points[(*(int *)ud)++];
    assert_string_equal(point->name, expected->name);
    assert_int_equal(point->step, expected->step);
    assert_memory_equal(&point->at, &expected->at, sizeof point->at);
    if (isnan(expected->value))
        assert_true(isnan(point->value));
    else
        assert_true(point->value == expected->value);
    return 0;
}

static int count_point(void *ud, const struct kd_metric_point *point)
{
    (void)point;
    return ++*(int *)ud == 100;
}

static void metrics_come_back_bit_for_bit_with_nan_and_infinities(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    int64_t first, last, first2, last2;
    int n = 0, n_loss = 0;
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    must(f, kd_store_add_metrics(store, id, 0, 9, points, 5, &first, &last, &f->err));
    must(f, kd_store_add_metrics(store, id, 1, 9, points, 2, &first2, &last2, &f->err));
    must(f, kd_store_commit(store, &f->err));
    assert_int_equal(last - first, 4);
    assert_int_equal(first2, last + 1);
    must(f, kd_store_each_metric(store, first, last, NULL, compare_point, &n, &f->err));
    assert_int_equal(n, 5);
    must(f, kd_store_each_metric(store, first, last, "loss", count_point, &n_loss, &f->err));
    assert_int_equal(n_loss, 4);
    expect(f, "SELECT group_concat(ifnull(nonfinite, value)) FROM metrics WHERE trial_id % 10 = 0",
           "0.5,nan,inf,0.25,-inf");
    kd_store_close(store);
}

static void the_view_takes_the_highest_fence_of_each_step(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    int64_t first, last;
    const struct kd_metric_point old[] = {{"loss", 1, 1.0, 1}, {"loss", 2, 2.0, 2}};
    const struct kd_metric_point new[] = {
        {"loss", 2, 20, 3}, {"loss", 2, 21, 4}, {"loss", 3, 30, 5}};
    must(f, kd_store_begin(store, &f->err));
    int64_t id = add_experiment(f, store, "sweep");
    must(f, kd_store_add_metrics(store, id, 0, 4, new, 3, &first, &last, &f->err));
    must(f, kd_store_add_metrics(store, id, 0, 3, old, 2, &first, &last, &f->err));
    must(f, kd_store_commit(store, &f->err));
    expect(f, "SELECT group_concat(step || '=' || value) FROM (SELECT * FROM metric ORDER BY step)",
           "1=1.0,2=21.0,3=30.0");
    kd_store_close(store);
}

static void a_reader_sees_only_what_is_committed_and_stops_nobody(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    struct kd_experiment_row row;
    struct kd_store *reader = kd_store_open_readonly(f->db, &f->err);
    assert_non_null(reader);
    assert_string_equal(kd_store_run_uuid(reader), kd_store_run_uuid(store));
    must(f, kd_store_begin(store, &f->err));
    add_experiment(f, store, "sweep");
    assert_int_equal(kd_store_find_experiment(reader, "sweep", &row, &f->err), 0);
    must(f, kd_store_commit(store, &f->err));
    assert_int_equal(kd_store_find_experiment(reader, "sweep", &row, &f->err), 1);
    kd_experiment_row_release(&row);
    kd_store_close(store);
    assert_int_equal(kd_store_find_experiment(reader, "sweep", &row, &f->err), 1);
    kd_experiment_row_release(&row);
    kd_store_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_new_file_has_our_tables_wal_and_an_id),
        T(every_start_counts_and_the_id_stays),
        T(closing_leaves_one_file_and_the_lock),
        T(an_experiment_comes_back_as_it_was),
        T(parameters_are_typed_as_the_user_wrote_them),
        T(saving_a_trial_again_updates_it),
        T(all_objectives_and_constraints_of_a_trial_are_kept),
        T(a_file_of_version_1_is_read_as_it_is_and_brought_forward_by_its_owner),
        T(a_reader_of_version_2_sees_no_gpus),
        T(gpus_of_all_attempts_are_added_up),
        T(every_state_of_trial_h_has_its_place_in_the_schema),
        T(the_database_forbids_a_second_live_attempt),
        T(what_is_rolled_back_never_was),
        T(a_commit_that_breaks_a_reference_is_undone_whole),
        T(artifacts_are_kept_once_per_path),
        T(events_come_back_in_their_order_and_of_one_experiment),
        T(metrics_come_back_bit_for_bit_with_nan_and_infinities),
        T(the_view_takes_the_highest_fence_of_each_step),
        T(a_reader_sees_only_what_is_committed_and_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
