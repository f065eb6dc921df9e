/* hyper.h - what may change from step to step without compiling anything anew.
 *
 * Both structs are plain and live in device memory while a plan runs (on a GPU a captured graph
 * reads them there), so the next trial of the same shape starts by writing them. */
#ifndef KD_KERNELS_HYPER_H
#define KD_KERNELS_HYPER_H

#include <stdbool.h>
#include <stdint.h>

/* Of the optimizer. */
struct kd_hyper {
    float lr; /* of this step: base rate times schedule */
    float momentum, weight_decay, beta1, beta2, epsilon;
    bool nesterov;
    float clip;          /* largest norm of the whole gradient; 0: any */
    float average_decay; /* of the average of the weights */
    int64_t step;        /* from 1: bias correction */
};

/* Of the batch: the key of the random numbers, and what losses are divided by. */
struct kd_turn {
    uint64_t seed;
    int64_t step; /* optimizer step */
    int64_t
        n_global; /* samples of the whole global batch (of one micro-batch, where there are several) */
    int64_t n_counted; /* rows of the loss in it (in all its micro-batches) */
    float mix;         /* share of the other sample: 0 without mixup */
};

#endif
