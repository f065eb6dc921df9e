/* The promises that hold for every strategy: the user's points first, inactive parameters NaN, no
 * point twice. */
#include "tests/search/helper.h"

/* A strategy that always proposes the same point, filled whether active or not. */
static void *stubborn_new(const struct kd_task *task, const struct kd_settings *settings,
                          uint64_t seed, struct kd_error *err)
{
    (void)task, (void)settings, (void)seed, (void)err;
    return kd_alloc(1);
}

static int stubborn_ask(void *self, const struct kd_history *history, int n, double *points)
{
    (void)self;
    for (int i = 0; i < n * history->space->n_params; i++)
        points[i] = 0;
    return n;
}

static const struct kd_strategy stubborn = {.name = "stubborn",
                                            .can = KD_CAN_CONDITIONS | KD_CAN_OBJECTIVES,
                                            .new = stubborn_new,
                                            .ask = stubborn_ask,
                                            .free = free};

static struct kd_sampler *stubborn_sampler(const struct kd_space *space)
{
    struct kd_task task = task_of(space);
    return kd_sampler_new(&stubborn, &task, NULL, 1, NULL);
}

static void enqueued_points_come_first_and_what_they_leave_open_is_drawn(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    fill_mixed(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = new_sampler(kd_strategy_find("tpe"), &space, 3);
    double points[2][10], asked[3][10];
    for (int i = 0; i < 10; i++)
        points[0][i] = points[1][i] = NAN;
    points[0][0] = 4.5, points[1][1] = 0.01;
    kd_sampler_enqueue(sampler, points[0], 1);
    kd_sampler_enqueue(sampler, points[1], 1);
    assert_int_equal(kd_sampler_ask(sampler, &history, 3, asked[0]), 3);
    assert_true(asked[0][0] == 4.5 && asked[1][1] == 0.01);
    for (int i = 0; i < 3; i++)
        assert_allowed(&space, asked[i]);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void earlier_trials_do_not_use_up_the_enqueued_points(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    kd_history_init(&history, &space);
    kd_history_add_prior(&history, (double[]){0.5}, KD_COMPLETE, 1);
    kd_history_add_prior(&history, (double[]){0.75}, KD_INFEASIBLE, NAN);
    struct kd_sampler *sampler = stubborn_sampler(&space);
    double point;
    kd_sampler_enqueue(sampler, (double[]){0.75}, 1);
    assert_int_equal(kd_sampler_ask(sampler, &history, 1, &point), 1);
    assert_true(point == 0.75); /* what was tried elsewhere may be tried here */
    assert_int_equal(kd_history_best(&history), -1);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void clones_do_not_use_up_the_enqueued_points(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = stubborn_sampler(&space);
    double point;
    kd_sampler_enqueue(sampler, (double[]){0.25, 0.75}, 2);
    kd_history_add(&history, (double[]){0.25});
    kd_history_add(&history, (double[]){0.3});
    kd_history_schedule(&history, 1, 2, 0); /* a stopper made it from trial 0 */
    assert_int_equal(kd_sampler_ask(sampler, &history, 1, &point), 1);
    assert_true(point == 0.75);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void a_point_is_never_asked_for_twice_even_in_a_continuous_space(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = stubborn_sampler(&space);
    double points[20];
    assert_int_equal(kd_sampler_ask(sampler, &history, 20, points), 20);
    for (int i = 0; i < 20; i++)
        kd_history_add(&history, &points[i]);
    assert_true(points[0] == 0);
    assert_int_equal(history.n_distinct, 20);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void what_is_inactive_is_masked_and_counts_once(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    add_choices(&space, "branch", 2);
    add_number(&space, "leaf", KD_PARAM_INT, 0, 3, 0, KD_UNIFORM);
    space.params[1].condition = KD_NEW(struct kd_condition);
    space.params[1].condition->n_values = 1;
    space.params[1].condition->values = KD_NEW_ARRAY(double, 1);
    space.params[1].condition->values[0] = 1;
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = stubborn_sampler(&space);
    double points[6][2];
    assert_int_equal(kd_sampler_ask(sampler, &history, 6, points[0]), 5);
    assert_true(points[0][0] == 0 && isnan(points[0][1]));
    for (int i = 0; i < 5; i++) {
        assert_true(kd_space_allows(&space, points[i]));
        kd_history_add(&history, points[i]);
    }
    assert_int_equal(history.n_distinct, 5);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void a_strategy_is_refused_what_it_cannot_serve_with_the_reason(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_error err;
    add_choices(&space, "branch", 2);
    struct kd_strategy poor = stubborn;
    poor.can = 0;
    struct kd_task several = {.space = &space, .n_objectives = 2};
    assert_null(kd_sampler_new(&poor, &several, NULL, 1, &err));
    assert_non_null(strstr(err.text, "2 objectives"));
    struct kd_task constrained = {.space = &space, .n_objectives = 1, .n_constraints = 1};
    assert_null(kd_sampler_new(&poor, &constrained, NULL, 1, &err));
    assert_non_null(strstr(err.text, "constraints"));
    poor.needs = KD_NEEDS_OBJECTIVES;
    struct kd_task one = task_of(&space);
    assert_null(kd_sampler_new(&poor, &one, NULL, 1, &err));
    assert_non_null(strstr(err.text, "several objectives"));
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enqueued_points_come_first_and_what_they_leave_open_is_drawn),
        cmocka_unit_test(earlier_trials_do_not_use_up_the_enqueued_points),
        cmocka_unit_test(clones_do_not_use_up_the_enqueued_points),
        cmocka_unit_test(a_point_is_never_asked_for_twice_even_in_a_continuous_space),
        cmocka_unit_test(what_is_inactive_is_masked_and_counts_once),
        cmocka_unit_test(a_strategy_is_refused_what_it_cannot_serve_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
