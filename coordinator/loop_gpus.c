/* loop_gpus.c - the GPUs while trials run: those that fail, which the study must hear of (an
 * event), and what attempts make of theirs, which it must not (rows beside the journal). */
#include <stdlib.h>

#include "coordinator/base/clock.h"
#include "coordinator/loop_internal.h"

enum { SETTLE_MS = 1000 };
static const int64_t LOOK_PATIENCE_US = 2000000;

/* ---- what attempts make of them ---- */

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

/* ---- errors ---- */

/* "GPU 1 (GPU-5748...) failed: Xid 79, GPU has fallen off the bus"; owned. */
static char *describe(const struct kd_gpu *gpu, const struct kd_gpu_fault *fault)
{
    int xid = fault->xid;
    const char *what = kd_xid_effect(xid) == KD_XID_FAILS ? "failed" : "reported an error";
    if (xid == KD_XID_LOST)
        return kd_format("GPU %d (%s) failed: %s", gpu->index, gpu->uuid, kd_xid_meaning(xid));
    if (xid >= KD_SXID_LEAST)
        return kd_format("GPU %d (%s) is of no more use: %s", gpu->index, gpu->uuid, fault->text);
    return kd_format("GPU %d (%s) %s: Xid %d, %s", gpu->index, gpu->uuid, what, xid,
                     kd_xid_meaning(xid));
}

static const char *const consequences[] = {
    [KD_XID_SILENT] = "",
    [KD_XID_OWN] = "that is the program's own doing, the GPU goes on",
    [KD_XID_NOTED] = "the GPU goes on",
    [KD_XID_SPOILS] = "what ran there is run again, the GPU goes on",
    [KD_XID_FAILS] = "no trial gets it any more in this run",
};

/* The same error again, of a program that is tried again and again, is told once. */
static void tell_person(struct kd_loop *loop, const struct kd_gpu_fault *fault, const char *text,
                        const char *consequence)
{
    for (size_t i = 0; i < loop->gpus.told.n; i++)
        if (loop->gpus.told.items[i].gpu == fault->gpu &&
            loop->gpus.told.items[i].xid == fault->xid)
            return;
    kd_arr_push(&loop->gpus.told, *fault);
    kd_loop_note(loop, "%s: %s", text, consequence);
}

static int report_fault(struct kd_loop *loop, const struct kd_gpu_fault *fault)
{
    if (fault->gpu == KD_NO_GPU) {
        tell_person(loop, fault, fault->text, "the GPUs go on; one that it hits says so by an Xid");
        return 0;
    }
    const struct kd_gpu *gpu = &loop->machine.gpus[fault->gpu];
    enum kd_xid_effect effect = kd_xid_effect(fault->xid);
    if (loop->study->pool.is_drained[fault->gpu] || effect == KD_XID_SILENT)
        return 0; /* one error brings others with it */
    char *text = describe(gpu, fault);
    struct kd_event event = {.kind = KD_EVENT_GPU_FAILED,
                             .at = kd_loop_now(loop),
                             .gpu = fault->gpu,
                             .xid = fault->xid,
                             .is_of_use = effect == KD_XID_SPOILS,
                             .uuid = gpu->uuid,
                             .text = text};
    bool is_failure = effect == KD_XID_SPOILS || effect == KD_XID_FAILS;
    tell_person(loop, fault, text, consequences[effect]);
    int result = is_failure ? kd_loop_deliver(loop, &event) : 0;
    free(text);
    return result;
}

/* The driver hangs, maybe for good: it is waited for once, not at the end of every gang. */
static void give_up_on(struct kd_loop *loop, int64_t look)
{
    if (loop->gpus.missed == 0)
        kd_loop_note(
            loop,
            "the NVIDIA driver has not answered for %d s: until it does, GPUs that fail are "
            "not noticed and nothing is measured",
            (int)(LOOK_PATIENCE_US / 1000000));
    loop->gpus.missed = look;
}

bool kd_loop_awaits_gpus(struct kd_loop *loop, struct kd_live_gang *gang)
{
    int64_t now = kd_clock_mono_us();
    if (loop->gpus.watch == NULL)
        return false;
    if (gang->look == 0) {
        bool is_deaf = loop->gpus.looked < loop->gpus.missed;
        gang->look = kd_gpu_watch_look(loop->gpus.watch);
        gang->look_until_us = is_deaf ? now : now + LOOK_PATIENCE_US;
    }
    if (loop->gpus.looked >= gang->look)
        return false;
    if (now < gang->look_until_us)
        return true;
    give_up_on(loop, gang->look);
    return false;
}

/* ---- both ---- */

static int write_measured(struct kd_loop *loop)
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

/* What was looked at is asked before the errors are taken: then all of them until that look are. */
int kd_loop_read_gpus(struct kd_loop *loop)
{
    struct kd_gpu_fault fault;
    int result = 0;
    int64_t looked = kd_gpu_watch_looked(loop->gpus.watch);
    while (result == 0 && kd_gpu_watch_take_fault(loop->gpus.watch, &fault))
        result = report_fault(loop, &fault);
    loop->gpus.looked = looked;
    return result == 0 ? write_measured(loop) : -1;
}

int kd_loop_settle_gpus(struct kd_loop *loop)
{
    kd_gpu_watch_settle(loop->gpus.watch, SETTLE_MS);
    return write_measured(loop);
}

void kd_loop_close_gpus(struct kd_loop *loop)
{
    kd_gpu_watch_stop(loop->gpus.watch);
    kd_arr_release(&loop->gpus.held);
    kd_arr_release(&loop->gpus.told);
}
