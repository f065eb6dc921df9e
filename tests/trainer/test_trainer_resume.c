/* Training on one rank: a trial that is interrupted and resumed ends with the weights of one that
 * was not; words from outside; divergence. */
#include <math.h>

#include "tests/trainer/trial.h"

static void a_trial_learns_and_reports_every_epoch(void **unused)
{
    (void)unused;
    struct trial trial;
    trial_open(&trial, "{\"epochs\": 12}");
    trial_run(&trial, false, 0);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_SUCCEEDED);
    assert_int_equal(trial.outcome.units, 12);
    assert_int_equal(trial.listener.n_reports, 12);
    assert_true(trial.listener.n_saved >= 1);
    const struct kd_report *first = &trial.listener.reports[0], *last = first + 11;
    assert_int_equal(last->step, 12);
    assert_true(last->values[KD_METRIC_VAL_ACCURACY] > 0.9);
    assert_true(last->values[KD_METRIC_TRAIN_LOSS] < first->values[KD_METRIC_TRAIN_LOSS]);
    trial_close(&trial);
}

static void a_warm_session_gives_the_same_bits_as_a_new_one(void **unused)
{
    (void)unused;
    struct trial trial;
    size_t bytes;
    float *straight = straight_weights("{}", &bytes);
    trial_open(&trial, "{\"model\": [{\"linear\": {\"units\": 3}}]}");
    trial_run(&trial, false, 0);
    kd_config_release(&trial.config);
    config_make(&trial.config, &trial.folder, "{}");
    trial_run(&trial, false, 0);
    trial_run(&trial, false, 0); /* the plan is reused now */
    assert_weights(&trial, straight, bytes);
    free(straight);
    trial_close(&trial);
}

/* One session for all of them, twice over: each finds what the others left (the plan, statistics,
 * averages, the loader's memory). */
static void what_a_session_trained_before_changes_no_bit(void **unused)
{
    (void)unused;
    static const char data[] =
        "\"data\": {\"format\": \"csv\", \"path\": \"blobs.csv\", \"split\": "
        "{\"val\": 0.25}, \"augment\": {\"mixup\": 0.4}}";
    static const char normed[] =
        "\"model\": [{\"linear\": {\"units\": 16}}, {\"batchnorm\": {}}, \"relu\", "
        "{\"linear\": {\"units\": 3}}]";
    static const char *const changes[][2] = {
        {"", ""},
        {"\"loss\": {\"name\": \"crossEntropy\", \"labelSmoothing\": 0.2}", ""},
        {"\"optimizer\": {\"name\": \"lamb\"}, \"average\": {\"decay\": 0.9}", ""},
        {"\"optimizer\": {\"name\": \"sgd\", \"momentum\": 0.9}, \"clipNorm\": 0.1", ""},
        {"\"optimizer\": {\"name\": \"lion\"}, \"accumulate\": 3", data},
        {"\"batchSize\": 48", data},
        {"\"average\": {\"decay\": 0.9}", normed},
        {"\"accumulate\": 2, \"batchSize\": 7", normed},
    };
    struct trial trial;
    trial_open(&trial, "{}");
    for (size_t i = 0; i < 2 * KD_COUNT(changes); i++) {
        const char *const *change = changes[i % KD_COUNT(changes)];
        char *text = kd_format("{%s%s%s}", change[0], change[1][0] ? ", " : "", change[1]);
        size_t bytes;
        float *straight = straight_weights(text, &bytes);
        kd_config_release(&trial.config);
        config_make(&trial.config, &trial.folder, text);
        trial.listener.n_reports = 0;
        trial_run(&trial, false, 0);
        assert_weights(&trial, straight, bytes);
        free(straight);
        free(text);
    }
    trial_close(&trial);
}

static void resuming_after_every_epoch_gives_the_same_bits(void **unused)
{
    (void)unused;
    static const char *const optimizers[] = {
        "{\"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01}}",
        "{\"optimizer\": {\"name\": \"sgd\", \"lr\": 0.05, \"momentum\": 0.9}}"};
    for (size_t i = 0; i < KD_COUNT(optimizers); i++) {
        struct trial trial;
        size_t bytes;
        float *straight = straight_weights(optimizers[i], &bytes);
        trial_open(&trial, optimizers[i]);
        for (int64_t until = 1; until <= 4; until++) {
            trial_run(&trial, true, until);
            assert_int_equal(trial.outcome.kind, KD_OUTCOME_SUCCEEDED);
            assert_int_equal(trial.outcome.units, until);
            /* the earlier epochs' reports come again, then the new one */
            assert_int_equal(trial.listener.n_reports, until);
            assert_int_equal(trial.listener.reports[0].step, 1);
        }
        assert_weights(&trial, straight, bytes);
        free(straight);
        trial_close(&trial);
    }
}

