#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/base/str.h"
#include "coordinator/spec/quantity.h"
#include "tests/spec/spec_fixture.h"

/* Beside the source tree of a developer who keeps Katib's examples there; skipped elsewhere. */
#define KATIB_EXAMPLES KD_SOURCE_DIR "/../shared/katib-examples"

#define TRAINER                                                                                    \
    KD_SPEC_HEAD                                                                                   \
    "  parameters:\n"                                                                              \
    "    - {name: lr, parameterType: double, feasibleSpace: {min: 0.25, max: 4}}\n"                \
    "    - {name: opt, parameterType: categorical, feasibleSpace: {list: [a, b, c]}}\n"            \
    "  trialTemplate:\n"                                                                           \
    "    trainer:\n"                                                                               \
    "      optimizer: {name: \"${opt}\", lr: \"${lr}\"}\n"                                         \
    "      model:\n        - linear: {units: 3}\n"

static void refused(const char *path, const char *because)
{
    struct kd_experiment experiment;
    struct kd_problems problems;
    assert_int_equal(kd_spec_read_file(path, NULL, &experiment, &problems), -1);
    assert_int_equal(problems.n_errors, 1);
    if (strstr(problems.items[0].text, because) == NULL)
        fail_msg("%s", problems.items[0].text);
    kd_problems_release(&problems);
    kd_experiment_release(&experiment);
}

static void files_that_are_no_spec_are_refused_in_one_clear_line(void **state)
{
    (void)state;
    char *dir = temporary_folder();
    char *empty = write_file(dir, "empty.yaml", "", 0600);
    char *binary = write_file(dir, "binary.yaml",
                              "\x7f"
                              "ELF\x02\x01",
                              0600);
    char *utf16 = write_file(dir, "utf16.yaml",
                             "\xff\xfe"
                             "a",
                             0600);
    char *latin = write_file(dir, "latin.yaml", "a: caf\xe9\n", 0600);
    char *missing = kd_format("%s/none.yaml", dir), *large = kd_alloc((2 << 20) + 1);
    memset(large, '#', 2 << 20);
    char *huge = write_file(dir, "huge.yaml", large, 0600);
    refused(empty, "is empty");
    refused(binary, "not a text file");
    refused(utf16, "UTF-16");
    refused(latin, "byte 0xe9 at line 1, column 7");
    refused(missing, "No such file");
    refused(dir, "is a folder");
    refused(huge, "1 MiB");
    free(empty), free(binary), free(utf16), free(latin), free(missing), free(large), free(huge);
    remove_folder(dir);
}

static void an_override_that_is_not_utf8_is_refused_not_dropped(void **state)
{
    (void)state;
    static const char text[] =
        KD_SPEC_HEAD "  parameters:\n"
                     "    - {name: lr, parameterType: double, feasibleSpace: {min: 0.25, max: 4}}\n"
                     "  trialTemplate: {command: [sh, \"${lr}\"]}\n";
    const char *const overrides[] = {"resources.\xff=1", NULL};
    struct kd_spec_options options = {.overrides = overrides};
    struct kd_experiment experiment;
    struct kd_problems problems;
    assert_int_equal(
        kd_spec_read_text(text, strlen(text), "t.yaml", "/base", &options, &experiment, &problems),
        -1);
    assert_int_equal(problems.n_errors, 1);
    assert_non_null(strstr(problems.items[0].text, "not UTF-8"));
    kd_problems_release(&problems);
    kd_experiment_release(&experiment);
}

static void a_file_knows_its_folder_and_its_text(void **state)
{
    (void)state;
    char *dir = temporary_folder();
    char *path = write_file(dir, "s.yaml", TRAINER, 0600);
    struct kd_experiment experiment;
    struct kd_problems problems;
    assert_int_equal(kd_spec_read_file(path, NULL, &experiment, &problems), 0);
    assert_string_equal(experiment.base_dir, dir);
    assert_string_equal(experiment.file, path);
    assert_string_equal(experiment.text, TRAINER);
    assert_int_equal(strlen(experiment.digest), 64);
    kd_experiment_release(&experiment);
    kd_problems_release(&problems);
    free(path);
    remove_folder(dir);
}

