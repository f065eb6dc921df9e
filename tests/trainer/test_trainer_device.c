/* Trials on the CUDA device, one after the other on a warm session, on the sim of tests/cuda.
 * Skipped where it was not built. */
#include <dlfcn.h>
#include <math.h>

#include "tests/trainer/trial.h"
#include "trainer/models/plan_step.h"
#include "trainer/models/plan_update.h"
#include "trainer/models/profile.h"
#include "trainer/optim/optimizer.h"

/* A change of the block, with what else it changes. */
#define ON_GPU(more) "{\"device\": \"cuda\", \"epochs\": 3" more "}"

static char *plugin;

static int find_sim(void **state)
{
    (void)state;
    plugin = kd_format("%s/../tests/libkatydid_cuda_sim.so", KD_BIN_DIR);
    setenv("KATYDID_CUDA_PLUGIN", plugin, 1);
    setenv("KATYDID_SIM_GUARD", "1", 1);
    return 0;
}

static int forget_sim(void **state)
{
    (void)state;
    free(plugin);
    return 0;
}

static void skip_without_sim(void)
{
    if (access(plugin, R_OK) != 0)
        skip();
}

/* How often the program has made this call of CUDA's. */
static long n_calls(const char *name)
{
    long (*ask)(const char *) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "kd_sim_n_calls");
    assert_non_null(symbol);
    memcpy(&ask, &symbol, sizeof symbol);
    return ask(name);
}

/* until: in units of reports; 0: to the end. */
static void run_until(struct trial *trial, const char *changes, int64_t until)
{
    kd_config_release(&trial->config);
    config_make(&trial->config, &trial->folder, changes);
    trial_run(trial, false, until);
    if (trial->outcome.kind != KD_OUTCOME_SUCCEEDED)
        fail_msg("%s: %s", changes, trial->outcome.reason.text);
}

static void run_on(struct trial *trial, const char *changes)
{
    run_until(trial, changes, 0);
}

static void a_trial_of_the_same_shape_allocates_and_records_nothing(void **state)
{
    (void)state;
    struct trial trial;
    skip_without_sim();
    trial_open(&trial, ON_GPU(""));
    run_on(&trial, ON_GPU(", \"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01}"));
    long allocated = n_calls("cudaMalloc"), recorded = n_calls("cudaStreamBeginCapture");
    long launched = n_calls("cudaGraphLaunch");
    assert_true(recorded > 0 && launched > recorded);
    run_on(&trial, ON_GPU(", \"optimizer\": {\"name\": \"adamw\", \"lr\": 0.1}"));
    assert_int_equal(n_calls("cudaMalloc"), allocated);
    assert_int_equal(n_calls("cudaStreamBeginCapture"), recorded);
    assert_true(n_calls("cudaGraphLaunch") > launched);
    run_on(&trial,
           ON_GPU(", \"model\": [{\"linear\": {\"units\": 5}}, {\"linear\": {\"units\": 3}}]"));
    assert_true(n_calls("cudaMalloc") > allocated);
    assert_int_equal(n_calls("refused pins"), 0);
    trial_close(&trial);
}

/* A session that has done other trials, graphs and all, trains to the same bits as one that has
 * not. */
static void a_warm_session_trains_to_the_bits_of_a_fresh_one(void **state)
{
    (void)state;
    static const char *const last = ON_GPU(", \"optimizer\": {\"name\": \"sgd\", \"lr\": 0.2}");
    struct trial trial;
    size_t bytes;
    skip_without_sim();
    float *wanted = straight_weights(last, &bytes);
    trial_open(&trial, ON_GPU(""));
    run_on(&trial, ON_GPU(", \"optimizer\": {\"name\": \"sgd\", \"lr\": 0.01}"));
    run_on(&trial, ON_GPU(", \"batchSize\": 9"));
    run_on(&trial, "{\"device\": \"cpu\", \"epochs\": 1}");
    run_on(&trial, ON_GPU(", \"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01}"));
    run_on(&trial, last);
    assert_weights(&trial, wanted, bytes);
    free(wanted);
    trial_close(&trial);
}

#define CROPPED(pixels)                                                                            \
    "{\"device\": \"cuda\", \"epochs\": 4, \"batchSize\": 8, \"report\": {\"every\": 100},"        \
    " \"data\": {\"format\": \"synthetic\", \"kind\": \"images\", \"shape\": [6, 6, 1],"           \
    " \"classes\": 3, \"samples\": 32, \"split\": {\"val\": 0}, \"augment\": {\"crop\": " #pixels  \
    "}}, \"model\": [\"flatten\", {\"linear\": {\"units\": 3}}]}"

