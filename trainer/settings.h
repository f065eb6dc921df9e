/* settings.h - what a training is by its configuration, kept in its checkpoints, and what of it has changed since.
 *
 * How long it is, how it reports, where it saves and on how many ranks it runs is no part of it. */
#ifndef KD_TRAINER_SETTINGS_H
#define KD_TRAINER_SETTINGS_H

#include "coordinator/base/str.h"
#include "trainer/config.h"

/* Defaults filled in, so that writing one down changes nothing. A new reference. */
json_t *kd_settings_of(const struct kd_config *config);

/* Adds a line break and "optimizer.lr: 0.1 -> 0.2" for each difference: to *other what makes it another training (data,
 * model, loss, batch size), to *changed what only changes its steps from now on. */
void kd_settings_compare(const json_t *there, const json_t *now, struct kd_str *other,
                         struct kd_str *changed);

#endif
