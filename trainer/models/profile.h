/* profile.h - where the time of training goes: by phase, by layer and by op. What `katydid-trainer
 * --profile` shows. */
#ifndef KD_TRAINER_PROFILE_H
#define KD_TRAINER_PROFILE_H

#include <stdint.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/str.h"
#include "kernels/ops.h"

/* X(constant, name) */
#define KD_PHASES(X)                                                                               \
    X(DATA, "data")                                                                                \
    X(FORWARD, "forward")                                                                          \
    X(BACKWARD, "backward")                                                                        \
    X(ALLREDUCE, "all-reduce")                                                                     \
    X(OPTIMIZER, "optimizer")                                                                      \
    X(EVALUATE, "evaluate")

enum kd_phase {
#define X(constant, name) KD_PHASE_##constant,
    KD_PHASES(X)
#undef X
        KD_N_PHASES
};

struct kd_profile_layer {
    char name[64]; /* "layers.3 linear" */
    int64_t forward_ns, backward_ns;
};

struct kd_profile {
    int64_t phase_ns[KD_N_PHASES];
    int64_t op_ns[KD_N_OPS];
    double op_flops[KD_N_OPS];
    int64_t n_steps;
    KD_ARR(struct kd_profile_layer) layers; /* in the model's order, then the loss */
};

struct kd_plan;
struct kd_pass;

/* What step i of a pass took. */
void kd_profile_add_step(struct kd_profile *profile, const struct kd_plan *plan,
                         const struct kd_pass *pass, size_t i, int64_t ns);

/* For a phase that is no pass: from the time of a beginning to now. NULL profile: nothing. */
int64_t kd_profile_begin(const struct kd_profile *profile);
void kd_profile_end(struct kd_profile *profile, enum kd_phase phase, int64_t began);

void kd_profile_release(struct kd_profile *profile);

/* Tables of phases, layers and ops with their shares, for people. */
void kd_profile_print(const struct kd_profile *profile, struct kd_str *out);

#endif
