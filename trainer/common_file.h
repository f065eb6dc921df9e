/* common_file.h - one file that all ranks of a gang have open, when they can: on one host, on one
 * file system.
 *
 * Over several hosts even a shared file system is not written by several at once: what one client
 * of it wrote another one may not see. So there, and in containers with file systems of their own,
 * rank 0 reads and writes for all. */
#ifndef KD_TRAINER_COMMON_FILE_H
#define KD_TRAINER_COMMON_FILE_H

#include "trainer/comm/comm.h"

/* Rank 0 has path open as *fd; the others, whose *fd is -1, open it with flags (O_RDONLY, ...).
 * Collective. True on every rank: all have the same file. False on every rank: *fd of the others is
 * -1 again. Alone it is true at once. */
bool kd_common_file_open(struct kd_comm *comm, const char *path, int flags, int *fd);

#endif
