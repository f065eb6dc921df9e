/* loop_gpus.c - what attempts make of their GPUs: written down beside the journal, never into it. The study hears nothing of it. */
#include "coordinator/loop_internal.h"

enum { SETTLE_MS = 1000 };

void kd_loop_open_gpus(struct kd_loop *loop)
{
    if (loop->study->need.gpus > 0)
        loop->gpus.watch = kd_gpu_watch_start(loop->machine.gpus, loop->machine.n_gpus);
}

static bool is_held(const struct kd_loop *loop, int64_t fence, size_t *at)
{
    for (*at = 0; *at < loop->gpus.held.n; ++*at)
        if (loop->gpus.held.items[*at] == fence)
            return true;
    return false;
}

static int begin(struct kd_loop *loop, const struct kd_attempt *attempt)
{
    const struct kd_slots *slots = kd_study_find_gang(loop->study, attempt->gang)->slots;
    int result = 0;
    for (int i = 0; i < slots->n_gpus && result == 0; i++) {
        const struct kd_gpu *gpu = &loop->machine.gpus[slots->gpus[i]];
        result = kd_store_add_attempt_gpu(loop->store, attempt->fence, i, gpu->index, gpu->uuid,
                                          loop->err);
    }
    kd_arr_push(&loop->gpus.held, attempt->fence);
    kd_gpu_watch_hold(loop->gpus.watch, attempt->fence, slots->gpus, slots->n_gpus);
    return result;
}

int kd_loop_note_gpus(struct kd_loop *loop, const struct kd_attempt *attempt)
{
    size_t at;
    bool is_live = attempt->state == KD_ATTEMPT_LAUNCHING || attempt->state == KD_ATTEMPT_LIVE ||
                   attempt->state == KD_ATTEMPT_STOPPING;
    if (loop->study->need.gpus == 0 || is_held(loop, attempt->fence, &at) == is_live)
        return 0; /* or one of a coordinator before, which nobody measured */
    if (is_live)
        return begin(loop, attempt);
    loop->gpus.held.items[at] = loop->gpus.held.items[--loop->gpus.held.n];
    kd_gpu_watch_release(loop->gpus.watch, attempt->fence);
    return 0;
}

int kd_loop_read_gpus(struct kd_loop *loop)
{
    struct kd_gpu_measured measured;
    int result = 0;
    while (result == 0 && kd_gpu_watch_take(loop->gpus.watch, &measured)) {
        result = kd_loop_begin(loop);
        if (result == 0)
            result = kd_store_save_gpu_usage(loop->store, measured.fence, measured.i,
                                             &measured.usage, loop->err);
    }
    return result;
}

int kd_loop_settle_gpus(struct kd_loop *loop)
{
    kd_gpu_watch_settle(loop->gpus.watch, SETTLE_MS);
    return kd_loop_read_gpus(loop);
}

void kd_loop_close_gpus(struct kd_loop *loop)
{
    kd_gpu_watch_stop(loop->gpus.watch);
    kd_arr_release(&loop->gpus.held);
}
