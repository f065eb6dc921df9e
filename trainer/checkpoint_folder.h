/* checkpoint_folder.h - the files of a folder of checkpoints: their names, which are there, which
 * go. What is in them is checkpoint.h's.
 *
 * One process uses a folder: rank 0, but for kd_checkpoint_path. */
#ifndef KD_TRAINER_CHECKPOINT_FOLDER_H
#define KD_TRAINER_CHECKPOINT_FOLDER_H

#include <dirent.h>
#include <stdint.h>

#include "trainer/keeping.h"

char *kd_checkpoint_path(const char *folder, int64_t step); /* the caller frees */

/* The names of all checkpoints, the oldest first, as scandir gives them: how many, or -1 and errno.
 * Either way the caller frees. */
int kd_checkpoint_list(const char *folder, struct dirent ***names);
void kd_checkpoint_free_list(struct dirent **names, int n);

/* Removes the checkpoints that are not among the n kept. */
void kd_checkpoint_drop_others(const char *folder, const struct kd_kept *kept, size_t n);

/* Removes temporary files of writers that were killed. */
void kd_checkpoint_drop_leavings(const char *folder);

/* Removes every checkpoint: a trial that starts anew must not find those of an earlier attempt. */
void kd_checkpoint_clear(const char *folder);

#endif
