#include "coordinator/launch/gpu_watch.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/clock.h"
#include "coordinator/launch/gpu_reading.h"

enum { STOP_PATIENCE_MS = 2000 };
static const int64_t PERIOD_US = 1000000, LEAST_PERIOD_US = 100000;

/* An attempt and what it has made of its GPUs so far. */
struct hold {
    int64_t fence;
    int n;
    int gpus[KD_POOL_MAX_GPUS];
    bool is_over;
    bool in_pass, ends_in_pass; /* as it was when the pass that goes on now began */
    struct kd_gpu_usage *usage; /* owned; n */
};

struct kd_gpu_watch {
    pthread_t thread;
    int n;
    struct kd_gpu gpus[KD_POOL_MAX_GPUS]; /* never changes */
    int news;                             /* eventfd */

    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t wake;  /* for the thread */
    pthread_cond_t done;  /* a pass is over, or the thread */
    bool is_stopping, has_ended;
    bool is_awaited; /* somebody began or ended since the last pass */
    KD_ARR(struct hold) holds;
    KD_ARR(struct kd_gpu_measured) measured;
    size_t n_taken; /* of those */

    /* The thread's own. */
    struct kd_nvml nvml;
    kd_nvml_device devices[KD_POOL_MAX_GPUS]; /* NULL: cannot be reached */
};

static struct timespec after_us(int64_t us)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    int64_t ns = time.tv_nsec + us % 1000000 * 1000;
    time.tv_sec += us / 1000000 + ns / 1000000000;
    time.tv_nsec = ns % 1000000000;
    return time;
}

static void tell(struct kd_gpu_watch *watch)
{
    uint64_t one = 1;
    ssize_t n = write(watch->news, &one, sizeof one);
    (void)n; /* full: it is readable already */
}

/* ---- a pass, in the thread ---- */

static void find_devices(struct kd_gpu_watch *watch)
{
    for (int i = 0; i < watch->n; i++)
        if (watch->nvml.by_uuid == NULL ||
            watch->nvml.by_uuid(watch->gpus[i].uuid, &watch->devices[i]) != 0)
            watch->devices[i] = NULL;
}

/* Which GPUs are to be read now. Under the lock. */
static bool begin_pass(struct kd_gpu_watch *watch, bool *is_held)
{
    bool any = false;
    watch->is_awaited = false;
    for (size_t i = 0; i < watch->holds.n; i++) {
        struct hold *hold = &watch->holds.items[i];
        hold->in_pass = any = true;
        hold->ends_in_pass = hold->is_over;
        for (int k = 0; k < hold->n; k++)
            is_held[hold->gpus[k]] = true;
    }
    return any;
}

static void hand_over(struct kd_gpu_watch *watch, struct hold *hold)
{
    for (int k = 0; k < hold->n; k++)
        kd_arr_push(&watch->measured, (struct kd_gpu_measured){hold->fence, k, hold->usage[k]});
    free(hold->usage);
}

/* Under the lock. Those that began while it went on are for the next one. */
static void end_pass(struct kd_gpu_watch *watch, const struct kd_gpu_reading *readings)
{
    size_t kept = 0;
    for (size_t i = 0; i < watch->holds.n; i++) {
        struct hold hold = watch->holds.items[i];
        for (int k = 0; k < hold.n && hold.in_pass; k++)
            if (watch->devices[hold.gpus[k]] != NULL)
                kd_gpu_usage_add(&hold.usage[k], &readings[hold.gpus[k]]);
        if (hold.in_pass && hold.ends_in_pass)
            hand_over(watch, &hold);
        else
            watch->holds.items[kept++] = hold;
    }
    if (kept < watch->holds.n)
        tell(watch);
    watch->holds.n = kept;
    pthread_cond_broadcast(&watch->done);
}

static void pass(struct kd_gpu_watch *watch)
{
    bool is_held[KD_POOL_MAX_GPUS] = {false};
    struct kd_gpu_reading readings[KD_POOL_MAX_GPUS];
    if (!begin_pass(watch, is_held))
        return;
    pthread_mutex_unlock(&watch->lock);
    for (int i = 0; i < watch->n; i++)
        if (is_held[i] && watch->devices[i] != NULL)
            kd_gpu_read(&watch->nvml, watch->devices[i], &readings[i]);
    pthread_mutex_lock(&watch->lock);
    end_pass(watch, readings);
}

/* Until somebody waits for a pass, but not at once after the last, or a second is over. Under the lock. */
static void wait_for_next(struct kd_gpu_watch *watch)
{
    struct timespec least = after_us(LEAST_PERIOD_US), most = after_us(PERIOD_US);
    int late = 0;
    while (!watch->is_stopping && late == 0)
        late = pthread_cond_timedwait(&watch->wake, &watch->lock, &least);
    late = 0;
    while (!watch->is_stopping && !watch->is_awaited && late == 0)
        late = pthread_cond_timedwait(&watch->wake, &watch->lock, &most);
}

