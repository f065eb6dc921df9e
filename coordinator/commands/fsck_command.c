/* fsck_command.c - `katydid fsck`: does the database hold what it must? */
#include "coordinator/store/fsck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/commands/options.h"
#include "coordinator/commands/view.h"

static int run(int argc, char **argv);

const struct kd_command kd_command_fsck = {"fsck", "", "Check that the database is sound", run};

struct report {
    struct kd_table table;
    int n_checked;
};

static void add_row(void *ud, const struct kd_invariant *invariant, int n_broken,
                    const char *details)
{
    struct report *report = ud;
    report->n_checked++;
    if (n_broken == 0)
        return;
    kd_table_text(&report->table, invariant->name);
    kd_table_int(&report->table, n_broken);
    char *line = kd_strdup(details);
    for (char *end = line; (end = strchr(end, '\n')) != NULL;)
        *end = ';';
    kd_table_text(&report->table, line);
    free(line);
    kd_table_text(&report->table, invariant->sentence);
}

static void print(const struct kd_view *view, const struct report *report, enum kd_format format)
{
    int n_broken = kd_table_rows(&report->table);
    if (n_broken > 0 || format != KD_FORMAT_AS_TABLE)
        kd_table_print(&report->table, format, stdout);
    if (n_broken == 0 && format == KD_FORMAT_AS_TABLE)
        printf("sound: all %d invariants hold\n", report->n_checked);
    if (n_broken > 0)
        fprintf(stderr, "katydid: %s breaks %d of %d invariants\n", kd_store_path(view->store),
                n_broken, report->n_checked);
}

static int run(int argc, char **argv)
{
    struct kd_usage usage = {.command = &kd_command_fsck,
                             .common = KD_OPTION_DB | KD_OPTION_JSON | KD_OPTION_CSV,
                             .doc = "Exit status: 0 sound, 1 not. Only reads, and may run beside "
                                    "a running experiment."};
    struct kd_view view;
    struct kd_error err = {0};
    struct report report = {0};
    kd_usage_read(&usage, argc, argv);
    int code = kd_view_open_file(&view, usage.db);
    if (code != KD_EXIT_OK)
        return code;
    kd_table_column(&report.table, "invariant");
    kd_table_column(&report.table, "broken");
    kd_table_column(&report.table, "where");
    kd_table_column(&report.table, "mustHold");
    kd_query_end(view.store); /* kd_fsck chooses its own moment */
    int n_broken = kd_fsck(view.store, add_row, &report, &err);
    if (n_broken < 0)
        code = kd_command_fail(&err);
    else
        print(&view, &report, usage.format);
    if (n_broken > 0)
        code = KD_EXIT_ERROR;
    kd_table_release(&report.table);
    kd_view_close(&view);
    return code;
}
