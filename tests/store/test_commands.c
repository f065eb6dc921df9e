/* The program itself, run on the sample database: what it prints must be
 * tests/cases/commands/NAME.out, byte for byte. KATYDID_UPDATE_CASES=1 writes the files anew; read
 * the difference before you commit it. */
#include "tests/store/fixture.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "coordinator/base/str.h"

enum { WORDS_MAX = 10 };

static const struct {
    const char *name;
    const char *words[WORDS_MAX];
    int code;
} cases[] = {
    {"unknown-command", {"lsit"}, 2},
    {"list", {"list"}, 0},
    {"list-json", {"list", "--json"}, 0},
    {"show", {"show"}, 0},
    {"show-json", {"show", "sweep", "--json"}, 0},
    {"show-missing", {"show", "sweeep"}, 6},
    {"trials", {"trials"}, 0},
    {"trials-json", {"trials", "sweep", "--json"}, 0},
    {"trials-csv", {"trials", "--csv"}, 0},
    {"trials-best-two", {"trials", "--sort", "objective", "--top", "2"}, 0},
    {"trials-by-lr-descending", {"trials", "--sort=-lr"}, 0},
    {"trials-failed", {"trials", "--state", "Failed"}, 0},
    {"trials-unknown-column", {"trials", "--sort", "speed"}, 2},
    {"trials-unknown-state", {"trials", "--state", "Done"}, 2},
    {"trials-top-zero", {"trials", "--top", "0"}, 2},
    {"trials-unknown-option", {"trials", "--bogus"}, 2},
    {"best", {"best"}, 0},
    {"best-args", {"best", "--format", "args"}, 0},
    {"best-env", {"best", "--format", "env"}, 0},
    {"best-json", {"best", "--format", "json"}, 0},
    {"best-unknown-format", {"best", "--format", "xml"}, 2},
    {"logs", {"logs", "0"}, 0},
    {"logs-raw", {"logs", "sweep", "0", "--raw"}, 0},
    {"logs-follow-ends-with-the-trial", {"logs", "0", "-f"}, 0},
    {"logs-no-trial", {"logs", "77"}, 6},
    {"logs-no-attempt", {"logs", "0", "--attempt", "3"}, 6},
    {"logs-no-file", {"logs", "1"}, 6},
    {"logs-no-number", {"logs", "first"}, 2},
    {"fsck", {"fsck"}, 0},
    {"explain-states", {"explain", "states"}, 0},
    {"explain-exit-codes", {"explain", "exit-codes"}, 0},
    {"explain-exit-codes-json", {"explain", "exit-codes", "--json"}, 0},
    {"explain-database", {"explain", "database"}, 0},
    {"explain-unknown", {"explain", "staets"}, 6},
    {"no-database", {"list", "--db", "none.db"}, 6},
    {"no-database-folder", {"list", "--db", "no/such.db"}, 6},
    {"database-is-a-folder", {"list", "--db", "."}, 1},
};

static void exec_katydid(const struct fixture *f, const char *const *words, int out)
{
    const char *argv[WORDS_MAX + 2] = {"katydid"};
    for (int i = 0; i < WORDS_MAX; i++)
        argv[i + 1] = words[i];
    if (chdir(f->dir) != 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(99);
    unsetenv("KATYDID_DB");
    setenv("NO_COLOR", "1", 1);
    execv(KD_BIN_DIR "/katydid", (char *const *)argv);
    _exit(98);
}

/* Output and messages in one text with the temporary folder's name as DIR. */
static struct kd_str run_katydid(const struct fixture *f, const char *const *words, int *code)
{
    struct kd_str raw = {0}, text = {0};
    char buffer[4096];
    int ends[2], status;
    ssize_t n;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0)
        exec_katydid(f, words, ends[1]);
    close(ends[1]);
    while ((n = read(ends[0], buffer, sizeof buffer)) > 0)
        kd_str_addn(&raw, buffer, (size_t)n);
    close(ends[0]);
    waitpid(pid, &status, 0);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    size_t length = strlen(f->dir);
    for (size_t i = 0; i < raw.length; i++)
        if (strncmp(raw.text + i, f->dir, length) == 0) {
            kd_str_add(&text, "DIR");
            i += length - 1;
        } else {
            kd_str_addc(&text, raw.text[i]);
        }
    kd_str_release(&raw);
    return text;
}

