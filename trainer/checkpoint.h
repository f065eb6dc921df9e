/* checkpoint.h - a training saved in a folder, to go on from: one safetensors file per checkpoint, newest last by name.
 *
 * checkpoint-<optimizer step, 12 digits>.safetensors holds the parameters under their own names, the optimizer's state as
 * "optimizer.<slot>.<name>", and the state below. All ranks hold the same bits, so rank 0 alone writes and reads, and a
 * checkpoint fits any number of ranks. A file that is cut off or damaged is passed over and the one before it is used. */
#ifndef KD_TRAINER_CHECKPOINT_H
#define KD_TRAINER_CHECKPOINT_H

#include <jansson.h>
#include <stdint.h>

#include "trainer/models/plan.h"
#include "trainer/safetensors.h"

/* What has been summed since the last report. */
struct kd_report_window {
    double loss_sum, n_correct, n_top5;
    double n_seen, n_samples; /* rows of the loss that counted; samples */
    double seconds;
};

struct kd_training_state {
    int64_t step;            /* optimizer steps done */
    int64_t steps_per_epoch; /* when it was saved */
    uint64_t seed;
    const char *optimizer; /* its name */
    int n_slots;           /* of its state */
    struct kd_report_window window;
    json_t *reports; /* kd_report_to_json of all so far */
};

struct kd_checkpoint_file {
    char path[4096];
    int64_t bytes;
    char digest[KD_DIGEST_TEXT];
};

/* Writes, then removes all but the `keep` newest. */
int kd_checkpoint_save(const char *folder, struct kd_plan *plan,
                       const struct kd_training_state *state, int64_t keep,
                       struct kd_checkpoint_file *file, struct kd_error *err);

/* The newest sound checkpoint: 1 and it, 0 when there is none (damaged ones are warned of), -1 when the folder cannot be
 * read. */
int kd_checkpoint_open_newest(const char *folder, struct kd_safetensors *file,
                              struct kd_error *err);

/* Into the plan's arenas and the state; optimizer state only when it is of the same optimizer (else it stays zero).
 * state->optimizer and n_slots are read, the rest is written; reports is a new reference. */
int kd_checkpoint_restore(const struct kd_safetensors *file, struct kd_plan *plan,
                          struct kd_training_state *state, struct kd_error *err);

/* Removes every checkpoint of the folder: a trial that starts anew must not find those of an earlier attempt. */
void kd_checkpoint_clear(const char *folder);

#endif
