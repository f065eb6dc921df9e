/* Every invariant is found broken when it is broken: SQL that plants the fault, and the name that
 * must answer. */
#include "tests/store/fixture.h"

#include "coordinator/store/fsck.h"

static const struct {
    const char *sql, *invariant;
} faults[] = {
    {"INSERT INTO artifacts VALUES(77, 'checkpoint', '/x', 1, NULL)", "references_exist"},
    {"DELETE FROM trials WHERE number = 4", "trial_numbers_are_dense"},
    {"DROP INDEX one_live_or_won_attempt; INSERT INTO attempts SELECT 90, trial_id, 2, NULL, "
     "'live', "
     "0, 0, 1, NULL, NULL FROM attempts WHERE fence = 1",
     "one_live_or_won_attempt"},
    {"UPDATE trials SET done_seq = NULL WHERE number = 0", "finished_means_counted"},
    {"UPDATE trials SET done_seq = 4 WHERE number = 4", "finished_means_counted"},
    {"UPDATE trials SET finished_at = NULL WHERE number = 0", "finished_means_timed"},
    {"UPDATE trials SET finished_at = 5 WHERE number = 4", "finished_means_timed"},
    {"UPDATE trials SET done_seq = 9 WHERE number = 3", "completions_are_dense"},
    {"UPDATE attempts SET state = 'lost' WHERE fence = 1", "success_was_won"},
    {"UPDATE attempts SET state = 'won' WHERE fence = 5", "won_is_over"},
    {"UPDATE attempts SET state = 'lost' WHERE fence = 5", "running_is_attempted"},
    {"UPDATE attempts SET state = 'live' WHERE fence = 1", "attempted_is_running"},
    {"UPDATE trials SET state = 'Paused' WHERE state = 'Running'", "paused_gave_way"},
    {"UPDATE trials SET state = 'Paused' WHERE state = 'Pending'", "paused_gave_way"},
    {"UPDATE trials SET attempts = 3 WHERE number = 0", "attempts_are_counted"},
    {"UPDATE attempts SET n = 2 WHERE fence = 1", "attempts_are_counted"},
    {"UPDATE trials SET fence = 4 WHERE number = 0", "newest_fence_is_named"},
    {"UPDATE trials SET fence = NULL WHERE number = 0", "newest_fence_is_named"},
    {"UPDATE attempts SET last_seq = -1 WHERE fence = 1", "sequences_go_forward"},
    {"UPDATE metrics SET fence = 44 WHERE id = 1", "metrics_have_their_attempt"},
    {"UPDATE metrics SET trial_id = trial_id + 1 WHERE id = 1", "metrics_have_their_attempt"},
    {"UPDATE metrics SET value = NULL WHERE id = 1", "numbers_are_typed"},
    {"UPDATE metrics SET value = 9e999 WHERE id = 1", "numbers_are_typed"},
    {"UPDATE metrics SET value = 1 WHERE nonfinite = 'nan'", "numbers_are_typed"},
    {"UPDATE trials SET objective = 0.1 WHERE number = 0", "objectives_agree"},
    {"DELETE FROM objectives WHERE trial_id % 10 = 0", "objectives_agree"},
    {"INSERT INTO objectives VALUES(1000000000, 1, 0.5, NULL)", "objectives_are_whole"},
    {"UPDATE objectives SET i = 1 WHERE trial_id = 1000000000", "objectives_are_whole"},
    {"UPDATE experiments SET canonical = '{\"objectives\":[{},{}]}'", "objectives_are_whole"},
    {"INSERT INTO constraints VALUES(1000000000, 0, -1, NULL)", "constraints_are_whole"},
    {"UPDATE experiments SET canonical = '{\"constraints\":[{}]}'", "constraints_are_whole"},
    {"INSERT INTO objectives VALUES(1000000004, 0, 0.5, NULL)", "only_finished_are_judged"},
    {"INSERT INTO constraints VALUES(1000000005, 0, 0.5, NULL)", "only_finished_are_judged"},
    {"INSERT INTO events VALUES(7, 1, 1, NULL, 'suggested', '{}'), (8, 1, 1, NULL, 'prior', '{}')",
     "taught_before_asked"},
    {"INSERT INTO events VALUES(7, 1, 1, NULL, 'prior', '{}'), (8, 1, 1, NULL, 'prior', '{}')",
     "taught_before_asked"},
    {"UPDATE trials SET ask_basis = '{\"done\":1}' WHERE number = 0", "asked_before_done"},
    {"UPDATE trials SET parent = 3 WHERE number = 2", "parents_come_first"},
    {"UPDATE trials SET parent = 30 WHERE number = 2", "parents_come_first"},
    {"UPDATE attempts SET state = 'lost' WHERE fence = 5", "busy_gangs_have_work"},
    {"UPDATE gangs SET state = 'ended'", "ended_gangs_have_none"},
    {"UPDATE attempts SET state = 'stopping' WHERE fence = 1", "gangs_do_one_thing"},
    {"UPDATE experiments SET state = 'Succeeded', reason = 'ExperimentMaxTrialsReached'; "
     "UPDATE trials SET state = 'Failed' WHERE state = 'Running'",
     "ended_experiments_rest"},
    {"UPDATE experiments SET state = 'Failed', reason = 'ExperimentCannotRun: no slot'",
     "ended_experiments_rest"},
    {"UPDATE experiments SET state = 'Succeeded', reason = NULL; "
     "UPDATE trials SET state = 'Failed' WHERE state = 'Running'",
     "ended_experiments_rest"},
    {"UPDATE experiments SET state = 'Succeeded', reason = 'ExperimentGoalReached'; "
     "UPDATE attempts SET state = 'yielded' WHERE fence = 5; "
     "UPDATE trials SET state = 'Paused' WHERE state = 'Running'; "
     "UPDATE trials SET state = 'Failed' WHERE state = 'Pending'",
     "ended_experiments_rest"},
};

