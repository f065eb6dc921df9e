/* The stoppers that look at one trial against others, or alone, against Optuna 5 and scipy
 * (tests/search/data/make_stoppers.py), and what differs from them. */
#include "tests/search/scheduling.h"

#include "search/math/ranking.h"
#include "search/math/signed_rank.h"

static struct kd_space space; /* no parameter */

static FILE *open_data(void)
{
    FILE *file = fopen(KD_SOURCE_DIR "/tests/search/data/stoppers.txt", "r");
    if (!file)
        fail_msg("no data");
    return file;
}

static void read_word(FILE *file, char word[64])
{
    if (fscanf(file, "%63s", word) != 1)
        fail_msg("the data end too early");
}

static double read_number(FILE *file)
{
    char word[64];
    read_word(file, word);
    return strtod(word, NULL);
}

/* Exact up to 1e-13; the approximation as precise as the normal distribution. */
static void check_rank(FILE *file)
{
    double differences[256];
    int n = (int)read_number(file);
    double want = read_number(file);
    for (int i = 0; i < n; i++)
        differences[i] = read_number(file);
    double got = kd_signed_rank_p(differences, n);
    if (!(fabs(got - want) <= 1e-12 * want + 1e-300))
        fail_msg("%d differences: p is %.17g, scipy has %.17g", n, got, want);
}

static void read_trial(FILE *file, struct kd_history *history)
{
    static const char *const outcomes[] = {"running", "complete", "pruned", "failed"};
    char word[64];
    int number = kd_history_add(history, NULL), outcome = 0;
    read_word(file, word);
    read_word(file, word);
    while (strcmp(outcomes[outcome], word) != 0)
        outcome++;
    double objective = read_number(file);
    int n = (int)read_number(file);
    for (int i = 0; i < n; i++) {
        int64_t step = (int64_t)read_number(file);
        kd_history_report(history, number, step, read_number(file));
    }
    if (outcome != KD_RUNNING)
        kd_history_finish(history, number, (enum kd_outcome)outcome, objective);
}

static void check_study(FILE *file, int at)
{
    char name[64], words[16][64];
    const char *settings[17] = {NULL};
    struct kd_history history;
    struct kd_task task = task_of(&space);
    read_word(file, name);
    int n_settings = (int)read_number(file), n_trials = (int)read_number(file);
    int want = (int)read_number(file);
    for (int i = 0; i < 2 * n_settings; i++) {
        read_word(file, words[i]);
        settings[i] = words[i];
    }
    kd_history_init(&history, &space);
    for (int i = 0; i < n_trials; i++)
        read_trial(file, &history);
    struct kd_scheduler *scheduler = new_scheduler(name, &task, settings);
    const struct kd_observation *last = &history.trials[history.n - 1];
    enum kd_verdict got =
        kd_scheduler_judge(scheduler, &history, history.n - 1, &last->reports[last->n_reports - 1]);
    if ((got == KD_STOP) != (want == 1))
        fail_msg("study %d: %s says %s, Optuna the opposite", at, name,
                 got == KD_STOP ? "stop" : "go");
    kd_scheduler_free(scheduler);
    kd_history_release(&history);
}

static void stoppers_decide_as_optuna_and_the_rank_test_is_scipys(void **state)
{
    (void)state;
    FILE *file = open_data();
    char word[64];
    int n_ranks = 0, n_studies = 0;
    while (fscanf(file, "%63s", word) == 1) {
        if (strcmp(word, "rank") == 0) {
            check_rank(file);
            n_ranks++;
        } else {
            assert_string_equal(word, "study");
            check_study(file, n_studies++);
        }
    }
    fclose(file);
    assert_true(n_ranks > 80 && n_studies == 160);
}

static void a_ranking_orders_by_value_then_trial_whatever_comes_and_goes(void **state)
{
    (void)state;
    enum { N = 2000 };
    static bool is_in[N];
    double values[N];
    struct kd_ranking ranking = {0};
    struct kd_rng rng = kd_rng_at(1, 1);
    for (int i = 0; i < N; i++)
        values[i] = floor(50 * kd_rng_uniform(&rng));
    for (int i = 0; i < 5 * N; i++) {
        int trial = (int)kd_rng_below(&rng, N);
        struct kd_place place = {values[trial], trial};
        if (is_in[trial])
            kd_ranking_remove(&ranking, place);
        else
            kd_ranking_add(&ranking, place);
        is_in[trial] = !is_in[trial];
    }
    for (int k = 0; k < ranking.n; k++) {
        struct kd_place place = kd_ranking_at(&ranking, k);
        assert_true(is_in[place.trial]);
        assert_int_equal(kd_ranking_rank(&ranking, place), k);
        if (k == 0)
            continue;
        struct kd_place before = kd_ranking_at(&ranking, k - 1);
        assert_true(before.value < place.value ||
                    (before.value == place.value && before.trial < place.trial));
    }
    kd_ranking_release(&ranking);
    assert_int_equal(kd_ranking_below(&ranking, 1), 0);
    assert_true(isnan(kd_ranking_quantile(&ranking, 0.5)));
}

