#include "trainer/data/parcel.h"

#include <stdlib.h>

#include "coordinator/base/log.h"
#include "coordinator/base/mem.h"

void kd_parcel_init(struct kd_parcel *parcel, const struct kd_device *device, int first_mark,
                    bool is_large)
{
    *parcel = (struct kd_parcel){.device = device, .first_mark = first_mark, .is_large = is_large};
}

void kd_parcel_release(struct kd_parcel *parcel)
{
    kd_lane_close(&parcel->lane);
    for (int i = 0; i < KD_PARCEL_IMAGES; i++)
        if (parcel->images[i]) {
            parcel->device->unpin(parcel->images[i]);
            free(parcel->images[i]);
        }
    if (parcel->memory)
        parcel->device->free(parcel->memory);
    kd_parcel_init(parcel, parcel->device, parcel->first_mark, parcel->is_large);
}

static void make_images(struct kd_parcel *parcel)
{
    for (int i = 0; i < KD_PARCEL_IMAGES; i++) {
        parcel->images[i] = kd_alloc_aligned(KD_PAGE, parcel->bytes);
        parcel->device->pin(parcel->images[i], parcel->bytes);
    }
}

void kd_parcel_need(struct kd_parcel *parcel, size_t bytes)
{
    if (bytes <= parcel->bytes)
        return;
    kd_parcel_release(parcel);
    parcel->bytes = (bytes + KD_PARCEL_ALIGNMENT - 1) / KD_PARCEL_ALIGNMENT * KD_PARCEL_ALIGNMENT;
    parcel->memory = parcel->device->alloc(parcel->bytes);
    if (!parcel->device->is_host)
        make_images(parcel);
}

void kd_parcel_restart(struct kd_parcel *parcel, struct kd_plan *plan)
{
    if (plan)
        kd_plan_wait(plan); /* the images may still be read from */
    kd_lane_restart(&parcel->lane);
    parcel->n_sent = 0;
}

static int image_of(const struct kd_parcel *parcel)
{
    return (int)(parcel->n_sent % KD_PARCEL_IMAGES);
}

char *kd_parcel_open(struct kd_parcel *parcel, struct kd_plan *plan)
{
    if (parcel->device->is_host)
        return parcel->memory;
    if (parcel->n_sent >= KD_PARCEL_IMAGES)
        kd_plan_wait_mark(plan, parcel->first_mark + image_of(parcel));
    return parcel->images[image_of(parcel)];
}

/* A device that has no queue to spare copies in the plan's order, which is slower and as right. */
static bool has_lane(struct kd_parcel *parcel, struct kd_plan *plan)
{
    struct kd_error err;
    if (!parcel->is_large || parcel->lane.device)
        return parcel->is_large;
    parcel->is_large = kd_lane_open(&parcel->lane, plan, parcel->device, parcel->bytes, &err) == 0;
    if (!parcel->is_large)
        kd_warn("samples are sent between steps, not beside them: %s", err.text);
    return parcel->is_large;
}

void kd_parcel_send(struct kd_parcel *parcel, struct kd_plan *plan, size_t bytes)
{
    const char *image = parcel->images[image_of(parcel)];
    int mark = parcel->first_mark + image_of(parcel);
    if (parcel->device->is_host)
        return;
    if (has_lane(parcel, plan)) {
        kd_lane_send(&parcel->lane, plan, parcel->memory, image, bytes, mark);
    } else {
        parcel->device->copy_in(kd_plan_queue(plan), parcel->memory, image, bytes);
        kd_plan_mark(plan, mark);
    }
    parcel->n_sent++;
}