struct seen {
    const char *name; /* looked for */
    int broken;
    int total;
    char details[300];
};

static void look(void *ud, const struct kd_invariant *invariant, int n, const char *details)
{
    struct seen *seen = ud;
    seen->total += n > 0;
    if (n > 0 && (seen->name == NULL || strcmp(seen->name, invariant->name) == 0)) {
        seen->broken = n;
        snprintf(seen->details, sizeof seen->details, "%s: %s", invariant->name, details);
    }
}

static struct seen check(struct fixture *f, const char *name)
{
    struct seen seen = {.name = name};
    struct kd_store *store = kd_store_open_readonly(f->db, &f->err);
    assert_non_null(store);
    int n = kd_fsck(store, look, &seen, &f->err);
    assert_int_equal(n, seen.total);
    kd_store_close(store);
    return seen;
}

static void a_sound_file_breaks_nothing(void **state)
{
    struct fixture *f = *state;
    make_sample(f);
    struct seen seen = check(f, NULL);
    if (seen.total != 0)
        fail_msg("%s", seen.details);
}

static void plant(struct fixture *f, const char *sql)
{
    char *text =
        kd_format("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; %s", sql);
    execute(f->db, text);
    free(text);
}

static void every_planted_fault_is_found_by_name(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < KD_COUNT(faults); i++) {
        unlink(f->db);
        make_sample(f);
        plant(f, faults[i].sql);
        struct seen seen = check(f, faults[i].invariant);
        if (seen.broken == 0)
            fail_msg("%s does not see: %s", faults[i].invariant, faults[i].sql);
        if (strstr(seen.details, ": ?") != NULL)
            fail_msg("nobody can tell where: %s", seen.details);
    }
}

static void every_invariant_has_a_planted_fault(void **state)
{
    (void)state;
    for (const struct kd_invariant *invariant = kd_invariants; invariant->name; invariant++) {
        bool found = strcmp(invariant->name, "pages_are_sound") == 0; /* the next test's */
        for (size_t i = 0; i < KD_COUNT(faults); i++)
            found |= strcmp(invariant->name, faults[i].invariant) == 0;
        if (!found)
            fail_msg("no fault is planted for %s", invariant->name);
    }
}

static void damaged_pages_are_found_and_nothing_crashes(void **state)
{
    struct fixture *f = *state;
    make_sample(f);
    char *page = ask(f->db, "SELECT rootpage FROM sqlite_schema WHERE name = 'metrics'");
    FILE *file = fopen(f->db, "r+b");
    fseek(file, (strtol(page, NULL, 10) - 1) * 4096, SEEK_SET);
    for (int i = 0; i < 4096; i++)
        fputc(0xa5, file);
    fclose(file);
    free(page);
    assert_true(check(f, "pages_are_sound").broken > 0);
}

static void the_place_of_a_fault_is_named_as_a_person_would(void **state)
{
    struct fixture *f = *state;
    make_sample(f);
    plant(f, "UPDATE trials SET attempts = 3 WHERE number = 0");
    assert_string_equal(check(f, "attempts_are_counted").details,
                        "attempts_are_counted: sweep/0 counts 3, has 1");
    plant(f, "UPDATE attempts SET state = 'lost' WHERE fence = 1");
    assert_string_equal(check(f, "success_was_won").details, "success_was_won: sweep/0");
}

static void an_experiment_that_can_go_on_may_keep_trials_that_wait(void **state)
{
    static const char *const reasons[] = {"ExperimentWallTimeReached: 12 h",
                                          "ExperimentCannotRun: the program is gone"};
    struct fixture *f = *state;
    for (size_t i = 0; i < KD_COUNT(reasons); i++) {
        unlink(f->db);
        make_sample(f);
        char *sql = kd_format("UPDATE experiments SET state = 'Failed', reason = '%s'; "
                              "UPDATE trials SET state = 'Pending' WHERE state = 'Running'",
                              reasons[i]);
        plant(f, sql);
        free(sql);
        assert_int_equal(check(f, "ended_experiments_rest").broken, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_sound_file_breaks_nothing),
        T(every_planted_fault_is_found_by_name),
        T(every_invariant_has_a_planted_fault),
        T(damaged_pages_are_found_and_nothing_crashes),
        T(the_place_of_a_fault_is_named_as_a_person_would),
        T(an_experiment_that_can_go_on_may_keep_trials_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
