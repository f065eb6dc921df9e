/* run_dir.h - the folders of a run: where sockets live, and making and removing folders.
 *
 * $XDG_RUNTIME_DIR/katydid/<run_uuid>/, or /tmp/katydid-<uid>/<run_uuid>/ where the first is
 * missing, cannot be written or is too long for a socket's path; 0700 and ours: other users can
 * neither connect to the bus nor race for its names. */
#ifndef KD_LAUNCH_RUN_DIR_H
#define KD_LAUNCH_RUN_DIR_H

#include "coordinator/base/error.h"

/* Makes it and checks owner and mode. NULL and err; owned by the caller. */
char *kd_run_dir_make(const char *run_uuid, struct kd_error *err);

/* mkdir -p with mode 0700. */
int kd_dir_make(const char *path, struct kd_error *err);

/* rm -r; follows no links. What is not there is fine. */
void kd_dir_remove(const char *path);

#endif
