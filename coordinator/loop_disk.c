/* loop_disk.c - a disk that stays full. What trials print waits for room (their supervisors hold
 * it), so they stand still, and where nothing else is to be saved the run would wait with them for
 * ever. */
#include "coordinator/base/clock.h"
#include "coordinator/loop_internal.h"
#include "coordinator/store/place.h"

enum { LEAST_BYTES = 4096 };
static const int64_t LOOK_US = 1000000, PATIENCE_US = 10000000;

int kd_loop_watch_disk(struct kd_loop *loop)
{
    struct kd_loop_disk *disk = &loop->disk;
    int64_t now = kd_clock_mono_us();
    if (now - disk->looked_us < LOOK_US)
        return 0;
    disk->looked_us = now;
    int64_t free_bytes = kd_place_free_bytes(kd_store_path(loop->store)); /* -1: unknown */
    bool is_full = free_bytes >= 0 && free_bytes < LEAST_BYTES;
    if (!is_full)
        disk->full_us = 0;
    else if (disk->full_us == 0)
        disk->full_us = now;
    if (!is_full || now - disk->full_us < PATIENCE_US)
        return 0;
    return kd_fail(loop->err,
                   "%s: the disk has been full for %d s, and trials wait to write their output: "
                   "free some space and run it again; it goes on where it was",
                   kd_store_path(loop->store), (int)(PATIENCE_US / 1000000));
}
