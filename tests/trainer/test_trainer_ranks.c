/* One step of 1, 2 and 3 ranks under the real mpirun: the same loss and the same gradients, to 1e-5
 * in relative norm.
 *
 * The program starts itself under mpirun: `test_trainer_ranks --rank FOLDER CHANGES STEPS OUT` is
 * one rank; rank 0 writes the last step's losses, gradients and weights to OUT. */
#include <math.h>

#include "tests/trainer/mpirun.h"

/* The learning rate is 0, so every step starts from equal weights; 113 samples to train on. */
#define FROZEN "\"optimizer\": {\"name\": \"sgd\", \"lr\": 0}, \"report\": {\"every\": 1}"

struct step {
    double loss, val_loss;
    float *gradients, *weights; /* owned; gradients are what the optimizer left of them */
    size_t n;
};

/* ---- a rank */

static double last_losses[2];

static void keep_loss(void *ud, const struct kd_report *report)
{
    (void)ud;
    last_losses[0] = report->values[KD_METRIC_TRAIN_LOSS];
    last_losses[1] = report->values[KD_METRIC_VAL_LOSS];
}

static int write_step(const struct kd_session *session, const char *path)
{
    FILE *out = fopen(path, "wb");
    size_t n = (size_t)kd_plan_n_parameters(session->plan);
    fwrite(last_losses, sizeof last_losses, 1, out);
    fwrite(kd_plan_gradients(session->plan), sizeof(float), n, out);
    fwrite(kd_plan_parameters(session->plan), sizeof(float), n, out);
    return fclose(out);
}

enum { DIVERGED = 7 }; /* exit status */

static int be_a_rank(char **arguments)
{
    struct folder folder;
    struct kd_comm comm;
    struct kd_error err;
    struct kd_session session;
    struct kd_config config;
    struct kd_outcome outcome;
    struct kd_sink sink = {.report = keep_loss};
    snprintf(folder.path, sizeof folder.path, "%s", arguments[0]);
    if (kd_comm_open(&comm, &err) < 0)
        return 1;
    kd_session_init(&session, &comm);
    config_make(&config, &folder, arguments[1]);
    struct kd_job job = {.config = &config,
                         .seed = 5,
                         .until = atoi(arguments[2]),
                         .sink = comm.rank == 0 ? &sink : NULL};
    kd_train(&session, &job, &outcome);
    int status = outcome.kind == KD_OUTCOME_SUCCEEDED  ? 0
                 : outcome.kind == KD_OUTCOME_DIVERGED ? DIVERGED
                                                       : 1;
    if (status)
        fprintf(stderr, "rank %d: %s\n", comm.rank, outcome.reason.text);
    if (status == 0) /* a rank may have the sums of its share alone */
        comm.backend->gather_floats(&comm, kd_plan_gradients(session.plan),
                                    kd_plan_n_parameters(session.plan));
    if (status == 0 && comm.rank == 0)
        status = write_step(&session, arguments[3]);
    kd_config_release(&config);
    kd_session_release(&session);
    kd_comm_close(&comm);
    return status;
}

/* ---- the tests */

static struct step step_of(const struct folder *folder, int n_ranks, const char *changes,
                           int n_steps)
{
    struct step step = {0};
    char *out = kd_format("%s/out-%d", folder->path, n_ranks);
    char *arguments = kd_format("--rank '%s' '%s' %d '%s'", folder->path, changes, n_steps, out);
    assert_int_equal(mpirun_self(folder, "", n_ranks, arguments), 0);
    FILE *in = fopen(out, "rb");
    struct stat info;
    assert_non_null(in);
    assert_int_equal(fstat(fileno(in), &info), 0);
    step.n = ((size_t)info.st_size - 2 * sizeof(double)) / sizeof(float) / 2;
    step.gradients = KD_NEW_ARRAY(float, step.n);
    step.weights = KD_NEW_ARRAY(float, step.n);
    assert_int_equal(fread(&step.loss, sizeof(double), 1, in), 1);
    assert_int_equal(fread(&step.val_loss, sizeof(double), 1, in), 1);
    assert_int_equal(fread(step.gradients, sizeof(float), step.n, in), step.n);
    assert_int_equal(fread(step.weights, sizeof(float), step.n, in), step.n);
    fclose(in);
    free(arguments);
    free(out);
    return step;
}

static void step_release(struct step *step)
{
    free(step->gradients);
    free(step->weights);
}

static double relative_distance(const float *a, const float *b, size_t n)
{
    double apart = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        double off = (double)a[i] - b[i];
        apart += off * off;
        norm += (double)a[i] * a[i];
    }
    assert_true(norm > 0);
    return sqrt(apart / norm);
}

static void check_equal_at_any_number(const char *changes, int n_steps)
{
    struct folder folder = folder_make();
    blobs_write(&folder, 150);
    struct step one = step_of(&folder, 1, changes, n_steps);
    for (int n_ranks = 2; n_ranks <= 3; n_ranks++) {
        struct step more = step_of(&folder, n_ranks, changes, n_steps);
        assert_int_equal(more.n, one.n);
        assert_true(fabs(more.loss - one.loss) <= 1e-5 * fabs(one.loss));
        assert_true(relative_distance(one.gradients, more.gradients, one.n) <= 1e-5);
        step_release(&more);
    }
    step_release(&one);
    folder_remove(&folder);
}

