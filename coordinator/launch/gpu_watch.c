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
    bool is_awaited;       /* somebody began or ended since the last pass */
    int64_t asked, looked; /* looks: asked for, and done */
    KD_ARR(struct hold) holds;
    KD_ARR(struct kd_gpu_measured) measured;
    size_t n_taken; /* of those */
    KD_ARR(struct kd_gpu_fault) faults;
    size_t n_faults_taken;

    /* The thread's own. */
    struct kd_nvml nvml;
    struct kd_gpu_handles handles;
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

/* What a pass found, before the lock is taken again. */
struct found {
    struct kd_gpu_reading readings[KD_POOL_MAX_GPUS];
    struct kd_gpu_fault faults[4 * KD_POOL_MAX_GPUS];
    int n_faults;
};

/* Which GPUs are to be read now. Under the lock. */
static void begin_pass(struct kd_gpu_watch *watch, bool *is_held)
{
    watch->is_awaited = false;
    for (size_t i = 0; i < watch->holds.n; i++) {
        struct hold *hold = &watch->holds.items[i];
        hold->in_pass = true;
        hold->ends_in_pass = hold->is_over;
        for (int k = 0; k < hold->n; k++)
            is_held[hold->gpus[k]] = true;
    }
}

/* Errors come before readings: an Xid says more than that the GPU is lost. Without the lock. */
static void look(struct kd_gpu_watch *watch, const bool *is_held, struct found *found)
{
    struct kd_gpu_handles *handles = &watch->handles;
    found->n_faults = kd_gpu_events_take(&watch->nvml, handles, found->faults,
                                         (int)KD_COUNT(found->faults) - KD_POOL_MAX_GPUS);
    for (int i = 0; i < handles->n; i++) {
        if (!is_held[i] || handles->device[i] == NULL ||
            kd_gpu_read(&watch->nvml, handles->device[i], &found->readings[i]) ||
            handles->is_lost[i])
            continue;
        handles->is_lost[i] = true;
        found->faults[found->n_faults++] = (struct kd_gpu_fault){.gpu = i, .xid = KD_XID_LOST};
    }
}

static void hand_over(struct kd_gpu_watch *watch, struct hold *hold)
{
    for (int k = 0; k < hold->n; k++)
        kd_arr_push(&watch->measured, (struct kd_gpu_measured){hold->fence, k, hold->usage[k]});
    free(hold->usage);
}

/* Those that began while the pass went on are for the next one. Did some end? Under the lock. */
static bool end_holds(struct kd_gpu_watch *watch, const struct kd_gpu_reading *readings)
{
    size_t kept = 0;
    for (size_t i = 0; i < watch->holds.n; i++) {
        struct hold hold = watch->holds.items[i];
        for (int k = 0; k < hold.n && hold.in_pass; k++)
            if (hold.gpus[k] < watch->handles.n && watch->handles.device[hold.gpus[k]] != NULL)
                kd_gpu_usage_add(&hold.usage[k], &readings[hold.gpus[k]]);
        if (hold.in_pass && hold.ends_in_pass)
            hand_over(watch, &hold);
        else
            watch->holds.items[kept++] = hold;
    }
    bool have_ended = kept < watch->holds.n;
    watch->holds.n = kept;
    return have_ended;
}

/* Called and left with the lock. */
static void pass(struct kd_gpu_watch *watch)
{
    bool is_held[KD_POOL_MAX_GPUS] = {false};
    struct found found;
    int64_t asked = watch->asked;
    begin_pass(watch, is_held);
    pthread_mutex_unlock(&watch->lock);
    look(watch, is_held, &found);
    pthread_mutex_lock(&watch->lock);
    bool is_news = end_holds(watch, found.readings) || found.n_faults > 0;
    for (int i = 0; i < found.n_faults; i++)
        kd_arr_push(&watch->faults, found.faults[i]);
    if (is_news || watch->looked != asked)
        tell(watch);
    watch->looked = asked;
    pthread_cond_broadcast(&watch->done);
}

/* Until somebody waits for a pass, but not at once after the last unless somebody must know, or a
 * second is over. Under the lock. */
static void wait_for_next(struct kd_gpu_watch *watch)
{
    struct timespec least = after_us(LEAST_PERIOD_US), most = after_us(PERIOD_US);
    int late = 0;
    while (!watch->is_stopping && watch->asked == watch->looked && late == 0)
        late = pthread_cond_timedwait(&watch->wake, &watch->lock, &least);
    late = 0;
    while (!watch->is_stopping && !watch->is_awaited && watch->asked == watch->looked && late == 0)
        late = pthread_cond_timedwait(&watch->wake, &watch->lock, &most);
}

static void *work(void *ud)
{
    struct kd_gpu_watch *watch = ud;
    char note[256];
    bool is_open = kd_nvml_open(&watch->nvml, note, sizeof note) == 0;
    if (is_open)
        kd_gpu_events_open(&watch->nvml, watch->gpus, watch->n, &watch->handles);
    pthread_mutex_lock(&watch->lock);
    while (!watch->is_stopping) {
        pass(watch);
        wait_for_next(watch);
    }
    pthread_mutex_unlock(&watch->lock);
    if (is_open) {
        kd_gpu_events_close(&watch->nvml, &watch->handles);
        kd_nvml_close(&watch->nvml);
    }
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
    kd_arr_release(&watch->faults);
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
    if (watch == NULL)
        return false;
    pthread_mutex_lock(&watch->lock);
    bool found = watch->n_taken < watch->measured.n;
    if (found)
        *measured = watch->measured.items[watch->n_taken++];
    else
        watch->measured.n = watch->n_taken = 0;
    pthread_mutex_unlock(&watch->lock);
    return found;
}

bool kd_gpu_watch_take_fault(struct kd_gpu_watch *watch, struct kd_gpu_fault *fault)
{
    if (watch == NULL)
        return false;
    pthread_mutex_lock(&watch->lock);
    bool found = watch->n_faults_taken < watch->faults.n;
    if (found)
        *fault = watch->faults.items[watch->n_faults_taken++];
    else
        watch->faults.n = watch->n_faults_taken = 0;
    pthread_mutex_unlock(&watch->lock);
    return found;
}

int64_t kd_gpu_watch_look(struct kd_gpu_watch *watch)
{
    if (watch == NULL)
        return 0;
    pthread_mutex_lock(&watch->lock);
    int64_t number = ++watch->asked;
    pthread_cond_signal(&watch->wake);
    pthread_mutex_unlock(&watch->lock);
    return number;
}

/* The news are heard: what comes from now on is told anew. */
int64_t kd_gpu_watch_looked(struct kd_gpu_watch *watch)
{
    uint64_t count;
    if (watch == NULL)
        return 0;
    pthread_mutex_lock(&watch->lock);
    while (read(watch->news, &count, sizeof count) > 0)
        continue;
    int64_t looked = watch->looked;
    pthread_mutex_unlock(&watch->lock);
    return looked;
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
