/* test_event.c - an event that went through the journal is the event that was. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/event.h"

enum { N_PARAMS = 2 };

/* Fills every field that replay needs with a value of its own, so that one that is forgotten
 * shows. */
static struct kd_event full_event(double *values)
{
    return (struct kd_event){
        .kind = KD_EVENT_SUGGESTED,
        .at = 1234.5,
        .gang = 11,
        .fence = (int64_t)1 << 40,
        .n_gpus = 3,
        .n_cpus = 5,
        .parallel = 7,
        .max_trials = -1,
        .max_failed = 9,
        .max_retries = 41,
        .trial_time_s = 0.25,
        .wall_time_s = 1e6,
        .has_goal = true,
        .goal = 0.1,
        .memory = (int64_t)1 << 36,
        .next_fence = 13,
        .next_gang = 17,
        .n = 2,
        .values = values,
        .seq = 19,
        .log_offset = (int64_t)1 << 33,
        .first_row = 23,
        .last_row = 29,
        .step = 31,
        .outcome = "diverged",
        .text = "line one\nline \"two\"",
        .exit_code = -1,
        .exit_signal = 37,
        .gpu = 43,
        .xid = 79,
        .is_of_use = true,
        .uuid = "GPU-1",
    };
}

static struct kd_event through_journal(const struct kd_event *event, json_t **body, double **values)
{
    struct kd_event back;
    struct kd_error err;
    char *text = kd_event_to_json(event, N_PARAMS);
    if (kd_event_from_json(kd_event_name(event->kind), event->at, text, N_PARAMS, &back, body,
                           values, &err) != 0)
        fail_msg("%s", err.text);
    free(text);
    return back;
}

static void an_event_comes_back_from_the_journal_as_it_was(void **state)
{
    (void)state;
    double values[] = {0.1, 1e-300, 1.0 / 3.0, 5e17}, *read_values;
    struct kd_event event = full_event(values);
    json_t *body;
    struct kd_event back = through_journal(&event, &body, &read_values);
    assert_string_equal(back.outcome, event.outcome);
    assert_string_equal(back.text, event.text);
    assert_string_equal(back.uuid, event.uuid);
    assert_memory_equal(back.values, values, sizeof values);
#define SAME(field) assert_true(back.field == event.field)
    SAME(at);
    SAME(gang);
    SAME(gpu);
    SAME(xid);
    SAME(is_of_use);
    SAME(fence);
    SAME(n_gpus);
    SAME(n_cpus);
    SAME(parallel);
    SAME(max_trials);
    SAME(max_failed);
    SAME(max_retries);
    SAME(trial_time_s);
    SAME(wall_time_s);
    SAME(has_goal);
    SAME(goal);
    SAME(memory);
    SAME(next_fence);
    SAME(next_gang);
    SAME(n);
    SAME(seq);
    SAME(log_offset);
    SAME(first_row);
    SAME(last_row);
    SAME(step);
    SAME(exit_code);
    SAME(exit_signal);
#undef SAME
    json_decref(body);
    free(read_values);
}

static void links_between_gpus_come_back(void **state)
{
    (void)state;
    json_t *links = json_pack("[i, i, i]", 100, -1, 200), *body;
    struct kd_event event = {.kind = KD_EVENT_STARTED, .n_gpus = 3, .links = links};
    double *values;
    struct kd_event back = through_journal(&event, &body, &values);
    assert_true(json_equal(back.links, links));
    json_decref(body);
    json_decref(links);
}

static void every_way_to_end_comes_back(void **state)
{
    (void)state;
    for (int end = 0; end < KD_N_GANG_ENDS; end++) {
        struct kd_event event = {.kind = KD_EVENT_GANG_ENDED, .end = (enum kd_gang_end)end};
        json_t *body;
        double *values;
        struct kd_event back = through_journal(&event, &body, &values);
        assert_int_equal(back.end, end);
        json_decref(body);
    }
}

static void what_the_journal_cannot_mean_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *kind, *text;
    } cases[] = {
        {"nosuch", "{}"},
        {"ready", "no json"},
        {"gang_ended", "{\"end\": 99}"},
        {"suggested", "{\"n\": 2, \"values\": [1]}"},
        {"suggested", "{\"n\": 1, \"values\": [1, \"x\"]}"},
        {"started", "{\"n_gpus\": 3, \"links\": [1, 2]}"},
        {"started", "{\"n_gpus\": 2, \"links\": [-2]}"},
        {"started", "{\"n_gpus\": 2, \"links\": 7}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kd_event event;
        struct kd_error err = {0};
        json_t *body;
        double *values;
        assert_int_equal(kd_event_from_json(cases[i].kind, 0, cases[i].text, N_PARAMS, &event,
                                            &body, &values, &err),
                         -1);
        assert_true(strlen(err.text) > 0);
        json_decref(body);
        free(values);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_comes_back_from_the_journal_as_it_was),
        cmocka_unit_test(links_between_gpus_come_back),
        cmocka_unit_test(every_way_to_end_comes_back),
        cmocka_unit_test(what_the_journal_cannot_mean_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
