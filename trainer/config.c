#include "trainer/config.h"

#include <string.h>

#include "trainer/models/model.h"

static const char *const precisions[] = {
#define KD_PRECISION(name, constant, value_bytes) #name,
#include "kernels/precisions.def"
#undef KD_PRECISION
    NULL,
};
static const char *const devices[] = {"auto", "cpu", "cuda", NULL};
static const char *const comms[] = {
    "auto",
#define KD_COMM_BACKEND(name, constant) #name,
#include "trainer/comm/backends.def"
#undef KD_COMM_BACKEND
    "nccl",
    NULL,
};
static const double LARGEST_INT = 9007199254740991.0; /* 2^53 - 1: JSON numbers are doubles */

static const struct kd_option report_options[] = {
    {.name = "every",
     .kind = KD_OPTION_OWN,
     .fallback = "\"epoch\"",
     .help = "epoch, or a number of optimizer steps; it is also the unit that a metric's step "
             "counts (epochs or steps completed)"},
    {0},
};

static const struct kd_option steps_options[] = {
    {.name = "steps",
     .kind = KD_OPTION_INT,
     .required = true,
     .min = 1,
     .max = 1e12,
     .help = "optimizer steps between checkpoints"},
    {0},
};

static const char *const metrics[] = {
#define KD_METRIC(constant, name, better, summary) name,
#include "trainer/metrics.def"
#undef KD_METRIC
    NULL,
};

static const struct kd_option checkpoint_options[] = {
    {.name = "every",
     .kind = KD_OPTION_OWN,
     .fallback = "\"auto\"",
     .fields = steps_options,
     .help =
         "epochs between checkpoints, or {steps: N}; 0: only when asked for and at the end; auto: "
         "after a report when the last one is a second old, or at most a minute into an epoch, "
         "unless saving would take more than a twentieth of the time; each epoch where best ones "
         "are kept"},
    {.name = "keep",
     .kind = KD_OPTION_INT,
     .fallback = "2",
     .min = 1,
     .max = 1e6,
     .help = "how many of the newest are kept"},
    {.name = "best",
     .kind = KD_OPTION_INT,
     .fallback = "0",
     .min = 0,
     .max = 1e6,
     .help = "how many of the best by the metric are kept besides"},
    {.name = "metric",
     .kind = KD_OPTION_CHOICE,
     .fallback = "\"val_loss\"",
     .choices = metrics,
     .help = "what they are the best by, where it is in the report of the same step"},
    {0},
};

static const struct kd_option average_options[] = {
    {.name = "decay",
     .kind = KD_OPTION_NUMBER,
     .required = true,
     .min = 0,
     .max = 0.9999999,
     .help = "share of the average that each step keeps, such as 0.999"},
    {0},
};

const struct kd_option kd_config_options[] = {
    {.name = "data", .kind = KD_OPTION_OWN, .required = true, .help = "what to train on"},
    {.name = "model",
     .kind = KD_OPTION_OWN,
     .required = true,
     .help =
         "the layers in order, such as [{linear: {units: 64}}, relu, {linear: {units: 10}}]; or a "
         "preset, such as {mlp: {layers: 2, units: 64}}; {repeat: {times: N, layers: [...]}} "
         "stands for its layers N times over, {residual: {layers: [...], shortcut: [...]}} for "
         "the sum of both ways"},
    {.name = "loss",
     .kind = KD_OPTION_OWN,
     .fallback = "\"crossEntropy\"",
     .fields = kd_loss_options,
     .help = "what is minimised: a name, or {name: crossEntropy, labelSmoothing: 0.1}"},
    {.name = "optimizer",
     .kind = KD_OPTION_OWN,
     .fallback = "{\"name\": \"adamw\"}",
     .help = "the optimizer's name and its settings"},
    {.name = "schedule",
     .kind = KD_OPTION_OWN,
     .fallback = "{\"name\": \"constant\"}",
     .help = "how the learning rate changes over the whole training"},
    {.name = "batchSize",
     .kind = KD_OPTION_INT,
     .fallback = "64",
     .min = 1,
     .max = 1 << 24,
     .help = "samples in an optimizer step, over all ranks together"},
    {.name = "accumulate",
     .kind = KD_OPTION_INT,
     .fallback = "1",
     .min = 1,
     .max = 1 << 20,
     .help = "micro-batches that a step is made of, one after the other, to need less memory"},
    {.name = "clipNorm",
     .kind = KD_OPTION_NUMBER,
     .fallback = "0",
     .min = 0,
     .max = 1e30,
     .help = "largest norm of the whole gradient; a longer one is shortened to it; 0: any"},
    {.name = "average",
     .kind = KD_OPTION_OBJECT,
     .fields = average_options,
     .help = "a moving average of the weights, which is what is validated"},
    {.name = "zero",
     .kind = KD_OPTION_INT,
     .min = 0,
     .max = 1,
     .help = "1: the optimizer's state is spread over the ranks (ZeRO stage 1); 0: each has all; "
             "without it 1 where ranks sum in memory that they share, where it takes no longer"},
    {.name = "epochs",
     .kind = KD_OPTION_INT,
     .min = 1,
     .max = 1e9,
     .help = "passes over the training part; this or steps must be given"},
    {.name = "steps",
     .kind = KD_OPTION_INT,
     .min = 1,
     .max = 1e12,
     .help = "optimizer steps, in place of epochs"},
    {.name = "precision",
     .kind = KD_OPTION_CHOICE,
     .fallback = "fp32",
     .choices = precisions,
     .help =
         "what a GPU computes in. bf16 (architecture 80 and later) and fp16 (with dynamic loss "
         "scaling) store what flows between layers in 16 bits, weights and sums stay fp32; tf32 "
         "(80 and later) rounds the factors of products alone"},
    {.name = "device",
     .kind = KD_OPTION_CHOICE,
     .fallback = "auto",
     .choices = devices,
     .help = "where it runs; auto: a GPU where every rank has one it can use, else the CPU"},
    {.name = "comm",
     .kind = KD_OPTION_CHOICE,
     .fallback = "auto",
     .choices = comms,
     .help = "how several ranks sum; auto: nccl where each has a GPU of its own, else shm where "
             "all are on one host, else mpi"},
    {.name = "report",
     .kind = KD_OPTION_OBJECT,
     .fallback = "{}",
     .fields = report_options,
     .help = "when metrics are reported"},
    {.name = "checkpoint",
     .kind = KD_OPTION_OBJECT,
     .fallback = "{}",
     .fields = checkpoint_options,
     .help = "when the training is saved"},
    {.name = "seed",
     .kind = KD_OPTION_INT,
     .min = 0,
     .max = 9007199254740991.0,
     .help = "of weights, data order and dropout; without it the trial's own seed"},
    {0},
};

