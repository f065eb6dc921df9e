/* katydid-trainer on its own: its modes, its output, its exit codes. */
#include <signal.h>
#include <sys/wait.h>

#include "tests/trainer/support.h"

static void write_config(const struct folder *folder, const char *changes)
{
    json_t *block = block_make(changes);
    char *text = json_dumps(block, 0);
    text_write(folder, "train.json", text);
    free(text);
    json_decref(block);
}

static void says(const struct folder *folder, int status, const char *arguments, const char *what)
{
    char output[8192];
    int seen = program_run(folder, arguments, output);
    if (seen != status || !strstr(output, what))
        fail_msg("%s: status %d and \"%s\" wanted, but %d and: %s", arguments, status, what, seen,
                 output);
}

static void a_configuration_is_trained_with_a_line_per_epoch(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    char output[8192];
    blobs_write(&folder, 150);
    write_config(&folder, "{}");
    assert_int_equal(program_run(&folder, "train.json", output), 0);
    assert_non_null(strstr(output, "epoch=4 train_loss="));
    assert_non_null(strstr(output, "succeeded: trained 4 epochs"));
    folder_remove(&folder);
}

/* What it says of the outcome stands once in it. */
static void an_outcome_is_said_in_plain_words(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    char output[8192];
    blobs_write(&folder, 150);
    write_config(&folder, "{\"epochs\": 1}");
    assert_int_equal(program_run(&folder, "train.json", output), 0);
    assert_non_null(strstr(output, "succeeded: trained 1 epoch\n"));
    write_config(&folder, "{\"optimizer\": {\"name\": \"sgd\", \"lr\": 1e6}, \"loss\": \"mse\","
                          " \"model\": [{\"linear\": {\"units\": 1}}], \"epochs\": 200}");
    assert_int_equal(program_run(&folder, "train.json", output), 1);
    assert_non_null(strstr(output, "error: diverged: step "));
    folder_remove(&folder);
}

