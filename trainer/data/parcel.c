#include "trainer/data/parcel.h"

#include <stdlib.h>

#include "coordinator/base/mem.h"

void kd_parcel_init(struct kd_parcel *parcel, const struct kd_device *device, int first_mark)
{
    *parcel = (struct kd_parcel){.device = device, .first_mark = first_mark};
}

void kd_parcel_release(struct kd_parcel *parcel)
{
    for (int i = 0; i < KD_PARCEL_IMAGES; i++)
        if (parcel->images[i]) {
            parcel->device->unpin(parcel->images[i]);
            free(parcel->images[i]);
        }
    if (parcel->memory)
        parcel->device->free(parcel->memory);
    kd_parcel_init(parcel, parcel->device, parcel->first_mark);
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
    parcel->bytes = bytes;
    parcel->memory = parcel->device->alloc(bytes);
    if (!parcel->device->is_host)
        make_images(parcel);
}

void kd_parcel_restart(struct kd_parcel *parcel, struct kd_plan *plan)
{
    if (plan)
        kd_plan_wait(plan); /* the images may still be read from */
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

void kd_parcel_send(struct kd_parcel *parcel, struct kd_plan *plan, size_t bytes)
{
    if (parcel->device->is_host)
        return;
    parcel->device->copy_in(kd_plan_queue(plan), parcel->memory, parcel->images[image_of(parcel)],
                            bytes);
    kd_plan_mark(plan, parcel->first_mark + image_of(parcel));
    parcel->n_sent++;
}