static void read_data(struct kd_config *config, struct kd_problems *problems)
{
    const json_t *data = json_object_get(config->block, "data");
    config->data.classes = config->loss->classes;
    config->data.shares = config->loss->shares;
    if (data)
        kd_data_check(data, config->base_dir, &config->data, problems);
}

static void read_optimizer(struct kd_config *config, struct kd_problems *problems)
{
    struct kd_error err;
    json_t *block = json_object_get(config->block, "optimizer");
    json_t *standard = json_pack("{s:s}", "name", "adamw");
    if (kd_optimizer_read(block ? block : standard, &config->optimizer, &config->hyper, &err) < 0)
        kd_problems_add_error(problems, "/optimizer", &err);
    config->schedule = kd_schedule_read(json_object_get(config->block, "schedule"), &err);
    if (!config->schedule)
        kd_problems_add_error(problems, "/schedule", &err);
    json_decref(standard);
}

static void read_update(struct kd_config *config)
{
    const json_t *average = json_object_get(config->block, "average");
    config->hyper.clip = (float)kd_option_number(kd_config_options, config->block, "clipNorm");
    config->zero = -1;
    if (json_object_get(config->block, "zero"))
        config->zero = (int)kd_option_int(kd_config_options, config->block, "zero");
    config->accumulate = kd_option_int(kd_config_options, config->block, "accumulate");
    config->averages = average != NULL;
    if (average)
        config->hyper.average_decay = (float)kd_option_number(average_options, average, "decay");
}

static void read_length(struct kd_config *config, struct kd_problems *problems)
{
    config->batch_size = kd_option_int(kd_config_options, config->block, "batchSize");
    config->epochs = kd_option_int(kd_config_options, config->block, "epochs");
    config->steps = kd_option_int(kd_config_options, config->block, "steps");
    if (config->epochs && config->steps)
        kd_problems_add(problems, "/steps", "epochs and steps are both given; keep one");
    if (!json_object_get(config->block, "epochs") && !json_object_get(config->block, "steps"))
        kd_problems_add(problems, "", "epochs is missing (or steps): how long to train");
}

static void read_report(struct kd_config *config, struct kd_problems *problems)
{
    const json_t *report = json_object_get(config->block, "report");
    const json_t *every = json_object_get(report, "every");
    double number = json_number_value(every);
    if (!every || (json_is_string(every) && strcmp(json_string_value(every), "epoch") == 0))
        return;
    if (!json_is_number(every) || number < 1 || number > LARGEST_INT ||
        number != (double)(int64_t)number)
        kd_problems_add(problems, "/report/every",
                        "must be epoch or a number of optimizer steps, 1 or more");
    else
        config->report_steps = (int64_t)number;
}

static bool is_whole(const json_t *number, double least, double most)
{
    double value = json_number_value(number);
    return json_is_number(number) && value >= least && value <= most &&
           value == (double)(int64_t)value;
}

