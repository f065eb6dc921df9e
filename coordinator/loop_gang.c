/* loop_gang.c - the gangs' processes as the loop sees them: what they write, how they end, whether
 * they move. */
#include "coordinator/loop_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/launch/run_dir.h"

/* A trainer that has not done its first step yet may be reading a large data set. */
enum {
    SUPERVISOR_PATIENCE_S = 5,
    START_PATIENCE_S = 60,
    LOADING_PATIENCE_S = 900,
    TRAINER_PATIENCE_S = 120
};

struct kd_live_gang *kd_loop_find_gang(struct kd_loop *loop, int64_t id)
{
    for (size_t i = 0; i < loop->gangs.n; i++)
        if (loop->gangs.items[i].id == id)
            return &loop->gangs.items[i];
    return NULL;
}

void kd_live_gang_release(struct kd_live_gang *gang)
{
    if (gang->process.control >= 0)
        close(gang->process.control);
    kd_tail_free(gang->tail);
    free(gang->token);
    free(gang->dir);
    free(gang->scratch);
    free(gang->log);
}

/* ---- ending ---- */

void kd_loop_end_gang(struct kd_loop *loop, int64_t id, bool kill_now)
{
    struct kd_live_gang *gang = kd_loop_find_gang(loop, id);
    if (gang == NULL)
        return;
    if (kill_now)
        kd_gang_kill(&gang->process);
    else
        kd_gang_ask_to_end(&gang->process);
    double patience_s = kill_now ? 0 : loop->experiment->limits.grace_s;
    gang->kill_at_us = kd_clock_mono_us() + (int64_t)((patience_s + SUPERVISOR_PATIENCE_S) * 1e6);
}

/* It did not end in time. A supervisor that does not do its work either is killed; its gang dies
 * with it. */
static void kill_overdue(struct kd_loop *loop, struct kd_live_gang *gang)
{
    bool was_killed = gang->is_killed;
    gang->is_killed = true;
    if (!was_killed)
        kd_loop_end_gang(loop, gang->id, true);
    else
        kill(gang->process.pid, SIGKILL);
}

int kd_loop_record_tail(struct kd_loop *loop, struct kd_tail *tail, int64_t fence, bool at_end,
                        bool *is_more)
{
    struct kd_tail_news news = kd_tail_read(tail, at_end);
    struct kd_event event = {.kind = KD_EVENT_METRICS,
                             .at = kd_loop_now(loop),
                             .fence = fence,
                             .log_offset = news.offset};
    *is_more = news.is_more;
    if (news.n_points == 0 || !kd_study_is_live(loop->study, fence))
        return 0;
    return kd_loop_record_metrics(loop, &event, news.points, news.n_points);
}

/* What a person needs: how it ended, and the last lines of what it printed. */
static char *describe_end(const struct kd_exit_record *record, const char *lines)
{
    struct kd_str text = {0};
    if (record->end == KD_END_GPU_MEMORY) /* the last lines would be mpirun's */
        return kd_strdup(record->text);
    if (record->end == KD_END_UNSTARTABLE || record->end == KD_END_NO_START)
        kd_str_add(&text, record->text);
    else if (record->end == KD_END_MEMORY)
        kd_str_add(&text, "out of memory: the kernel killed it");
    else if (record->end == KD_END_LOST)
        kd_str_add(&text, "its supervisor was killed or the machine restarted");
    else if (record->signal > 0)
        kd_str_addf(&text, "killed by signal %d (%s)", record->signal, strsignal(record->signal));
    else
        kd_str_addf(&text, "exit code %d", record->code);
    if (*lines)
        kd_str_addf(&text, ". Last lines of its output:%s", lines);
    else
        kd_str_add(&text, ". It printed nothing.");
    return kd_str_take(&text);
}

int kd_loop_report_end(struct kd_loop *loop, int64_t id, const struct kd_exit_record *record,
                       const char *lines)
{
    char *text = describe_end(record, lines);
    struct kd_event event = {
        .kind = KD_EVENT_GANG_ENDED,
        .at = kd_loop_now(loop),
        .gang = id,
        .end = record->end,
        .exit_code = record->code,
        .exit_signal = record->signal,
        .text = text,
    };
    int result = kd_loop_deliver(loop, &event);
    free(text);
    return result;
}

/* The trainer's log is kept with its gang; of a command's gang nothing is needed any more. */
static void remove_gang_files(struct kd_loop *loop, const struct kd_live_gang *gang)
{
    kd_loop_remove_later(loop, gang->scratch);
    if (gang->tail != NULL)
        kd_loop_remove_later(loop, gang->dir);
}

