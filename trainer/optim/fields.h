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

#endif
