/* What every listed strategy must keep on the tasks that it says it can serve: conditional
 * parameters, several objectives, constraints, and with the trials of an earlier experiment. */
#include "tests/search/helper.h"

#include "coordinator/base/rng.h"
#include "search/axis.h"

enum { MOST_PARAMS = 10, N_TRIALS = 70 };

struct kind {
    const char *name;
    unsigned can; /* what a strategy must be able to */
    int n_objectives, n_constraints;
};

static const struct kind kinds[] = {
    {"one objective", 0, 1, 0},
    {"conditions", KD_CAN_CONDITIONS, 1, 0},
    {"two objectives", KD_CAN_OBJECTIVES, 2, 0},
    {"two constraints", KD_CAN_CONSTRAINTS, 1, 2},
    {"all of it", KD_CAN_CONDITIONS | KD_CAN_OBJECTIVES | KD_CAN_CONSTRAINTS, 2, 2},
};

static void add_condition(struct kd_space *space, const char *child, const char *parent,
                          double value)
{
    struct kd_param *param = &space->params[kd_space_find(space, child)];
    param->condition = KD_NEW(struct kd_condition);
    param->condition->parent = kd_space_find(space, parent);
    param->condition->n_values = 1;
    param->condition->values = KD_NEW_ARRAY(double, 1);
    param->condition->values[0] = value;
}

static void fill(const struct kd_strategy *strategy, const struct kind *kind,
                 struct kd_space *space)
{
    if (strategy->needs & KD_NEEDS_FINITE)
        fill_finite(space);
    else
        fill_mixed(space);
    if (!(kind->can & KD_CAN_CONDITIONS))
        return;
    add_condition(space, "discrete", "categorical", 1);
    add_condition(space, "stepped", "discrete",
                  space->params[kd_space_find(space, "discrete")].values[1]);
}

/* The end of a trial: some fail, some diverge, some are cut, some were measured in part. */
static void finish(struct kd_history *history, int number)
{
    double value = bowl(history->space, history->trials[number].values);
    value = isnan(value) ? 0.5 : value;
    double objectives[2] = {number % 7 == 6 ? NAN : value, 1 - value};
    double constraints[2] = {value - 1, number % 9 == 5 ? NAN : 0.2 - value};
    enum kd_outcome outcome = number % 5 == 4    ? KD_INFEASIBLE
                              : number % 11 == 3 ? KD_PRUNED
                                                 : KD_COMPLETE;
    kd_history_report(history, number, 1 + number % 3, value + 1);
    kd_history_finish_measured(history, number, outcome,
                               (struct kd_measured){objectives, number % 13 ? constraints : NULL});
}

/* Earlier trials: some outside what this experiment will propose. */
static void add_priors(struct kd_history *history, const struct kd_axis *axes)
{
    double point[MOST_PARAMS];
    for (int i = 0; i < 12; i++) {
        struct kd_rng rng = kd_rng_at(99, (uint64_t)i);
        for (int j = 0; j < history->space->n_params; j++)
            point[j] = kd_axis_draw(&axes[j], &rng);
        kd_space_mask(history->space, point);
        double value = bowl(history->space, point);
        kd_history_add_prior(history, point, i % 4 == 3 ? KD_INFEASIBLE : KD_COMPLETE,
                             i % 4 == 3 || isnan(value) ? NAN : value);
    }
}

static struct kd_history new_history(const struct kd_space *space, const struct kind *kind)
{
    struct kd_history history;
    kd_history_init(&history, space);
    history.n_objectives = kind->n_objectives;
    history.n_constraints = kind->n_constraints;
    struct kd_axis *axes = kd_axes_new(space);
    add_priors(&history, axes);
    free(axes);
    return history;
}

/* The first n own trials of a run, and the ends of all but the last three of them, in an order of
 * their own. */
static void replay(struct kd_history *to, const struct kd_history *from, int n)
{
    for (int i = to->n_prior; i < n; i++) {
        kd_history_add(to, from->trials[i].values);
        int ends = i % 2 ? i - 2 : i - 4; /* 3 before 2, 5 before 4 ... */
        if (ends >= to->n_prior)
            finish(to, ends);
    }
}