/* Reads a spec against a stand-in for katydid-trainer; the problems and what it was asked as one
 * text. */
static char *spec_checked_by(const char *spec, const char *script)
{
    char *dir = temporary_folder();
    char *program = write_file(dir, "trainer", script, 0700);
    struct kd_spec_options options = {.trainer_program = program};
    struct kd_experiment experiment;
    struct kd_problems problems;
    struct kd_str out = {0};
    kd_spec_read_text(spec, strlen(spec), "t.yaml", dir, &options, &experiment, &problems);
    for (int i = 0; i < problems.n; i++)
        kd_str_addf(&out, "%s\n", problems.items[i].text);
    kd_experiment_release(&experiment);
    kd_problems_release(&problems);
    free(program);
    char *log = kd_format("%s/asked", dir);
    FILE *file = fopen(log, "r");
    char line[1024];
    while (file && fgets(line, sizeof line, file))
        kd_str_add(&out, line);
    if (file)
        fclose(file);
    free(log);
    remove_folder(dir);
    return kd_str_take(&out);
}

static char *checked_by(const char *script)
{
    return spec_checked_by(TRAINER, script);
}

#define KEEPS_QUESTIONS                                                                            \
    "#!/bin/sh\n[ \"$1\" = --check ] || exit 3\n"                                                  \
    "cat >> \"$(dirname \"$0\")/asked\"; echo >> \"$(dirname \"$0\")/asked\"\n"                    \
    "echo '{\"errors\": []}'\n"

static void the_trainer_is_asked_at_both_ends_and_for_every_choice(void **state)
{
    (void)state;
    char *text = checked_by(KEEPS_QUESTIONS);
    assert_non_null(strstr(text, "{\"name\":\"a\",\"lr\":0.25}"));
    assert_non_null(strstr(text, "{\"name\":\"b\",\"lr\":0.25}"));
    assert_non_null(strstr(text, "{\"name\":\"c\",\"lr\":4}"));
    assert_non_null(strstr(text, "\"base_dir\":\"/tmp/"));
    assert_null(strstr(text, "error"));
    free(text);
}

/* The other choice is the last one, and would leave the high end of momentum unseen. */
static void the_trainer_is_asked_at_both_ends_of_what_is_active_only_at_times(void **state)
{
    (void)state;
    static const char spec[] =
        "apiVersion: katydid/v1\nkind: Experiment\nmetadata: {name: t}\nspec:\n"
        "  objective: {type: minimize, objectiveMetricName: loss}\n  maxTrialCount: 1\n"
        "  algorithm: {algorithmName: random}\n  parameters:\n"
        "    - {name: momentum, parameterType: double, feasibleSpace: {min: 0.25, max: 0.75},"
        " condition: {parameter: opt, in: [sgd]}}\n"
        "    - {name: opt, parameterType: categorical, feasibleSpace: {list: [sgd, adam]}}\n"
        "  trialTemplate:\n    trainer: {optimizer: {name: '${opt}', momentum: '${momentum}'}}\n";
    char *text = spec_checked_by(spec, KEEPS_QUESTIONS);
    assert_non_null(strstr(text, "{\"name\":\"sgd\",\"momentum\":0.25}"));
    assert_non_null(strstr(text, "{\"name\":\"sgd\",\"momentum\":0.75}"));
    assert_non_null(strstr(text, "{\"name\":\"adam\"}"));
    assert_null(strstr(text, "error"));
    free(text);
}

static void what_the_trainer_refuses_is_shown_where_it_stands_and_once(void **state)
{
    (void)state;
    char *text =
        checked_by("#!/bin/sh\ncat > /dev/null\n"
                   "echo '{\"errors\": [{\"pointer\": \"/optimizer/lr\", \"message\": \"too "
                   "big\"}, {\"pointer\": \"/model/0/linear/unitz\", \"message\": \"what\"}]}'\n");
    assert_string_equal(text, "t.yaml:12:39: error: trainer: too big\n"
                              "          optimizer: {name: \"${opt}\", lr: \"${lr}\"}\n"
                              "                                          ^\n"
                              "t.yaml:14:11: error: trainer: what\n"
                              "            - linear: {units: 3}\n"
                              "              ^\n");
    free(text);
}