static void compare(const char *name, const struct kd_str *text)
{
    char path[512];
    struct kd_str expected = {0};
    char buffer[4096];
    size_t n;
    bool update = getenv("KATYDID_UPDATE_CASES") != NULL;
    snprintf(path, sizeof path, "%s/tests/cases/commands/%s.out", KD_SOURCE_DIR, name);
    FILE *file = fopen(path, update ? "w" : "r");
    if (file == NULL)
        fail_msg("%s is missing: KATYDID_UPDATE_CASES=1 writes it", path);
    if (update)
        fwrite(kd_str_text(text), 1, text->length, file);
    while (!update && (n = fread(buffer, 1, sizeof buffer, file)) > 0)
        kd_str_addn(&expected, buffer, n);
    fclose(file);
    if (!update && (expected.length != text->length ||
                    memcmp(kd_str_text(&expected), kd_str_text(text), text->length) != 0))
        fail_msg("%s: expected\n%s\nbut got\n%s", name, kd_str_text(&expected), kd_str_text(text));
    kd_str_release(&expected);
}

static void write_log(const struct fixture *f)
{
    static const char *const folders[] = {"katydid.db.d", "katydid.db.d/sweep",
                                          "katydid.db.d/sweep/0", "katydid.db.d/sweep/0/a1"};
    static const char text[] = "epoch 1 accuracy=0.25\n\033[31mred\033[0m\r50%\tdone\n"
                               "gr\xc3\xbc\xc3\x9f \xff bad \xe2\x80\xae turned\n";
    char path[200];
    for (size_t i = 0; i < KD_COUNT(folders); i++) {
        snprintf(path, sizeof path, "%s/%s", f->dir, folders[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    strcat(path, "/log");
    FILE *file = fopen(path, "w");
    fwrite(text, 1, sizeof text - 1, file);
    fclose(file);
}

static void every_command_prints_what_its_file_says(void **state)
{
    struct fixture *f = *state;
    make_sample(f);
    write_log(f);
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        int code;
        struct kd_str text = run_katydid(f, cases[i].words, &code);
        if (code != cases[i].code)
            fail_msg("%s: exit code %d, not %d; %s", cases[i].name, code, cases[i].code,
                     kd_str_text(&text));
        compare(cases[i].name, &text);
        kd_str_release(&text);
    }
}

static void expect_output(struct fixture *f, const char *const *words, int code, const char *part)
{
    int got;
    struct kd_str text = run_katydid(f, words, &got);
    if (got != code || strstr(kd_str_text(&text), part) == NULL)
        fail_msg("exit code %d, not %d, or no \"%s\" in: %s", got, code, part, kd_str_text(&text));
    kd_str_release(&text);
}

static void the_first_thing_a_user_tries_works(void **state)
{
    struct fixture *f = *state;
    const char *none[WORDS_MAX] = {0}, *help[WORDS_MAX] = {"--help"};
    const char *help_list[WORDS_MAX] = {"help", "list"}, *version[WORDS_MAX] = {"--version"};
    const char *doctor[WORDS_MAX] = {"doctor", "--json"}, *explain[WORDS_MAX] = {"explain"};
    expect_output(f, none, 0, "Look at results:");
    expect_output(f, help, 0, "Look at results:");
    expect_output(f, help_list, 0, "Usage: katydid list");
    expect_output(f, version, 0, "katydid 0.");
    expect_output(f, explain, 0, "tpe");
    expect_output(f, doctor, 0, "\"what\":\"cores\"");
}

static void fsck_names_what_is_broken_and_fails(void **state)
{
    struct fixture *f = *state;
    const char *words[WORDS_MAX] = {"fsck"};
    make_sample(f);
    execute(f->db, "UPDATE trials SET attempts = 9 WHERE number = 0");
    expect_output(f, words, 1, "sweep/0 counts 9, has 1");
}

static void a_smaller_objective_is_best_when_minimised(void **state)
{
    struct fixture *f = *state;
    const char *words[WORDS_MAX] = {"best", "--format", "args"};
    make_sample(f);
    execute(f->db, "UPDATE experiments SET canonical = '{\"spec\":{\"objective\":{\"type\":"
                   "\"minimize\",\"objectiveMetricName\":\"loss\"}}}'");
    expect_output(f, words, 0, "--lr=0.01 --units=128 --batch=16 --opt=sgd");
    execute(f->db, "UPDATE trials SET objective = NULL");
    execute(f->db, "DELETE FROM metrics");
    expect_output(f, words, 6, "no trial of sweep that is over has a finite objective");
}

/* As after Ctrl-C among trials that pause at rungs. */
static void a_trial_that_is_not_over_is_the_best_so_far_where_no_other_is(void **state)
{
    struct fixture *f = *state;
    const char *best[WORDS_MAX] = {"best"}, *json[WORDS_MAX] = {"best", "--json"};
    const char *args[WORDS_MAX] = {"best", "--format", "args"}, *show[WORDS_MAX] = {"show"};
    make_sample(f);
    execute(
        f->db,
        "UPDATE trials SET state = 'Paused', objective = NULL, done_seq = NULL WHERE number < 4");
    execute(f->db, "UPDATE trials SET state = 'Pending' WHERE number = 4");
    execute(f->db, "UPDATE metrics SET value = 0.9 WHERE trial_id % 1000 = 4 AND step = 1 AND "
                   "name = 'accuracy'");
    expect_output(f, best, 0,
                  "no trial of sweep is over yet; trial 4, which is Pending, is the best so far");
    expect_output(f, best, 0, "sweep, trial 4 so far: accuracy = 0.9\n");
    expect_output(f, args, 0, "\n--lr=0.02 --units=32 --batch=32 --opt=adam");
    expect_output(f, json, 0, "\"trial\":4,\"state\":\"Pending\",\"metric\":\"accuracy\"");
    expect_output(f, show, 0, "Best trial  trial 4 (Pending) so far: accuracy = 0.9\n");
    execute(f->db,
            "UPDATE experiments SET canonical = '{\"spec\":{\"objective\":{\"type\":\"maximize\","
            "\"objectiveMetricName\":\"accuracy\",\"metricStrategies\":[{\"name\":\"accuracy\","
            "\"value\":\"latest\"}]}}}'");
    expect_output(f, best, 0, "sweep, trial 0 so far: accuracy = 0.875\n");
    execute(f->db, "UPDATE trials SET state = 'Failed', done_seq = 0 WHERE number = 0");
    expect_output(f, best, 0, "no trial of sweep that is over has a finite objective; trial 1,");
    execute(
        f->db,
        "UPDATE trials SET state = 'Succeeded', objective = 0.5, done_seq = 1 WHERE number = 1");
    expect_output(f, best, 0, "sweep, trial 1: accuracy = 0.5\n");
    execute(f->db, "UPDATE trials SET state = 'Pending', objective = NULL, done_seq = NULL");
    execute(f->db, "DELETE FROM metrics");
    expect_output(f, best, 6, "no trial of sweep is over yet\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(every_command_prints_what_its_file_says),
        T(the_first_thing_a_user_tries_works),
        T(fsck_names_what_is_broken_and_fails),
        T(a_smaller_objective_is_best_when_minimised),
        T(a_trial_that_is_not_over_is_the_best_so_far_where_no_other_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
