/* nccl.cu - the collectives of the CUDA device: a communicator of NCCL, and how long anything of it
 * may take.
 *
 * The communicator is non-blocking: a call that cannot be finished at once says "in progress", and
 * what has become of it is asked for until the deadline. So this thread is never inside NCCL when
 * it has to abort, and an abort while a call runs is what hangs (NVIDIA/nccl#1677). Finding the
 * library is nccl_library.h's, what an abort may take nccl_watchdog.h's, the sums are
 * nccl_sums.cu's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/cuda/memory.h"
#include "kernels/cuda/nccl_comm.h"

extern "C" {
#include "coordinator/base/clock.h"
#include "coordinator/base/str.h"
#include "kernels/cuda/nccl_watchdog.h"
}

/* ---- time */

static int64_t deadline_of(const struct kd_collective *c)
{
    return kd_clock_mono_us() + (int64_t)(c->deadline_s * 1e6);
}

/* Between two questions: most answers come within some microseconds, for which a sleep would be too
 * long. */
static void rest(int n_asked)
{
    const struct timespec nap = {0, 50000};
    if (n_asked > 200)
        nanosleep(&nap, NULL);
}

/* ---- failing */

/* One of NCCL's calls that free a communicator. What it returns changes nothing: the communicator
 * is gone. */
struct freeing {
    int (*call)(struct kd_nccl_comm *);
    struct kd_nccl_comm *comm;
    const char *name;
    int gpu; /* of the communicator: the call's thread has to have it as its current one */
};

/* A fresh thread's current GPU is the first, where NCCL would make a context for every rank.
 * Returns what CUDA says to another one; without it the call is not made. */
static int make_call(void *argument)
{
    struct freeing freeing = *(struct freeing *)argument;
    free(argument);
    cudaError_t error = cudaSetDevice(freeing.gpu);
    if (error == cudaSuccess)
        freeing.call(freeing.comm);
    return error;
}

/* In the middle of a training the process ends: nothing on the GPU is of use any more, and a new
 * gang goes on from the checkpoint. */
static void free_or_end(struct kd_collective *c, struct freeing freeing, double limit_s)
{
    struct kd_nccl_watchdog *watchdog =
        kd_nccl_watchdog_start(limit_s, freeing.name, c->failure.text);
    freeing.call(freeing.comm);
    kd_nccl_watchdog_stop(watchdog);
}

/* Behind what failure says already. */
static void add_to_failure(struct kd_collective *c, const char *text)
{
    size_t length = strlen(c->failure.text);
    snprintf(c->failure.text + length, sizeof c->failure.text - length, "%s%s",
             length > 0 ? "\n" : "", text);
}

static void tell_of_leaving(struct kd_collective *c, const char *why)
{
    char text[400];
    snprintf(text, sizeof text,
             "NCCL: rank %d of %d %s: %s; it is left to the end of the process%s", c->rank, c->size,
             c->is_open ? "closes" : "joins", why,
             c->is_open ? ", and what was trained is not touched by it" : "");
    add_to_failure(c, text);
    c->has_failed = true;
    c->leaves_a_thread = true;
}

/* Before all have joined nothing is lost, and the ranks can sum without NCCL. At the end all that
 * was to be summed is, and told: that NCCL does not end must not make a failure of it. A
 * communicator that stays has NCCL's own threads, and counts as one in any case. */
static void free_or_leave(struct kd_collective *c, struct freeing freeing, double limit_s)
{
    char why[200];
    int error = cudaSuccess;
    struct freeing *argument = KD_NEW(struct freeing);
    *argument = freeing;
    if (!kd_nccl_call_within(limit_s, make_call, argument, &error))
        snprintf(why, sizeof why, "%s has not returned for %g s", freeing.name, limit_s);
    else if (error != cudaSuccess)
        snprintf(why, sizeof why, "%s is not called, as its thread cannot have GPU %d: %s",
                 freeing.name, freeing.gpu, cudaGetErrorString((cudaError_t)error));
    else
        return;
    tell_of_leaving(c, why);
}

/* They should be short: 5 s, or less where the deadline is short, are too long. */
static void release(struct kd_collective *c, struct freeing freeing)
{
    const double most_s = 5;
    double limit_s = 5 * c->deadline_s < most_s ? 5 * c->deadline_s : most_s;
    bool may_stay = c->is_closing || !c->is_open;
    (may_stay ? free_or_leave : free_or_end)(c, freeing, limit_s);
    c->comm = NULL;
}

/* An abort waits for the end of all graphs that have sums of the communicator (NCCL's
 * commDestroySync), which would be for ever here: with these, and while they are recorded, it is
 * left as it is, and the process has to end for the GPU to be free of it. */
static void abandon(struct kd_collective *c)
{
    if (c->comm && c->n_recorded == 0)
        release(c, {c->nccl->ncclCommAbort, c->comm, "ncclCommAbort", c->gpu});
    c->comm = NULL;
}

