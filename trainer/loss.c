#include "trainer/loss.h"

const struct kd_loss_kind kd_losses[] = {
#define KD_LOSS(name, constant, classes, accuracy, shares, summary)                                \
    {name, summary, constant, classes, accuracy, shares},
#include "trainer/losses.def"
#undef KD_LOSS
    {0},
};

static const char *const loss_names[] = {
#define KD_LOSS(name, constant, classes, accuracy, shares, summary) name,
#include "trainer/losses.def"
#undef KD_LOSS
    NULL,
};

const struct kd_option kd_loss_options[] = {
    {.name = "name",
     .kind = KD_OPTION_CHOICE,
     .required = true,
     .choices = loss_names,
     .help = "which loss"},
    {.name = "labelSmoothing",
     .kind = KD_OPTION_NUMBER,
     .fallback = "0",
     .min = 0,
     .max = 1,
     .help = "crossEntropy: share of the target that goes to all classes alike, while training"},
    {0},
};

static const struct kd_option name_options[] = {
    {.name = "loss", .kind = KD_OPTION_CHOICE, .choices = loss_names},
    {0},
};

static void refuse_for_targets(const struct kd_loss_kind *loss, const json_t *block,
                               struct kd_problems *problems)
{
    if (!loss->classes && json_object_get(block, "labelSmoothing"))
        kd_problems_add(problems, "/loss/labelSmoothing",
                        "%s has no labels; this goes with crossEntropy", loss->name);
}

static void read_block(const json_t *block, const struct kd_loss_kind **loss,
                       float *label_smoothing, struct kd_problems *problems)
{
    if (!kd_options_check((const struct kd_option *const[]){kd_loss_options, NULL}, block, "/loss",
                          problems))
        return;
    *loss = &kd_losses[kd_option_choice(kd_loss_options, block, "name")];
    *label_smoothing = (float)kd_option_number(kd_loss_options, block, "labelSmoothing");
    refuse_for_targets(*loss, block, problems);
}

/* The name alone is the whole block where nothing else is to be said. */
static void read_name(const json_t *given, const struct kd_loss_kind **loss,
                      struct kd_problems *problems)
{
    json_t *block = json_pack("{s:O}", "loss", given);
    if (kd_options_check((const struct kd_option *const[]){name_options, NULL}, block, "",
                         problems))
        *loss = &kd_losses[kd_option_choice(name_options, block, "loss")];
    json_decref(block);
}

void kd_loss_read(const json_t *given, const struct kd_loss_kind **loss, float *label_smoothing,
                  struct kd_problems *problems)
{
    *loss = &kd_losses[0];
    *label_smoothing = 0;
    if (json_is_object(given))
        read_block(given, loss, label_smoothing, problems);
    else if (given)
        read_name(given, loss, problems);
}
