/* loss.h - what is minimised: the registry of losses (losses.def), and the `loss:` field, a name or
 * {name: ..., labelSmoothing: ...}. */
#ifndef KD_TRAINER_LOSS_H
#define KD_TRAINER_LOSS_H

#include "trainer/models/plan.h"
#include "trainer/option.h"

struct kd_loss_kind {
    const char *name, *summary;
    enum kd_loss loss;
    bool classes;  /* labels; else targets */
    bool accuracy; /* hits are counted */
    bool shares;   /* targets lie in 0 .. 1 */
};

extern const struct kd_loss_kind kd_losses[]; /* losses.def; ends with a NULL name */

extern const struct kd_option kd_loss_options[]; /* of the long form */

/* given: the field, or NULL. Adds what is wrong with it; *loss is one of kd_losses in any case. */
void kd_loss_read(const json_t *given, const struct kd_loss_kind **loss, float *label_smoothing,
                  struct kd_problems *problems);

#endif
