/* test_dir_copy.c - a folder that is kept beside the one that lives on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "coordinator/base/mem.h"
#include "coordinator/launch/dir_copy.h"
#include "coordinator/launch/run_dir.h"

static char *at(const char *folder, const char *name)
{
    return kd_format("%s/%s", folder, name);
}

static void put(const char *folder, const char *name, const char *text)
{
    char *path = at(folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

static void assert_holds(const char *folder, const char *name, const char *text)
{
    char seen[64] = "", *path = at(folder, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(seen, sizeof seen, file));
    assert_string_equal(seen, text);
    fclose(file);
    free(path);
}

static int make_folders(void **state)
{
    char *top = kd_strdup("/tmp/katydid-copy-XXXXXX");
    struct kd_error err;
    assert_non_null(mkdtemp(top));
    char *inner = at(top, "from/inner");
    assert_int_equal(kd_dir_make(inner, &err), 0);
    put(inner, "deep", "deep");
    free(inner);
    char *from = at(top, "from");
    put(from, "file", "old");
    free(from);
    *state = top;
    return 0;
}

static int remove_folders(void **state)
{
    kd_dir_remove(*state);
    free(*state);
    return 0;
}

static void check_copy(const char *top, enum kd_copy_how how, const char *after)
{
    char *from = at(top, "from"), *to = at(top, "a/b/to"), *stale = at(top, "a/b/to/stale");
    struct kd_error err;
    for (int i = 0; i < 2; i++) { /* the second time it replaces the first */
        assert_int_equal(kd_dir_copy(from, to, how, &err), 0);
        assert_holds(to, "file", "old");
        assert_holds(to, "inner/deep", "deep");
        assert_int_not_equal(access(stale, F_OK), 0);
        put(to, "stale", "x");
    }
    put(from, "file", "new"); /* in place, as a careless program does */
    assert_holds(to, "file", after);
    free(from);
    free(to);
    free(stale);
}

static void a_copy_of_bytes_keeps_what_is_written_over_in_place(void **state)
{
    check_copy(*state, KD_COPY_BYTES, "old");
}

static void a_linked_copy_shares_files_that_only_renames_replace(void **state)
{
    check_copy(*state, KD_COPY_LINK, "new");
}

static void what_is_not_there_gives_an_empty_folder(void **state)
{
    char *from = at(*state, "nothing"), *to = at(*state, "to");
    struct kd_error err;
    assert_int_equal(kd_dir_copy(from, to, KD_COPY_BYTES, &err), 0);
    assert_int_equal(rmdir(to), 0);
    free(from);
    free(to);
}

static void where_nothing_can_be_written_it_says_so_and_leaves_nothing(void **state)
{
    char *from = at(*state, "from"), *to = at(*state, "from/file/to");
    struct kd_error err = {{0}};
    assert_int_equal(kd_dir_copy(from, to, KD_COPY_BYTES, &err), -1);
    assert_non_null(strstr(err.text, "from/file"));
    free(from);
    free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_of_bytes_keeps_what_is_written_over_in_place,
                                        make_folders, remove_folders),
        cmocka_unit_test_setup_teardown(a_linked_copy_shares_files_that_only_renames_replace,
                                        make_folders, remove_folders),
        cmocka_unit_test_setup_teardown(what_is_not_there_gives_an_empty_folder, make_folders,
                                        remove_folders),
        cmocka_unit_test_setup_teardown(where_nothing_can_be_written_it_says_so_and_leaves_nothing,
                                        make_folders, remove_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