/* The feed's arguments are in the recording by value. */
static void another_augmentation_is_recorded_anew(void **state)
{
    (void)state;
    struct trial trial;
    size_t bytes;
    skip_without_sim();
    float *wanted = straight_weights(CROPPED(2), &bytes);
    trial_open(&trial, CROPPED(1));
    run_on(&trial, CROPPED(1));
    run_on(&trial, CROPPED(2));
    assert_weights(&trial, wanted, bytes);
    /* Its last step is the second that measures the norm, for a report at the end. */
    run_on(&trial, CROPPED(2));
    long recorded = n_calls("cudaStreamBeginCapture");
    run_on(&trial, CROPPED(2));
    assert_int_equal(n_calls("cudaStreamBeginCapture"), recorded);
    free(wanted);
    trial_close(&trial);
}

/* A plan with device memory for one batch, all of it infinite. */
struct looked {
    struct kd_plan *plan;
    const struct kd_device *device;
    float *x;
    int32_t *labels;
    int64_t *samples;
    struct kd_batch batch;
};

static void *send(const struct looked *looked, const void *host, size_t bytes)
{
    void *memory = looked->device->alloc(bytes);
    looked->device->copy_in(kd_plan_queue(looked->plan), memory, host, bytes);
    return memory;
}

static struct looked looked_new(void)
{
    struct looked looked = {.device = kd_device_find("cuda", NULL)};
    json_t *model = json_loads("[{\"linear\": {\"units\": 2}}]", 0, NULL);
    struct kd_plan_options options = {.model = model,
                                      .input = {.shape = {{1}, .n_dims = 1}, .n_outputs = 2},
                                      .max_batch = 1,
                                      .device = looked.device};
    struct kd_error err;
    looked.plan = kd_plan_new(&options, &err);
    json_decref(model);
    if (!looked.plan)
        fail_msg("%s", err.text);
    looked.x = send(&looked, &(float){INFINITY}, sizeof(float));
    looked.labels = send(&looked, &(int32_t){0}, sizeof(int32_t));
    looked.samples = send(&looked, &(int64_t){0}, sizeof(int64_t));
    looked.batch = (struct kd_batch){.x = looked.x,
                                     .labels = looked.labels,
                                     .samples = looked.samples,
                                     .n = 1,
                                     .n_global = 1,
                                     .n_counted = 1};
    kd_plan_reset(looked.plan, 7);
    kd_plan_prepare_update(looked.plan,
                           &(struct kd_update_options){.optimizer = kd_optimizer_find("sgd")});
    return looked;
}

static void looked_free(struct looked *looked)
{
    looked->device->free(looked->x);
    looked->device->free(looked->labels);
    looked->device->free(looked->samples);
    kd_plan_free(looked->plan);
}

static bool is_finite_after_a_step(struct looked *looked, int64_t end)
{
    struct kd_noted noted;
    struct kd_hyper hyper = {.lr = 0.1f, .step = 1};
    struct kd_step_end ending = {.batch = &looked->batch, .hyper = &hyper, .look_end = end};
    kd_plan_noted(looked->plan, kd_plan_end_step(looked->plan, &ending), &noted);
    return noted.is_finite;
}

static void a_step_looks_where_it_is_told_although_it_was_recorded(void **state)
{
    (void)state;
    skip_without_sim();
    struct looked looked = looked_new();
    for (int i = 0; i < 4; i++)
        assert_true(is_finite_after_a_step(&looked, 0));
    for (int i = 0; i < 4; i++)
        assert_false(is_finite_after_a_step(&looked, kd_plan_n_parameters(looked.plan)));
    looked_free(&looked);
}

static void what_does_not_fit_fails_and_the_next_trial_trains(void **state)
{
    (void)state;
    struct trial trial;
    skip_without_sim();
    trial_open(&trial, ON_GPU(""));
    kd_config_release(&trial.config);
    config_make(
        &trial.config, &trial.folder,
        ON_GPU(", \"model\": [{\"linear\": {\"units\": 1000000}}, {\"linear\": {\"units\": 3}}]"));
    trial_run(&trial, false, 0);
    assert_int_equal(trial.outcome.kind, KD_OUTCOME_OUT_OF_MEMORY);
    assert_non_null(strstr(trial.outcome.reason.text, "GB free of"));
    run_on(&trial, ON_GPU(""));
    trial_close(&trial);
}