/* failure holds the reason. The record is added before the abort, which may be the last that this
 * process does. */
static int give_up(struct kd_collective *c)
{
    struct kd_str record = {};
    c->has_failed = true;
    kd_nccl_record_text(&c->record, kd_clock_mono_us(), &record);
    add_to_failure(c, kd_str_text(&record));
    kd_str_release(&record);
    abandon(c);
    return -1;
}

static const char *hint_of(int result)
{
    static const struct {
        int result;
        const char *hint;
    } hints[] = {
        {KD_NCCL_UNHANDLED_CUDA_ERROR, "with NCCL_DEBUG=WARN it says which CUDA call, and why"},
        {KD_NCCL_SYSTEM_ERROR, "with NCCL_DEBUG=WARN it says which system call, and why"},
        {KD_NCCL_INVALID_USAGE, "two ranks on one GPU, or calls that differ between ranks: NCCL "
                                "needs a GPU for each rank; "
                                "give each its own, or let those that share one sum without NCCL"},
        {KD_NCCL_REMOTE_ERROR, "another rank has ended, or its network has: its log says more"},
    };
    for (const auto &row : hints)
        if (row.result == result)
            return row.hint;
    return "with NCCL_DEBUG=WARN it says more";
}

/* NCCL's last error is its own text, empty where it has none; comm may be NULL. */
static int fail_result(const struct kd_nccl *nccl, struct kd_nccl_comm *comm, int result,
                       const char *call, struct kd_error *err)
{
    const char *last = nccl->ncclGetLastError(comm);
    return kd_fail(err, "%s: %s%s%.300s%s: %s", call, nccl->ncclGetErrorString(result),
                   last && *last ? " (" : "", last ? last : "", last && *last ? ")" : "",
                   hint_of(result));
}

static int name_rank(const struct kd_collective *c, struct kd_error *err)
{
    return kd_error_prefix(err, "NCCL: rank %d of %d", c->rank, c->size);
}

/* NCCL has no number for it, but says what its allocators found. */
static bool tells_of_memory(int result, const char *last)
{
    return result == KD_NCCL_UNHANDLED_CUDA_ERROR && last &&
           (strstr(last, "out of memory") || strstr(last, "Failed to CUDA"));
}

/* While the ranks come together it is none: they can still sum by way of the host. */
static void end_if_out_of_memory(const struct kd_collective *c, int result, const char *call)
{
    const char *last = c->nccl->ncclGetLastError(c->comm);
    char use[200];
    if (!c->is_open || !tells_of_memory(result, last))
        return;
    snprintf(use, sizeof use, "NCCL (%s: %.120s)", call, last);
    kd_cuda_end_out_of_memory(0, use);
}

static int fail_call(struct kd_collective *c, int result, const char *call)
{
    end_if_out_of_memory(c, result, call);
    fail_result(c->nccl, c->comm, result, call, &c->failure);
    name_rank(c, &c->failure);
    return give_up(c);
}

static int fail_deadline(struct kd_collective *c, const char *what)
{
    kd_fail(&c->failure,
            "%s is not done after %g s: a rank has ended, hangs or cannot be reached (with "
            "NCCL_DEBUG=INFO it says how the ranks are connected)",
            what, c->deadline_s);
    name_rank(c, &c->failure);
    return give_up(c);
}

static int tell(const struct kd_collective *c, struct kd_error *err)
{
    return kd_fail(err, "%s", c->failure.text);
}

static int fail_in_vain(struct kd_collective *c, const char *call)
{
    kd_fail(&c->failure, "%s waits in vain: another rank has failed before", call);
    name_rank(c, &c->failure);
    return give_up(c);
}

int kd_nccl_settle(struct kd_collective *c, int result, const char *call)
{
    const int64_t until = deadline_of(c);
    for (int n_asked = 0; result == KD_NCCL_IN_PROGRESS; n_asked++) {
        if (kd_clock_mono_us() > until)
            return fail_deadline(c, call);
        if (c->is_in_vain && c->is_in_vain(c->ud))
            return fail_in_vain(c, call);
        rest(n_asked);
        int asked = c->nccl->ncclCommGetAsyncError(c->comm, &result);
        if (asked != KD_NCCL_SUCCESS)
            return fail_call(c, asked, "ncclCommGetAsyncError");
    }
    return result == KD_NCCL_SUCCESS ? 0 : fail_call(c, result, call);
}

/* ---- the communicator */

static int make_id(struct kd_collective_id *id, struct kd_error *err)
{
    const struct kd_nccl *nccl = kd_nccl_get(err);
    if (!nccl)
        return -1;
    int result = id ? nccl->ncclGetUniqueId(id) : KD_NCCL_SUCCESS;
    if (result == KD_NCCL_SUCCESS)
        return 0;
    fail_result(nccl, NULL, result, "ncclGetUniqueId", err);
    return kd_error_prefix(err, "NCCL");
}

