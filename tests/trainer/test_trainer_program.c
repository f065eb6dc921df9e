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

/* oneDNN's products use the stack pointer as one more register: where a handler ran on that stack, four in ten ended the
 * program with a damaged heap. */
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
        cmocka_unit_test(exit_codes_tell_what_went_wrong),
        cmocka_unit_test(a_model_that_does_not_fit_the_data_is_a_mistake_of_the_configuration),
        cmocka_unit_test(a_checkpoint_folder_that_cannot_be_had_is_refused_at_the_start),
        cmocka_unit_test(check_and_describe_print_json),
        cmocka_unit_test(a_signal_in_the_middle_of_a_product_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
