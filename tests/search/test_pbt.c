/* Population-based training, by simulated runs. */
#include "tests/search/scheduling.h"

#include "search/stoppers/perturb.h"

enum { LONGEST = 40, MEMBERS = 8, REPLACED = 2, GENERATIONS = 4 };

static struct kd_space space; /* one parameter, 0 .. 1 */
static struct kd_task task;
static const char *const settings[] = {
    "n_population", "8", "truncation_threshold", "0.25", "interval", "10", NULL};

static int setup(void **state)
{
    (void)state;
    add_number(&space, "x", KD_PARAM_DOUBLE, 0, 1, 0, KD_UNIFORM);
    task = task_of(&space);
    task.fidelity_max = LONGEST;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kd_space_release(&space);
    return 0;
}

/* Better with a small x and with time. */
static double steady(const struct kd_history *history, int number, int64_t step)
{
    return history->trials[number].values[0] - 0.1 * (double)step;
}

static struct simulation run(int n_slots, double (*report)(const struct kd_history *, int, int64_t))
{
    struct simulation sim = {
        .task = &task, .n_slots = n_slots, .most_trials = 1000, .report = report};
    sim.scheduler = new_scheduler("pbt", &task, settings);
    simulate(&sim);
    kd_scheduler_free(sim.scheduler);
    return sim;
}

static void the_worst_give_way_to_clones_and_the_rest_reach_the_end(void **state)
{
    (void)state;
    static const int slots[] = {1, 3, 8, 20};
    for (size_t i = 0; i < KD_COUNT(slots); i++) {
        struct simulation sim = run(slots[i], steady);
        int n_whole = 0, n_clones = 0;
        for (int j = 0; j < sim.history.n; j++) {
            n_whole += sim.history.trials[j].outcome == KD_COMPLETE;
            n_clones += sim.history.trials[j].parent >= 0;
        }
        assert_int_equal(n_clones, REPLACED * (GENERATIONS - 1));
        assert_int_equal(sim.history.n, MEMBERS + n_clones);
        assert_int_equal(n_whole, MEMBERS);
        kd_history_release(&sim.history);
    }
}

static double value_at(const struct kd_observation *trial, int64_t step)
{
    int at = kd_observation_report_at(trial, step);
    return at < trial->n_reports ? trial->reports[at].value : INFINITY;
}

/* Katib's clone took the winner's hyperparameters and the loser's checkpoint. */
static void a_clone_has_the_checkpoint_and_nearly_the_values_of_a_winner(void **state)
{
    (void)state;
    struct simulation sim = run(8, steady);
    for (int j = 0; j < sim.history.n; j++) {
        const struct kd_observation *clone = &sim.history.trials[j];
        if (clone->parent < 0)
            continue;
        const struct kd_observation *winner = &sim.history.trials[clone->parent];
        double moved = fabs(clone->values[0] - winner->values[0]);
        assert_true(clone->values[0] >= 0 && clone->values[0] <= 1);
        assert_true(moved <= 0.2 + 1e-12); /* 0 at a bound */
        int64_t start = clone->reports[0].step - 1;
        int n_better = 0;
        for (int k = 0; k < j; k++)
            n_better += value_at(&sim.history.trials[k], start) < value_at(winner, start);
        assert_true(start > 0 && start % 10 == 0);
        assert_true(n_better < REPLACED + 2); /* clones may be drawn before everyone is there */
    }
    kd_history_release(&sim.history);
}

/* The first trials of all diverge; later ones at the second generation. */
static double diverging(const struct kd_history *history, int number, int64_t step)
{
    if (number < 5 || (step > 15 && number < 10))
        return NAN;
    return steady(history, number, step);
}

static void members_that_diverge_are_replaced(void **state)
{
    (void)state;
    for (int n_slots = 1; n_slots <= 8; n_slots += 7) {
        struct simulation sim = run(n_slots, diverging);
        int n_whole = 0;
        for (int j = 0; j < sim.history.n; j++)
            n_whole += sim.history.trials[j].outcome == KD_COMPLETE;
        assert_int_equal(n_whole, MEMBERS);
        kd_history_release(&sim.history);
    }
}

