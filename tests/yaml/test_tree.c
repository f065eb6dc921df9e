#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/yaml/json.h"
#include "coordinator/yaml/tree.h"

static void keep_first(void *ud, bool is_warning, char *text)
{
    char **first = ud;
    assert_false(is_warning);
    if (*first == NULL)
        *first = kd_strdup(text);
    free(text);
}

/* The tree of a text, or NULL and its first problem, which the caller frees. */
static struct kd_yaml *tree_of(const char *text, char **problem)
{
    struct kd_findings findings = {.source = {"t.yaml", text, strlen(text), "a test"}};
    struct kd_yaml *node = kd_tree_parse(&findings);
    *problem = NULL;
    int n_errors = kd_findings_show(&findings, keep_first, problem);
    assert_int_equal(n_errors > 0, *problem != NULL);
    return node;
}

static void refused_fast(const char *text, const char *because)
{
    char *problem;
    struct kd_yaml *node =
        tree_of(text, &problem); /* a bomb takes minutes: ctest's deadline says so */
    assert_null(node);
    assert_non_null(problem);
    assert_non_null(strstr(problem, because));
    free(problem);
}

static char *repeated(const char *piece, int n)
{
    struct kd_str out = {0};
    for (int i = 0; i < n; i++)
        kd_str_add(&out, piece);
    return kd_str_take(&out);
}

static void a_wall_of_brackets_is_refused_at_once(void **state)
{
    (void)state;
    static const char *const pieces[] = {"[", "{a: ", "- ", "? "};
    for (size_t i = 0; i < KD_COUNT(pieces); i++) {
        char *bomb = repeated(pieces[i], 100000);
        refused_fast(bomb, "deeper than 64");
        free(bomb);
    }
}

static void an_alias_bomb_is_refused_at_once(void **state)
{
    (void)state;
    struct kd_str out = {0};
    kd_str_add(&out, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        kd_str_addf(&out, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            kd_str_addf(&out, "%s*a%d", k ? ", " : "", i - 1);
        kd_str_add(&out, "]\n");
    }
    refused_fast(kd_str_text(&out), "expand");
    kd_str_release(&out);
}

static void many_aliases_keys_and_values_are_refused(void **state)
{
    (void)state;
    char *aliases = repeated("- *a\n", 1001), *values = repeated("- 1\n", 200001);
    char *text = kd_format("- &a 1\n%s", aliases);
    refused_fast(text, "more than 1000 aliases");
    refused_fast(values, "more than 200000 values");
    struct kd_str keys = {0};
    for (int i = 0; i < 100000; i++)
        kd_str_addf(&keys, "k%d:\n", i);
    refused_fast(kd_str_text(&keys), "more than 1000 keys");
    kd_str_release(&keys);
    free(text);
    free(aliases);
    free(values);
}

static void unquoted_scalars_follow_yaml_1_2_and_quoted_ones_are_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum kd_yaml_kind kind;
        double number;
    } cases[] = {
        {"1e-5", KD_NODE_NUMBER, 1e-5},     {"0x10", KD_NODE_NUMBER, 16},
        {"0o17", KD_NODE_NUMBER, 15},       {"-.5", KD_NODE_NUMBER, -0.5},
        {"+12.", KD_NODE_NUMBER, 12},       {"1_000", KD_NODE_STRING, 0},
        {"010", KD_NODE_NUMBER, 10},        {"true", KD_NODE_BOOL, 1},
        {"FALSE", KD_NODE_BOOL, 0},         {"yes", KD_NODE_STRING, 0},
        {"on", KD_NODE_STRING, 0},          {"~", KD_NODE_NULL, 0},
        {"null", KD_NODE_NULL, 0},          {"nan", KD_NODE_STRING, 0},
        {"1e", KD_NODE_STRING, 0},          {"1:30", KD_NODE_STRING, 0},
        {"0x", KD_NODE_STRING, 0},          {"\"1e-5\"", KD_NODE_STRING, 0},
        {"'true'", KD_NODE_STRING, 0},      {"!!str 5", KD_NODE_STRING, 0},
        {"!!int \"5\"", KD_NODE_NUMBER, 5}, {"infinity", KD_NODE_STRING, 0},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        char *problem;
        struct kd_yaml *node = tree_of(cases[i].text, &problem);
        assert_non_null(node);
        assert_int_equal(node->kind, cases[i].kind);
        if (node->kind == KD_NODE_NUMBER || node->kind == KD_NODE_BOOL)
            assert_true(node->number == cases[i].number);
        kd_yaml_free(node);
        free(problem);
    }
}

