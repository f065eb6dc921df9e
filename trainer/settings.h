/* settings.h - what a training is by its configuration, kept in its checkpoints, and what of it has
 * changed since.
 *
 * How long it is, how it reports, where it saves and on how many ranks it runs is no part of it.
 * Everything stands there with its value, so that writing a default down changes nothing. */
#ifndef KD_TRAINER_SETTINGS_H
#define KD_TRAINER_SETTINGS_H

#include "coordinator/base/str.h"
#include "trainer/config.h"

/* A new reference. */
json_t *kd_settings_of(const struct kd_config *config);

/* there: of a checkpoint; now: kd_settings_of(config). Adds a line "optimizer.lr: 0.1 -> 0.2" for
 * each difference: to *other what makes it another training (data, model, loss, batch size), to
 * *changed what only changes its steps from now on. Two paths to one file are the same. Neither
 * gets longer than a message may be. */
void kd_settings_compare(const json_t *there, const json_t *now, const struct kd_config *config,
                         struct kd_str *other, struct kd_str *changed);

#endif