static void killing_a_trial_after_any_report_loses_nothing(void **unused)
{
    (void)unused;
    struct trial trial;
    size_t bytes;
    float *straight = straight_weights("{}", &bytes);
    trial_open(&trial, "{\"checkpoint\": {\"every\": 1}}");
    for (int deaths = 1; deaths <= 4; deaths++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            trial.listener.die_after = deaths;
            trial_run(&trial, true, 0);
            _exit(1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    trial_run(&trial, true, 0);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_SUCCEEDED);
    assert_int_equal(trial.listener.n_reports, 4);
    assert_weights(&trial, straight, bytes);
    free(straight);
    trial_close(&trial);
}

static void reports_by_steps_count_steps_and_resume_inside_an_epoch(void **unused)
{
    (void)unused;
    static const char CHANGES[] = "{\"report\": {\"every\": 3}}";
    struct trial trial;
    size_t bytes;
    float *straight = straight_weights(CHANGES, &bytes);
    trial_open(&trial, CHANGES);
    trial_run(&trial, true, 7);
    assert_int_equal(trial.listener.n_reports, 3);
    assert_int_equal(trial.listener.reports[1].step, 6);
    assert_int_equal(trial.listener.reports[2].step, 7);
    trial_run(&trial, true, 0);
    assert_int_equal(trial.outcome.units, 16);
    assert_int_equal(trial.listener.reports[trial.listener.n_reports - 1].step, 16);
    assert_weights(&trial, straight, bytes);
    free(straight);
    trial_close(&trial);
}

/* So long that only a word ends it; listening is at most every 20 ms, so there are few reports
 * before. */
static const char LONG[] = "{\"epochs\": 1000000, \"report\": {\"every\": 1000000000},"
                           " \"checkpoint\": {\"every\": 0}}";

static void run_until_word(struct trial *trial, enum kd_word word)
{
    trial->listener.word = word;
    trial_run(trial, true, 0);
    trial->listener.word = KD_WORD_GO;
}

static void a_stop_ends_the_trial_between_steps(void **unused)
{
    (void)unused;
    struct trial trial;
    trial_open(&trial, LONG);
    run_until_word(&trial, KD_WORD_STOP);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_STOPPED);
    assert_int_equal(trial.listener.n_saved, 0);
    run_until_word(&trial, KD_WORD_EXIT);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_DROPPED);
    assert_true(trial.outcome.exit);
    trial_close(&trial);
}

/* Its reports follow each other in much less than a second. */
static void without_a_rhythm_of_its_own_a_quick_trial_is_not_saved_at_every_report(void **unused)
{
    (void)unused;
    struct trial trial;
    trial_open(&trial, "{}");
    trial_run(&trial, true, 0);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_SUCCEEDED);
    assert_int_equal(trial.listener.n_reports, 4);
    assert_true(trial.listener.n_saved >= 1 && trial.listener.n_saved < 4);
    trial_close(&trial);
}

static void without_a_rhythm_of_its_own_a_stopped_trial_is_saved_where_it_stands(void **unused)
{
    (void)unused;
    struct trial trial;
    trial_open(&trial, "{\"epochs\": 1000000, \"report\": {\"every\": 1000000000}}");
    run_until_word(&trial, KD_WORD_STOP);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_STOPPED);
    assert_int_equal(trial.listener.n_saved, 1);
    trial_close(&trial);
}

/* Some hundred thousand steps a second, and a report of every fifty thousand. */
static void without_a_rhythm_of_its_own_a_long_trial_is_saved_as_time_goes_by(void **unused)
{
    (void)unused;
    struct trial trial;
    trial_open(&trial, "{\"epochs\": 1000000000, \"report\": {\"every\": 50000}}");
    trial.listener.word_once_saved = KD_WORD_EXIT;
    trial_run(&trial, true, 0);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_DROPPED);
    assert_int_equal(trial.listener.n_saved, 1);
    assert_true(trial.listener.n_reports > 0);
    trial_close(&trial);
}