static void a_profile_shows_phases_layers_and_ops(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    char output[8192];
    blobs_write(&folder, 150);
    write_config(&folder, "{}");
    assert_int_equal(program_run(&folder, "--profile train.json", output), 0);
    static const char *const wanted[] = {
        "data", "forward", "backward", "optimizer", "layers.0 linear", "loss", "matmul", "GFLOP/s"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_non_null(strstr(output, wanted[i]));
    folder_remove(&folder);
}

static void a_training_goes_on_from_its_checkpoints(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    char output[8192];
    blobs_write(&folder, 150);
    write_config(&folder, "{}");
    assert_int_equal(program_run(&folder, "--checkpoint-dir=c --until=3 train.json", output), 0);
    assert_non_null(strstr(output, "epoch=3 "));
    assert_null(strstr(output, "epoch=4 "));
    assert_int_equal(program_run(&folder, "--checkpoint-dir c < train.json -", output), 0);
    assert_non_null(strstr(output, "epoch=4 "));
    folder_remove(&folder);
}

/* It is at its end; and says how it would not be. */
static void a_finished_training_says_that_it_is_finished(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    blobs_write(&folder, 150);
    write_config(&folder, "{}");
    says(&folder, 0, "--checkpoint-dir c --until 1 train.json", "succeeded: trained 1 epoch\n");
    says(&folder, 0, "--checkpoint-dir c --until 1 train.json", "raise until to go on, or begin");
    says(&folder, 0, "--checkpoint-dir c train.json", "succeeded: trained 4 epochs\n");
    says(&folder, 0, "--checkpoint-dir c train.json",
         "nothing is left to do: c was trained 4 epochs before; raise epochs to go on, or begin "
         "anew with --fresh");
    says(&folder, 0, "--checkpoint-dir c train.json epochs=5", "succeeded: trained 5 epochs\n");
    says(&folder, 0, "--start-from c train.json", "c was trained 5 epochs before; raise epochs");
    says(&folder, 0, "--checkpoint-dir c --fresh train.json", "succeeded: trained 4 epochs\n");
    folder_remove(&folder);
}

/* The training there is not this one. */
static void a_checkpoint_of_other_data_or_another_model_is_not_gone_on_from(void **unused)
{
    (void)unused;
    static const char *const changes[][2] = {
        {"batchSize=16", "c: the checkpoint there is of another training. What changed:\n"
                         "batchSize: 32 -> 16\n"},
        {"model.1='{gelu: {}}'", "model.1.relu: {} -> (none)\nmodel.1.gelu: (none) -> {}\n"},
        {"data.split.seed=3", "data.split.seed: 0 -> 3\n"},
        {"--seed 4", "seed: 0 -> 4\n"},
        {"'loss={name: crossEntropy, labelSmoothing: 0.1}'", "loss.labelSmoothing: "},
        {"model.0.linear.units=17", "model.0.linear.units: 16 -> 17\n"},
    };
    struct folder folder = folder_make();
    blobs_write(&folder, 150);
    write_config(&folder, "{}");
    says(&folder, 0, "--checkpoint-dir c --until 1 train.json", "succeeded");
    for (size_t i = 0; i < KD_COUNT(changes); i++) {
        char *words = kd_format("--checkpoint-dir c train.json %s", changes[i][0]);
        says(&folder, 2, words, changes[i][1]);
        says(&folder, 2, words, "begin anew with --fresh");
        free(words);
    }
    says(&folder, 0, "--checkpoint-dir d --start-from c train.json batchSize=16", "4 epochs\n");
    says(&folder, 0, "--checkpoint-dir c --fresh train.json batchSize=16", "4 epochs\n");
    folder_remove(&folder);
}

/* What it would begin with is not there. */
static void a_fresh_start_that_fails_leaves_the_checkpoints(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    blobs_write(&folder, 150);
    write_config(&folder, "{}");
    says(&folder, 0, "--checkpoint-dir c --until 1 train.json", "succeeded");
    says(&folder, 2, "--checkpoint-dir c --fresh --start-from gone train.json", "cannot open");
    says(&folder, 0, "--checkpoint-dir c train.json", "goes on after step 4");
    folder_remove(&folder);
}

/* And a default that is written down is no other setting. */
static void steps_of_another_kind_from_now_on_are_warned_of_once(void **unused)
{
    (void)unused;
    static const char slower[] = "--checkpoint-dir c train.json epochs=5 optimizer.lr=0.001";
    struct folder folder = folder_make();
    char output[8192];
    blobs_write(&folder, 150);
    write_config(&folder, "{}");
    says(&folder, 0, "--checkpoint-dir c --until 1 train.json", "succeeded");
    assert_int_equal(program_run(&folder,
                                 "--checkpoint-dir c train.json loss=crossEntropy"
                                 " accumulate=1 data.header=auto report.every=2"
                                 " 'model.1={relu: {}}' +optimizer.beta1=0.9 +schedule.floor=0"
                                 " data.path=\"$PWD/./blobs.csv\"",
                                 output),
                     0);
    assert_null(strstr(output, "What changed"));
    says(&folder, 0, slower,
         "goes on with other settings. What changed:\n"
         "optimizer.lr: 0.01 -> 0.001\n"
         "For a new");
    assert_int_equal(program_run(&folder, slower, output), 0);
    assert_null(strstr(output, "What changed"));
    folder_remove(&folder);
}

static void exit_codes_tell_what_went_wrong(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    char output[8192];
    blobs_write(&folder, 150);
    write_config(&folder, "{\"epoch\": 3}");
    assert_int_equal(program_run(&folder, "train.json", output), 2);
    assert_non_null(strstr(output, "did you mean \"epochs\""));
    assert_int_equal(program_run(&folder, "gone.json", output), 2);
    assert_int_equal(program_run(&folder, "", output), 2);
    assert_int_equal(program_run(&folder, "--nonsense", output), 2);
    text_write(&folder, "blobs.csv", "1,2,3\n4,5\n");
    write_config(&folder, "{}");
    assert_int_equal(program_run(&folder, "train.json", output), 2);
    assert_non_null(strstr(output, "blobs.csv:2: a short row"));
    folder_remove(&folder);
}

/* Before anything is trained. */
static void a_checkpoint_folder_that_cannot_be_had_is_refused_at_the_start(void **unused)
{
    (void)unused;
    static const char *const mistakes[][2] = {
        {"--checkpoint-dir '' train.json", "--checkpoint-dir: the path is empty; give one"},
        {"--start-from= train.json", "--start-from: the path is empty; give one"},
        {"--checkpoint-dir train.json train.json", "train.json: is not a folder; give another"},
        {"--checkpoint-dir train.json/c train.json", "train.json/c: cannot create the folder"},
        {"--checkpoint-dir /proc/c train.json", "/proc/c: cannot create the folder"},
    };
    struct folder folder = folder_make();
    char output[8192];
    blobs_write(&folder, 150);
    write_config(&folder, "{}");
    for (size_t i = 0; i < KD_COUNT(mistakes); i++) {
        assert_int_equal(program_run(&folder, mistakes[i][0], output), 2);
        if (!strstr(output, mistakes[i][1]) || strstr(output, "epoch=1"))
            fail_msg("%s: %s", mistakes[i][0], output);
    }
    folder_remove(&folder);
}

/* What shows only when data and model meet is the user's to mend as well. */
static void a_model_that_does_not_fit_the_data_is_a_mistake_of_the_configuration(void **unused)
{
    (void)unused;
    static const char *const mistakes[][2] = {
        {"{\"model\": [{\"linear\": {\"units\": 2}}]}", "label 2 is out of range"},
        {"{\"model\": [{\"conv2d\": {\"filters\": 2}}]}", "error: /model/0/conv2d: "},
        {"{\"model\": [\"relu\"]}", "error: /model: has nothing to train"},
        {"{\"data\": {\"format\": \"csv\", \"path\": \"blobs.csv\", \"augment\": {\"flip\": "
         "true}}}",
         "error: augment.flip: only images"},
    };
    struct folder folder = folder_make();
    char output[8192];
    blobs_write(&folder, 150);
    for (size_t i = 0; i < KD_COUNT(mistakes); i++) {
        write_config(&folder, mistakes[i][0]);
        assert_int_equal(program_run(&folder, "train.json", output), 2);
        if (!strstr(output, mistakes[i][1]))
            fail_msg("%s is not in: %s", mistakes[i][1], output);
    }
    folder_remove(&folder);
}

static void check_and_describe_print_json(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    char output[8192];
    text_write(&folder, "request", "{\"trainer\": {}, \"base_dir\": \".\"}");
    assert_int_equal(program_run(&folder, "--check < request", output), 0);
    json_t *answer = json_loads(output, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(answer, "errors")), 3);
    json_decref(answer);
    assert_int_equal(program_run(&folder, "--check < /dev/null", output), 2);
    assert_int_equal(program_run(&folder, "--describe > all.json", output), 0);
    char *path = kd_format("%s/all.json", folder.path);
    answer = json_load_file(path, 0, NULL);
    assert_non_null(json_object_get(answer, "optimizers"));
    json_decref(answer);
    free(path);
    folder_remove(&folder);
}

