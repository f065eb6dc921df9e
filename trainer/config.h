/* config.h - the `trainer:` block, read and checked: what is trained on what, and how.
 *
 * The block is JSON by now, every placeholder filled. README.md has the grammar in words; the
 * tables in config.c, in the data formats, and in the registries of layers, optimizers and
 * schedules are the grammar. */
#ifndef KD_TRAINER_CONFIG_H
#define KD_TRAINER_CONFIG_H

#include "trainer/data/dataset.h"
#include "trainer/keeping.h"
#include "trainer/loss.h"
#include "trainer/models/plan.h"
#include "trainer/optim/optimizer.h"
#include "trainer/problems.h"

struct kd_config {
    json_t *block; /* owned; what is borrowed below lives in it */
    char *base_dir;
    struct kd_data_config data;
    const json_t *model;
    const struct kd_loss_kind *loss;
    float label_smoothing;
    const struct kd_optimizer *optimizer;
    struct kd_hyper
        hyper;     /* with the base learning rate, the norm to clip to, the average's decay */
    bool averages; /* an average of the weights is kept, and validated */
    int zero; /* 1: the optimizer's state is spread over the ranks; -1: where that takes no longer */
    int64_t accumulate; /* micro-batches of a step */
    struct kd_schedule *schedule;
    int64_t batch_size;    /* of all ranks together */
    int64_t epochs, steps; /* exactly one is not 0 */
    int64_t report_steps;  /* 0: report every epoch */
    int64_t checkpoint_epochs,
        checkpoint_steps; /* at most one is not 0; none: only when asked and at the end */
    bool
        checkpoint_by_time; /* then none is set: now and then, as the time that saving takes allows */
    struct kd_keeping keeping;
    const char *comm;   /* auto, or a backend of the ranks */
    const char *device; /* auto, cpu or cuda */
    enum kd_precision precision;
    int64_t seed; /* -1: the trial's own */
};

/* Takes a reference to the block. Adds every problem that can be seen without reading the data
 * files. The config is to be released in any case; it may be used only when no problem was
 * added. */
void kd_config_read(struct kd_config *config, json_t *block, const char *base_dir,
                    struct kd_problems *problems);
void kd_config_release(struct kd_config *config);

/* What the data hand to a model. */
struct kd_input kd_config_input(const struct kd_data_shape *shape);

/* Number of values that the model gives for one sample. -1: the text starts with a pointer into the
 * model. */
int64_t kd_config_n_outputs(const struct kd_config *config, const struct kd_input *input,
                            struct kd_error *err);

/* What must fit between a model and the data: 0, or -1 with the place of the largest label. */
int kd_config_check_labels(int64_t n_outputs, int32_t max_label, const char *max_label_at,
                           struct kd_error *err);

extern const struct kd_option kd_config_options[];

#endif
