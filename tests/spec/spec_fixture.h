/* spec_fixture.h - what several tests of this room need: a spec from text, and a folder of their
 * own. */
#ifndef KD_TESTS_SPEC_FIXTURE_H
#define KD_TESTS_SPEC_FIXTURE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/spec_read.h"

#define KD_SPEC_HEAD                                                                               \
    "apiVersion: katydid/v1\nkind: Experiment\nmetadata: {name: sweep}\nspec:\n"                   \
    "  objective: {type: minimize, objectiveMetricName: loss}\n  maxTrialCount: 9\n"

/* Reads a spec that must be good; its problems are shown otherwise. */
static inline void read_good(const char *text, const struct kd_spec_options *options,
                             struct kd_experiment *experiment)
{
    struct kd_problems problems;
    int rc =
        kd_spec_read_text(text, strlen(text), "t.yaml", "/base", options, experiment, &problems);
    for (int i = 0; rc != 0 && i < problems.n; i++)
        print_message("%s\n", problems.items[i].text);
    kd_problems_release(&problems);
    assert_int_equal(rc, 0);
}

static inline char *temporary_folder(void)
{
    char *path = kd_strdup("/tmp/katydid-spec-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline char *write_file(const char *folder, const char *name, const char *text, int mode)
{
    char *path = kd_format("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, (mode_t)mode), 0);
    return path;
}

/* Removes the folder and the files and folders of one level in it; frees the path. */
static inline void remove_folder(char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char *inner = kd_format("%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && remove(inner) != 0)
            print_message("%s is left\n", inner);
        free(inner);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
    free(path);
}

#endif
