/* loop_recover.c - the gangs of the coordinator before this one: their supervisors end them; here
 * it is waited for that, and what they wrote and how they ended is taken in. */
#include "coordinator/loop_internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/launch/run_dir.h"

enum { TAKEOVER_PATIENCE_S = 15 };

static int wait_until_gone(const char *dir, int64_t id, struct kd_error *err)
{
    int64_t until = kd_clock_mono_us() + (int64_t)TAKEOVER_PATIENCE_S * 1000000;
    while (kd_gang_lock_is_held(dir)) {
        if (kd_clock_mono_us() > until)
            return kd_fail(
                err,
                "gang %lld of the coordinator before this one still runs after %d s (its "
                "supervisor holds %s/lock): end it, then run this again",
                (long long)id, TAKEOVER_PATIENCE_S, dir);
        usleep(10000);
    }
    return 0;
}

/* Only an end of its own counts as one: everything else happened because the coordinator went away.
 * A trainer's says nothing of its trial, but for a GPU that was out of memory. */
static void judge_orphan(const struct kd_loop *loop, const char *dir, struct kd_exit_record *record)
{
    *record = (struct kd_exit_record){.end = KD_END_ORPHANED, .code = -1, .signal = -1};
    struct kd_exit_record found;
    bool has_record = kd_exit_record_read(dir, &found) == 1;
    if (!has_record)
        kd_gang_sweep(dir);
    if (has_record && found.end == KD_END_GPU_MEMORY)
        *record = found;
    if (kd_loop_runs_trainer(loop) || !has_record)
        return;
    if (found.end == KD_END_EXITED || found.end == KD_END_UNSTARTABLE || found.end == KD_END_MEMORY)
        *record = found;
}

/* What its command wrote after the last commit is read now; gives its last lines. */
static int recover_output(struct kd_loop *loop, const struct kd_study_attempt *attempt,
                          char **lines)
{
    char *log;
    int64_t fence = attempt->row.fence;
    struct kd_tail *tail = kd_loop_open_tail(loop, attempt, &log, loop->err);
    int result = tail ? 0 : -1;
    for (bool is_more = true; is_more && result == 0;)
        result = kd_loop_record_tail(loop, tail, fence, true, &is_more);
    *lines = kd_last_lines(log);
    kd_tail_free(tail);
    free(log);
    return result;
}

static int recover_gang(struct kd_loop *loop, int64_t id)
{
    const struct kd_study_gang *gang = kd_study_find_gang(loop->study, id);
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, gang->fence);
    bool has_output = attempt != NULL && gang->one_trial_only;
    char *dir = kd_loop_gang_dir(loop, id), *lines = NULL;
    struct kd_exit_record record;
    int result = wait_until_gone(dir, id, loop->err);
    if (result == 0)
        judge_orphan(loop, dir, &record);
    if (result == 0 && has_output)
        result = recover_output(loop, attempt, &lines);
    if (result == 0)
        result = kd_loop_report_end(loop, id, &record, lines ? lines : "");
    if (result == 0 && has_output)
        kd_loop_remove_later(loop, dir);
    free(lines);
    free(dir);
    return result;
}

int kd_loop_recover_gangs(struct kd_loop *loop)
{
    while (loop->study->live_gangs.n > 0) {
        int index = loop->study->live_gangs.items[0];
        if (recover_gang(loop, loop->study->gangs.items[index].row.id) != 0)
            return -1;
    }
    return 0;
}