static void nobody_waits_for_a_straggler_when_its_place_is_certain(void **state)
{
    (void)state;
    struct kd_history history;
    struct kd_scheduler *scheduler = new_scheduler("pbt", &task, settings);
    double point[1];
    kd_history_init(&history, &space);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(kd_scheduler_next(scheduler, &history, point).kind, KD_NEXT_NEW);
        kd_history_schedule(&history, kd_history_add(&history, (double[]){0.1}), 10, -1);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kd_scheduler_next(scheduler, &history, point).kind, KD_NEXT_WAIT);
        kd_history_report(&history, i, 10, 5 - i);
        kd_history_pause(&history, i);
    }
    /* Trial 2 is the best of three: with two worse, it cannot be among the two losers. */
    struct kd_next next = kd_scheduler_next(scheduler, &history, point);
    assert_int_equal(next.kind, KD_NEXT_RESUME);
    assert_int_equal(next.trial, 2);
    assert_int_equal(next.until, 20);
    kd_history_resume(&history, 2, 20);
    assert_int_equal(kd_scheduler_next(scheduler, &history, point).kind, KD_NEXT_WAIT);
    kd_scheduler_free(scheduler);
    kd_history_release(&history);
}

static void without_fidelity_max_generations_go_on_with_the_trials(void **state)
{
    (void)state;
    static const char *const katib[] = {
        "n_population", "5", "truncation_threshold", "0.4", "suggestion_trial_dir", "/tmp", NULL};
    struct kd_task unknown = task;
    unknown.fidelity_max = 0;
    struct simulation sim = {.task = &task, .n_slots = 5, .most_trials = 20, .report = steady};
    sim.scheduler = new_scheduler("pbt", &unknown, katib);
    simulate(&sim);
    assert_int_equal(sim.history.n, 20);
    kd_scheduler_free(sim.scheduler);
    kd_history_release(&sim.history);
}

static void perturbed_points_stay_in_bounds_on_the_grid_and_next_door_in_lists(void **state)
{
    (void)state;
    static const char *const nested[] = {"a", "b", "c", "d"};
    struct kd_space mixed = {0};
    double from[16], to[16];
    fill_mixed(&mixed);
    add_list(&mixed, "list", KD_PARAM_CATEGORICAL, 4, nested);
    struct kd_axis *axes = kd_axes_new(&mixed);
    struct kd_perturbation perturbation = {.down = 0.8, .up = 1.2};
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct kd_rng rng = kd_rng_at(seed, 1);
        for (int i = 0; i < mixed.n_params; i++)
            from[i] = kd_axis_draw(&axes[i], &rng);
        kd_point_perturb(&mixed, axes, &perturbation, &rng, from, to);
        assert_allowed(&mixed, to);
        for (int i = 0; i < mixed.n_params; i++) {
            const struct kd_param *param = &mixed.params[i];
            bool is_list = param->type == KD_PARAM_CATEGORICAL || param->type == KD_PARAM_DISCRETE;
            if (is_list) {
                int64_t d = kd_param_position(param, to[i]) - kd_param_position(param, from[i]);
                int64_t last = param->n_choices - 1, at = kd_param_position(param, from[i]);
                assert_true(d == 1 || d == -1 || (d == 0 && (at == 0 || at == last)));
            } else if (axes[i].is_log && !axes[i].has_cells) {
                double ratio = to[i] / from[i];
                assert_true(ratio >= 0.8 - 1e-9 && ratio <= 1.2 + 1e-9);
            } else if (to[i] == from[i]) {
                assert_true(from[i] == param->min || param->max - from[i] < param->step + 1e-9);
            }
        }
    }
    free(axes);
    kd_space_release(&mixed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_give_way_to_clones_and_the_rest_reach_the_end),
        cmocka_unit_test(a_clone_has_the_checkpoint_and_nearly_the_values_of_a_winner),
        cmocka_unit_test(members_that_diverge_are_replaced),
        cmocka_unit_test(nobody_waits_for_a_straggler_when_its_place_is_certain),
        cmocka_unit_test(without_fidelity_max_generations_go_on_with_the_trials),
        cmocka_unit_test(perturbed_points_stay_in_bounds_on_the_grid_and_next_door_in_lists),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
