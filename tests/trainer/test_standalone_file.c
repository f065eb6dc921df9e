/* The file of a training without a coordinator: YAML, JSON, settings, placeholders, and what is
 * wrong with it. */
#include "tests/trainer/support.h"

static const char plain[] = "data: {format: csv, path: blobs.csv, split: {val: 0.25}}\n"
                            "model:\n"
                            "  - linear: {units: 16}\n"
                            "  - relu: {}\n"
                            "  - dropout: {p: 0.3}\n"
                            "  - linear: {units: 3}\n"
                            "optimizer: {name: adamw, lr: 0.01}\n"
                            "schedule: {name: cosine, warmup: 0.1}\n"
                            "batchSize: 32\n"
                            "epochs: 4\n";

static struct folder folder_with(const char *name, const char *text)
{
    struct folder folder = folder_make();
    blobs_write(&folder, 150);
    text_write(&folder, name, text);
    return folder;
}

/* The report lines without their times. */
static void reports_of(const struct folder *folder, const char *arguments, char output[8192])
{
    char *command = kd_format("%s 2>/dev/null | sed 's/ epoch_time.*//'", arguments);
    program_run(folder, command, output);
    assert_non_null(strstr(output, "epoch=4 train_loss="));
    free(command);
}

static void refused(const char *name, const char *text, const char *settings, const char *because)
{
    struct folder folder = folder_with(name, text);
    char output[8192], *arguments = kd_format("'%s' %s", name, settings);
    int status = program_run(&folder, arguments, output);
    if (status != 2 || !strstr(output, because))
        fail_msg("%s: exit status %d, wanted \"%s\" in:\n%s", text, status, because, output);
    free(arguments);
    folder_remove(&folder);
}

static void yaml_and_json_train_alike(void **unused)
{
    (void)unused;
    struct folder folder = folder_with("train.yaml", plain);
    char wanted[8192], seen[8192];
    json_t *block = block_make("{}");
    char *json = json_dumps(block, 0), *under = kd_format("{\"trainer\": %s}", json);
    text_write(&folder, "train.json", json);
    text_write(&folder, "under", under);
    reports_of(&folder, "train.yaml", wanted);
    static const char *const others[] = {"train.json", "under", "- <train.json", "- <train.yaml"};
    for (size_t i = 0; i < KD_COUNT(others); i++) {
        reports_of(&folder, others[i], seen);
        assert_string_equal(seen, wanted);
    }
    free(under);
    free(json);
    json_decref(block);
    folder_remove(&folder);
}

static void placeholders_are_filled_from_the_command_line(void **unused)
{
    (void)unused;
    static const char text[] = "trainer:\n"
                               "  data: {format: csv, path: '${what}.csv', split: {val: 0.25}}\n"
                               "  model: [{linear: {units: '${units}'}}, {relu: {}},\n"
                               "          {dropout: {p: 0.3}}, {linear: {units: 3}}]\n"
                               "  optimizer: {name: '${opt}', lr: \"${trialParameters.lr}\"}\n"
                               "  schedule: {name: cosine, warmup: 0.1}\n"
                               "  batchSize: 32\n"
                               "  epochs: 4\n";
    struct folder folder = folder_with("train.yaml", plain);
    char wanted[8192], seen[8192];
    text_write(&folder, "open.yaml", text);
    reports_of(&folder, "train.yaml", wanted);
    reports_of(&folder, "open.yaml what=blobs units=16 opt=adamw lr=0.5 lr=1e-2", seen);
    assert_string_equal(seen, wanted);
    folder_remove(&folder);
    refused("train.yaml", text, "what=blobs units=16 opt=sgd",
            "train.yaml:5:35: error: the placeholder ${lr} has no value: add lr=VALUE");
    refused("train.yaml", "epochs: ${n\n", "", "train.yaml:1:9: error: ${ without its }");
}

static void settings_change_fields_by_their_path(void **unused)
{
    (void)unused;
    struct folder folder = folder_with("train.yaml", plain);
    char wanted[8192], seen[8192];
    reports_of(&folder, "train.yaml", wanted);
    text_write(
        &folder, "other.yaml",
        "data: {format: csv, path: blobs.csv, split: {val: 0.5}}\n"
        "model: [{linear: {units: 5}}, {relu: {}}, {dropout: {p: 0.3}}, {linear: {units: 3}}]\n"
        "epochs: 9\n"
        "device: cpu\n");
    reports_of(&folder,
               "other.yaml data.split.val=0.25 model.0.linear.units=16 epochs=4 '~device' "
               "+batchSize=32 optimizer='{name: adamw, lr: 0.01}' schedule.name=cosine "
               "schedule.warmup=0.1",
               seen);
    assert_string_equal(seen, wanted);
    folder_remove(&folder);
    refused("train.yaml", plain, "epochs=x", "override 'epochs=x': error: /epochs: ");
    refused("train.yaml", plain, "lr=1",
            "error: /lr: unknown field \"lr\"; did you mean \"optimizer.lr\"?\n");
    refused("train.yaml", plain, "unit=8", "did you mean \"model.0.linear.units\"?\n");
    refused("train.yaml", plain, "nonsense=8", "unknown field \"nonsense\"; there are: data,");
    refused("train.yaml", plain, "model.9.linear.units=8",
            "there is no \"9\" in the trainer block: model is a list with items 0 to ");
    refused("train.yaml", plain, "epoch=3", "did you mean \"epochs\"");
    refused("train.yaml", plain, "model.7.p=3", "there is no \"7\" in the trainer block");
    refused("train.yaml", plain, "+epochs=3", "it is there already");
    refused("train.yaml", plain, "second.yaml", "\"second.yaml\" is a second one");
}

