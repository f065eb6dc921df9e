/* checkpoint.h - a training saved in a folder, to go on from: one safetensors file per checkpoint,
 * newest last by name.
 *
 * checkpoint-<optimizer step, 12 digits>.safetensors holds the arenas (arena.h has the names) one
 * after the other, and the training's state as JSON. It does not say how many ranks wrote it: each
 * writes its kd_comm_share of every arena, straight from there, and each reads what it holds and
 * checks its share of the chunks, so it fits any number of ranks. Where the ranks cannot reach one
 * file (several hosts), rank 0 writes and reads for all (common_file.h).
 *
 * It is written under a temporary name, fsynced, renamed, and the folder fsynced: the rename is the
 * commit. One that is cut off or damaged is passed over, and the one before it is used.
 *
 * What is collective is called by all ranks in the same order, with the same folder; kept, reports
 * and texts are rank 0's. */
#ifndef KD_TRAINER_CHECKPOINT_H
#define KD_TRAINER_CHECKPOINT_H

#include "trainer/arena.h"
#include "trainer/comm/comm.h"
#include "trainer/training_state.h"

struct kd_checkpoint_place {
    const char *folder;
    struct kd_comm *comm;
    bool rank_0_alone; /* reads and writes for all, though the others could reach the files */
};

struct kd_checkpoint_file {
    char path[4096];
    int64_t bytes;
    char digest[KD_DIGEST_TEXT];
};

/* Writes, then removes what is not to be kept; state->kept says what is there. Collective; *file is
 * rank 0's. -1: it could not be written, and what was there before is there (rank 0 may be the only
 * one that sees the last part of the writing fail). */
int kd_checkpoint_save(const struct kd_checkpoint_place *place, struct kd_plan *plan,
                       struct kd_training_state *state, const struct kd_keeping *keeping,
                       struct kd_checkpoint_file *file, struct kd_error *err);

/* One that is open, its checksums right. */
struct kd_checkpoint {
    struct kd_comm *comm;       /* borrowed */
    struct kd_safetensors file; /* open on rank 0, and on the others where it is common */
    bool is_common;
};

/* The file of this path, rank 0's; the others' path is not looked at, nor is the place's folder.
 * Collective. */
int kd_checkpoint_open(const struct kd_checkpoint_place *place, const char *path,
                       struct kd_checkpoint *checkpoint, struct kd_error *err);

/* The newest sound checkpoint: 1 and it, 0 when there is none (damaged ones are warned of), -1 when
 * the folder cannot be read. Collective. */
int kd_checkpoint_open_newest(const struct kd_checkpoint_place *place,
                              struct kd_checkpoint *checkpoint, struct kd_error *err);
void kd_checkpoint_release(struct kd_checkpoint *checkpoint);

/* The state alone, into *state (kd_training_state_read): rank 0, by itself. */
int kd_checkpoint_read_state(const struct kd_checkpoint *checkpoint,
                             struct kd_training_state *state, struct kd_error *err);

/* Into the plan's arenas, which are as kd_plan_prepare_update left them, and on rank 0 into *state
 * (kd_training_state_read). The optimizer's state is taken when it is of the same optimizer; else
 * it stays zero and state->updates is 0. An average that the checkpoint lacks begins with its
 * weights. Collective. -1: it is of another model, and what differs. */
int kd_checkpoint_restore(const struct kd_checkpoint *checkpoint, struct kd_plan *plan,
                          struct kd_training_state *state, struct kd_error *err);

#endif
