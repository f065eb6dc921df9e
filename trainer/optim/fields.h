/* fields.h - the fields that every optimizer has, worded once. */
#ifndef KD_TRAINER_OPTIM_FIELDS_H
#define KD_TRAINER_OPTIM_FIELDS_H

#include "trainer/optim/optimizer.h"

#define KD_LR_FIELD(default_lr)                                                                    \
    {                                                                                              \
        .name = "lr", .fallback = (default_lr), .min = 0, .max = 1e6,                              \
        .help = "learning rate before the schedule"                                                \
    }

#define KD_WEIGHT_DECAY_FIELD(default_decay)                                                       \
    {                                                                                              \
        .name = "weightDecay", .fallback = (default_decay), .min = 0, .max = 1e6,                  \
        .help = "decoupled weight decay, times the learning rate; biases are left alone"           \
    }

/* Of the optimizers with two moments, in this order after lr and weightDecay. A beta's bound is the
 * last one that is below 1 as a float too. */
#define KD_BETA_FIELD(beta_name, default_beta, text)                                               \
    {                                                                                              \
        .name = (beta_name), .fallback = (default_beta), .min = 0, .max = 0.9999999,               \
        .help = (text)                                                                             \
    }

#define KD_ADAM_FIELDS(default_beta2, default_epsilon)                                             \
    KD_BETA_FIELD("beta1", 0.9, "decay of the running mean of gradients"),                         \
        KD_BETA_FIELD("beta2", (default_beta2), "decay of the running mean of squared gradients"), \
    {                                                                                              \
        .name = "epsilon", .fallback = (default_epsilon), .min = 0, .max = 1,                      \
        .help = "added to the root of the squared gradients' mean"                                 \
    }

/* lr, weightDecay, beta1, beta2, epsilon into what the op reads. */
void kd_adam_set(const double *values, struct kd_hyper *hyper);

#endif
