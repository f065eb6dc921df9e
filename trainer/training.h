/* training.h - a trial under way: what train.c, step.c, scores.c, evaluate.c and resume.c share.
 * Nobody else includes this. */
#ifndef KD_TRAINER_TRAINING_H
#define KD_TRAINER_TRAINING_H

#include "trainer/checkpoint.h"
#include "trainer/control.h"
#include "trainer/train.h"

/* A step that the device was given, and whose note (models/plan.h) nobody has looked at. */
struct kd_open_step {
    int64_t note, step, n_samples;
};

struct kd_training {
    struct kd_session *session;
    const struct kd_job *job;
    const struct kd_config *config;
    const struct kd_dataset *dataset;
    struct kd_plan *plan;
    struct kd_control control;
    struct kd_training_state state;
    uint64_t seed;
    int64_t total_steps, end_step;      /* the schedule's length; where this attempt ends */
    int64_t order_epoch;                /* whose permutation session->order is; -1: none */
    struct kd_open_step open[KD_NOTES]; /* the oldest first */
    int n_open;
    int64_t diverged_step;       /* 0: none has */
    int64_t begin_step;          /* where this attempt begins */
    int64_t saved_step;          /* of the newest checkpoint; -1: none */
    int64_t saved_us;            /* when that was, or the start; each rank's own */
    int64_t save_took_us;        /* and how long */
    int64_t clock_us;            /* since when the window's time is running */
    struct kd_plan_tensor probe; /* the output layer's smallest tensor: see step.c */
    float lr;
    struct kd_outcome *outcome;
    bool warned;  /* that a checkpoint could not be written */
    bool unsaved; /* rank 0: the newest checkpoint could not be written */
    bool over;
};

/* One optimizer step; collective. with_norm: the gradient's norm is computed even where nothing is
 * clipped. A device may be given it before it has done the last ones: what those came to is not
 * counted yet. False on every rank: the loss was not finite in diverged_step; of the CPU's the
 * parameters are as they were before it. */
bool kd_training_step(struct kd_training *t, bool with_norm);

/* Until all steps are done and counted: before anything that is told or kept. False as above. */
bool kd_training_settle(struct kd_training *t);

/* Sums over rows of the loss, over all ranks. */
struct kd_score {
    double loss_sum, n_correct, n_top5, n_counted;
};

/* Over the held-out part, with the average of the weights where one is kept; collective. */
void kd_training_evaluate(struct kd_training *t, struct kd_score *score);

/* Into the report what the steps since the last one came to, which are forgotten, and then what the
 * held-out part does; both collective. */
void kd_training_report_steps(struct kd_training *t, struct kd_report *report);
void kd_training_report_validation(struct kd_training *t, struct kd_report *report);

/* Fresh weights, or those of a checkpoint; collective. -1 on every rank, the text on every rank. */
int kd_training_start(struct kd_training *t, struct kd_error *err);

/* What a checkpoint of this very step counts for among the best ones. */
void kd_training_score(struct kd_training *t, const struct kd_report *report);

/* Collective. False: it could not be written (outcome says nothing yet; err does). */
bool kd_training_save(struct kd_training *t, struct kd_error *err);

int64_t kd_training_units(const struct kd_training *t); /* completed, in the unit of reports */

#endif
