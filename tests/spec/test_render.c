#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "coordinator/base/str.h"
#include "coordinator/spec/render.h"
#include "tests/spec/spec_fixture.h"

#define SPACE                                                                                      \
    "  parameters:\n"                                                                              \
    "    - {name: opt, parameterType: categorical, feasibleSpace: {list: [sgd, 'a b$(X)', 64]}}\n" \
    "    - {name: lr, parameterType: double, feasibleSpace: {min: 1e-5, max: 0.1}}\n"              \
    "    - {name: n-units, parameterType: int, feasibleSpace: {min: 1, max: 512}}\n"               \
    "    - {name: drop, parameterType: discrete, feasibleSpace: {list: [0.10, 0.5]}}\n"

static const char *const caller_env[] = {
    "PATH=/bin",   "HOME=/h",  "LD_PRELOAD=x.so", "OMPI_COMM_WORLD_RANK=1",
    "PMIX_RANK=0", "PRTE_X=1", "SLURM_JOB_ID=7",  "KATYDID_TRIAL=99",
    "LR=old",      NULL};

static struct kd_render_context context_with(const struct kd_image_map *images)
{
    return (struct kd_render_context){.trial = 7,
                                      .attempt = 2,
                                      .seed = 123,
                                      .trial_dir = "/db.d/sweep/7",
                                      .checkpoint_dir = "/db.d/sweep/7/checkpoint",
                                      .report_endpoint = "ipc:///r",
                                      .budget = 5,
                                      .images = images,
                                      .caller_env = caller_env};
}

static void rendered_from(const char *spec, const double *values, const struct kd_image_map *images,
                          struct kd_rendered *out)
{
    struct kd_experiment experiment;
    struct kd_error err = {{0}};
    struct kd_render_context context = context_with(images);
    read_good(spec, NULL, &experiment);
    if (kd_render(&experiment, values, &context, out, &err) != 0)
        fail_msg("%s", err.text);
    kd_experiment_release(&experiment);
}

static void same_words(char **words, const char *expected)
{
    struct kd_str out = {0};
    for (; *words; words++)
        kd_str_addf(&out, "[%s]", *words);
    assert_string_equal(kd_str_text(&out), expected);
    kd_str_release(&out);
}

static const char *env_of(const struct kd_rendered *rendered, const char *name)
{
    size_t length = strlen(name);
    for (char **pair = rendered->env; *pair; pair++)
        if (strncmp(*pair, name, length) == 0 && (*pair)[length] == '=')
            return *pair + length + 1;
    return NULL;
}

static void every_placeholder_becomes_its_value_and_never_meets_a_shell(void **state)
{
    (void)state;
    struct kd_rendered out;
    const double point[] = {1, 1e-5, 64, 0.1};
    rendered_from(KD_SPEC_HEAD SPACE
                  "  trialTemplate:\n"
                  "    command: [run, '${args}', '--lr=${lr}', '${trialParameters.n-units}',"
                  " '${trialDir}/${trialNumber}/${trialName}', '${seed}', '$${HOME} $x $',"
                  " '${checkpointDir}', 1.10, '${opt}', '${overrides}']\n",
                  point, NULL, &out);
    same_words(out.argv, "[run][--opt=a b$(X)][--lr=1e-05][--n-units=64][--drop=0.10][--lr=1e-05]"
                         "[64][/db.d/sweep/7/7/sweep-7][123][${HOME} $x $]"
                         "[/db.d/sweep/7/checkpoint][1.10][a b$(X)]"
                         "[opt=a b$(X)][lr=1e-05][n-units=64][drop=0.10]");
    assert_string_equal(out.params_json,
                        "{\"opt\":\"a b$(X)\",\"lr\":1e-05,\"n-units\":64,\"drop\":0.1}");
    assert_string_equal(out.working_dir, "/base");
    assert_null(out.trainer);
    assert_null(out.metrics_file);
    kd_rendered_release(&out);
}

static void what_names_an_inactive_parameter_is_left_out_whole(void **state)
{
    (void)state;
    struct kd_rendered out;
    const double point[] = {0, NAN, 3, NAN};
    rendered_from(KD_SPEC_HEAD SPACE "  trialTemplate:\n"
                                     "    command: [run, '${args}', '--lr=${lr}', 'x${drop}y', z]\n"
                                     "    env: {DROP: '${drop}', OPT: '${opt}'}\n",
                  point, NULL, &out);
    same_words(out.argv, "[run][--opt=sgd][--n-units=3][z]");
    assert_null(env_of(&out, "DROP"));
    assert_string_equal(env_of(&out, "OPT"), "sgd");
    assert_string_equal(out.params_json, "{\"opt\":\"sgd\",\"n-units\":3}");
    kd_rendered_release(&out);
}

