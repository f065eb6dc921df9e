/* How a model's repeats, residual blocks and presets are written out. */
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
    {"[{'linear': {}}, 'relu']", "/model/0/linear /model/1/relu "},
    {"'relu'", "/model/relu "},
    {"{'relu': {}}", "/model/relu "},
    {"[{'repeat': {'times': 2, 'layers': [{'linear': {}}, 'relu']}}, {'tanh': {}}]",
     "/model/0/repeat/layers/0/linear /model/0/repeat/layers/1/relu "
     "/model/0/repeat/layers/0/linear /model/0/repeat/layers/1/relu /model/1/tanh "},
    {"[{'repeat': {'times': 0, 'layers': ['relu']}}, 'gelu']", "/model/1/gelu "},
    {"[{'repeat': {'times': 2.0, 'layers': ['gelu']}}]",
     "/model/0/repeat/layers/0/gelu /model/0/repeat/layers/0/gelu "},
    {"[{'repeat': {'times': 2, 'layers': [{'repeat': {'times': 2, 'layers': ['gelu']}}]}}]",
     "/model/0/repeat/layers/0/repeat/layers/0/gelu /model/0/repeat/layers/0/repeat/layers/0/gelu "
     "/model/0/repeat/layers/0/repeat/layers/0/gelu "
     "/model/0/repeat/layers/0/repeat/layers/0/gelu "},
    {"['tanh', {'residual': {'layers': ['relu', 'gelu']}}, 'silu']",
     "/model/0/tanh /model/1/residual/layers/0/relu /model/1/residual/layers/1/gelu "
     "/model/1/residual(2,0) /model/2/silu "},
    {"['tanh', {'residual': {'layers': ['relu'], 'shortcut': ['gelu']}}]",
     "/model/0/tanh /model/1/residual/layers/0/relu /model/1/residual/shortcut/0/gelu "
     "/model/1/residual(1,2) "},
    {"['relu', {'mlp': {'layers': 1, 'units': 3}}]", "/model/0/relu /model/1/mlp /model/1/mlp "
                                                     "/model/1/mlp /model/1/mlp "},
    {"[]", "/model: must be a list"},
    {"{}", "/model: must be a list"},
    {"[{'residual': {'layers': ['relu']}}]", "/model/0/residual: a residual block needs"},
    {"['relu', {'residual': {'layers': []}}]", "/model/1/residual/layers: must be a list"},
    {"['relu', {'residual': {'layers': ['relu'], 'skip': 1}}]",
     "/model/1/residual/skip: residual takes layers and shortcut"},
    {"[{'repeat': {'layers': ['gelu']}}]", "/model/0/repeat: times is missing"},
    {"[{'repeat': {'times': 1.5, 'layers': ['gelu']}}]", "/model/0/repeat/times: must be a whole"},
    {"[{'repeat': {'times': -1, 'layers': ['gelu']}}]", "/model/0/repeat/times: must be a whole"},
    {"[{'repeat': {'times': '3', 'layers': ['gelu']}}]", "/model/0/repeat/times: must be a whole"},
    {"[{'repeat': {'times': 1, 'layers': []}}]", "/model/0/repeat/layers: must be a list"},
    {"[{'repeat': {'times': 0}}]", "/model/0/repeat/layers: must be a list"},
    {"[{'repeat': {'times': 1, 'layers': ['gelu'], 'n': 2}}]", "/model/0/repeat/n: repeat takes"},
    {"[{'mlp': {'units': 0}}]", "/model/0/mlp/units: 0 is below the least, 1"},
    {"[{'repeat': {'times': 1000, 'layers': [{'repeat': {'times': 11, 'layers': ['gelu']}}]}}]",
     "/model/0/repeat/layers/0/repeat/layers/0/gelu: the model has more than 10000 layers"},
};

static const struct kd_input input = {.shape = {{4}, .n_dims = 1}, .n_outputs = 2};

static void add_entry(struct kd_str *seen, const struct kd_entry *entry)
{
    kd_str_addf(seen, "%s", entry->at);
    if (entry->n_inputs == 2)
        kd_str_addf(seen, "(%d,%d)", entry->inputs[0], entry->inputs[1]);
    kd_str_addf(seen, " ");
}

static void check_row(const struct row *row)
{
    struct kd_error err = {0};
    struct kd_str seen = {0};
    struct kd_entries entries;
    char *text = kd_format("%s", row->list);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *list = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(list);
    if (kd_model_expand(list, &input, &entries, &err) != 0)
        assert_memory_equal(err.text, row->wanted, strlen(row->wanted));
    else {
        for (size_t i = 0; i < entries.list.n; i++)
            add_entry(&seen, &entries.list.items[i]);
        assert_string_equal(kd_str_text(&seen), row->wanted);
    }
    kd_entries_release(&entries);
    kd_str_release(&seen);
    json_decref(list);
    free(text);
}

static void
repeats_residual_blocks_and_presets_stand_for_their_layers_and_mistakes_name_their_place(
    void **state)
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

static void blocks_are_not_nested_without_end(void **state)
{
    (void)state;
    struct kd_error err = {0};
    struct kd_entries entries;
    json_t *list = nested(8), *deeper = nested(100);
    assert_int_equal(kd_model_expand(list, &input, &entries, &err), 0);
    assert_int_equal(entries.list.n, 1);
    kd_entries_release(&entries);
    assert_int_equal(kd_model_expand(deeper, &input, &entries, &err), -1);
    assert_non_null(strstr(err.text, "nested 8 deep"));
    json_decref(list);
    json_decref(deeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            repeats_residual_blocks_and_presets_stand_for_their_layers_and_mistakes_name_their_place),
        cmocka_unit_test(blocks_are_not_nested_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
