/* Trials on the CUDA device, one after the other on a warm session, on the sim of tests/cuda. Skipped where it was not built. */
#include <dlfcn.h>

#include "tests/trainer/trial.h"

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

/* A session that has done other trials, graphs and all, trains to the same bits as one that has not. */
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
    run_on(&trial, last);
    assert_weights(&trial, wanted, bytes);
    free(wanted);
    trial_close(&trial);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trial_of_the_same_shape_allocates_and_records_nothing),
        cmocka_unit_test(a_warm_session_trains_to_the_bits_of_a_fresh_one),
        cmocka_unit_test(what_does_not_fit_fails_and_the_next_trial_trains),
        cmocka_unit_test(data_make_room_for_models),
    };
    return cmocka_run_group_tests(tests, find_sim, forget_sim);
}
