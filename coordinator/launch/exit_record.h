/* exit_record.h - how a gang ended, as its supervisor wrote it down durably: DIR/exit, one line of
 * text.
 *
 *     "exited 3 0"        code 3, no signal; by itself
 *     "asked 143 0"       after we asked for it
 *     "memory -1 9"       the kernel killed it, out of memory
 *     "gpu_memory 71 -1 out of GPU memory: ..."
 *     "orphaned 0 9"      because the coordinator died: signal 9
 *     "unstartable 0 0 cannot start 'x': No such file or directory" */
#ifndef KD_LAUNCH_EXIT_RECORD_H
#define KD_LAUNCH_EXIT_RECORD_H

#include "coordinator/event.h"

struct kd_exit_record {
    enum kd_gang_end end;
    int code, signal; /* -1 = none */
    char text[1024];
};

/* Temporary name, fsync, rename, fsync of the folder. 0 or -1 (errno). */
int kd_exit_record_write(const char *dir, const struct kd_exit_record *record);

/* 1 read, 0 there is none. A damaged one counts as none. */
int kd_exit_record_read(const char *dir, struct kd_exit_record *record);

#endif
