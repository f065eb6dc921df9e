/* Every tests/cases/suggest/NAME.txt is a spec, a line "---", and a conversation: lines "> ..." are
 * said, and the answers must be the lines "< ..." below them. KATYDID_UPDATE=1 writes the answers
 * anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/spec_read.h"
#include "coordinator/suggest.h"

#define CASES KD_SOURCE_DIR "/tests/cases/suggest"

static char *read_file(const char *path)
{
    char buffer[4096];
    size_t n;
    struct kd_str text = {0};
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while ((n = fread(buffer, 1, sizeof buffer, file)) > 0)
        kd_str_addn(&text, buffer, n);
    fclose(file);
    return kd_str_take(&text);
}

static void read_experiment(const char *text, size_t length, struct kd_experiment *experiment)
{
    struct kd_spec_options options = {.is_for_suggest = true};
    struct kd_problems problems;
    int rc = kd_spec_read_text(text, length, "case", "/", &options, experiment, &problems);
    for (int i = 0; i < problems.n; i++)
        print_message("%s\n", problems.items[i].text);
    kd_problems_release(&problems);
    assert_int_equal(rc, 0);
}

/* The conversation with the answers that are given now. */
static char *converse(char *lines, const struct kd_experiment *experiment)
{
    struct kd_str out = {0};
    struct kd_error err = {{0}};
    struct kd_suggest *suggest = kd_suggest_new(experiment, &err);
    if (suggest == NULL)
        kd_str_addf(&out, "! %s\n", err.text);
    for (char *line; suggest && (line = strsep(&lines, "\n")) != NULL;) {
        if (line[0] == '#')
            kd_str_addf(&out, "%s\n", line);
        if (line[0] != '>')
            continue;
        kd_str_addf(&out, "%s\n< ", line);
        kd_suggest_answer(suggest, line + 2, strlen(line + 2), &out);
        kd_str_addc(&out, '\n');
    }
    kd_suggest_free(suggest);
    return kd_str_take(&out);
}

static void save(const char *path, const char *text, size_t head, const char *seen)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(text, 1, head, file);
    fputs(seen, file);
    fclose(file);
}

static bool check_case(const char *file)
{
    char *path = kd_format("%s/%s", CASES, file), *text = read_file(path);
    char *cut = strstr(text, "\n---\n");
    assert_non_null(cut);
    size_t head = (size_t)(cut - text) + 5;
    struct kd_experiment experiment;
    read_experiment(text, head - 4, &experiment);
    char *lines = kd_strdup(text + head), *seen = converse(lines, &experiment);
    if (getenv("KATYDID_UPDATE"))
        save(path, text, head, seen);
    bool is_same = getenv("KATYDID_UPDATE") || strcmp(text + head, seen) == 0;
    if (!is_same)
        print_message("%s\n--- expected\n%s--- seen\n%s", file, text + head, seen);
    kd_experiment_release(&experiment);
    free(seen), free(lines), free(text), free(path);
    return is_same;
}

static void each_conversation_goes_as_it_is_written(void **state)
{
    (void)state;
    int n = 0, n_wrong = 0;
    DIR *dir = opendir(CASES);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strstr(entry->d_name, ".txt") == NULL)
            continue;
        n++;
        n_wrong += !check_case(entry->d_name);
    }
    closedir(dir);
    assert_int_equal(n_wrong, 0);
    assert_true(n >= 8);
}

#define SPEC                                                                                       \
    "apiVersion: katydid/v1\nkind: Experiment\nmetadata: {name: s}\nspec:\n"                       \
    "  objective: {type: minimize, objectiveMetricName: loss}\n"                                   \
    "  algorithm: {algorithmName: random}\n"                                                       \
    "  parameters: [{name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}]\n"

/* A trial is kept: its point must not come again. What is said about it is not. */
static void ten_thousand_asks_cost_no_more_than_their_points(void **state)
{
    (void)state;
    enum { ASKS = 10000, BYTES_PER_TRIAL = 600 };
    struct kd_experiment experiment;
    struct kd_error err;
    struct kd_str answer = {0};
    read_experiment(SPEC, strlen(SPEC), &experiment);
    struct kd_suggest *suggest = kd_suggest_new(&experiment, &err);
    assert_non_null(suggest);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < ASKS; i++) {
        char *tell = kd_format(
            "{\"tell\": {\"number\": %d, \"state\": \"complete\", \"objective\": %d}}", i, i);
        kd_str_clear(&answer);
        kd_suggest_answer(suggest, "{\"ask\": 1}", 10, &answer);
        assert_null(strstr(answer.text, "error"));
        kd_str_clear(&answer);
        kd_suggest_answer(suggest, tell, strlen(tell), &answer);
        assert_string_equal(answer.text, "{\"ok\":true}");
        free(tell);
    }
    assert_true(mallinfo2().uordblks - before < (size_t)ASKS * BYTES_PER_TRIAL);
    kd_suggest_free(suggest);
    kd_str_release(&answer);
    kd_experiment_release(&experiment);
}

/* Mutations of good lines: an answer each time, and a session that still works. */
static void no_line_ends_the_session(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\"ask\": 2}",
        "{\"tell\": {\"number\": 0, \"state\": \"pruned\", \"intermediate\": [[2, NaN]]}}",
        "{\"judge\": {\"number\": 1, \"step\": 3, \"value\": -Infinity}}",
        "{\"enqueue\": {\"x\": 0.25}}",
        "{\"best\": true}",
    };
    static const char bytes[] = "{}[]\",:0-9eE.\\\x80\0 n";
    struct kd_experiment experiment;
    struct kd_error err;
    read_experiment(SPEC, strlen(SPEC), &experiment);
    struct kd_suggest *suggest = kd_suggest_new(&experiment, &err);
    for (size_t i = 0; i < KD_COUNT(lines); i++)
        for (size_t at = 0; at < strlen(lines[i]); at++)
            for (size_t k = 0; k < sizeof bytes; k++) {
                struct kd_str answer = {0};
                char *line = kd_strdup(lines[i]);
                line[at] = bytes[k];
                kd_suggest_answer(suggest, line, strlen(lines[i]), &answer);
                assert_int_equal(answer.text[0], '{');
                assert_int_equal(answer.text[answer.length - 1], '}');
                kd_str_release(&answer);
                free(line);
            }
    struct kd_str answer = {0};
    kd_suggest_answer(suggest, "{\"ask\": 1}", 10, &answer);
    assert_non_null(strstr(answer.text, "\"params\""));
    kd_str_release(&answer);
    kd_suggest_free(suggest);
    kd_experiment_release(&experiment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_conversation_goes_as_it_is_written),
        cmocka_unit_test(ten_thousand_asks_cost_no_more_than_their_points),
        cmocka_unit_test(no_line_ends_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
