/* gang_process.h - a gang's supervisor as the coordinator sees it: started, told to end, heard
 * ending. */
#ifndef KD_LAUNCH_GANG_PROCESS_H
#define KD_LAUNCH_GANG_PROCESS_H

#include <sys/types.h>

#include "coordinator/launch/exit_record.h"
#include "coordinator/launch/launcher.h"

struct kd_gang_process {
    pid_t pid;   /* of the supervisor */
    int control; /* -1 = closed; readable: the log has grown, or (end of file) the gang is over */
};

/* Paths of katydid-supervisor and katydid-exec, found once. */
struct kd_launch_programs {
    char *supervisor, *exec; /* owned */
};

int kd_gang_start(const struct kd_launch_programs *programs, const struct kd_launch *launch,
                  struct kd_gang_process *process, struct kd_error *err);

void kd_gang_ask_to_end(struct kd_gang_process *process); /* TERM, after the grace KILL */
void kd_gang_kill(struct kd_gang_process *process);

/* Reads what the supervisor has said. false: it is over (and reaped); DIR/exit tells how. */
bool kd_gang_is_alive(struct kd_gang_process *process);

/* A gang may be 64 MiB ahead of who reads its log: say so for each MiB that was read, or once that
 * nobody reads it. */
bool kd_gang_say_read(struct kd_gang_process *process); /* false: say it again later */
void kd_gang_say_unread(struct kd_gang_process *process);

/* Kills whatever still runs of the gang whose folder this is, found by its environment: for when
 * its supervisor was killed and could not. */
void kd_gang_sweep(const char *dir);

/* Does a supervisor of an earlier coordinator still hold DIR/lock? */
bool kd_gang_lock_is_held(const char *dir);

#endif