static void a_yielded_trial_goes_on_where_it_was(void **unused)
{
    (void)unused;
    struct trial trial;
    trial_open(&trial, LONG);
    run_until_word(&trial, KD_WORD_YIELD);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_YIELDED);
    assert_int_equal(trial.listener.n_saved, 1);
    int64_t units = trial.outcome.units;
    trial_run(&trial, true, units + 2);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_SUCCEEDED);
    assert_int_equal(trial.listener.n_reports, 1);
    assert_int_equal(trial.listener.reports[0].step, units + 2);
    trial_close(&trial);
}

static void a_trial_without_resume_starts_anew(void **unused)
{
    (void)unused;
    struct trial trial;
    trial_open(&trial, "{}");
    trial_run(&trial, false, 3);
    trial_run(&trial, false, 1);
    assert_int_equal(trial.listener.n_reports, 1);
    trial_run(&trial, true,
              2); /* from the one epoch of the second run, not the three of the first */
    assert_int_equal(trial.listener.n_reports, 2);
    trial_close(&trial);
}

static void a_trial_may_start_from_anothers_checkpoint(void **unused)
{
    (void)unused;
    struct trial parent, child;
    trial_open(&parent, "{}");
    trial_run(&parent, false, 2);
    trial_open(&child, "{\"optimizer\": {\"name\": \"adamw\", \"lr\": 0.001}, \"batchSize\": 16}");
    struct kd_sink sink = {.ud = &child.listener, .report = listener_report};
    struct kd_job job = {.config = &child.config,
                         .checkpoint_dir = child.checkpoints,
                         .parent_checkpoint = parent.checkpoints,
                         .sink = &sink};
    kd_train(&child.alone.session, &job, &child.outcome);
    assert_int_equal(child.outcome.kind, KD_OUTCOME_SUCCEEDED);
    assert_int_equal(child.listener.n_reports,
                     2); /* epochs 3 and 4: the first two are the parent's */
    assert_int_equal(child.listener.reports[0].step, 3);
    trial_close(&child);
    trial_close(&parent);
}

static void a_checkpoint_of_another_model_is_refused(void **unused)
{
    (void)unused;
    struct trial trial;
    trial_open(&trial, "{}");
    trial_run(&trial, false, 1);
    kd_config_release(&trial.config);
    config_make(&trial.config, &trial.folder, "{\"model\": [{\"linear\": {\"units\": 3}}]}");
    trial_run(&trial, true, 0);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_FAILED);
    assert_non_null(strstr(trial.outcome.reason.text, "another model"));
    trial_close(&trial);
}

static void a_loss_that_is_not_finite_is_divergence_with_its_step(void **unused)
{
    (void)unused;
    struct trial trial;
    trial_open(&trial, "{\"optimizer\": {\"name\": \"sgd\", \"lr\": 1e6}, \"loss\": \"mse\","
                       " \"epochs\": 200, \"model\": [{\"linear\": {\"units\": 1}}]}");
    trial_run(&trial, false, 0);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_DIVERGED);
    assert_non_null(strstr(trial.outcome.reason.text, "step "));
    assert_non_null(strstr(trial.outcome.reason.text, " of layers.0."));
    const struct kd_report *last = &trial.listener.reports[trial.listener.n_reports - 1];
    assert_true(!isfinite(last->values[KD_METRIC_TRAIN_LOSS]) ||
                !isfinite(last->values[KD_METRIC_VAL_LOSS]));
    trial_close(&trial);
}

/* One step from a gradient that is finite, of a model of one weight; the reason has to hold
 * `what`. */
static void check_divergence(const char *changes, const char *what)
{
    struct trial trial;
    char *text = kd_format("{\"schedule\": {\"name\": \"constant\"}, \"epochs\": 1,"
                           " \"loss\": \"mse\", \"model\": [{\"linear\": {\"units\": 1}}],"
                           " \"data\": {\"format\": \"csv\", \"path\": \"huge.csv\","
                           " \"normalize\": \"none\"}, %s}",
                           changes);
    trial_open(&trial, "{}");
    text_write(&trial.folder, "huge.csv", "1e18,2\n2e18,3\n3e18,1\n4e18,2\n5e18,5\n");
    kd_config_release(&trial.config);
    config_make(&trial.config, &trial.folder, text);
    trial_run(&trial, false, 0);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_DIVERGED);
    if (!strstr(trial.outcome.reason.text, what))
        fail_msg("%s", trial.outcome.reason.text);
    trial_close(&trial);
    free(text);
}

