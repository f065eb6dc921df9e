/* test_run_dir.c - where a run's sockets go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/launch/run_dir.h"

static int set_up(void **state)
{
    char *dir = kd_strdup("/tmp/kd-run-XXXXXX");
    assert_non_null(mkdtemp(dir));
    *state = dir;
    return 0;
}

static int tear_down(void **state)
{
    kd_dir_remove(*state);
    free(*state);
    return 0;
}

/* A run of this test's own under XDG_RUNTIME_DIR=base; its folder is looked at and removed. */
static void expect_run_under(const char *base, const char *expected)
{
    struct kd_error err;
    struct stat info;
    char *run = kd_format("test-%ld", (long)getpid()), *wanted = kd_format("%s/%s", expected, run);
    setenv("XDG_RUNTIME_DIR", base, 1);
    char *path = kd_run_dir_make(run, &err);
    if (path == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(path, wanted);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    kd_dir_remove(path);
    free(path);
    free(wanted);
    free(run);
}

static void the_users_runtime_folder_is_taken_where_it_can_be(void **state)
{
    const char *dir = *state;
    char *own = kd_format("%s/katydid", dir);
    char *shared = kd_format("/tmp/katydid-%u", (unsigned)geteuid());
    expect_run_under(dir, own);
    expect_run_under("/no/such/folder", shared);
    expect_run_under("relative", shared);
    free(shared);
    free(own);
}

static void a_runtime_folder_too_long_for_a_socket_is_not_taken(void **state)
{
    char *deep = kd_format("%s/%0100d", (const char *)*state, 0);
    char *shared = kd_format("/tmp/katydid-%u", (unsigned)geteuid()), *left;
    struct kd_error err;
    assert_int_equal(kd_dir_make(deep, &err), 0);
    expect_run_under(deep, shared);
    left = kd_format("%s/katydid", deep);
    assert_int_equal(access(left, F_OK), -1);
    free(left);
    free(shared);
    free(deep);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_users_runtime_folder_is_taken_where_it_can_be),
        TEST(a_runtime_folder_too_long_for_a_socket_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