static void marks_count_characters_from_one(void **state)
{
    (void)state;
    char *problem;
    struct kd_yaml *node = tree_of("a: 1\n\"\xc3\xa4\xc3\xb6\": {b: x}\n", &problem);
    const struct kd_yaml *value = node->children.items[1];
    assert_int_equal(value->key_mark.line, 2);
    assert_int_equal(value->mark.column, 7);
    assert_int_equal(kd_yaml_get(value, "b")->mark.column, 11);
    kd_yaml_free(node);
    free(problem);
}

static void anchors_in_keys_and_refused_values_do_not_dangle(void **state)
{
    (void)state;
    char *problem;
    struct kd_yaml *node = tree_of("&k key: 1\nb: *k\n", &problem);
    assert_string_equal(kd_yaml_get(node, "b")->text, "key");
    kd_yaml_free(node);
    free(problem);
    refused_fast("a: 1\na: &x [1, 2]\nc: *x\n", "is there twice");
}

static void a_pointer_finds_its_node_or_the_deepest_one_on_the_way(void **state)
{
    (void)state;
    char *problem;
    struct kd_yaml *node = tree_of("m: [{a/b: {c~: 1}}]\n", &problem);
    assert_string_equal(kd_yaml_pointer(node, "/m/0/a~1b/c~0")->text, "1");
    assert_string_equal(kd_yaml_pointer(node, "/m/0/a~1b/none/deeper")->key, "a/b");
    assert_ptr_equal(kd_yaml_pointer(node, "/m/7"), kd_yaml_get(node, "m"));
    assert_ptr_equal(kd_yaml_pointer(node, ""), node);
    assert_int_equal(kd_yaml_mark_at(node, "/m/0/a~1b/c~0").column, 16);
    assert_int_equal(kd_yaml_mark_at(node, "/m/0/a~1b").column, 6); /* of a mapping its key */
    kd_yaml_free(node);
    free(problem);
}

static void a_text_becomes_the_json_value_that_it_looks_like(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"64", "64"},           {"0.5", "0.5"},       {".5", "0.5"},      {"1e-5", "1e-5"},
        {"true", "true"},       {"True", "\"True\""}, {"sgd", "\"sgd\""}, {"null", "\"null\""},
        {"1e999", "\"1e999\""}, {"", "\"\""},         {"[1]", "\"[1]\""}, {"0x10", "\"0x10\""},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        json_t *json = kd_typed_json(cases[i].text);
        json_t *wanted = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        assert_true(json_equal(json, wanted));
        json_decref(wanted);
        json_decref(json);
    }
}

static void nodes_become_json_of_their_types(void **state)
{
    (void)state;
    char *problem;
    struct kd_yaml *node =
        tree_of("{a: [1, 1.0, 0.5, '1', ~, true, .inf, 1e20], b: {c: x}}\n", &problem);
    json_t *json = kd_yaml_json(node);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, "{\"a\":[1,1,0.5,\"1\",null,true,\"inf\",1e20],\"b\":{\"c\":\"x\"}}");
    free(text);
    json_decref(json);
    kd_yaml_free(node);
    free(problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wall_of_brackets_is_refused_at_once),
        cmocka_unit_test(an_alias_bomb_is_refused_at_once),
        cmocka_unit_test(many_aliases_keys_and_values_are_refused),
        cmocka_unit_test(unquoted_scalars_follow_yaml_1_2_and_quoted_ones_are_texts),
        cmocka_unit_test(marks_count_characters_from_one),
        cmocka_unit_test(anchors_in_keys_and_refused_values_do_not_dangle),
        cmocka_unit_test(a_pointer_finds_its_node_or_the_deepest_one_on_the_way),
        cmocka_unit_test(a_text_becomes_the_json_value_that_it_looks_like),
        cmocka_unit_test(nodes_become_json_of_their_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