static struct kd_sampler *sampler_of(const struct kd_strategy *strategy,
                                     const struct kd_space *space, const struct kind *kind)
{
    struct kd_task task = {
        .space = space, .n_objectives = kind->n_objectives, .n_constraints = kind->n_constraints};
    struct kd_settings settings;
    struct kd_error err;
    kd_settings_init(&settings, strategy->settings);
    struct kd_sampler *sampler = kd_sampler_new(strategy, &task, &settings, 5, &err);
    if (!sampler)
        fail_msg("%s, %s: %s", strategy->name, kind->name, err.text);
    kd_settings_release(&settings);
    return sampler;
}

static void check_reload(const struct kd_strategy *strategy, const struct kind *kind,
                         const struct kd_space *space, const struct kd_history *history)
{
    double point[MOST_PARAMS];
    for (int until = 15; until < history->n; until += 14) {
        struct kd_history before = new_history(space, kind);
        struct kd_sampler *fresh = sampler_of(strategy, space, kind);
        replay(&before, history, until);
        assert_int_equal(kd_sampler_ask(fresh, &before, 1, point), 1);
        if (!kd_points_equal(space, point, history->trials[until].values))
            fail_msg("%s, %s: trial %d is another one after a reload", strategy->name, kind->name,
                     until);
        kd_sampler_free(fresh);
        kd_history_release(&before);
    }
}

/* What was cached of one run says nothing about another one, shorter or longer, whose trials ended
 * otherwise. */
static void check_another_run(const struct kd_strategy *strategy, const struct kind *kind,
                              struct kd_sampler *old, const struct kd_history *history)
{
    double point[MOST_PARAMS], expected[MOST_PARAMS];
    for (int n = history->n; n > history->n_prior + 8; n -= 9) {
        struct kd_history other = new_history(history->space, kind);
        for (int i = other.n_prior; i < n; i++)
            kd_history_add(&other, history->trials[i].values);
        for (int i = n - 3; i >= other.n_prior; i--) { /* the other way round */
            double value = bowl(history->space, history->trials[i].values);
            double objectives[2] = {isnan(value) ? 0.5 : -value, i};
            double constraints[2] = {-1, i % 3 - 1};
            kd_history_finish_measured(&other, i, i % 8 ? KD_COMPLETE : KD_INFEASIBLE,
                                       (struct kd_measured){objectives, constraints});
        }
        struct kd_sampler *fresh = sampler_of(strategy, history->space, kind);
        int given = kd_sampler_ask(fresh, &other, 1, expected);
        assert_int_equal(kd_sampler_ask(old, &other, 1, point), given);
        if (given == 1 && !kd_points_equal(history->space, point, expected))
            fail_msg("%s, %s: after another run it proposes otherwise than a fresh one (n = %d)",
                     strategy->name, kind->name, n);
        kd_sampler_free(fresh);
        kd_history_release(&other);
    }
}

static void check_strategy(const struct kd_strategy *strategy, const struct kind *kind)
{
    struct kd_space space = {0};
    double point[MOST_PARAMS];
    fill(strategy, kind, &space);
    struct kd_history history = new_history(&space, kind);
    struct kd_sampler *sampler = sampler_of(strategy, &space, kind);
    while (history.n < N_TRIALS && kd_sampler_ask(sampler, &history, 1, point) == 1) {
        if (!kd_space_allows(&space, point))
            fail_msg("%s, %s: trial %d is not allowed", strategy->name, kind->name, history.n);
        assert_false(kd_history_has(&history, point));
        int number = history.n;
        kd_history_add(&history, point);
        int ends = number % 2 ? number - 2 : number - 4;
        if (ends >= history.n_prior)
            finish(&history, ends);
    }
    double size = kd_space_size(&space) + history.n_prior;
    assert_true(history.n == (size < N_TRIALS ? size : N_TRIALS));
    check_reload(strategy, kind, &space, &history);
    check_another_run(strategy, kind, sampler, &history);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void what_a_strategy_says_it_can_serve_it_serves_and_the_same_after_a_reload(void **state)
{
    (void)state;
    for (int i = 0; kd_strategies[i]; i++) {
        for (size_t k = 0; k < KD_COUNT(kinds); k++) {
            bool serves = (kd_strategies[i]->can & kinds[k].can) == kinds[k].can;
            bool needs_more =
                (kd_strategies[i]->needs & KD_NEEDS_OBJECTIVES) && kinds[k].n_objectives < 2;
            if (serves && !needs_more)
                check_strategy(kd_strategies[i], &kinds[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_strategy_says_it_can_serve_it_serves_and_the_same_after_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