/* Of 256 MB: 80 of data that are kept, and models whose arenas need 200. */
static void data_make_room_for_models(void **state)
{
    (void)state;
    static const char *const large =
        "{\"device\": \"cuda\", \"batchSize\": 1, \"report\": "
        "{\"every\": 1},"
        " \"data\": {\"format\": \"synthetic\", \"kind\": \"features\", \"shape\": [1000], "
        "\"classes\": 3,"
        " \"samples\": 20000, \"split\": {\"val\": 0}}, \"model\": [{\"linear\": {\"units\": %d}},"
        " {\"linear\": {\"units\": 3}}]}";
    struct trial trial;
    skip_without_sim();
    trial_open(&trial, ON_GPU(""));
    for (int units = 2; units <= 10000; units += 9998) {
        char *changes = kd_format(large, units);
        run_until(&trial, changes, 1);
        free(changes);
    }
    trial_close(&trial);
}

/* ---- values in 16 bits */

static void a_profile_shows_what_rounding_the_weights_takes(void **state)
{
    (void)state;
    struct kd_profile profile = {0};
    struct trial trial;
    skip_without_sim();
    trial_open(&trial, ON_GPU(""));
    trial.profile = &profile;
    run_on(&trial, ON_GPU(""));
    assert_int_equal(profile.op_ns[KD_OP_round], 0); /* fp32 rounds nothing */
    run_on(&trial, ON_GPU(", \"precision\": \"fp16\""));
    assert_true(profile.op_ns[KD_OP_round] > 0);
    kd_profile_release(&profile);
    trial_close(&trial);
}

/* Far from what a fresh model says, so that the first three steps of fp16 overflow: at 65536, 32768
 * and 16384 times 2 (y - 0) / 8. */
static void far_write(const struct folder *folder)
{
    text_write(folder, "far.csv", "x,y\n1,30\n2,31\n1.5,30\n1,29\n2,30\n2.5,30\n3,29\n1.5,31\n");
}

#define FAR(precision)                                                                             \
    "{\"device\": \"cuda\", \"data\": {\"format\": \"csv\", \"path\": \"far.csv\", "               \
    "\"targets\": [\"y\"], \"split\": {\"val\": 0}}, \"model\": [{\"linear\": {\"units\": 1}}], "  \
    "\"loss\": \"mse\", \"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01, \"weightDecay\": 0}, "  \
    "\"schedule\": {\"name\": \"constant\"}, \"batchSize\": 8, \"epochs\": 10, "                   \
    "\"precision\": \"" #precision "\"}"

/* The weights after so many steps, each of which is an epoch; gone on with where there is a
 * checkpoint. The caller frees. */
static float *weights_at(struct trial *trial, const char *changes, int64_t step, size_t *n)
{
    kd_config_release(&trial->config);
    config_make(&trial->config, &trial->folder, changes);
    trial_run(trial, step > 1, step);
    if (trial->outcome.kind != KD_OUTCOME_SUCCEEDED)
        fail_msg("%s", trial->outcome.reason.text);
    float *weights = weights_copy(&trial->alone, n);
    *n /= sizeof *weights;
    return weights;
}

/* adamw's first step is of lr's length, its fourth, of a state that is as fresh, would be of 0.6
 * times that. */
static void a_step_that_fp16_left_out_does_not_count_in_another_precision(void **state)
{
    (void)state;
    struct trial trial;
    size_t n;
    skip_without_sim();
    trial_open(&trial, ON_GPU(""));
    far_write(&trial.folder);
    float *first = weights_at(&trial, FAR(fp16), 1, &n);
    float *before = weights_at(&trial, FAR(fp16), 3, &n);
    float *after = weights_at(&trial, FAR(fp32), 4, &n);
    assert_memory_equal(before, first, n * sizeof *first);
    for (size_t i = 0; i < n; i++)
        if (fabsf(fabsf(after[i] - before[i]) - 0.01f) > 0.0001f)
            fail_msg("the first step is of %g, not 0.01", (double)(after[i] - before[i]));
    free(first), free(before), free(after);
    trial_close(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trial_of_the_same_shape_allocates_and_records_nothing),
        cmocka_unit_test(a_warm_session_trains_to_the_bits_of_a_fresh_one),
        cmocka_unit_test(another_augmentation_is_recorded_anew),
        cmocka_unit_test(a_step_looks_where_it_is_told_although_it_was_recorded),
        cmocka_unit_test(what_does_not_fit_fails_and_the_next_trial_trains),
        cmocka_unit_test(data_make_room_for_models),
        cmocka_unit_test(a_profile_shows_what_rounding_the_weights_takes),
        cmocka_unit_test(a_step_that_fp16_left_out_does_not_count_in_another_precision),
    };
    return cmocka_run_group_tests(tests, find_sim, forget_sim);
}
