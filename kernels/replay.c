#include "kernels/replay.h"

/* The device may not do what was recorded, as it was for another precision: then all begins
 * anew. */
static bool replayed(struct kd_replay *replay, const struct kd_device *device,
                     struct kd_queue *queue)
{
    if (!replay->recording)
        return false;
    if (device->replay(queue, replay->recording))
        return true;
    kd_replay_drop(replay, device);
    return false;
}

bool kd_replay_begin(struct kd_replay *replay, const struct kd_device *device,
                     struct kd_queue *queue)
{
    if (replayed(replay, device, queue))
        return false;
    replay->is_recording = replay->is_warm && device->record(queue);
    return true;
}

void kd_replay_end(struct kd_replay *replay, const struct kd_device *device, struct kd_queue *queue)
{
    replay->is_warm = true;
    if (!replay->is_recording)
        return;
    replay->is_recording = false;
    replay->recording = device->end_record(queue);
    device->replay(queue, replay->recording);
}

void kd_replay_drop(struct kd_replay *replay, const struct kd_device *device)
{
    if (replay->recording)
        device->free_recording(replay->recording);
    *replay = (struct kd_replay){0};
}
