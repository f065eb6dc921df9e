/* expand.h - a model's list with its repeats written out: how a tuned depth becomes layers.
 *
 *     - repeat: {times: "${depth}", layers: [{linear: {units: 64}}, {relu: {}}]}
 *
 * stands for its layers, `times` times over; repeats may be nested. Everything else in the list is passed on as it is,
 * unread, with the place it was written at for messages. */
#ifndef KD_TRAINER_EXPAND_H
#define KD_TRAINER_EXPAND_H

#include <jansson.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/error.h"

enum { KD_ENTRY_AT_MAX = 192, KD_REPEAT_TIMES_MAX = 1000, KD_ENTRIES_MAX = 10000 };

struct kd_entry {
    const json_t *layer;      /* borrowed from the list */
    char at[KD_ENTRY_AT_MAX]; /* JSON pointer of where it is written: "/model/0/repeat/layers/1" */
};
typedef KD_ARR(struct kd_entry) kd_entries;

/* list: the `model:` block. -1: the text starts with a JSON pointer ("/model/0/repeat/times: ..."); entries is empty. */
int kd_model_expand(const json_t *list, kd_entries *entries, struct kd_error *err);

#endif
