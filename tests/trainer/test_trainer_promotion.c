/* Trials that go on from checkpoints of others: promoted to more epochs, cloned with settings of
 * their own. */
#include <glob.h>
#include <math.h>

#include "tests/trainer/trial.h"

#define OPTIMIZERS_TRIED                                                                           \
    "{\"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01}, \"average\": {\"decay\": 0.9}}",         \
        "{\"optimizer\": {\"name\": \"sgd\", \"lr\": 0.05, \"momentum\": 0.9}, \"zero\": 1}",      \
        "{\"optimizer\": {\"name\": \"lamb\", \"lr\": 0.01}, \"clipNorm\": 0.5}",                  \
        "{\"optimizer\": {\"name\": \"lion\", \"lr\": 0.001}, \"accumulate\": 2}"

static char *newest_file(const struct trial *trial)
{
    glob_t found;
    char *pattern = kd_format("%s/checkpoint-*", trial->checkpoints);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    char *path = kd_strdup(found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    free(pattern);
    return path;
}

static void expect_success(const struct trial *trial)
{
    if (trial->outcome.kind != KD_OUTCOME_SUCCEEDED)
        fail_msg("%s", trial->outcome.reason.text);
}

/* A new trial that takes the parent's checkpoint at r1 on to the end. */
static void check_promotion(const char *changes, bool by_file)
{
    struct trial parent, child;
    size_t bytes;
    float *straight = straight_weights(changes, &bytes);
    trial_open(&parent, changes);
    trial_run(&parent, false, 2);
    expect_success(&parent);
    char *file = newest_file(&parent);
    trial_open(&child, changes);
    child.parent = by_file ? file : parent.checkpoints;
    trial_run(&child, false, 0);
    expect_success(&child);
    assert_weights(&child, straight, bytes);
    free(file);
    free(straight);
    trial_close(&child);
    trial_close(&parent);
}

static void training_to_r1_and_on_to_r2_is_training_to_r2(void **unused)
{
    (void)unused;
    static const char *const changes[] = {OPTIMIZERS_TRIED};
    for (size_t i = 0; i < KD_COUNT(changes); i++)
        check_promotion(changes[i], i % 2);
}

static void a_clone_has_its_parents_weights_and_its_own_settings(void **unused)
{
    (void)unused;
    struct trial parent, child;
    size_t bytes;
    trial_open(&parent, "{\"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01}}");
    trial_run(&parent, false, 2);
    float *weights = weights_copy(&parent.alone, &bytes);
    trial_open(&child,
               "{\"optimizer\": {\"name\": \"adamw\", \"lr\": 0, \"weightDecay\": 0},"
               " \"schedule\": {\"name\": \"constant\"}, \"model\": [{\"linear\": {\"units\": 16}},"
               " {\"relu\": {}}, {\"dropout\": {\"p\": 0.1}}, {\"linear\": {\"units\": 3}}]}");
    child.parent = parent.checkpoints;
    trial_run(&child, false, 3);
    expect_success(&child);
    assert_int_equal(child.listener.n_reports, 1);
    assert_int_equal(child.listener.reports[0].step, 3); /* the counter goes on */
    assert_true(child.listener.reports[0].values[KD_METRIC_LR] == 0);
    assert_weights(&child, weights, bytes); /* a rate of 0 leaves them as they came */
    free(weights);
    trial_close(&child);
    trial_close(&parent);
}

static void a_clone_with_another_optimizer_begins_its_state_anew(void **unused)
{
    (void)unused;
    struct trial parent, child;
    trial_open(&parent, "{\"optimizer\": {\"name\": \"sgd\", \"lr\": 0.05}}");
    trial_run(&parent, false, 2);
    trial_open(&child, "{\"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01},"
                       " \"schedule\": {\"name\": \"constant\"}, \"report\": {\"every\": 1}}");
    child.parent = parent.checkpoints;
    size_t bytes;
    float *before = weights_copy(&parent.alone, &bytes);
    trial_run(&child, false, 9);
    expect_success(&child);
    float *after = weights_copy(&child.alone, &bytes);
    for (size_t i = 0; i < bytes / sizeof *after;
         i++) /* adamw's first step is of lr's length at most */
        assert_true(fabsf(after[i] - before[i]) <= 0.0101f);
    free(before);
    free(after);
    trial_close(&child);
    trial_close(&parent);
}

static void a_clone_may_have_another_batch_size(void **unused)
{
    (void)unused;
    struct trial parent, child;
    trial_open(&parent, "{}");
    trial_run(&parent, false, 2);
    trial_open(&child, "{\"batchSize\": 10}");
    child.parent = parent.checkpoints;
    trial_run(&child, false, 0);
    expect_success(&child);
    assert_int_equal(child.listener.n_reports, 2);
    assert_int_equal(child.listener.reports[0].step, 3);
    trial_run(&child, true, 0); /* from its own checkpoint, which is whole */
    expect_success(&child);
    trial_close(&child);
    trial_close(&parent);
}

/* The coordinator counts in the unit of reports: a parent's six steps are six steps of its clone,
 * however long those are. */
static void steps_stay_steps_with_another_batch_size(void **unused)
{
    (void)unused;
    struct trial parent, child;
    trial_open(&parent, "{\"report\": {\"every\": 1}}");
    trial_run(&parent, false, 6);
    trial_open(&child, "{\"report\": {\"every\": 1}, \"batchSize\": 10}");
    child.parent = parent.checkpoints;
    trial_run(&child, false, 8);
    expect_success(&child);
    assert_int_equal(child.listener.n_reports, 2);
    assert_int_equal(child.listener.reports[0].step, 7);
    trial_close(&child);
    trial_close(&parent);
}

static void a_parent_that_is_not_there_or_damaged_is_named(void **unused)
{
    (void)unused;
    struct trial child;
    trial_open(&child, "{}");
    child.parent = "nowhere";
    trial_run(&child, false, 0);
    assert_int_equal(child.outcome.kind, KD_OUTCOME_FAILED);
    assert_non_null(strstr(child.outcome.reason.text, "nowhere: cannot open the parent's"));
    child.parent = child.folder.path; /* a folder without checkpoints */
    trial_run(&child, false, 0);
    assert_non_null(strstr(child.outcome.reason.text, "no sound checkpoint of the parent"));
    char *data = kd_format("%s/blobs.csv", child.folder.path);
    child.parent = data;
    trial_run(&child, false, 0);
    assert_non_null(strstr(child.outcome.reason.text, "blobs.csv: its header is said to have"));
    free(data);
    trial_close(&child);
}

static int n_files(const struct trial *trial)
{
    glob_t found;
    char *pattern = kd_format("%s/*", trial->checkpoints);
    int n = glob(pattern, 0, NULL, &found) == 0 ? (int)found.gl_pathc : 0;
    globfree(&found);
    free(pattern);
    return n;
}

static void the_best_by_a_metric_stay(void **unused)
{
    (void)unused;
    struct trial trial;
    int best = 0;
    trial_open(&trial, "{\"epochs\": 12, \"optimizer\": {\"name\": \"sgd\", \"lr\": 1.5},"
                       " \"checkpoint\": {\"keep\": 1, \"best\": 1, \"metric\": \"val_loss\"}}");
    for (int64_t until = 1; until <= 12; until += 3) /* the list lives through the resumes */
        trial_run(&trial, true, until);
    trial_run(&trial, true, 0);
    expect_success(&trial);
    for (int i = 1; i < 12; i++)
        if (trial.listener.reports[i].values[KD_METRIC_VAL_LOSS] <=
            trial.listener.reports[best].values[KD_METRIC_VAL_LOSS])
            best = i;
    char *path = kd_format("%s/checkpoint-%012d.safetensors", trial.checkpoints, 4 * (best + 1));
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(n_files(&trial), best == 11 ? 1 : 2);
    free(path);
    trial_close(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_to_r1_and_on_to_r2_is_training_to_r2),
        cmocka_unit_test(a_clone_has_its_parents_weights_and_its_own_settings),
        cmocka_unit_test(a_clone_with_another_optimizer_begins_its_state_anew),
        cmocka_unit_test(a_clone_may_have_another_batch_size),
        cmocka_unit_test(steps_stay_steps_with_another_batch_size),
        cmocka_unit_test(a_parent_that_is_not_there_or_damaged_is_named),
        cmocka_unit_test(the_best_by_a_metric_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