static void the_first_step_is_the_same_at_any_number_of_ranks(void **unused)
{
    (void)unused;
    check_equal_at_any_number("{" FROZEN "}", 1);
}

static void an_uneven_last_batch_is_the_same_at_any_number_of_ranks(void **unused)
{
    (void)unused;
    check_equal_at_any_number("{" FROZEN "}", 4); /* 17 samples are left for it */
}

static void a_rank_may_have_no_sample_at_all(void **unused)
{
    (void)unused;
    check_equal_at_any_number("{" FROZEN ", \"batchSize\": 2}", 57); /* one sample is left */
}

static void a_whole_training_ends_close_at_any_number_of_ranks(void **unused)
{
    (void)unused;
    check_equal_at_any_number(
        "{\"optimizer\": {\"name\": \"sgd\", \"lr\": 0.01}, \"report\": {\"every\": 1}}", 8);
}

/* The same ranks, so that only norms are summed in another order. The held-out loss is that of the
 * average. */
static void check_zero(const char *optimizer, int n_ranks)
{
    struct folder folder = folder_make();
    struct step steps[2];
    blobs_write(&folder, 150);
    for (int zero = 0; zero < 2; zero++) {
        char *changes =
            kd_format("{\"optimizer\": %s, \"report\": {\"every\": 1}, \"clipNorm\": 0.1,"
                      " \"average\": {\"decay\": 0.5}, \"zero\": %d}",
                      optimizer, zero);
        steps[zero] = step_of(&folder, n_ranks, changes, 8);
        free(changes);
    }
    assert_int_equal(steps[0].n, steps[1].n);
    assert_true(relative_distance(steps[0].weights, steps[1].weights, steps[0].n) <= 1e-6);
    assert_true(fabs(steps[0].loss - steps[1].loss) <= 1e-6 * steps[0].loss);
    assert_true(fabs(steps[0].val_loss - steps[1].val_loss) <= 1e-6 * steps[0].val_loss);
    step_release(&steps[0]);
    step_release(&steps[1]);
    folder_remove(&folder);
}

static void state_spread_over_the_ranks_makes_the_same_steps(void **unused)
{
    (void)unused;
    static const char *const optimizers[] = {
        "{\"name\": \"adamw\", \"lr\": 0.01}",
        "{\"name\": \"lamb\", \"lr\": 0.01}",
    };
    for (size_t i = 0; i < KD_COUNT(optimizers); i++)
        for (int n_ranks = 2; n_ranks <= 3; n_ranks++)
            check_zero(optimizers[i], n_ranks);
}

/* One sample is bad, and which rank has it hangs on the seed; one that did not hear of it would
 * wait for the others for ever. */
static void a_training_that_diverges_ends_on_every_rank(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    blobs_write(&folder, 150);
    char *path = kd_format("%s/blobs.csv", folder.path);
    FILE *out = fopen(path, "a");
    assert_non_null(out);
    assert_true(fprintf(out, "3e38,3e38,3e38,3e38,3e38,3e38,3e38,3e38,0\n") > 0);
    assert_int_equal(fclose(out), 0);
    for (int n_ranks = 1; n_ranks <= 3; n_ranks++)
        for (int seed = 0; seed < 4; seed++) {
            char *arguments =
                kd_format("--rank '%s' '{\"seed\": %d, \"epochs\": 3, \"clipNorm\": %d,"
                          " \"data\": {\"format\": \"csv\", \"path\": \"blobs.csv\","
                          " \"normalize\": \"none\", \"split\": {\"val\": 0}}}' 0 '%s/out'",
                          folder.path, seed, seed % 2, folder.path);
            assert_int_equal(
                mpirun_self(&folder, "-x KATYDID_COMM_DEADLINE=30", n_ranks, arguments), DIVERGED);
            free(arguments);
        }
    free(path);
    folder_remove(&folder);
}

static void a_trial_may_choose_how_its_ranks_sum(void **unused)
{
    (void)unused;
    check_equal_at_any_number("{" FROZEN ", \"comm\": \"mpi\"}", 2);
}

static void augmented_and_mixed_images_are_the_same_at_any_number_of_ranks(void **unused)
{
    (void)unused;
    check_equal_at_any_number(
        "{" FROZEN ", \"data\": {\"format\": \"synthetic\", \"kind\": \"images\","
        " \"shape\": [6, 6, 3], \"samples\": 90, \"augment\": {\"crop\": 1, \"flip\": true,"
        " \"cutout\": 2, \"mixup\": 0.4}},"
        " \"model\": [{\"flatten\": {}}, {\"linear\": {\"units\": 10}}]}",
        3);
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "--rank") == 0)
        return be_a_rank(argv + 2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_step_is_the_same_at_any_number_of_ranks),
        cmocka_unit_test(an_uneven_last_batch_is_the_same_at_any_number_of_ranks),
        cmocka_unit_test(a_rank_may_have_no_sample_at_all),
        cmocka_unit_test(augmented_and_mixed_images_are_the_same_at_any_number_of_ranks),
        cmocka_unit_test(a_whole_training_ends_close_at_any_number_of_ranks),
        cmocka_unit_test(state_spread_over_the_ranks_makes_the_same_steps),
        cmocka_unit_test(a_training_that_diverges_ends_on_every_rank),
        cmocka_unit_test(a_trial_may_choose_how_its_ranks_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
