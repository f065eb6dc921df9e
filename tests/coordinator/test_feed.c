/* test_feed.c - what a strategy is told is what the study knows: the listener's history after any
 * number of messages equals that of the study, as far as a strategy may read it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/base/mem.h"
#include "coordinator/feed.h"

enum { N_PARAMS = 2 };

static struct kd_param params[N_PARAMS] = {
    {.name = "x", .type = KD_PARAM_DOUBLE, .min = 0, .max = 1},
    {.name = "k", .type = KD_PARAM_INT, .min = 0, .max = 9, .step = 1},
};
static const struct kd_space space = {.n_params = N_PARAMS, .params = params};

static struct kd_history new_history(int n_objectives, int n_constraints)
{
    struct kd_history history;
    kd_history_init(&history, &space);
    history.n_objectives = n_objectives;
    history.n_constraints = n_constraints;
    return history;
}

static void tell(struct kd_feed *feed, const struct kd_feed_source *source, size_t most_bytes,
                 struct kd_history *listener)
{
    bool is_more = true;
    while (is_more) {
        struct kd_str text = {0};
        struct kd_json j = kd_json_to(&text);
        struct kd_error err;
        kd_json_open(&j, '[');
        is_more = kd_feed_write(feed, source, most_bytes, &j);
        kd_json_close(&j, ']');
        json_t *entries = json_loads(text.text, 0, NULL);
        assert_non_null(entries);
        if (kd_feed_read(entries, listener, &err) != 0)
            fail_msg("%s", err.text);
        json_decref(entries);
        kd_str_release(&text);
    }
}

static void assert_same_number(double a, double b)
{
    assert_true(a == b || (isnan(a) && isnan(b)));
}

static void assert_same_trial(const struct kd_history *a, int i, const struct kd_history *b, int k)
{
    const struct kd_observation *x = &a->trials[i], *y = &b->trials[k];
    for (int p = 0; p < N_PARAMS; p++)
        assert_same_number(x->values[p], y->values[p]);
    assert_int_equal(x->outcome, y->outcome);
    assert_same_number(x->objective, y->objective);
    assert_same_number(x->violation, y->violation);
    assert_int_equal(x->objectives == NULL, y->objectives == NULL);
    assert_int_equal(x->constraints == NULL, y->constraints == NULL);
    for (int m = 0; x->objectives && m < a->n_objectives; m++)
        assert_same_number(x->objectives[m], y->objectives[m]);
    for (int m = 0; x->constraints && m < a->n_constraints; m++)
        assert_same_number(x->constraints[m], y->constraints[m]);
    if (x->outcome != KD_PRUNED || x->n_reports == 0)
        return;
    struct kd_report last = x->reports[x->n_reports - 1], told = y->reports[y->n_reports - 1];
    assert_int_equal(last.step, told.step);
    assert_same_number(last.value, told.value);
}

static void add_trials(struct kd_history *own)
{
    for (int i = 0; i < 6; i++)
        kd_history_add(own, (double[]){i / 7.0, i});
    kd_history_report(own, 4, 3, 0.5);
    kd_history_report(own, 4, 7, 0.25);
    kd_history_finish_measured(own, 1, KD_COMPLETE,
                               (struct kd_measured){(double[]){-1e300, 0.1}, (double[]){-1, 2}});
    kd_history_finish_measured(
        own, 4, KD_PRUNED, (struct kd_measured){(double[]){0.25, INFINITY}, (double[]){NAN, 0}});
    kd_history_finish_measured(own, 0, KD_INFEASIBLE, (struct kd_measured){0});
    kd_history_finish_measured(own, 2, KD_COMPLETE,
                               (struct kd_measured){(double[]){1.0 / 3, 5e-324}, (double[]){0, 0}});
}

static void add_priors(struct kd_history *priors)
{
    kd_history_add_prior_measured(priors, (double[]){0.5, 3}, KD_COMPLETE,
                                  (struct kd_measured){(double[]){1, 2}, (double[]){-3, -4}});
    kd_history_add_prior_measured(priors, (double[]){NAN, 4}, KD_INFEASIBLE,
                                  (struct kd_measured){0});
    kd_history_add_prior_measured(priors, (double[]){0.25, 5}, KD_PRUNED,
                                  (struct kd_measured){(double[]){7, 8}, (double[]){0, 0}});
    kd_history_report(priors, 2, 11, 7);
}

static void a_listener_knows_what_the_study_knows_however_it_is_cut_into_messages(void **state)
{
    (void)state;
    for (size_t most_bytes = 2; most_bytes < 2000; most_bytes = most_bytes * 3 + 1) {
        struct kd_history own = new_history(2, 2), priors = new_history(2, 2),
                          listener = new_history(2, 2);
        struct kd_feed feed = {0};
        add_trials(&own);
        add_priors(&priors);
        /* Told up to a basis first, as an ASK is, and of the rest later. */
        tell(&feed, &(struct kd_feed_source){&priors, &own, 5, 2, NULL, 0}, most_bytes, &listener);
        assert_int_equal(listener.n, 8);
        assert_int_equal(listener.n_prior, 3);
        assert_int_equal(listener.n_done, 5);
        assert_int_equal(listener.trials[3 + 0].outcome, KD_RUNNING);
        tell(&feed, &(struct kd_feed_source){&priors, &own, 6, 4, NULL, 0}, most_bytes, &listener);
        assert_int_equal(listener.n, 3 + own.n);
        assert_int_equal(listener.n_distinct, own.n_distinct);
        for (int i = 0; i < own.n; i++)
            assert_same_trial(&own, i, &listener, 3 + i);
        for (int i = 0; i < priors.n; i++)
            assert_same_trial(&priors, i, &listener, i);
        for (int i = 0; i < own.n_done; i++)
            assert_int_equal(listener.done[3 + i], 3 + own.done[i]);
        kd_history_release(&own);
        kd_history_release(&priors);
        kd_history_release(&listener);
    }
}

