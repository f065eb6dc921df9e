#include "trainer/data/lane.h"

void kd_lane_restart(struct kd_lane *lane)
{
    for (int i = 0; i < KD_LANDINGS; i++)
        lane->marks[i] = -1;
}

int kd_lane_open(struct kd_lane *lane, struct kd_plan *plan, const struct kd_device *device,
                 size_t bytes, struct kd_error *err)
{
    *lane = (struct kd_lane){0};
    if (kd_plan_open_beside(plan, &lane->queue, err) < 0)
        return -1;
    lane->device = device;
    for (int i = 0; i < KD_LANDINGS; i++)
        lane->landings[i] = device->alloc(bytes);
    kd_lane_restart(lane);
    return 0;
}

void kd_lane_close(struct kd_lane *lane)
{
    if (!lane->device)
        return;
    lane->device->close(lane->queue); /* when its copies are done */
    for (int i = 0; i < KD_LANDINGS; i++)
        lane->device->free(lane->landings[i]);
    *lane = (struct kd_lane){0};
}

/* The landing that was used longest ago is always the other one. */
static int next_landing(struct kd_lane *lane)
{
    lane->at = (lane->at + 1) % KD_LANDINGS;
    return lane->at;
}

void kd_lane_send(struct kd_lane *lane, struct kd_plan *plan, void *to, const void *from,
                  size_t bytes, int mark)
{
    const struct kd_device *device = lane->device;
    int at = next_landing(lane);
    if (lane->marks[at] >= 0)
        kd_plan_is_waited_for(plan, lane->queue, lane->marks[at]);
    device->copy_in(lane->queue, lane->landings[at], from, bytes);
    device->mark(lane->queue, at);
    device->wait_for(kd_plan_queue(plan), lane->queue, at);
    int64_t floats = (int64_t)((bytes + sizeof(float) - 1) / sizeof(float));
    struct kd_call move = KD_CALL(copy, .x = lane->landings[at], .y = to, .n = floats);
    kd_call_run(&move, device->ops, kd_plan_queue(plan));
    kd_plan_mark(plan, mark);
    lane->marks[at] = mark;
}