static void the_environment_is_the_callers_without_leftovers_and_with_ours(void **state)
{
    (void)state;
    struct kd_rendered out;
    const double point[] = {0, 0.1, 3, 0.5};
    rendered_from(KD_SPEC_HEAD SPACE "  trialTemplate:\n    command: [run, '${args}']\n"
                                     "    env: {LR: '${lr}'}\n    workingDir: sub\n"
                                     "    checkpoint: {dir: '${trialDir}/ck'}\n",
                  point, NULL, &out);
    same_words(out.env, "[HOME=/h][KATIB_TRIAL_NAME=sweep-7][KATYDID_ATTEMPT=2][KATYDID_BUDGET=5]"
                        "[KATYDID_CHECKPOINT_DIR=/db.d/sweep/7/ck][KATYDID_EXPERIMENT=sweep]"
                        "[KATYDID_PARAMS=/db.d/sweep/7/params.json][KATYDID_REPORT=ipc:///r]"
                        "[KATYDID_SEED=123][KATYDID_TRIAL=7][KATYDID_TRIAL_DIR=/db.d/sweep/7]"
                        "[LR=0.1][PATH=/bin][PYTHONUNBUFFERED=1]");
    assert_string_equal(out.working_dir, "/base/sub");
    assert_string_equal(out.checkpoint_dir, "/db.d/sweep/7/ck");
    kd_rendered_release(&out);
}

static void a_clean_environment_holds_only_what_was_said(void **state)
{
    (void)state;
    struct kd_rendered out;
    const double point[] = {0, 0.1, 3, 0.5};
    rendered_from(KD_SPEC_HEAD SPACE "  trialTemplate:\n    command: [run, '${args}']\n"
                                     "    envPolicy: clean\n    env: {PYTHONUNBUFFERED: 0}\n",
                  point, NULL, &out);
    assert_null(env_of(&out, "PATH"));
    assert_null(env_of(&out, "HOME"));
    assert_string_equal(env_of(&out, "PYTHONUNBUFFERED"), "0");
    assert_string_equal(env_of(&out, "KATYDID_TRIAL"), "7");
    kd_rendered_release(&out);
}

static void the_trainer_block_gets_numbers_where_numbers_are_meant(void **state)
{
    (void)state;
    struct kd_rendered out;
    const double point[] = {2, 0.1, 3, NAN};
    rendered_from(
        KD_SPEC_HEAD SPACE
        "  trialTemplate:\n    trainer:\n"
        "      optimizer: {name: '${opt}', lr: '${lr}', note: 'lr ${lr}', wd: '${drop}'}\n"
        "      model: [{linear: {units: '${n-units}'}}, '${drop}', {relu: {}}]\n"
        "      seed: '${seed}'\n      label: '64'\n",
        point, NULL, &out);
    char *text = json_dumps(out.trainer, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(6));
    assert_string_equal(text,
                        "{\"label\":\"64\",\"model\":[{\"linear\":{\"units\":3}},{\"relu\":{}}],"
                        "\"optimizer\":{\"lr\":0.1,\"name\":64,\"note\":\"lr 0.1\"},"
                        "\"seed\":123}");
    assert_null(out.argv[0]);
    free(text);
    kd_rendered_release(&out);
}

#define JOB                                                                                        \
    "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: job, namespace: team}\n" \
    "spec:\n  objective: {type: minimize, objectiveMetricName: loss}\n"                            \
    "  algorithm: {algorithmName: random}\n  maxTrialCount: 4\n"                                   \
    "  metricsCollectorSpec: {collector: {kind: File}, source: {fileSystemPath: "                  \
    "{path: /katib/m.log, kind: File}}}\n"                                                         \
    "  parameters: [{name: lr, parameterType: double, feasibleSpace: {min: '0.1', max: '1'}}]\n"   \
    "  trialTemplate:\n    primaryContainerName: c\n    trialParameters:\n"                        \
    "      - {name: rate, reference: lr}\n      - {name: who, reference: '${trialSpec.Name}'}\n"   \
    "      - {name: tag, reference: '${trialSpec.Labels[tag]}'}\n"                                 \
    "    trialSpec:\n      apiVersion: batch/v1\n      kind: Job\n"                                \
    "      metadata: {labels: {tag: blue}}\n"                                                      \
    "      spec: {template: {spec: {containers: [{name: c, image: 'reg/img:1', workingDir: /work," \
    " command: [python, /opt/t.py, '--lr=${trialParameters.rate}', '--out=/katib/m.log', "         \
    "'--data=/opt/data', /absent, '${trialParameters.who}-${trialParameters.tag}', '${HOME}', "    \
    "'$(MODE) $(NAME) $$(MODE) $(NOPE)'], env: [{name: MODE, value: fast}, "                       \
    "{name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}}}\n"