static void an_overflow_is_named_for_what_it_is_with_an_average_too(void **unused)
{
    (void)unused;
    static const char what[] = "step 1 (epoch 1): parameter of layers.0.weight (linear)";
    check_divergence("\"optimizer\": {\"name\": \"sgd\", \"lr\": 1e6}", what);
    check_divergence(
        "\"optimizer\": {\"name\": \"sgd\", \"lr\": 1e6}, \"average\": {\"decay\": 0.9}", what);
}

/* The weight is about 1e26 after it, which is finite, and times the sample too great. */
static void a_loss_of_the_held_out_part_that_is_not_finite_is_divergence(void **unused)
{
    (void)unused;
    check_divergence("\"optimizer\": {\"name\": \"sgd\", \"lr\": 1e-11}", "val_loss is not finite");
}

static void a_bad_data_file_fails_the_trial_and_not_the_session(void **unused)
{
    (void)unused;
    struct trial trial;
    trial_open(&trial, "{}");
    text_write(&trial.folder, "blobs.csv", "1,2,3,4,5,6,7,8,0\n1,2\n");
    trial_run(&trial, false, 0);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_FAILED);
    assert_non_null(strstr(trial.outcome.reason.text, "blobs.csv:2: a short row"));
    blobs_write(&trial.folder, 100);
    trial_run(&trial, false, 1);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_SUCCEEDED);
    trial_close(&trial);
}

static void a_report_comes_back_from_its_json(void **unused)
{
    (void)unused;
    struct kd_report report = {.step = 3, .at = 12.5}, back;
    kd_report_set(&report, KD_METRIC_VAL_LOSS, 0.1);
    kd_report_set(&report, KD_METRIC_TRAIN_LOSS, NAN);
    json_t *json = kd_report_to_json(&report);
    assert_int_equal(kd_report_from_json(json, &back), 0);
    assert_true(back.step == 3 && back.at == 12.5 && back.values[KD_METRIC_VAL_LOSS] == 0.1);
    assert_true(isnan(back.values[KD_METRIC_TRAIN_LOSS]) && !back.has[KD_METRIC_LR]);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trial_learns_and_reports_every_epoch),
        cmocka_unit_test(a_warm_session_gives_the_same_bits_as_a_new_one),
        cmocka_unit_test(what_a_session_trained_before_changes_no_bit),
        cmocka_unit_test(resuming_after_every_epoch_gives_the_same_bits),
        cmocka_unit_test(killing_a_trial_after_any_report_loses_nothing),
        cmocka_unit_test(reports_by_steps_count_steps_and_resume_inside_an_epoch),
        cmocka_unit_test(a_stop_ends_the_trial_between_steps),
        cmocka_unit_test(without_a_rhythm_of_its_own_a_quick_trial_is_not_saved_at_every_report),
        cmocka_unit_test(without_a_rhythm_of_its_own_a_stopped_trial_is_saved_where_it_stands),
        cmocka_unit_test(without_a_rhythm_of_its_own_a_long_trial_is_saved_as_time_goes_by),
        cmocka_unit_test(a_yielded_trial_goes_on_where_it_was),
        cmocka_unit_test(a_trial_without_resume_starts_anew),
        cmocka_unit_test(a_trial_may_start_from_anothers_checkpoint),
        cmocka_unit_test(a_checkpoint_of_another_model_is_refused),
        cmocka_unit_test(a_loss_that_is_not_finite_is_divergence_with_its_step),
        cmocka_unit_test(an_overflow_is_named_for_what_it_is_with_an_average_too),
        cmocka_unit_test(a_loss_of_the_held_out_part_that_is_not_finite_is_divergence),
        cmocka_unit_test(a_bad_data_file_fails_the_trial_and_not_the_session),
        cmocka_unit_test(a_report_comes_back_from_its_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
