/* plan_aside.h - what nobody waits for until a step's end, beside what others wait for: gradients
 * of weights while the gradients of layers go on, the zeroing of the loss's sums, the look at the
 * gradients beside the update.
 *
 *     queue:   ... loss | dx of 2 | dx of 1 |                  | update |
 *     aside:              weights of 2 | weights of 1 | (join)   look    (join)
 *
 * Small kernels take about as long to begin as to run, so that a step is as long as its longest
 * chain. On a device that records, a step's branches become those of one graph (plan_step.h). The
 * calls and what they compute are the same as one after the other.
 *
 * A call goes aside after all that the queue was given before (a fork). The queue waits for those
 * aside (a join) before a step that writes to a buffer that one of them still reads, before sums
 * over the ranks, and before the loss. */
#ifndef KD_TRAINER_PLAN_ASIDE_H
#define KD_TRAINER_PLAN_ASIDE_H

#include <stdbool.h>

#include "kernels/device.h"

struct kd_plan;
struct kd_pass;

enum { KD_ASIDE_MARK = KD_MARKS - 1 }; /* of the plan's queue */

struct kd_aside {
    struct kd_queue *queue; /* owned; NULL: there is none, and all is done in order */
    bool is_level;          /* after all that the plan's queue was given */
    bool is_out;            /* the plan's queue has not waited for it yet */
};

/* Says which steps of a pass are joins. */
void kd_pass_find_joins(struct kd_pass *pass, const struct kd_plan *plan);

/* The pass's steps on both queues, which are joined at the end. */
void kd_pass_run_aside(struct kd_plan *plan, struct kd_pass *pass);

/* One more call aside, and a join: what the plan's queue is given next begins after all of it. */
void kd_plan_call_aside(struct kd_plan *plan, const struct kd_call *call);
void kd_plan_join(struct kd_plan *plan);

#endif
