/* shared.h - memory that processes of one host share.
 *
 * It is anonymous (memfd) and found through /proc/PID/fd: so it has no name to clash or to be left
 * behind, is bounded by the memory alone and not by the size of /dev/shm, and is gone with the last
 * process that maps it, however that ended. */
#ifndef KD_TRAINER_COMM_SHARED_H
#define KD_TRAINER_COMM_SHARED_H

#include <stddef.h>
#include <sys/types.h>

/* A file descriptor of new zeroed memory, all of it reserved: running out later would be a SIGBUS.
 * -1: errno. */
int kd_shared_make(size_t bytes);

/* NULL: errno. */
void *kd_shared_map(int fd, size_t bytes);
void *kd_shared_map_of(pid_t pid, int its_fd, size_t bytes); /* another process's */

void kd_shared_unmap(void *memory, size_t bytes); /* NULL is fine */

#endif
