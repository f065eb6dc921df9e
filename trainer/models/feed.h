/* feed.h - the ops that make a batch's arrays on the device out of what the host has sent: what a
 * loader gives a plan, which does them before the forward pass, and records them with it.
 *
 * Two feeds are the same when all arguments of their ops are: then one may be replayed for the
 * other. */
#ifndef KD_TRAINER_FEED_H
#define KD_TRAINER_FEED_H

#include <stdbool.h>

#include "kernels/ops.h"

enum { KD_FEED_MAX = 8 };

struct kd_feed {
    struct kd_call calls[KD_FEED_MAX]; /* bytes between arguments are 0: they compare as memory */
    int n;
};

/* The next op, its arguments all zero, to be filled one by one: a whole struct assigned would bring
 * any bytes between its members. */
struct kd_call *kd_feed_add(struct kd_feed *feed, enum kd_op op);

bool kd_feed_is_same(const struct kd_feed *a, const struct kd_feed *b);
void kd_feed_run(const struct kd_feed *feed, const struct kd_ops *ops, struct kd_queue *queue);

#endif