/* Its exit status after a SIGINT in the middle of its steps. */
static int interrupt(const struct folder *folder)
{
    int output[2], status;
    char text[4096];
    assert_int_equal(pipe(output), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (chdir(folder->path) == 0 && dup2(output[1], 1) == 1 && dup2(output[1], 2) == 2 &&
            close(output[0]) == 0 && close(output[1]) == 0)
            execl(KD_BIN_DIR "/katydid-trainer", "katydid-trainer", "train.json", (char *)NULL);
        _exit(127);
    }
    close(output[1]);
    assert_true(read(output[0], text, sizeof text) > 0); /* the first report */
    kill(pid, SIGINT);
    while (read(output[0], text, sizeof text) > 0)
        ;
    close(output[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* oneDNN's products use the stack pointer as one more register: where a handler ran on that stack,
 * four in ten ended the program with a damaged heap. */
static void a_signal_in_the_middle_of_a_product_does_no_harm(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    text_write(&folder, "train.json",
               "{\"data\": {\"format\": \"synthetic\", \"kind\": \"tokens\", \"shape\": [8],"
               " \"classes\": 10, \"samples\": 100}, \"steps\": 1000000000,"
               " \"model\": {\"gpt\": {\"layers\": 4, \"heads\": 2, \"width\": 64}}}");
    for (int i = 0; i < 20; i++)
        assert_int_equal(interrupt(&folder), 130);
    folder_remove(&folder);
}

int main(void)
{
    unsetenv("OMPI_COMM_WORLD_SIZE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_is_trained_with_a_line_per_epoch),
        cmocka_unit_test(an_outcome_is_said_in_plain_words),
        cmocka_unit_test(a_profile_shows_phases_layers_and_ops),
        cmocka_unit_test(a_training_goes_on_from_its_checkpoints),
        cmocka_unit_test(a_finished_training_says_that_it_is_finished),
        cmocka_unit_test(a_checkpoint_of_other_data_or_another_model_is_not_gone_on_from),
        cmocka_unit_test(a_fresh_start_that_fails_leaves_the_checkpoints),
        cmocka_unit_test(steps_of_another_kind_from_now_on_are_warned_of_once),
        cmocka_unit_test(exit_codes_tell_what_went_wrong),
        cmocka_unit_test(a_model_that_does_not_fit_the_data_is_a_mistake_of_the_configuration),
        cmocka_unit_test(a_checkpoint_folder_that_cannot_be_had_is_refused_at_the_start),
        cmocka_unit_test(check_and_describe_print_json),
        cmocka_unit_test(a_signal_in_the_middle_of_a_product_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
