/* The `trainer:` block: every case of config_cases.json, and the form of --check and --describe. */
#include "tests/trainer/support.h"
#include "trainer/check.h"
#include "trainer/describe.h"

static bool has(const struct kd_problems *problems, const char *pointer, const char *part)
{
    for (size_t i = 0; i < problems->list.n; i++)
        if (strcmp(problems->list.items[i].pointer, pointer) == 0 &&
            strstr(problems->list.items[i].message, part))
            return true;
    return false;
}

static void check_case(const struct folder *folder, const json_t *test)
{
    struct kd_problems problems = {0};
    struct kd_error seen = {0};
    const char *name = json_string_value(json_object_get(test, "name"));
    char *change = json_dumps(json_object_get(test, "change"), 0);
    json_t *block = block_make(change);
    const json_t *errors = json_object_get(test, "errors"), *error;
    size_t i;
    kd_check_trainer(block, folder->path, &problems);
    kd_problems_fail(&problems, &seen);
    if (problems.list.n != json_array_size(errors))
        fail_msg("%s: %zu problems where %zu were expected:\n%s", name, problems.list.n,
                 json_array_size(errors), seen.text);
    json_array_foreach(errors, i, error)
    {
        const char *pointer = json_string_value(json_array_get(error, 0));
        const char *part = json_string_value(json_array_get(error, 1));
        if (!has(&problems, pointer, part))
            fail_msg("%s: no problem at \"%s\" with \"%s\" in:\n%s", name, pointer, part,
                     seen.text);
    }
    kd_problems_release(&problems);
    json_decref(block);
    free(change);
}

static void every_case_gives_its_errors_and_no_others(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    blobs_write(&folder, 60);
    text_write(&folder, "short.csv", "1,2,0\n1,2,1\n1,2\n");
    text_write(&folder, "shares.csv", "1,2,0\n1,3,1\n2,2,0.5\n4,2,0.25\n3,1,1\n");
    json_error_t where;
    json_t *cases = json_load_file(KD_SOURCE_DIR "/tests/trainer/config_cases.json", 0, &where);
    if (!cases)
        fail_msg("config_cases.json:%d: %s", where.line, where.text);
    const json_t *test;
    size_t i;
    json_array_foreach(cases, i, test)
    {
        check_case(&folder, test);
    }
    json_decref(cases);
    folder_remove(&folder);
}

static void a_check_answers_with_json_pointers(void **unused)
{
    (void)unused;
    struct kd_str answer = {0};
    struct kd_error err;
    json_t *request = json_loads("{\"trainer\": {\"epochs\": 0}, \"base_dir\": \".\"}", 0, NULL);
    assert_int_equal(kd_check_answer(request, &answer, &err), 0);
    json_t *parsed = json_loads(kd_str_text(&answer), 0, NULL);
    const json_t *errors = json_object_get(parsed, "errors");
    assert_true(json_array_size(errors) >= 3); /* epochs, and the missing data and model */
    assert_string_equal(json_string_value(json_object_get(json_array_get(errors, 0), "pointer")),
                        "/epochs");
    json_decref(parsed);
    json_decref(request);
    kd_str_release(&answer);
}

static void a_check_of_something_else_is_refused(void **unused)
{
    (void)unused;
    struct kd_str answer = {0};
    struct kd_error err;
    json_t *request = json_object();
    assert_int_equal(kd_check_answer(request, &answer, &err), -1);
    json_decref(request);
}

/* An entry of a description's list by its name. */
static const json_t *entry(const json_t *list, const char *name)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
            return item;
    }
    fail_msg("--describe does not name %s", name);
    return NULL;
}

static void describe_is_json_and_names_everything_in_the_registries(void **unused)
{
    (void)unused;
    struct kd_str text = {0};
    json_error_t where;
    kd_describe_trainer(&text);
    json_t *all = json_loads(kd_str_text(&text), JSON_REJECT_DUPLICATES, &where);
    if (!all)
        fail_msg("%d: %s", where.line, where.text);
    const json_t *fields = json_object_get(json_object_get(all, "trainer"), "fields");
    for (const struct kd_option *option = kd_config_options; option->name; option++)
        assert_true(json_is_string(json_object_get(entry(fields, option->name), "help")));
    const json_t *formats = json_object_get(json_object_get(all, "data"), "formats");
    for (int i = 0; kd_data_formats[i]; i++)
        for (const struct kd_option *option = kd_data_formats[i]->fields; option->name; option++)
            entry(json_object_get(entry(formats, kd_data_formats[i]->name), "fields"),
                  option->name);
    for (int i = 0; kd_losses[i].name; i++)
        entry(json_object_get(all, "losses"), kd_losses[i].name);
    for (int i = 0; kd_optimizers[i]; i++)
        entry(json_object_get(all, "optimizers"), kd_optimizers[i]->name);
    for (int i = 0; kd_comm_backends[i]; i++)
        entry(json_object_get(all, "backends"), kd_comm_backends[i]->name);
    entry(json_object_get(all, "schedules"), "cosine");
    entry(json_object_get(all, "layers"), "linear");
    json_decref(all);
    kd_str_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_gives_its_errors_and_no_others),
        cmocka_unit_test(a_check_answers_with_json_pointers),
        cmocka_unit_test(a_check_of_something_else_is_refused),
        cmocka_unit_test(describe_is_json_and_names_everything_in_the_registries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