static void *work(void *ud)
{
    struct kd_gpu_watch *watch = ud;
    char note[256];
    bool is_open = kd_nvml_open(&watch->nvml, note, sizeof note) == 0;
    if (is_open)
        find_devices(watch);
    pthread_mutex_lock(&watch->lock);
    while (!watch->is_stopping) {
        pass(watch);
        wait_for_next(watch);
    }
    pthread_mutex_unlock(&watch->lock);
    if (is_open)
        kd_nvml_close(&watch->nvml);
    pthread_mutex_lock(&watch->lock);
    watch->has_ended = true;
    pthread_cond_broadcast(&watch->done);
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

/* ---- the other side ---- */

static void release(struct kd_gpu_watch *watch)
{
    for (size_t i = 0; i < watch->holds.n; i++)
        free(watch->holds.items[i].usage);
    kd_arr_release(&watch->holds);
    kd_arr_release(&watch->measured);
    pthread_cond_destroy(&watch->wake);
    pthread_cond_destroy(&watch->done);
    pthread_mutex_destroy(&watch->lock);
    if (watch->news >= 0)
        close(watch->news);
    free(watch);
}

static void init_locks(struct kd_gpu_watch *watch)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->wake, &monotonic);
    pthread_cond_init(&watch->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&watch->lock, NULL);
}

/* Signals are for the loop's thread. */
static int start_thread(struct kd_gpu_watch *watch)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&watch->thread, NULL, work, watch);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

struct kd_gpu_watch *kd_gpu_watch_start(const struct kd_gpu *gpus, int n)
{
    if (n == 0 || getenv("KATYDID_FAKE_GPUS"))
        return NULL;
    struct kd_gpu_watch *watch = KD_NEW(struct kd_gpu_watch);
    watch->n = n;
    memcpy(watch->gpus, gpus, (size_t)n * sizeof *gpus);
    watch->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    init_locks(watch);
    if (watch->news >= 0 && start_thread(watch) == 0)
        return watch;
    release(watch);
    return NULL;
}

int kd_gpu_watch_fd(const struct kd_gpu_watch *watch)
{
    return watch ? watch->news : -1;
}

static void ask_for_a_pass(struct kd_gpu_watch *watch)
{
    watch->is_awaited = true;
    pthread_cond_signal(&watch->wake);
}

void kd_gpu_watch_hold(struct kd_gpu_watch *watch, int64_t fence, const int *gpus, int n)
{
    if (watch == NULL)
        return;
    struct hold hold = {
        .fence = fence, .n = n, .usage = KD_NEW_ARRAY(struct kd_gpu_usage, (size_t)n + 1)};
    memcpy(hold.gpus, gpus, (size_t)n * sizeof *gpus);
    pthread_mutex_lock(&watch->lock);
    kd_arr_push(&watch->holds, hold);
    ask_for_a_pass(watch);
    pthread_mutex_unlock(&watch->lock);
}

void kd_gpu_watch_release(struct kd_gpu_watch *watch, int64_t fence)
{
    if (watch == NULL)
        return;
    pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; i < watch->holds.n; i++)
        if (watch->holds.items[i].fence == fence)
            watch->holds.items[i].is_over = true;
    ask_for_a_pass(watch);
    pthread_mutex_unlock(&watch->lock);
}

bool kd_gpu_watch_take(struct kd_gpu_watch *watch, struct kd_gpu_measured *measured)
{
    uint64_t count;
    if (watch == NULL)
        return false;
    pthread_mutex_lock(&watch->lock);
    bool found = watch->n_taken < watch->measured.n;
    if (found) {
        *measured = watch->measured.items[watch->n_taken++];
    } else {
        watch->measured.n = watch->n_taken = 0;
        while (read(watch->news, &count, sizeof count) > 0)
            continue;
    }
    pthread_mutex_unlock(&watch->lock);
    return found;
}

/* Under the lock. */
static bool is_settled(const struct kd_gpu_watch *watch)
{
    for (size_t i = 0; i < watch->holds.n; i++)
        if (watch->holds.items[i].is_over)
            return false;
    return true;
}

void kd_gpu_watch_settle(struct kd_gpu_watch *watch, int timeout_ms)
{
    struct timespec until = after_us((int64_t)timeout_ms * 1000);
    int late = 0;
    if (watch == NULL)
        return;
    pthread_mutex_lock(&watch->lock);
    while (!is_settled(watch) && !watch->has_ended && late == 0)
        late = pthread_cond_timedwait(&watch->done, &watch->lock, &until);
    pthread_mutex_unlock(&watch->lock);
}

void kd_gpu_watch_stop(struct kd_gpu_watch *watch)
{
    struct timespec until = after_us((int64_t)STOP_PATIENCE_MS * 1000);
    int late = 0;
    if (watch == NULL)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->is_stopping = true;
    pthread_cond_signal(&watch->wake);
    while (!watch->has_ended && late == 0)
        late = pthread_cond_timedwait(&watch->done, &watch->lock, &until);
    bool has_ended = watch->has_ended;
    pthread_mutex_unlock(&watch->lock);
    if (!has_ended) {
        pthread_detach(watch->thread);
        return;
    }
    pthread_join(watch->thread, NULL);
    release(watch);
}
