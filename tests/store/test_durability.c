/* One owner at a time, and nothing that was committed is ever lost: owners that die, disks that
 * fill up, files that are not ours. */
#include "tests/store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "coordinator/store/connection.h"
#include "coordinator/store/lock.h"
#include "coordinator/store/place.h"

/* A child that runs `body` and never returns; its end of `to_parent` is written, ours is
 * returned. */
static pid_t start_child(struct fixture *f, void (*body)(struct fixture *, int to_parent),
                         int *from)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        close(ends[0]);
        body(f, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    *from = ends[0];
    return pid;
}

static void end_child(pid_t pid, int from)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(from);
}

static void own_until_killed(struct fixture *f, int to_parent)
{
    enum kd_store_failure why;
    struct kd_store *store = kd_store_open(f->db, &why, &f->err);
    if (store == NULL || write(to_parent, "x", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void a_second_owner_is_refused_and_told_who_has_it(void **state)
{
    struct fixture *f = *state;
    enum kd_store_failure why;
    char byte, pid_text[32], owner[256];
    int from;
    pid_t pid = start_child(f, own_until_killed, &from);
    assert_int_equal(read(from, &byte, 1), 1);
    snprintf(pid_text, sizeof pid_text, "pid %d on host ", (int)pid);

    assert_null(kd_store_open(f->db, &why, &f->err));
    assert_int_equal(why, KD_STORE_LOCKED);
    assert_non_null(strstr(f->err.text, pid_text));
    assert_non_null(strstr(f->err.text, "test_durability"));
    assert_true(kd_store_owner(f->db, owner, sizeof owner));
    assert_non_null(strstr(owner, pid_text));
    struct kd_store *reader = kd_store_open_readonly(f->db, &f->err);
    assert_non_null(reader);
    kd_store_close(reader);
    end_child(pid, from);
}

static void a_killed_owner_frees_the_file(void **state)
{
    struct fixture *f = *state;
    char byte, owner[256];
    int from;
    pid_t pid = start_child(f, own_until_killed, &from);
    assert_int_equal(read(from, &byte, 1), 1);
    kill(pid, SIGKILL);
    struct kd_store *store = open_store(f); /* retries while the child is still dying */
    assert_int_equal(kd_store_term(store), 2);
    kd_store_close(store);
    assert_false(kd_store_owner(f->db, owner, sizeof owner));
    end_child(pid, from);
}

static void a_program_started_by_the_owner_does_not_inherit_the_lock(void **state)
{
    struct fixture *f = *state;
    bool held;
    int lock = kd_lock_take(f->db, 0, &held, &f->err);
    assert_true(lock >= 0);
    assert_true(fcntl(lock, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(kd_lock_take(f->db, 0, &held, &f->err), -1);
    assert_true(held);
    kd_lock_give(lock);
    lock = kd_lock_take(f->db, 0, &held, &f->err);
    assert_true(lock >= 0);
    kd_lock_give(lock);
}

enum { POINTS_EACH = 20 };

/* Acknowledges on the pipe what has been committed, for ever. */
static void write_until_killed(struct fixture *f, int to_parent)
{
    enum kd_store_failure why;
    struct kd_metric_point points[POINTS_EACH];
    struct kd_experiment_row row;
    int64_t first, last;
    struct kd_store *store = kd_store_open(f->db, &why, &f->err);
    if (store == NULL || kd_store_find_experiment(store, "sweep", &row, &f->err) != 1)
        _exit(1);
    for (int i = 0; i < POINTS_EACH; i++)
        points[i] = (struct kd_metric_point){"loss", i + 1, i, 1};
    for (uint32_t n = 0;; n++) {
        char data[32];
        snprintf(data, sizeof data, "%u", n);
        if (kd_store_begin(store, &f->err) != 0 ||
            kd_store_add_metrics(store, row.id, 0, kd_store_term(store), points, POINTS_EACH,
                                 &first, &last, &f->err) != 0 ||
            kd_store_add_event(store, row.id, 1, -1, "metrics", data, &f->err) != 0 ||
            kd_store_commit(store, &f->err) != 0 || write(to_parent, &n, sizeof n) != sizeof n)
            _exit(1);
    }
}

static int read_acks(int from, int wanted)
{
    uint32_t n = 0;
    for (int i = 0; i < wanted; i++)
        assert_int_equal(read(from, &n, sizeof n), sizeof n);
    return wanted;
}

/* After the kill: the ones in the pipe were committed too. */
static int drain_acks(int from)
{
    uint32_t n;
    int count = 0;
    while (read(from, &n, sizeof n) == (ssize_t)sizeof n)
        count++;
    return count;
}

static void kill_9_between_any_two_writes_keeps_what_was_committed(void **state)
{
    struct fixture *f = *state;
    long acked = 0;
    struct kd_store *store = open_store(f);
    must(f, kd_store_begin(store, &f->err));
    add_experiment(f, store, "sweep");
    must(f, kd_store_commit(store, &f->err));
    kd_store_close(store);
    for (int round = 0; round < 15; round++) {
        int from;
        pid_t pid = start_child(f, write_until_killed, &from);
        acked += read_acks(from, 1 + round * 3);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        acked += drain_acks(from);
        close(from);
    }
    char *text = ask(f->db, "SELECT count(*) FROM events");
    long there = strtol(text, NULL, 10);
    free(text);
    /* One commit of each round may have been done and not yet acknowledged. */
    assert_in_range(there, acked, acked + 15);
    text = kd_format("SELECT count(*) = %ld FROM metrics", there * POINTS_EACH);
    expect(f, text, "1");
    free(text);
    expect(f, "PRAGMA quick_check", "ok");
    expect(f, "SELECT term FROM meta", "16");
}

/* 0 when the folder is now a small disk of its own, else the file size of this process is
 * limited. */
static int make_disk_small(const char *dir)
{
    if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("none", dir, "tmpfs", 0, "size=1m") == 0)
        return 0;
    struct rlimit limit = {1 << 20, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    return -1;
}

static void make_disk_large(const char *dir, int is_mount)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    if (is_mount == 0)
        mount("none", dir, "tmpfs", MS_REMOUNT, "size=64m");
    else
        setrlimit(RLIMIT_FSIZE, &limit);
}

static int write_turn(struct fixture *f, struct kd_store *store)
{
    struct kd_metric_point points[POINTS_EACH * 20];
    int64_t first, last;
    for (int i = 0; i < POINTS_EACH * 20; i++)
        points[i] = (struct kd_metric_point){"loss", i + 1, i, 1};
    if (kd_store_begin(store, &f->err) != 0)
        return -1;
    if (kd_store_add_metrics(store, 1, 0, 1, points, POINTS_EACH * 20, &first, &last, &f->err) == 0)
        return kd_store_commit(store, &f->err);
    kd_store_rollback(store);
    return -1;
}

#define check_here(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, f->err.text);               \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static int fail_inside_a_step(struct fixture *f, struct kd_store *store)
{
    struct kd_metric_point point = {"loss", 1, 1, 1};
    int64_t first, last;
    int rc = kd_store_begin(store, &f->err);
    while (rc == 0)
        rc = kd_store_add_metrics(store, 1, 0, 1, &point, 1, &first, &last, &f->err);
    if (kd_store_add_metrics(store, 1, 0, 1, &point, 1, &first, &last, &f->err) == 0)
        return 1;
    return kd_store_commit(store, &f->err) == -1 ? 0 : 1;
}

static void fill_the_disk(struct fixture *f, int to_parent)
{
    (void)to_parent;
    enum kd_store_failure why;
    int is_mount = make_disk_small(f->dir), committed = 0;
    struct kd_store *store = kd_store_open(f->db, &why, &f->err);
    check_here(store != NULL);
    while (committed < 1000 && write_turn(f, store) == 0)
        committed++;
    check_here(committed > 0 && committed < 1000);
    check_here(strstr(f->err.text, f->db) != NULL);
    check_here(is_mount != 0 || strstr(f->err.text, "the disk is full") != NULL);
    check_here(strstr(f->err.text, "free") != NULL);
    /* What follows a failed change in the same step must not slip in on its own. */
    check_here(fail_inside_a_step(f, store) == 0);
    char *sql = kd_format("SELECT count(*) = %d FROM metrics", committed * POINTS_EACH * 20);
    expect(f, sql, "1");
    make_disk_large(f->dir, is_mount);
    check_here(write_turn(f, store) == 0);
    kd_store_close(store);
    expect(f, "PRAGMA quick_check", "ok");
    free(sql);
}

static void a_full_disk_undoes_the_step_and_goes_on_when_there_is_room(void **state)
{
    struct fixture *f = *state;
    int from, status;
    pid_t pid = start_child(f, fill_the_disk, &from);
    waitpid(pid, &status, 0);
    close(from);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void the_wal_is_folded_into_the_file_while_the_owner_runs(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    struct stat info = {0};
    int turns = 0;
    for (; turns < 3000 && info.st_size < 4 << 20; turns++) {
        must(f, write_turn(f, store));
        stat(f->db, &info);
    }
    assert_in_range(turns, 1, 2999);
    kd_store_close(store);
}

static void expect_refused(struct fixture *f, const char *path, const char *part)
{
    enum kd_store_failure why;
    assert_null(kd_store_open(path, &why, &f->err));
    assert_int_equal(why, KD_STORE_BROKEN);
    if (strstr(f->err.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", f->err.text, part);
}

static void a_path_that_cannot_be_a_database_is_explained(void **state)
{
    struct fixture *f = *state;
    char path[200];
    expect_refused(f, "", "empty path");
    expect_refused(f, f->dir, "it is a folder");
    expect_refused(f, "/dev/null", "no ordinary file");
    snprintf(path, sizeof path, "%s/none/katydid.db", f->dir);
    expect_refused(f, path, "No such file or directory");
    snprintf(path, sizeof path, "%s/new.db/", f->dir);
    expect_refused(f, path, "ends in a slash");
    assert_null(kd_store_open_readonly(f->db, &f->err));
    assert_non_null(strstr(f->err.text, "no database at "));
    assert_non_null(strstr(f->err.text, f->db));
}

static void open_as_nobody(struct fixture *f, int to_parent)
{
    enum kd_store_failure why;
    (void)to_parent;
    if (geteuid() == 0 && setuid(65534) != 0)
        _exit(0);
    check_here(kd_store_open(f->db, &why, &f->err) == NULL);
    check_here(strstr(f->err.text, "Permission denied") != NULL);
}

static void a_read_only_folder_is_explained(void **state)
{
    struct fixture *f = *state;
    int from, status;
    chmod(f->dir, 0555);
    pid_t pid = start_child(f, open_as_nobody, &from);
    waitpid(pid, &status, 0);
    close(from);
    chmod(f->dir, 0755);
    assert_int_equal(status, 0);
}

static void read_as_nobody(struct fixture *f, int to_parent)
{
    (void)to_parent;
    if (geteuid() == 0 && setuid(65534) != 0)
        _exit(0);
    struct kd_store *store = kd_store_open_readonly(f->db, &f->err);
    check_here(store != NULL);
    kd_store_close(store);
}

static void a_finished_file_in_a_read_only_folder_can_be_read(void **state)
{
    struct fixture *f = *state;
    int from, status;
    kd_store_close(open_store(f));
    chmod(f->dir, 0555);
    pid_t pid = start_child(f, read_as_nobody, &from);
    waitpid(pid, &status, 0);
    close(from);
    chmod(f->dir, 0755);
    assert_int_equal(status, 0);
}

static char *read_whole(const char *path, long *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    char *bytes = kd_alloc((size_t)*size + 1);
    assert_int_equal(fread(bytes, 1, (size_t)*size, file), *size);
    fclose(file);
    return bytes;
}

static void expect_refused_untouched(struct fixture *f, const char *part)
{
    long before_size, after_size;
    char *before = read_whole(f->db, &before_size);
    expect_refused(f, f->db, part);
    assert_null(kd_store_open_readonly(f->db, &f->err));
    assert_non_null(strstr(f->err.text, part));
    char *after = read_whole(f->db, &after_size);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, (size_t)after_size);
    free(before);
    free(after);
}

static void a_newer_file_is_refused_untouched(void **state)
{
    struct fixture *f = *state;
    kd_store_close(open_store(f));
    execute(f->db, "PRAGMA user_version = 99");
    expect_refused_untouched(f, "was written by a newer katydid (its format is 99");
}

static void the_database_of_another_program_is_refused_untouched(void **state)
{
    struct fixture *f = *state;
    execute(f->db, "CREATE TABLE songs(title TEXT)");
    expect_refused_untouched(f, "is a database of another program");
}

static void a_file_that_is_no_database_is_refused_untouched(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(f->db, "w");
    for (int i = 0; i < 100; i++)
        fputs("apiVersion: katydid/v1\n", file);
    fclose(file);
    expect_refused_untouched(f, "is not a database");
}

static void an_empty_file_becomes_a_database(void **state)
{
    struct fixture *f = *state;
    close(open(f->db, O_CREAT | O_WRONLY, 0644));
    assert_null(kd_store_open_readonly(f->db, &f->err));
    assert_non_null(strstr(f->err.text, "empty database"));
    kd_store_close(open_store(f));
}

static void an_owner_whose_file_was_taken_over_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct kd_store *store = open_store(f);
    execute(f->db, "UPDATE meta SET term = term + 1");
    assert_int_equal(kd_store_begin(store, &f->err), -1);
    assert_non_null(strstr(f->err.text, "taken over"));
    kd_store_close(store);
}

static void two_names_of_one_file_share_one_lock(void **state)
{
    struct fixture *f = *state;
    char link_path[200], owner[256];
    snprintf(link_path, sizeof link_path, "%s/other.db", f->dir);
    struct kd_store *store = open_store(f);
    assert_int_equal(symlink(f->db, link_path), 0);
    assert_true(kd_store_owner(link_path, owner, sizeof owner));
    kd_store_close(store);
}

static void a_network_file_system_gets_a_rollback_journal(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = kd_connection_open_writer(f->db, true, &f->err);
    assert_non_null(db);
    char wal[120];
    snprintf(wal, sizeof wal, "%s-wal", f->db);
    sqlite3_exec(db, "DELETE FROM meta", NULL, NULL, NULL);
    assert_int_not_equal(access(wal, F_OK), 0);
    sqlite3_close(db);
    assert_false(kd_place_is_network(f->dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_second_owner_is_refused_and_told_who_has_it),
        T(a_killed_owner_frees_the_file),
        T(a_program_started_by_the_owner_does_not_inherit_the_lock),
        T(kill_9_between_any_two_writes_keeps_what_was_committed),
        T(a_full_disk_undoes_the_step_and_goes_on_when_there_is_room),
        T(the_wal_is_folded_into_the_file_while_the_owner_runs),
        T(a_path_that_cannot_be_a_database_is_explained),
        T(a_read_only_folder_is_explained),
        T(a_finished_file_in_a_read_only_folder_can_be_read),
        T(a_newer_file_is_refused_untouched),
        T(the_database_of_another_program_is_refused_untouched),
        T(a_file_that_is_no_database_is_refused_untouched),
        T(an_empty_file_becomes_a_database),
        T(an_owner_whose_file_was_taken_over_cannot_write),
        T(two_names_of_one_file_share_one_lock),
        T(a_network_file_system_gets_a_rollback_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
