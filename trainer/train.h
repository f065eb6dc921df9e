/* train.h - one trial, from its configuration to its outcome.
 *
 * Data order, dropout and losses are those of the global batch (DESIGN: independent of the number
 * of ranks); gradients are summed over the ranks and every rank makes the same update, so all hold
 * the same weights, bit for bit. A trial resumed at the same number of ranks ends with the weights
 * of one that was never interrupted. */
#ifndef KD_TRAINER_TRAIN_H
#define KD_TRAINER_TRAIN_H

#include "trainer/report.h"
#include "trainer/session.h"

struct kd_job {
    const struct kd_config *config;
    uint64_t seed; /* used when the configuration has none */
    int64_t
        until; /* stop after so many units (epochs, or steps with report.every: N); 0: the whole */
    const char *checkpoint_dir; /* NULL or "": no checkpoints */
    bool resume; /* from checkpoint_dir, when one is there; else what is there is removed */
    const char *
        parent_checkpoint; /* file or folder to start from when there is nothing to resume; or NULL */
    /* How a person begins anew, for messages: what is resumed must then be the same training
     * (settings.h). NULL: a coordinator knows what it does. */
    const char *anew;
    void (*begins)(void);       /* called on every rank before its first step; or NULL */
    const struct kd_sink *sink; /* rank 0; NULL on the others */
    struct kd_profile *profile; /* gets the time that each part takes, which costs some; NULL: no */
};

/* X(constant, name on the bus) */
#define KD_OUTCOMES(X)                                                                             \
    X(SUCCEEDED, "succeeded")                                                                      \
    X(STOPPED, "stopped")                                                                          \
    X(YIELDED, "yielded")                                                                          \
    X(DIVERGED, "diverged")                                                                        \
    X(FAILED, "failed")                                                                            \
    X(OUT_OF_MEMORY, "out_of_memory")                                                              \
    X(GPU_TAKEN, "gpu_taken")                                                                      \
    X(DROPPED, "dropped")

enum kd_outcome_kind {
#define X(constant, name) KD_OUTCOME_##constant,
    KD_OUTCOMES(X)
#undef X
};

struct kd_outcome {
    enum kd_outcome_kind kind;
    struct kd_error reason; /* a sentence a person can act on */
    int64_t units;          /* completed */
    bool refused;           /* failed before its first step: what it was given is wrong */
    bool exit;              /* the gang is to end */
};

const char *kd_outcome_name(enum kd_outcome_kind kind);

/* Collective. The trial's troubles are its outcome, never the end of the process. */
void kd_train(struct kd_session *session, const struct kd_job *job, struct kd_outcome *outcome);

#endif