static void pauses_are_told_in_their_order_up_to_the_basis(void **state)
{
    (void)state;
    static const struct kd_halt halts[] = {{.trial = 0, .step = 1, .value = 0.5},
                                           {.trial = 1, .step = 1, .value = 1.0 / 3},
                                           {.trial = 1, .goes_on = true, .step = 3},
                                           {.trial = 1, .step = 3, .value = 0.125},
                                           {.trial = 0, .goes_on = true}};
    for (size_t most_bytes = 2; most_bytes < 2000; most_bytes = most_bytes * 3 + 1) {
        struct kd_history own = new_history(1, 0), priors = new_history(1, 0),
                          listener = new_history(1, 0);
        struct kd_feed feed = {0};
        kd_history_add_prior(&priors, (double[]){0.5, 3}, KD_COMPLETE, 1);
        for (int i = 0; i < 3; i++)
            kd_history_add(&own, (double[]){i / 7.0, i});
        kd_history_schedule(&own, 2, 6, 1);
        kd_history_finish(&own, 0, KD_COMPLETE, 0.25);
        /* Told later than asked: what the study knows by then is not told. */
        tell(&feed, &(struct kd_feed_source){&priors, &own, 2, 0, halts, 3}, most_bytes, &listener);
        assert_true(listener.trials[1].is_paused);
        assert_false(listener.trials[2].is_paused);
        assert_int_equal(listener.trials[2].until, 3);
        assert_int_equal(listener.trials[2].n_reports, 1);
        assert_same_number(listener.trials[2].reports[0].value, 1.0 / 3);
        tell(&feed, &(struct kd_feed_source){&priors, &own, 3, 1, halts, 5}, most_bytes, &listener);
        assert_true(listener.trials[2].is_paused);
        assert_int_equal(listener.trials[2].reports[1].step, 3);
        assert_int_equal(listener.trials[1].outcome, KD_COMPLETE);
        assert_int_equal(listener.trials[3].parent, 2);
        assert_int_equal(kd_history_n_proposed(&listener, 9), 2);
        kd_history_release(&own);
        kd_history_release(&priors);
        kd_history_release(&listener);
    }
}

static void entries_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[[\"add\",1,[0.5,1]]]",                    /* not the next trial */
        "[[\"add\",0,[0.5]]]",                      /* too few numbers */
        "[[\"add\",0,[0.5,\"x\"]]]",                /* no number */
        "[[\"done\",0,\"complete\",[1,2],[],[0]]]", /* never asked for */
        "[[\"add\",0,[0.5,1]],[\"prior\",[0.5,1],\"complete\",[1,2],[],[0]]]", /* too late */
        "[[\"add\",0,[0.5,1]],[\"done\",0,\"complete\",[1],[],[0]]]",
        "[[\"add\",0,[0.5,1]],[\"done\",0,\"complete\",[1,2],[],[0,0]]]",
        "[[\"add\",0,[0.5,1]],[\"done\",0,\"running\",[1,2],[],[0]]]",
        "[[\"add\",0,[0.5,1]],[\"done\",-1,\"complete\",[1,2],[],[0]]]",
        "[[\"forget\",0]]",
        "[[\"paused\",0,1,0.5]]",
        "[[\"add\",0,[0.5,1]],[\"paused\",0,1,\"x\"]]",
        "[[\"add\",0,[0.5,1]],[\"resumed\",0,3]]",
        "[[\"add\",0,[0.5,1],0]]",
        "[[\"add\",0,[0.5,1]],[\"add\",1,[0.5,2],7]]",
        "[7]",
    };
    for (size_t i = 0; i < KD_COUNT(bad); i++) {
        struct kd_history listener = new_history(2, 1);
        struct kd_error err;
        json_t *entries = json_loads(bad[i], 0, NULL);
        assert_non_null(entries);
        if (kd_feed_read(entries, &listener, &err) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_non_null(strstr(err.text, "TELL"));
        json_decref(entries);
        kd_history_release(&listener);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_knows_what_the_study_knows_however_it_is_cut_into_messages),
        cmocka_unit_test(pauses_are_told_in_their_order_up_to_the_basis),
        cmocka_unit_test(entries_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
