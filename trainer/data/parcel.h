/* parcel.h - what a batch is made of, filled by the host and given to a device in one copy: small
 * arrays, or its samples.
 *
 * Of a host device the arrays are its memory, and nothing is copied. Else there are several images
 * of them in pinned memory, so that the host fills one while the device may still be reading those
 * before. */
#ifndef KD_TRAINER_PARCEL_H
#define KD_TRAINER_PARCEL_H

#include "coordinator/base/arr.h"
#include "kernels/device.h"
#include "trainer/data/lane.h"
#include "trainer/models/plan.h"

enum { KD_PARCEL_IMAGES = 4 };

struct kd_parcel {
    const struct kd_device *device; /* borrowed */
    char *memory;                   /* the device's */
    char *images[KD_PARCEL_IMAGES]; /* the host's; of a host device NULL */
    int first_mark; /* of the plan's; a parcel has KD_PARCEL_IMAGES of them to itself */
    size_t bytes;
    int64_t n_sent;
    bool is_large; /* it goes by a lane of its own */
    struct kd_lane lane;
};

/* is_large: it is worth copying beside the plan's work, and not in its order. */
void kd_parcel_init(struct kd_parcel *parcel, const struct kd_device *device, int first_mark,
                    bool is_large);
void kd_parcel_release(struct kd_parcel *parcel);

/* Room for so many bytes; what was in it is lost if there was less. Arrays begin at multiples of
 * KD_PARCEL_ALIGNMENT. */
enum { KD_PARCEL_ALIGNMENT = 64 };
void kd_parcel_need(struct kd_parcel *parcel, size_t bytes);

/* From now on through this plan's queue, which may be a new one. */
void kd_parcel_restart(struct kd_parcel *parcel, struct kd_plan *plan);

/* Where the host writes what it sends next. plan: whose queue it goes through; NULL with a host
 * device only. */
char *kd_parcel_open(struct kd_parcel *parcel, struct kd_plan *plan);

/* The first `bytes` of it to parcel->memory, there for what the queue is given from now on. */
void kd_parcel_send(struct kd_parcel *parcel, struct kd_plan *plan, size_t bytes);

#endif