static void a_job_on_the_host_is_its_containers_command(void **state)
{
    (void)state;
    struct kd_rendered out;
    const double point[] = {0.5};
    struct kd_image_entry entry = {"reg/img", "host"};
    struct kd_image_map map = {&entry, 1};
    rendered_from(JOB, point, &map, &out);
    same_words(out.argv,
               "[python][/opt/t.py][--lr=0.5][--out=/db.d/sweep/7/m.log][--data=/opt/data]"
               "[/absent][job-7-blue][${HOME}][fast job-7 $(MODE) $(NOPE)]");
    assert_string_equal(out.metrics_file, "/db.d/sweep/7/m.log");
    assert_string_equal(env_of(&out, "NAME"), "job-7");
    assert_string_equal(out.working_dir, "/work");
    kd_rendered_release(&out);
}

static void a_jobs_paths_move_to_the_folder_that_stands_for_its_image(void **state)
{
    (void)state;
    struct kd_rendered out;
    const double point[] = {0.5};
    char *root = temporary_folder();
    char *opt = kd_format("%s/opt", root), *work = kd_format("%s/work", root);
    mkdir(opt, 0700), mkdir(work, 0700);
    char *script = write_file(opt, "t.py", "", 0600);
    struct kd_image_entry entry = {"reg/img:1", root};
    struct kd_image_map map = {&entry, 1};
    rendered_from(JOB, point, &map, &out);
    assert_string_equal(out.argv[1], script);
    assert_string_equal(out.argv[4], "--data=/opt/data"); /* is not there */
    assert_string_equal(out.working_dir, work);
    kd_rendered_release(&out);
    unlink(script);
    free(script), free(opt), free(work);
    remove_folder(root);
}

static void an_image_that_nothing_stands_for_is_named(void **state)
{
    (void)state;
    struct kd_experiment experiment;
    struct kd_rendered out;
    struct kd_error err;
    const double point[] = {0.5};
    struct kd_image_entry entry = {"reg/img", "/no/such/folder"};
    struct kd_image_map map = {&entry, 1};
    struct kd_render_context context = context_with(NULL);
    read_good(JOB, NULL, &experiment);
    assert_int_equal(kd_render(&experiment, point, &context, &out, &err), -1);
    assert_non_null(strstr(err.text, "--image-map reg/img:1=host"));
    context.images = &map;
    assert_int_equal(kd_render(&experiment, point, &context, &out, &err), -1);
    assert_non_null(strstr(err.text, "no such folder"));
    kd_experiment_release(&experiment);
}

static int check(const char *dir, const char *program, const char *path, struct kd_error *err)
{
    char *argv[] = {(char *)program, NULL}, *pair = kd_format("PATH=%s", path);
    char *env[] = {pair, NULL};
    struct kd_rendered rendered = {.argv = argv, .env = env, .working_dir = (char *)dir};
    int rc = kd_rendered_check(&rendered, err);
    free(pair);
    return rc;
}

static void a_missing_program_or_folder_is_said_before_anything_runs(void **state)
{
    (void)state;
    struct kd_error err;
    char *dir = temporary_folder();
    char *good = write_file(dir, "good", "#!/bin/sh\n", 0700);
    char *bad = write_file(dir, "bad", "#!/bin/sh\n", 0600);
    assert_int_equal(check(dir, "./good", "/bin", &err), 0);
    assert_int_equal(check(dir, good, "/bin", &err), 0);
    assert_int_equal(check("/", "good", dir, &err), 0);
    assert_int_equal(check("/", "sh", "/nowhere:/bin", &err), 0);
    assert_int_equal(check(dir, "good", "/nowhere", &err), -1);
    assert_non_null(strstr(err.text, "not in PATH"));
    assert_int_equal(check(dir, "./none", "/bin", &err), -1);
    assert_non_null(strstr(err.text, "no such program"));
    assert_int_equal(check("/no/such", "sh", "/bin", &err), -1);
    assert_non_null(strstr(err.text, "working directory /no/such"));
    assert_int_equal(check(good, "sh", "/bin", &err), -1);
    if (geteuid() != 0) {
        assert_int_equal(check(dir, bad, "/bin", &err), -1);
        assert_non_null(strstr(err.text, "chmod"));
    }
    free(good), free(bad);
    remove_folder(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_placeholder_becomes_its_value_and_never_meets_a_shell),
        cmocka_unit_test(what_names_an_inactive_parameter_is_left_out_whole),
        cmocka_unit_test(the_environment_is_the_callers_without_leftovers_and_with_ours),
        cmocka_unit_test(a_clean_environment_holds_only_what_was_said),
        cmocka_unit_test(the_trainer_block_gets_numbers_where_numbers_are_meant),
        cmocka_unit_test(a_job_on_the_host_is_its_containers_command),
        cmocka_unit_test(a_jobs_paths_move_to_the_folder_that_stands_for_its_image),
        cmocka_unit_test(an_image_that_nothing_stands_for_is_named),
        cmocka_unit_test(a_missing_program_or_folder_is_said_before_anything_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
