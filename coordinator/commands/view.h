/* view.h - a reading command's way to the database: opened read-only, one experiment found,
 * messages on stderr. */
#ifndef KD_COMMANDS_VIEW_H
#define KD_COMMANDS_VIEW_H

#include "coordinator/commands/table.h"
#include "coordinator/store/query.h"

struct kd_view {
    struct kd_store *store;
    struct kd_experiment_info experiment; /* empty after kd_view_open_file */
};

/* Exit code: KD_EXIT_OK, or after a message KD_EXIT_NOT_FOUND (no file there, no such experiment),
 * KD_EXIT_ERROR. db and name may be NULL: the default file, the latest experiment. All reads see
 * one moment. */
int kd_view_open(struct kd_view *view, const char *db, const char *name);
int kd_view_open_file(struct kd_view *view, const char *db);
void kd_view_close(struct kd_view *view);

/* "katydid: <err>" on stderr; returns KD_EXIT_ERROR. */
int kd_command_fail(const struct kd_error *err);

/* How a trial's state is coloured. */
enum kd_style kd_state_style(enum kd_trial_state state);

/* Name given to a trial outside: EXPERIMENT-NUMBER. */
char *kd_trial_name(const char *experiment, int number); /* owned */

#endif
