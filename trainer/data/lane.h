/* lane.h - a way to a device beside the plan's queue: what is large is copied there while the
 * device is still at work on the batches before, and moved to its place, in the queue's order, when
 * it has come.
 *
 *     lane:           copy to landing 0       copy to landing 1       copy to landing 0 ...
 *     plan's queue:              move from landing 0     move from landing 1 ...
 *
 * A landing is copied to again when what was in it has been moved. Nobody waits but the two queues
 * for each other. */
#ifndef KD_TRAINER_LANE_H
#define KD_TRAINER_LANE_H

#include "trainer/models/plan.h"

enum { KD_LANDINGS = 2 };

struct kd_lane {
    const struct kd_device *device; /* borrowed; NULL: not opened */
    struct kd_queue *queue;         /* its own */
    float *landings[KD_LANDINGS];   /* memory of the device */
    int marks[KD_LANDINGS]; /* of the plan's: what was in it last has been moved; -1: nothing was */
    int at;                 /* the landing that was used last */
};

/* For up to so many bytes at a time. -1 and err: the device takes no further queue. */
int kd_lane_open(struct kd_lane *lane, struct kd_plan *plan, const struct kd_device *device,
                 size_t bytes, struct kd_error *err);
void kd_lane_close(struct kd_lane *lane); /* also one that was not opened */

/* The plan is another one, and has done all that the one before was given. */
void kd_lane_restart(struct kd_lane *lane);

/* From pinned memory of the host to `to`, which has room for whole floats. mark: of the plan's;
 * passed when it is there, so that the host's memory may be filled anew. */
void kd_lane_send(struct kd_lane *lane, struct kd_plan *plan, void *to, const void *from,
                  size_t bytes, int mark);

#endif
