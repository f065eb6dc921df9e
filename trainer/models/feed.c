#include "trainer/models/feed.h"

#include <string.h>

#include "coordinator/base/error.h"

struct kd_call *kd_feed_add(struct kd_feed *feed, enum kd_op op)
{
    kd_assert(feed->n < KD_FEED_MAX);
    struct kd_call *call = &feed->calls[feed->n++];
    memset(call, 0, sizeof *call);
    call->op = op;
    return call;
}

bool kd_feed_is_same(const struct kd_feed *a, const struct kd_feed *b)
{
    return a->n == b->n && memcmp(a->calls, b->calls, (size_t)a->n * sizeof *a->calls) == 0;
}

void kd_feed_run(const struct kd_feed *feed, const struct kd_ops *ops, struct kd_queue *queue)
{
    for (int i = 0; i < feed->n; i++)
        kd_call_run(&feed->calls[i], ops, queue);
}