static void a_problem_is_shown_at_its_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *name, *text, *because;
    } cases[] = {
        {"train.yaml", "epochs: 4\noptimizer:\n  name: sgd\n  lr: fast\n",
         "train.yaml:4:7: error: /optimizer/lr: "},
        {"train.yaml", "epochs: 4\nnonsense: 1\n",
         "train.yaml:2:11: error: /nonsense: unknown field"},
        {"train.yaml", "trainer:\n  epochs: 4\n  batchSize: 0\n",
         "train.yaml:3:14: error: /batchSize: "},
        {"t.json", "{\"epochs\": 4,\n \"batchSize\": 0}", "t.json:2:15: error: /batchSize: "},
        {"t.yaml", "a: 1\n\tb: 2\n", "t.yaml:2:1: error: a tab"},
        {"t.json", "{\"epochs\": 4,}", "t.json:1:14: error: not valid JSON: "},
        {"t.json", "epochs: 4\n", "t.json:1:6: error: not valid JSON: "},
        {"t", "{\"epochs\": 4,,}", "t:1:14: error: not valid JSON: "},
        {"t", "{\"epochs\": 4, \"epochs\": 5}", "t:1:15: error: the key \"epochs\" is there twice"},
        {"t.yaml", "epochs: 4\nepochs: 5\n",
         "t.yaml:2:1: error: the key \"epochs\" is there twice"},
        {"t.yaml", "trainer: {epochs: 4}\nbase_dir: x\n", "t.yaml:2:1: error: \"base_dir\" beside"},
        {"t.yaml", "- 1\n", "t.yaml:1:1: error: a trainer block must be a mapping"},
        {"t.yaml", "trainer: 5\n", "t.yaml:1:10: error: a trainer block must be a mapping"},
        {"t.yaml", "", "t.yaml: error: is empty: a trainer block is expected"},
        {"t.json", " \n", "t.json: error: is empty: a trainer block is expected"},
        {"t.yaml", "# nothing\n", "t.yaml: error: is empty: a trainer block is expected"},
        {"t.yaml", "epochs: \x01\x02\n", "is not a text file: byte 0x01 at line 1, column 9"},
        {"t.yaml", "\xff\xfe\x31", "is UTF-16"},
        {"t.json", "{\"a\": \"\xff\"}", "t.json:1:"},
        {"t.yaml", "epochs: [1\n", "t.yaml:2:1: error: not valid YAML"},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++)
        refused(cases[i].name, cases[i].text, "", cases[i].because);
}

static void a_model_that_does_not_fit_is_shown_at_its_place(void **unused)
{
    (void)unused;
    struct folder folder = folder_with("train.yaml", plain);
    char output[8192];
    assert_int_equal(program_run(&folder, "train.yaml 'model=[{relu: {}}]'", output), 2);
    assert_non_null(strstr(output, "override 'model=[{relu: {}}]': error: /model: "));
    folder_remove(&folder);
}

static void an_experiment_is_refused_with_advice(void **unused)
{
    (void)unused;
    refused("sweep.yaml", "apiVersion: katydid/v1\nkind: Experiment\nspec: {}\n", "",
            "sweep.yaml:1:1: error: \"apiVersion\" belongs to an Experiment");
    refused("sweep.yaml", "# sweep\nspec: {}\n", "", "sweep.yaml:2:1: error: \"spec\" belongs");
    refused("sweep.yaml", "trialTemplate: {trainer: {}}\n", "", "`katydid try sweep.yaml`");
    refused("sweep.json", "{\"kind\": \"Experiment\"}", "", "`katydid run sweep.json`");
}

static void files_that_cannot_be_read_are_named(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    char output[8192];
    assert_int_equal(program_run(&folder, "gone.yaml", output), 2);
    assert_string_equal(output, "gone.yaml: error: cannot be read: No such file or directory\n");
    assert_int_equal(program_run(&folder, ".", output), 2);
    assert_non_null(strstr(output, ".: error: is a folder"));
    assert_int_equal(program_run(&folder, "- </dev/null", output), 2);
    assert_string_equal(output, "stdin: error: is empty: a trainer block is expected\n");
    folder_remove(&folder);
}

static void a_file_that_is_too_long_is_said_to_be_so(void **unused)
{
    (void)unused;
    static const char *const names[] = {"t.json", "t.yaml"};
    struct folder folder = folder_make();
    char output[8192];
    char *text = kd_alloc((2 << 20) + 1);
    memset(text, ' ', 2 << 20);
    text[0] = '{', text[(2 << 20) - 1] = '}', text[2 << 20] = '\0';
    for (size_t i = 0; i < KD_COUNT(names); i++) {
        text_write(&folder, names[i], text);
        assert_int_equal(program_run(&folder, names[i], output), 2);
        if (!strstr(output, "error: has more than 1 MiB"))
            fail_msg("%s: %s", names[i], output);
    }
    free(text);
    folder_remove(&folder);
}

int main(void)
{
    unsetenv("OMPI_COMM_WORLD_SIZE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_and_json_train_alike),
        cmocka_unit_test(placeholders_are_filled_from_the_command_line),
        cmocka_unit_test(a_file_that_is_too_long_is_said_to_be_so),
        cmocka_unit_test(settings_change_fields_by_their_path),
        cmocka_unit_test(a_problem_is_shown_at_its_place),
        cmocka_unit_test(a_model_that_does_not_fit_is_shown_at_its_place),
        cmocka_unit_test(an_experiment_is_refused_with_advice),
        cmocka_unit_test(files_that_cannot_be_read_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