static void a_trainer_that_is_missing_or_talks_nonsense_is_an_error(void **state)
{
    (void)state;
    char *text = checked_by("#!/bin/sh\necho hello\n");
    assert_non_null(strstr(text, "no answer that can be read: hello"));
    free(text);
    text = checked_by("#!/no/such/interpreter\n");
    assert_non_null(strstr(text, "cannot be started"));
    free(text);
}

static void quantities_and_durations_are_read_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } quantities[] = {{"1Gi", 1073741824}, {"500m", 0.5}, {"2", 2}, {"1.5k", 1500}, {"1e3", 1000}},
      durations[] = {{"45m", 2700},  {"1h30m", 5400}, {"30s", 30},     {"90", 90},
                     {"1.5h", 5400}, {"2d", 172800},  {"250ms", 0.25}, {"0", 0}};
    static const char *const bad[] = {"",   "x",    "-1",  "1 m",   "1x",
                                      "Gi", "0x10", "nan", "1h30q", "--"};
    double value;
    for (size_t i = 0; i < KD_COUNT(quantities); i++) {
        assert_int_equal(kd_quantity_parse(quantities[i].text, &value), 0);
        assert_true(value == quantities[i].value);
    }
    for (size_t i = 0; i < KD_COUNT(durations); i++) {
        assert_int_equal(kd_duration_parse(durations[i].text, &value), 0);
        assert_true(value == durations[i].value);
    }
    for (size_t i = 0; i < KD_COUNT(bad); i++) {
        assert_int_equal(kd_duration_parse(bad[i], &value), -1);
        assert_int_equal(kd_quantity_parse(bad[i], &value), -1);
    }
}

static void katibs_own_examples_are_read_or_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *file, *refusal; /* NULL = read */
    } cases[] = {
        {"random.yaml", NULL},
        {"tpe.yaml", NULL},
        {"median-stop.yaml", NULL},
        {"file-metrics-collector-with-json-format.yaml", NULL},
        {"mpijob-horovod.yaml", "kind MPIJob is not supported yet"},
        {"hyperband.yaml", "\"hyperband\""},
    };
    if (access(KATIB_EXAMPLES, F_OK) != 0)
        skip();
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct kd_experiment experiment;
        struct kd_problems problems;
        char *path = kd_format(KATIB_EXAMPLES "/%s", cases[i].file);
        int rc = kd_spec_read_file(path, NULL, &experiment, &problems), n_named = 0;
        for (int k = 0; k < problems.n; k++)
            n_named += cases[i].refusal && strstr(problems.items[k].text, cases[i].refusal);
        if (rc != (cases[i].refusal ? -1 : 0) || (cases[i].refusal && n_named == 0))
            fail_msg("%s: %s", cases[i].file, problems.n ? problems.items[0].text : "read");
        kd_experiment_release(&experiment);
        kd_problems_release(&problems);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_are_no_spec_are_refused_in_one_clear_line),
        cmocka_unit_test(an_override_that_is_not_utf8_is_refused_not_dropped),
        cmocka_unit_test(a_file_knows_its_folder_and_its_text),
        cmocka_unit_test(the_trainer_is_asked_at_both_ends_and_for_every_choice),
        cmocka_unit_test(the_trainer_is_asked_at_both_ends_of_what_is_active_only_at_times),
        cmocka_unit_test(what_the_trainer_refuses_is_shown_where_it_stands_and_once),
        cmocka_unit_test(a_trainer_that_is_missing_or_talks_nonsense_is_an_error),
        cmocka_unit_test(quantities_and_durations_are_read_as_people_write_them),
        cmocka_unit_test(katibs_own_examples_are_read_or_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
