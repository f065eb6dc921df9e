/* training_state.h - where a training stands, but for its arenas: what a checkpoint keeps as
 * JSON. */
#ifndef KD_TRAINER_TRAINING_STATE_H
#define KD_TRAINER_TRAINING_STATE_H

#include <jansson.h>
#include <stdint.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/error.h"
#include "trainer/keeping.h"

/* What has been summed since the last report; all doubles. */
struct kd_report_window {
    double loss_sum, n_correct, n_top5;
    double n_seen, n_samples; /* rows of the loss that counted; samples */
    double seconds;           /* this rank's; all others are to be summed over the ranks */
};
enum { KD_WINDOW_VALUES = sizeof(struct kd_report_window) / sizeof(double) };

struct kd_training_state {
    int64_t step;    /* optimizer steps done */
    int64_t updates; /* since the optimizer's state was fresh: what its bias correction counts */
    int64_t steps_per_epoch; /* when it was saved */
    uint64_t seed;
    const char *optimizer; /* its name; borrowed, and like n_slots not touched by reading */
    int n_slots;           /* of its state */
    json_t *settings;      /* owned: kd_settings_of; NULL: an older checkpoint has none */
    struct kd_report_window window;
    json_t *reports;             /* owned: kd_report_to_json of all so far, the oldest first */
    KD_ARR(struct kd_kept) kept; /* the checkpoints that stay, the oldest first */
    double loss_scale;           /* fp16; 0: none, and neither is saved */
    int64_t loss_scale_good;     /* steps since it was changed */
    int64_t loss_scale_left_out; /* updates that overflowed, and were none */
    double score;                /* of keeping's metric in the report of step scored_step */
    int64_t scored_step;         /* 0: no report yet; neither is saved */
};

void kd_training_state_release(struct kd_training_state *state);

char *kd_training_state_text(const struct kd_training_state *state); /* the caller frees */

/* Replaces all but optimizer and n_slots, without releasing what was there. -1: it is not of this
 * form, and *state is as it was. */
int kd_training_state_read(const json_t *json, struct kd_training_state *state,
                           struct kd_error *err);

#endif