static void read_every(struct kd_config *config, const json_t *every, struct kd_problems *problems)
{
    static const double MOST = 1e9;
    bool by_time =
        !every || (json_is_string(every) && strcmp(json_string_value(every), "auto") == 0);
    if (by_time) {
        config->checkpoint_by_time = config->keeping.best == 0;
        config->checkpoint_epochs = config->keeping.best > 0;
    } else if (json_is_object(every)) {
        if (kd_options_check((const struct kd_option *const[]){steps_options, NULL}, every,
                             "/checkpoint/every", problems))
            config->checkpoint_steps = kd_option_int(steps_options, every, "steps");
    } else if (!is_whole(every, 0, MOST)) {
        kd_problems_add(problems, "/checkpoint/every",
                        "must be a number of epochs from 0 to 1e9, {steps: N} or auto");
    } else {
        config->checkpoint_epochs = (int64_t)json_number_value(every);
    }
}

static void read_checkpoint(struct kd_config *config, struct kd_problems *problems)
{
    const json_t *block = json_object_get(config->block, "checkpoint");
    int metric = kd_option_choice(checkpoint_options, block, "metric");
    config->keeping = (struct kd_keeping){
        .last = kd_option_int(checkpoint_options, block, "keep"),
        .best = kd_option_int(checkpoint_options, block, "best"),
        .metric = metric < 0 ? KD_METRIC_VAL_LOSS : (enum kd_metric_kind)metric,
    };
    read_every(config, json_object_get(block, "every"), problems);
    if (kd_metrics[config->keeping.metric].better == KD_BETTER_NEITHER)
        kd_problems_add(problems, "/checkpoint/metric",
                        "no value of %s is better than another; take a loss or an accuracy",
                        kd_metrics[config->keeping.metric].name);
}

static void read_precision(struct kd_config *config, struct kd_problems *problems)
{
    const char *name = kd_option_text(kd_config_options, config->block, "precision");
    for (int i = 0; precisions[i]; i++)
        if (strcmp(name, precisions[i]) == 0)
            config->precision = (enum kd_precision)i;
    if (config->precision != KD_PRECISION_FP32 && strcmp(config->device, "cpu") == 0)
        kd_problems_add(problems, "/precision",
                        "the CPU computes in fp32, not %s; use fp32, or device: cuda", name);
}

/* Mistakes in the layers that do not hang on the data's shape. */
static void check_model(const struct kd_config *config, struct kd_problems *problems)
{
    struct kd_error err;
    if (config->model && kd_model_check_settings(config->model, &err) < 0)
        kd_problems_add_error(problems, "/model", &err);
}

void kd_config_read(struct kd_config *config, json_t *block, const char *base_dir,
                    struct kd_problems *problems)
{
    *config = (struct kd_config){
        .block = json_incref(block), .base_dir = kd_strdup(base_dir), .seed = -1};
    kd_options_check((const struct kd_option *const[]){kd_config_options, NULL}, block, "",
                     problems);
    if (!json_is_object(block))
        return;
    kd_loss_read(json_object_get(block, "loss"), &config->loss, &config->label_smoothing, problems);
    config->model = json_object_get(block, "model");
    read_data(config, problems);
    check_model(config, problems);
    read_optimizer(config, problems);
    read_update(config);
    read_length(config, problems);
    read_report(config, problems);
    read_checkpoint(config, problems);
    config->comm = kd_option_text(kd_config_options, config->block, "comm");
    config->device = kd_option_text(kd_config_options, config->block, "device");
    read_precision(config, problems);
    if (json_object_get(block, "seed"))
        config->seed = kd_option_int(kd_config_options, block, "seed");
}

void kd_config_release(struct kd_config *config)
{
    kd_schedule_free(config->schedule);
    free(config->base_dir);
    json_decref(config->block);
    *config = (struct kd_config){0};
}

struct kd_input kd_config_input(const struct kd_data_shape *shape)
{
    bool tokens = shape->vocabulary > 0;
    return (struct kd_input){.shape = shape->shape,
                             .tokens = tokens,
                             .vocabulary = shape->vocabulary,
                             .n_outputs =
                                 shape->n_targets ? shape->n_targets : shape->max_label + 1,
                             .positions = tokens ? shape->shape.dims[0] : 1};
}

int64_t kd_config_n_outputs(const struct kd_config *config, const struct kd_input *input,
                            struct kd_error *err)
{
    struct kd_model model = {0};
    if (kd_model_read(&model, config->model, input, err) < 0)
        return -1;
    struct kd_shape out = kd_model_out(&model);
    int64_t n = config->loss->classes ? kd_shape_last(out) : kd_shape_count(out);
    kd_model_release(&model);
    return n;
}

int kd_config_check_labels(int64_t n_outputs, int32_t max_label, const char *max_label_at,
                           struct kd_error *err)
{
    if (max_label < n_outputs)
        return 0;
    return kd_fail(err,
                   "%s: label %d is out of range: the model gives %lld outputs, so labels go from "
                   "0 to %lld",
                   max_label_at, max_label, (long long)n_outputs, (long long)n_outputs - 1);
}
