/* collective.h - sums over the GPUs of a gang whose ranks each have one of their own: what a
 * device's library offers for them.
 *
 * Every call but make_id is made by all ranks, alike and in the same order, each rank by the thread
 * that opened its device. Sums and gathers lie on a queue of that device like ops: what is queued
 * behind them finds their results. They take place in device memory, and they cannot fail by
 * themselves: after a failure they do nothing, and wait tells of it. So a caller asks `wait` and
 * not the device's own wait, which for a rank that is gone would not return; nor would a copy out
 * to memory that is not pinned, so wait comes before those.
 *
 * On a queue that records (device.h) they are recorded, and take place whenever that is replayed:
 * on all ranks alike. Then the recordings are freed before close. A replay after a failure does
 * nothing, its ops neither.
 *
 * Where the library's own end hangs, in an open that fails, in close or abort, a thread in it is
 * left behind, and the caller told. What was summed before is right, the ranks can sum in another
 * way, and the process can go on to its end, which should not be by exit(), as that might wait for
 * the thread. In the middle, in wait or a sum, the process ends where it hangs.
 *
 * Whether two ranks share a GPU, and which sets of ranks keep their collective for the next trial,
 * is the caller's business. */
#ifndef KD_KERNELS_COLLECTIVE_H
#define KD_KERNELS_COLLECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"

struct kd_queue;
struct kd_collective;

/* What the ranks of one collective have in common: bytes that rank 0 makes and the caller brings to
 * the others. */
struct kd_collective_id {
    char bytes[128];
};

struct kd_collective_options {
    struct kd_collective_id id;
    int rank, size;
    /* Above 0: that open, one call of wait, the queueing of one sum, and close may take. */
    double deadline_s;
    /* Asked now and then while open waits for the other ranks; true: one of them will not come.
     * NULL: nobody knows. */
    bool (*is_in_vain)(void *ud);
    void *ud;
    bool *leaves_a_thread; /* set by an open that fails and leaves one behind; or NULL */
};

struct kd_collectives {
    const char *name, *summary;

    /* For one open by all ranks. NULL: no id, but whether this machine could make one and open it;
     * an id for which no ranks come costs a thread and a port until the process ends. -1: what is
     * missing on this machine, and what to do. */
    int (*make_id)(struct kd_collective_id *id, struct kd_error *err);

    /* Returns when all ranks have come. -1: text; nothing is left open, but maybe a thread
     * (options->leaves_a_thread, and the text), and the other ranks fail when they learn that it is
     * in vain, or when their deadline has passed. */
    int (*open)(struct kd_collective **collective, const struct kd_collective_options *options,
                struct kd_error *err);
    /* Waits for all ranks to close, and for what is queued. -1: text, also of a failure that wait
     * has told before. It is closed in any case, but may leave a thread behind. NULL is fine. */
    int (*close)(struct kd_collective *collective, struct kd_error *err);
    /* Ends it without the other ranks. -1: text; it is ended too, but leaves a thread behind. */
    int (*abort)(struct kd_collective *collective, struct kd_error *err);

    /* values[0 .. n): the sums over the ranks, for all of them. Queued when it returns, not done;
     * the first one, and one whose connections are new, may take as long as these take to be
     * made. */
    void (*sum_floats)(struct kd_collective *collective, struct kd_queue *queue, float *values,
                       int64_t n);
    void (*sum_doubles)(struct kd_collective *collective, struct kd_queue *queue, double *values,
                        int64_t n);
    /* all[at .. at + n), but rank r gets only what of it lies in its share,
     * [n_all * r / size, n_all * (r + 1) / size); elsewhere in the stretch anything may stand afterwards. Fastest for the
     * whole of `all` where size divides n_all. */
    void (*sum_of_shares)(struct kd_collective *collective, struct kd_queue *queue, float *all,
                          int64_t n_all, int64_t at, int64_t n);
    /* all[0 .. n_all): each rank's own share, as above, goes to all ranks. Fastest where size
     * divides n_all. */
    void (*gather)(struct kd_collective *collective, struct kd_queue *queue, float *all,
                   int64_t n_all);

    /* Until all is done that was queued on `queue` before its mark (device.h), -1: before now.
     * Returns -1: an error, or the deadline has passed; the collective is aborted then, on this
     * rank, and good for nothing but close; where recordings have sums of it, it is left as it is,
     * as an abort would wait for those. The text has the last collectives, oldest first: number,
     * kind, elements, bytes, milliseconds since they were issued. Where even the abort hangs the
     * process ends, with the text on stderr. */
    int (*wait)(struct kd_collective *collective, struct kd_queue *queue, int mark,
                struct kd_error *err);
};

#endif
