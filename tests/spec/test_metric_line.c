#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/metric_line.h"

#define CASES KD_SOURCE_DIR "/tests/cases/metric_lines.txt"

static struct kd_line_scanner *scanner_with(char *filter)
{
    static char *additional[] = {"acc", "val/loss", "train.loss"};
    char *filters[] = {filter};
    struct kd_experiment experiment = {
        .objective = {.metric = "loss", .additional = additional, .n_additional = 3},
        .template.collector = {.filters = filters, .n_filters = filter ? 1 : 0},
    };
    struct kd_error err;
    struct kd_line_scanner *scanner = kd_line_scanner_new(&experiment, &err);
    assert_non_null(scanner);
    return scanner;
}

static char *found_in(struct kd_line_scanner *scanner, const char *line, size_t length)
{
    struct kd_line_point points[8];
    struct kd_str out = {0};
    char number[KD_NUMBER_MAX];
    int n = kd_line_scan(scanner, line, length, points, 8);
    for (int i = 0; i < n; i++) {
        kd_str_addf(&out, "%s%s=%s", i ? " " : "", points[i].name,
                    kd_number_text(points[i].value, number));
        if (points[i].has_step)
            kd_str_addf(&out, "@%" PRId64, points[i].step);
    }
    return kd_str_take(&out);
}

static void switch_rules(struct kd_line_scanner **scanner, char *line)
{
    bool is_filter = strncmp(line, "#filter ", 8) == 0;
    if (!is_filter && strcmp(line, "#default") != 0)
        return;
    kd_line_scanner_free(*scanner);
    *scanner = scanner_with(is_filter ? line + 8 : NULL);
}

static void each_line_of_the_cases_gives_its_points(void **state)
{
    (void)state;
    struct kd_line_scanner *scanner = scanner_with(NULL);
    FILE *file = fopen(CASES, "r");
    char line[1024];
    int n = 0, n_wrong = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *arrow = strstr(line, " =>");
        if (line[0] == '#' || arrow == NULL) {
            switch_rules(&scanner, line);
            continue;
        }
        const char *expected = arrow[3] ? arrow + 4 : "";
        char *seen = found_in(scanner, line, (size_t)(arrow - line));
        if (strcmp(seen, expected) != 0) {
            print_message("%s\n  seen: %s\n", line, seen);
            n_wrong++;
        }
        free(seen);
        n++;
    }
    fclose(file);
    kd_line_scanner_free(scanner);
    assert_int_equal(n_wrong, 0);
    assert_true(n > 60);
}

static void more_points_than_there_is_room_for_are_left_out(void **state)
{
    (void)state;
    struct kd_line_scanner *scanner = scanner_with(NULL);
    struct kd_line_point points[2];
    const char *line = "loss=1 acc=2 loss=3 step=9";
    assert_int_equal(kd_line_scan(scanner, line, strlen(line), points, 2), 2);
    assert_int_equal(points[1].step, 9);
    kd_line_scanner_free(scanner);
}

static void a_pattern_that_backtracks_without_end_is_cut_off(void **state)
{
    (void)state;
    struct kd_line_scanner *scanner = scanner_with("(a+)+(\\w+)=$");
    char line[3000];
    struct kd_line_point point;
    memset(line, 'a', sizeof line);
    int64_t before = kd_clock_mono_us();
    assert_int_equal(kd_line_scan(scanner, line, sizeof line, &point, 1), 0);
    assert_true(kd_clock_mono_us() - before < 5000000); /* unbounded it would outlive us all */
    kd_line_scanner_free(scanner);
}

static void a_long_line_of_separators_takes_linear_time(void **state)
{
    (void)state;
    struct kd_line_scanner *scanner = scanner_with(NULL);
    size_t length = 1 << 20;
    char *line = kd_alloc(length);
    struct kd_line_point point;
    static const char *const patterns[] = {"=", "a=", " =", "loss=", "x", "{\"a\":"};
    for (size_t k = 0; k < KD_COUNT(patterns); k++) {
        for (size_t i = 0; i < length; i++)
            line[i] = patterns[k][i % strlen(patterns[k])];
        int64_t before = kd_clock_mono_us();
        kd_line_scan(scanner, line, length, &point, 1);
        assert_true(kd_clock_mono_us() - before < 5000000);
    }
    free(line);
    kd_line_scanner_free(scanner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_of_the_cases_gives_its_points),
        cmocka_unit_test(more_points_than_there_is_room_for_are_left_out),
        cmocka_unit_test(a_pattern_that_backtracks_without_end_is_cut_off),
        cmocka_unit_test(a_long_line_of_separators_takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
