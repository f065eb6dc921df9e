/* The default strategy: who proposes when. */
#include "tests/search/helper.h"

/* What a strategy alone proposes for the next trial of this history, with auto's seed. */
static void alone(const char *name, const struct kd_history *history, double *point)
{
    struct kd_sampler *sampler = new_sampler(kd_strategy_find(name), history->space, 7);
    assert_int_equal(kd_sampler_ask(sampler, history, 1, point), 1);
    kd_sampler_free(sampler);
}

/* A run of auto; turns[i] says with a letter who agrees with trial i: t, g, c, or - for none of
 * them. */
static void play(struct kd_space *space, int n, char *turns)
{
    static const struct {
        char letter;
        const char *name;
    } members[] = {{'t', "tpe"}, {'g', "gp"}};
    struct kd_history history;
    double point[8], other[8];
    kd_history_init(&history, space);
    struct kd_sampler *sampler = new_sampler(kd_strategy_find("auto"), space, 7);
    for (int i = 0; i < n; i++) {
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        turns[i] = '-';
        for (size_t m = 0; m < KD_COUNT(members); m++) {
            struct kd_task task = task_of(space);
            if (kd_strategy_fits(kd_strategy_find(members[m].name), &task, NULL) < 0)
                continue;
            alone(members[m].name, &history, other);
            if (kd_points_equal(space, point, other))
                turns[i] = members[m].letter;
        }
        kd_history_add(&history, point);
        kd_history_finish(&history, i, KD_COMPLETE, bowl(space, point));
    }
    turns[n] = '\0';
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(space);
}

static void numbers_are_searched_by_three_in_turn(void **state)
{
    (void)state;
    struct kd_space space = {0};
    char turns[32];
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_number(&space, "many", KD_PARAM_INT, 1, 1000, 0, KD_LOG_UNIFORM);
    add_choices(&space, "colour", 3);
    play(&space, 22, turns);
    assert_string_equal(turns + 10, "gg-tgg-tgg-t"); /* - is cmaes, from what was before */
}

static void mixed_spaces_are_searched_by_the_process_and_tpe(void **state)
{
    (void)state;
    struct kd_space space = {0};
    char turns[32];
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    add_choices(&space, "colour", 5);
    add_number(&space, "n", KD_PARAM_INT, 1, 9, 0, KD_UNIFORM);
    play(&space, 21, turns);
    assert_string_equal(turns + 9, "ggtggtggtggt");
}

static void conditional_spaces_are_tpes(void **state)
{
    (void)state;
    struct kd_space space = {0};
    char turns[32];
    add_choices(&space, "branch", 2);
    add_number(&space, "leaf", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    space.params[1].condition = KD_NEW(struct kd_condition);
    space.params[1].condition->n_values = 1;
    space.params[1].condition->values = KD_NEW_ARRAY(double, 1);
    play(&space, 15, turns);
    assert_string_equal(turns, "ttttttttttttttt");
}

/* 24 points, 24 trials: none twice, none left. */
static void a_space_no_larger_than_the_budget_is_enumerated(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    double point[2];
    add_choices(&space, "a", 6);
    add_choices(&space, "b", 4);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = new_sampler(kd_strategy_find("auto"), &space, 7);
    while (kd_sampler_ask(sampler, &history, 1, point) == 1) {
        int number = kd_history_add(&history, point);
        kd_history_finish(&history, number, KD_COMPLETE, point[0] + point[1]);
    }
    assert_int_equal(history.n, 24);
    assert_int_equal(history.n_distinct, 24);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_searched_by_three_in_turn),
        cmocka_unit_test(mixed_spaces_are_searched_by_the_process_and_tpe),
        cmocka_unit_test(conditional_spaces_are_tpes),
        cmocka_unit_test(a_space_no_larger_than_the_budget_is_enumerated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