/* Without a communicator there is nothing to abort. */
static int join(struct kd_collective *c, const struct kd_collective_id *id)
{
    struct kd_nccl_config config = {.size = sizeof config,
                                    .magic = KD_NCCL_CONFIG_MAGIC,
                                    .version = KD_NCCL_CONFIG_VERSION,
                                    .blocking = 0};
    int result = c->nccl->ncclCommInitRankConfig(&c->comm, c->size, *id, c->rank, &config);
    if (c->comm)
        return kd_nccl_settle(c, result, "ncclCommInitRankConfig");
    fail_result(c->nccl, NULL, result, "ncclCommInitRankConfig", &c->failure);
    return name_rank(c, &c->failure);
}

static struct kd_collective *collective_new(const struct kd_nccl *nccl,
                                            const struct kd_collective_options *options)
{
    struct kd_collective *c = KD_NEW(struct kd_collective);
    c->nccl = nccl;
    c->rank = options->rank;
    c->size = options->size;
    c->deadline_s = options->deadline_s;
    c->is_in_vain = options->is_in_vain;
    c->ud = options->ud;
    KD_CUDA(cudaGetDevice(&c->gpu));
    return c;
}

static int open_collective(struct kd_collective **collective,
                           const struct kd_collective_options *options, struct kd_error *err)
{
    const struct kd_nccl *nccl = kd_nccl_get(err);
    if (!nccl)
        return -1;
    struct kd_collective *c = collective_new(nccl, options);
    if (join(c, &options->id) < 0) {
        tell(c, err);
        if (c->leaves_a_thread && options->leaves_a_thread)
            *options->leaves_a_thread = true;
        free(c);
        return -1;
    }
    c->is_open = true;
    c->is_in_vain = NULL;
    *collective = c;
    return 0;
}

/* The communicator's end, for which all ranks come. */
static int finalize(struct kd_collective *c)
{
    if (c->has_failed ||
        kd_nccl_settle(c, c->nccl->ncclCommFinalize(c->comm), "ncclCommFinalize") < 0)
        return -1;
    release(c, {c->nccl->ncclCommDestroy, c->comm, "ncclCommDestroy", c->gpu});
    return c->has_failed ? -1 : 0;
}

static int close_collective(struct kd_collective *c, struct kd_error *err)
{
    if (!c)
        return 0;
    kd_assert(c->n_recorded == 0); /* NCCL would wait for their end for ever */
    c->is_closing = true;
    int status = finalize(c);
    if (status < 0)
        tell(c, err);
    free(c);
    return status;
}

static int abort_collective(struct kd_collective *c, struct kd_error *err)
{
    c->is_closing = true;
    abandon(c);
    int status = c->leaves_a_thread ? tell(c, err) : 0;
    free(c);
    return status;
}

/* ---- waiting */

static bool is_done(struct kd_queue *queue, int mark)
{
    return kd_cuda_is_ready(mark < 0 ? cudaStreamQuery(queue->stream)
                                     : cudaEventQuery(queue->marks[mark]));
}

/* An error makes NCCL's kernels wait for ever, or end without a sum: it is asked for even when the
 * stream is done. */
static int check_errors(struct kd_collective *c)
{
    int result = KD_NCCL_SUCCESS;
    int asked = c->nccl->ncclCommGetAsyncError(c->comm, &result);
    if (asked != KD_NCCL_SUCCESS)
        return fail_call(c, asked, "ncclCommGetAsyncError");
    if (result != KD_NCCL_SUCCESS && result != KD_NCCL_IN_PROGRESS)
        return fail_call(c, result, "a collective");
    return 0;
}

/* Collectives of a communicator are done in the order in which they are issued. */
static void note_done(struct kd_collective *c, const struct kd_queue *queue, int mark)
{
    kd_nccl_record_done(&c->record, mark < 0 ? queue->last_collective : queue->last_at_marks[mark]);
}

static int wait_for(struct kd_collective *c, struct kd_queue *queue, int mark, struct kd_error *err)
{
    const int64_t until = deadline_of(c);
    for (int n_asked = 0; !c->has_failed; n_asked++) {
        bool done = is_done(queue, mark);
        if (check_errors(c) == 0 && done) {
            note_done(c, queue, mark);
            return 0;
        }
        if (!c->has_failed && kd_clock_mono_us() > until)
            fail_deadline(c, "what is queued");
        rest(n_asked);
    }
    return tell(c, err);
}

extern "C" {
extern const struct kd_collectives kd_collectives_nccl;

const struct kd_collectives kd_collectives_nccl = {
    .name = "nccl",
    .summary = "NVIDIA's NCCL, loaded at run time",
    .make_id = make_id,
    .open = open_collective,
    .close = close_collective,
    .abort = abort_collective,
    .sum_floats = kd_nccl_sum_floats,
    .sum_doubles = kd_nccl_sum_doubles,
    .sum_of_shares = kd_nccl_sum_of_shares,
    .gather = kd_nccl_gather,
    .wait = wait_for,
};
}
