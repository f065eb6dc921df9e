#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/base/str.h"
#include "coordinator/spec/digest.h"
#include "tests/spec/spec_fixture.h"

#define TAIL                                                                                       \
    "  parameters: [{name: lr, parameterType: double, feasibleSpace: {min: 1e-5, max: 0.1}}]\n"    \
    "  trialTemplate: {command: [run, '${args}']}\n"

static void sha256_gives_the_published_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[65];
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        kd_sha256_hex(cases[i].text, strlen(cases[i].text), hex);
        assert_string_equal(hex, cases[i].hex);
    }
    char *million = kd_alloc(1000000);
    memset(million, 'a', 1000000);
    kd_sha256_hex(million, 1000000, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void limits_goal_and_counts_may_change_without_another_digest(void **state)
{
    (void)state;
    struct kd_experiment a, b;
    const char *const overrides[] = {"limits.trialTime=5m",  "objective.goal=0.1",
                                     "maxTrialCount=99",     "maxFailedTrialCount=2",
                                     "parallelTrialCount=3", NULL};
    struct kd_spec_options options = {.overrides = overrides};
    read_good(KD_SPEC_HEAD TAIL, NULL, &a);
    read_good(KD_SPEC_HEAD TAIL, &options, &b);
    assert_string_equal(a.digest, b.digest);
    assert_int_equal(b.max_trials, 99);
    kd_experiment_release(&a);
    kd_experiment_release(&b);
}

static void seeds_that_a_double_cannot_tell_apart_have_different_digests(void **state)
{
    (void)state;
    struct kd_experiment a, b;
    const char *const one[] = {"seed=9007199254740992", NULL};
    const char *const two[] = {"seed=9007199254740993", NULL};
    struct kd_spec_options first = {.overrides = one}, second = {.overrides = two};
    read_good(KD_SPEC_HEAD TAIL, &first, &a);
    read_good(KD_SPEC_HEAD TAIL, &second, &b);
    assert_string_not_equal(a.digest, b.digest);
    assert_true(b.seed == a.seed + 1);
    kd_experiment_release(&a);
    kd_experiment_release(&b);
}

static void a_difference_is_said_with_the_path_an_override_would_use(void **state)
{
    (void)state;
    struct kd_experiment a, b;
    const char *const overrides[] = {
        "parameters.lr.max=0.3", "seed=4", "trialTemplate.command.0=go",
        "+parameters.mom={parameterType: double, feasibleSpace: {min: 0, max: 1}}", NULL};
    struct kd_spec_options options = {.overrides = overrides};
    read_good(KD_SPEC_HEAD TAIL, NULL, &a);
    read_good(KD_SPEC_HEAD TAIL, &options, &b);
    char *text = kd_spec_difference(a.canonical, b.canonical);
    assert_non_null(strstr(text, "parameters.lr.max: 0.1 -> 0.3\n"));
    assert_non_null(strstr(text, "parameters.mom: (none) -> {"));
    assert_non_null(strstr(text, "trialTemplate.command.0: run -> go"));
    assert_non_null(strstr(text, "seed: (none) -> 4"));
    free(text);
    text = kd_spec_difference(a.canonical, a.canonical);
    assert_string_equal(text, "");
    free(text);
    kd_experiment_release(&a);
    kd_experiment_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_vectors),
        cmocka_unit_test(limits_goal_and_counts_may_change_without_another_digest),
        cmocka_unit_test(seeds_that_a_double_cannot_tell_apart_have_different_digests),
        cmocka_unit_test(a_difference_is_said_with_the_path_an_override_would_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
