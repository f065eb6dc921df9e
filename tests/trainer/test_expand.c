/* How a model's repeats are written out. */
#include "trainer/models/expand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/base/str.h"

/* What comes out, one layer after the other as "pointer=name", or the error's text. */
static const struct row {
    const char *list, *wanted;
} rows[] = {
    {"[{'linear': {}}, 'relu']", "/model/0=linear /model/1=relu "},
    {"[{'repeat': {'times': 2, 'layers': [{'linear': {}}, 'relu']}}, {'tanh': {}}]",
     "/model/0/repeat/layers/0=linear /model/0/repeat/layers/1=relu "
     "/model/0/repeat/layers/0=linear /model/0/repeat/layers/1=relu /model/1=tanh "},
    {"[{'repeat': {'times': 0, 'layers': ['relu']}}, 'gelu']", "/model/1=gelu "},
    {"[{'repeat': {'times': 2.0, 'layers': ['gelu']}}]",
     "/model/0/repeat/layers/0=gelu /model/0/repeat/layers/0=gelu "},
    {"[{'repeat': {'times': 2, 'layers': [{'repeat': {'times': 2, 'layers': ['gelu']}}]}}]",
     "/model/0/repeat/layers/0/repeat/layers/0=gelu /model/0/repeat/layers/0/repeat/layers/0=gelu "
     "/model/0/repeat/layers/0/repeat/layers/0=gelu "
     "/model/0/repeat/layers/0/repeat/layers/0=gelu "},
    {"[]", "/model: must be a list"},
    {"{}", "/model: must be a list"},
    {"[{'repeat': {'layers': ['gelu']}}]", "/model/0/repeat: times is missing"},
    {"[{'repeat': {'times': 1.5, 'layers': ['gelu']}}]", "/model/0/repeat/times: must be a whole"},
    {"[{'repeat': {'times': -1, 'layers': ['gelu']}}]", "/model/0/repeat/times: must be a whole"},
    {"[{'repeat': {'times': '3', 'layers': ['gelu']}}]", "/model/0/repeat/times: must be a whole"},
    {"[{'repeat': {'times': 1, 'layers': []}}]", "/model/0/repeat/layers: must be a list"},
    {"[{'repeat': {'times': 0}}]", "/model/0/repeat/layers: must be a list"},
    {"[{'repeat': {'times': 1, 'layers': ['gelu'], 'n': 2}}]", "/model/0/repeat/n: repeat takes"},
    {"[{'repeat': {'times': 1000, 'layers': [{'repeat': {'times': 11, 'layers': ['gelu']}}]}}]",
     "/model/0/repeat/layers/0/repeat/layers/0: the model has more than 10000 layers"},
};

static const char *layer_name(const json_t *layer)
{
    const char *text = json_string_value(layer);
    return text ? text : json_object_iter_key(json_object_iter((json_t *)layer));
}

static void check_row(const struct row *row)
{
    struct kd_error err = {0};
    struct kd_str seen = {0};
    kd_entries entries;
    char *text = kd_format("%s", row->list);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *list = json_loads(text, 0, NULL);
    assert_non_null(list);
    if (kd_model_expand(list, &entries, &err) != 0)
        assert_memory_equal(err.text, row->wanted, strlen(row->wanted));
    else {
        for (size_t i = 0; i < entries.n; i++)
            kd_str_addf(&seen, "%s=%s ", entries.items[i].at, layer_name(entries.items[i].layer));
        assert_string_equal(kd_str_text(&seen), row->wanted);
    }
    kd_arr_release(&entries);
    kd_str_release(&seen);
    json_decref(list);
    free(text);
}

static void a_repeat_stands_for_its_layers_and_mistakes_name_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

static json_t *nested(int depth)
{
    return depth == 0
               ? json_pack("[s]", "relu")
               : json_pack("[{s:{s:i,s:o}}]", "repeat", "times", 1, "layers", nested(depth - 1));
}

static void repeats_are_not_nested_without_end(void **state)
{
    (void)state;
    struct kd_error err = {0};
    kd_entries entries;
    json_t *list = nested(8), *deeper = nested(100);
    assert_int_equal(kd_model_expand(list, &entries, &err), 0);
    assert_int_equal(entries.n, 1);
    kd_arr_release(&entries);
    assert_int_equal(kd_model_expand(deeper, &entries, &err), -1);
    assert_non_null(strstr(err.text, "nested 8 deep"));
    json_decref(list);
    json_decref(deeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeat_stands_for_its_layers_and_mistakes_name_their_place),
        cmocka_unit_test(repeats_are_not_nested_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