/* Two completed trials, then one that reports these values at steps 1, 2 ...; the verdict at the
 * last. */
static enum kd_verdict judge(const char *name, const char *const *settings, bool maximize, int n,
                             const double *values)
{
    struct kd_history history;
    struct kd_task task = task_of(&space);
    task.maximize = maximize;
    kd_history_init(&history, &space);
    for (int i = 0; i < n; i++)
        kd_history_report(&history, i == 0 ? kd_history_add(&history, NULL) : 0, i + 1, values[i]);
    struct kd_scheduler *scheduler = new_scheduler(name, &task, settings);
    enum kd_verdict verdict =
        kd_scheduler_judge(scheduler, &history, 0, &(struct kd_report){n, values[n - 1]});
    kd_scheduler_free(scheduler);
    kd_history_release(&history);
    return verdict;
}

static void threshold_speaks_in_the_users_direction(void **state)
{
    (void)state;
    static const char *const at_least[] = {"lower", "0.6", NULL};
    assert_int_equal(judge("threshold", at_least, true, 1, (double[]){-0.7}), KD_GO);
    assert_int_equal(judge("threshold", at_least, true, 1, (double[]){-0.5}), KD_STOP);
    assert_int_equal(judge("threshold", at_least, false, 1, (double[]){0.7}), KD_GO);
    assert_int_equal(judge("threshold", at_least, false, 1, (double[]){-0.7}), KD_STOP);
    assert_int_equal(judge("threshold", at_least, false, 1, (double[]){NAN}), KD_STOP);
}

static void patience_ends_when_nothing_finite_comes_any_more(void **state)
{
    (void)state;
    static const char *const two[] = {"patience", "2", NULL};
    assert_int_equal(judge("patient", two, false, 4, (double[]){1, NAN, NAN, NAN}), KD_STOP);
    assert_int_equal(judge("patient", two, false, 4, (double[]){1, NAN, 0.5, NAN}), KD_GO);
    assert_int_equal(judge("patient", two, false, 3, (double[]){1, NAN, NAN}), KD_GO);
}

static void patience_gives_another_stopper_leave(void **state)
{
    (void)state;
    static const char *const settings[] = {"patience", "1", "stopper", "medianstop", NULL};
    struct kd_task task = task_of(&space);
    struct kd_scheduler *scheduler = new_scheduler("patient", &task, settings);
    struct kd_history history;
    kd_history_init(&history, &space);
    for (int t = 0; t < 4; t++) {
        int number = kd_history_add(&history, NULL);
        for (int step = 1; step <= 5; step++)
            kd_history_report(&history, number, step, t < 3 ? 1.0 : 2.0 + step);
        if (t < 3)
            kd_history_finish(&history, number, KD_COMPLETE, 1);
    }
    struct kd_report last = {5, 7};
    assert_int_equal(kd_scheduler_judge(scheduler, &history, 3, &last), KD_STOP);
    kd_history_report(&history, 3, 5, 0.5); /* better than the median now, and improved */
    last.value = 0.5;
    assert_int_equal(kd_scheduler_judge(scheduler, &history, 3, &last), KD_GO);
    kd_history_report(&history, 3, 1, 0.2); /* worse for two reports, yet better than the median */
    assert_int_equal(kd_scheduler_judge(scheduler, &history, 3, &last), KD_GO);
    kd_scheduler_free(scheduler);
    kd_history_release(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stoppers_decide_as_optuna_and_the_rank_test_is_scipys),
        cmocka_unit_test(a_ranking_orders_by_value_then_trial_whatever_comes_and_goes),
        cmocka_unit_test(threshold_speaks_in_the_users_direction),
        cmocka_unit_test(patience_ends_when_nothing_finite_comes_any_more),
        cmocka_unit_test(patience_gives_another_stopper_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
