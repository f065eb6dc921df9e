#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/spec/sweep.h"
#include "tests/spec/spec_fixture.h"

static char *yaml_of(const char *const *sweeps, const char *const *argv)
{
    struct kd_shorthand shorthand = {
        .metric = "val_acc", .maximize = true, .sweeps = sweeps, .argv = argv, .max_trials = 20};
    struct kd_error err;
    char *yaml = kd_shorthand_to_yaml(&shorthand, &err);
    if (yaml == NULL)
        fail_msg("%s", err.text);
    return yaml;
}

static void a_command_line_becomes_a_spec_that_reads_back(void **state)
{
    (void)state;
    const char *const sweeps[] = {"lr=tag(log, interval(1e-5,1e-1))",
                                  "opt=choice(sgd, 'a, \"b\"')",
                                  "n=range(1,9)",
                                  "k=range(0,10,5)",
                                  "w=int(tag(log,interval(1,8)))",
                                  "p=0.1,0.2,0.5",
                                  "x=interval(0,1)",
                                  NULL};
    const char *const argv[] = {"python3", "-u",         "src/Train_GPT.v2.py",
                                "${args}", "it's \"x\"", NULL};
    char *yaml = yaml_of(sweeps, argv);
    struct kd_experiment e;
    read_good(yaml, NULL, &e);
    assert_string_equal(e.name, "train-gpt");
    assert_int_equal(e.max_trials, 20);
    assert_true(e.objective.maximize);
    const struct kd_param *p = e.space.params;
    assert_true(p[0].distribution == KD_LOG_UNIFORM && p[0].min == 1e-5 && p[0].max == 1e-1);
    assert_string_equal(p[1].choices[1], "a, \"b\"");
    assert_true(p[2].type == KD_PARAM_INT && p[2].min == 1 && p[2].max == 8);
    assert_true(p[3].type == KD_PARAM_INT && p[3].max == 5 && p[3].step == 5);
    assert_true(p[4].type == KD_PARAM_INT && p[4].distribution == KD_LOG_UNIFORM && p[4].max == 8);
    assert_true(p[5].type == KD_PARAM_DISCRETE && p[5].n_choices == 3);
    assert_true(p[6].type == KD_PARAM_DOUBLE && p[6].step == 0);
    assert_string_equal(e.template.argv[4], "it's \"x\"");
    kd_experiment_release(&e);
    free(yaml);
}

static void quotes_are_escaped_as_in_hydra(void **state)
{
    (void)state;
    static const struct {
        const char *text, *first;
    } cases[] = {
        {"x=choice(\"c\\\"d\",b)", "c\"d"},
        {"x=choice('it\\'s',b)", "it's"},
        {"x=choice('a\\\\',b)", "a\\"},
        {"x=choice('a\\\\\\'b',b)", "a\\'b"},
        {"x=choice('C:\\dir\\n',b)", "C:\\dir\\n"},
        {"x=choice(\"it\\'s\",b)", "it\\'s"},
        {"x=choice(\"a b\",b)", "a b"},
        {"x=choice('',b)", NULL},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct kd_sweep sweep;
        struct kd_error err = {{0}};
        int rc = kd_sweep_parse(cases[i].text, &sweep, &err);
        if (cases[i].first == NULL) {
            assert_int_equal(rc, -1);
            continue;
        }
        if (rc != 0)
            fail_msg("%s", err.text);
        assert_int_equal(sweep.n_list, 2);
        assert_string_equal(sweep.list[0], cases[i].first);
        kd_sweep_release(&sweep);
    }
}

static void a_sweep_that_makes_no_sense_is_explained(void **state)
{
    (void)state;
    static const struct {
        const char *text, *because;
    } cases[] = {
        {"lr", "name=expression"},
        {"=1", "name=expression"},
        {"lr=interval(1)", "expected ','"},
        {"lr=interval(1,2", "expected ')'"},
        {"lr=interval(a,2)", "not a number"},
        {"lr=intervall(1,2)", "unknown function"},
        {"lr=range(5,1)", "goes up"},
        {"lr=range(1,2)", "only one value"},
        {"lr=tag(big,interval(1,2))", "unknown tag"},
        {"lr=choice(a,)", "empty value"},
        {"lr=choice('a", "does not end"},
        {"lr=choice('a\\')", "does not end"},
        {"lr=interval(1,2) x", "left over"},
        {"lr=int(interval(0.5,2))", "whole numbers"},
        {"lr=int(int(int(int(int(int(int(int(int(interval(1,2))))))))))", "too deep"},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct kd_sweep sweep;
        struct kd_error err = {{0}};
        assert_int_equal(kd_sweep_parse(cases[i].text, &sweep, &err), -1);
        if (strstr(err.text, cases[i].because) == NULL)
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

static void without_metric_command_or_sweep_it_says_what_is_missing(void **state)
{
    (void)state;
    const char *const words[] = {"x=1,2", NULL}, *const none[] = {NULL};
    struct kd_error err;
    struct kd_shorthand no_metric = {.sweeps = words, .argv = words};
    struct kd_shorthand no_command = {.metric = "m", .sweeps = words, .argv = none};
    struct kd_shorthand no_sweep = {.metric = "m", .sweeps = none, .argv = words};
    assert_null(kd_shorthand_to_yaml(&no_metric, &err));
    assert_non_null(strstr(err.text, "--maximize"));
    assert_null(kd_shorthand_to_yaml(&no_command, &err));
    assert_non_null(strstr(err.text, "after --"));
    assert_null(kd_shorthand_to_yaml(&no_sweep, &err));
    assert_non_null(strstr(err.text, "nothing to tune"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_line_becomes_a_spec_that_reads_back),
        cmocka_unit_test(quotes_are_escaped_as_in_hydra),
        cmocka_unit_test(a_sweep_that_makes_no_sense_is_explained),
        cmocka_unit_test(without_metric_command_or_sweep_it_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