static int on_end(struct kd_loop *loop, size_t i)
{
    struct kd_live_gang gang = loop->gangs.items[i];
    loop->gangs.items[i] = loop->gangs.items[--loop->gangs.n];
    struct kd_exit_record record = {.end = KD_END_LOST, .code = -1, .signal = -1};
    if (kd_exit_record_read(gang.dir, &record) == 0)
        kd_gang_sweep(gang.dir);
    char *lines = kd_last_lines(gang.log);
    int result = kd_loop_report_end(loop, gang.id, &record, lines);
    free(lines);
    if (result == 0)
        remove_gang_files(loop, &gang);
    kd_live_gang_release(&gang);
    return result;
}

/* The gang may be 64 MiB ahead, no more: it waits for this. */
static void tell_what_is_read(struct kd_live_gang *gang)
{
    bool counts = gang->tail != NULL && !gang->has_own_metrics && !gang->has_ended;
    while (counts && gang->read_mib < kd_tail_offset(gang->tail) >> 20 &&
           kd_gang_say_read(&gang->process))
        gang->read_mib++;
}

/* A gang is over when its processes are gone and everything it wrote is read. */
static int read_gang(struct kd_loop *loop, size_t i, bool is_ready)
{
    struct kd_live_gang *gang = &loop->gangs.items[i];
    if (is_ready && !gang->has_ended) {
        gang->moved_us = kd_clock_mono_us();
        gang->has_ended = !kd_gang_is_alive(&gang->process);
    }
    int64_t before = gang->tail ? kd_tail_offset(gang->tail) : 0;
    gang->is_more = false;
    if (gang->tail &&
        kd_loop_record_tail(loop, gang->tail, gang->fence, gang->has_ended, &gang->is_more) != 0)
        return -1;
    if (gang->tail && kd_tail_offset(gang->tail) != before)
        gang->moved_us = kd_clock_mono_us();
    tell_what_is_read(gang);
    bool is_over = gang->has_ended && !gang->is_more && !kd_loop_awaits_gpus(loop, gang);
    return is_over ? on_end(loop, i) : 0;
}

int kd_loop_read_gangs(struct kd_loop *loop, const bool *ready)
{
    /* Downwards: an ended gang's place is taken by the last one, which was looked at already. */
    for (size_t i = loop->gangs.n; i-- > 0;) {
        const struct kd_live_gang *gang = &loop->gangs.items[i];
        /* A file of metrics says nothing when it grows: it is looked at each turn. */
        bool is_due = ready[i] || gang->is_more || gang->has_ended || gang->has_own_metrics;
        if (is_due && read_gang(loop, i, ready[i]) != 0)
            return -1;
    }
    return 0;
}

bool kd_loop_gangs_have_more(const struct kd_loop *loop)
{
    for (size_t i = 0; i < loop->gangs.n; i++)
        if (loop->gangs.items[i].is_more)
            return true;
    return false;
}

/* ---- watching ---- */

/* How long this gang may show no progress; 0 = for ever. */
static double patience_of(const struct kd_loop *loop, const struct kd_live_gang *live,
                          const struct kd_study_gang *gang)
{
    double asked = loop->experiment->limits.progress_deadline_s;
    if (!kd_loop_runs_trainer(loop))
        return asked;
    if (gang->row.state == KD_GANG_STARTING)
        return START_PATIENCE_S;
    if (gang->fence == 0 || asked > 0)
        return gang->fence == 0 ? 0 : asked;
    return live->pulse_step == 0 ? LOADING_PATIENCE_S : TRAINER_PATIENCE_S;
}

static int report_stall(struct kd_loop *loop, struct kd_live_gang *gang, double patience)
{
    char text[128];
    snprintf(text, sizeof text, "no progress for %.0f s", patience);
    gang->moved_us = kd_clock_mono_us();
    struct kd_event event = {
        .kind = KD_EVENT_STALLED, .at = kd_loop_now(loop), .gang = gang->id, .text = text};
    const struct kd_study_gang *known = kd_study_find_gang(loop->study, gang->id);
    if (known->fence != 0)
        return kd_loop_deliver(loop, &event);
    if (!gang->is_killed)
        kill_overdue(loop, gang);
    return 0;
}

int kd_loop_watch_gangs(struct kd_loop *loop)
{
    int64_t now = kd_clock_mono_us();
    for (size_t i = 0; i < loop->gangs.n; i++) {
        struct kd_live_gang *gang = &loop->gangs.items[i];
        if (gang->kill_at_us != 0 && now >= gang->kill_at_us && !gang->has_ended)
            kill_overdue(loop, gang);
        double patience = patience_of(loop, gang, kd_study_find_gang(loop->study, gang->id));
        bool stands_still = patience > 0 && (double)(now - gang->moved_us) * 1e-6 > patience;
        if (stands_still && report_stall(loop, gang, patience) != 0)
            return -1;
    }
    return 0;
}
