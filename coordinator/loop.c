#include "coordinator/loop_internal.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/log.h"
#include "coordinator/journal.h"
#include "coordinator/launch/run_dir.h"

enum { TICK_MS = 100, ECHO_US = 200000 };

double kd_loop_now(const struct kd_loop *loop)
{
    return loop->real_at_start + (double)(kd_clock_mono_us() - loop->mono_at_start) * 1e-6;
}

void kd_loop_note(const struct kd_loop *loop, const char *format, ...)
{
    const struct kd_watcher *watcher = loop->options->watcher;
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (watcher && watcher->note)
        watcher->note(watcher->ud, text);
}

int kd_loop_begin(struct kd_loop *loop)
{
    if (loop->in_transaction)
        return 0;
    if (kd_store_begin(loop->store, loop->err) != 0)
        return -1;
    loop->in_transaction = true;
    return 0;
}

/* ---- recording what the study decided ---- */

static int save_experiment(struct kd_loop *loop)
{
    const struct kd_study *study = loop->study;
    free(loop->row.state);
    free(loop->row.reason);
    loop->row.state = kd_strdup(kd_study_state_name(study->end));
    loop->row.reason = study->end_text
                           ? kd_format("%s: %s", kd_study_reason_name(study->end), study->end_text)
                           : kd_strdup(kd_study_reason_name(study->end));
    loop->row.finished_at = study->end == KD_STUDY_RUNNING ? 0 : kd_loop_now(loop);
    return kd_store_save_experiment(loop->store, &loop->row, loop->err);
}

static int save_trial(struct kd_loop *loop, int number)
{
    struct kd_trial *trial = &loop->study->trials.items[number];
    free(trial->log);
    trial->log = trial->attempts > 0 ? kd_loop_attempt_log(loop, trial) : NULL;
    return kd_store_save_trial(loop->store, loop->row.id, trial, &loop->experiment->space,
                               loop->err);
}

static int save_gang(struct kd_loop *loop, int64_t id)
{
    const struct kd_study_gang *gang = kd_study_find_gang(loop->study, id);
    return kd_store_save_gang(loop->store, &gang->row, loop->err);
}

static int save_attempt(struct kd_loop *loop, int64_t fence)
{
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, fence);
    if (kd_store_save_attempt(loop->store, loop->row.id, &attempt->row, loop->err) != 0)
        return -1;
    return kd_loop_note_gpus(loop, &attempt->row);
}

static int record_action(struct kd_loop *loop, const struct kd_action *action)
{
    switch (action->kind) {
    case KD_DO_SAVE_EXPERIMENT:
        return save_experiment(loop);
    case KD_DO_SAVE_TRIAL:
        return save_trial(loop, action->trial);
    case KD_DO_SAVE_ATTEMPT:
        return save_attempt(loop, action->fence);
    case KD_DO_SAVE_GANG:
        return save_gang(loop, action->gang);
    default:
        kd_arr_push(&loop->effects, *action);
        return kd_journal_write_action(loop->store, loop->row.id, kd_loop_now(loop), action,
                                       loop->err);
    }
}

static void show_decisions(struct kd_loop *loop)
{
    const struct kd_watcher *watcher = loop->options->watcher;
    for (size_t i = 0; watcher && watcher->action && i < loop->shown.n; i++)
        watcher->action(watcher->ud, loop->study, &loop->shown.items[i]);
    kd_arr_clear(&loop->shown);
}

/* A timer that led to nothing leaves no trace; everything else is journaled before what follows
 * from it. */
int kd_loop_deliver(struct kd_loop *loop, const struct kd_event *event)
{
    kd_actions actions = {0};
    kd_study_apply(loop->study, event, &actions);
    bool keep = event->kind != KD_EVENT_TIMER || actions.n > 0;
    int result = 0;
    if (keep)
        result = kd_loop_begin(loop);
    if (keep && result == 0)
        result = kd_journal_write_event(loop->store, loop->row.id, loop->study, event, loop->err);
    for (size_t i = 0; i < actions.n && result == 0; i++) {
        result = record_action(loop, &actions.items[i]);
        kd_arr_push(&loop->shown, actions.items[i]);
    }
    kd_arr_release(&actions);
    return result;
}

/* ---- acting, after the commit ---- */

static void do_assign(struct kd_loop *loop, const struct kd_action *action)
{
    struct kd_live_gang *gang = kd_loop_find_gang(loop, action->gang);
    if (gang != NULL)
        kd_loop_assign(loop, gang, action->fence);
}

static void do_stop(struct kd_loop *loop, const struct kd_action *action)
{
    kd_loop_tell_gang(loop, action, KD_MSG_STOP);
}

static void do_yield(struct kd_loop *loop, const struct kd_action *action)
{
    kd_loop_tell_gang(loop, action, KD_MSG_YIELD);
}

static void do_exit(struct kd_loop *loop, const struct kd_action *action)
{
    kd_loop_tell_gang(loop, action, KD_MSG_EXIT);
}

static void do_kill(struct kd_loop *loop, const struct kd_action *action)
{
    kd_loop_end_gang(loop, action->gang, false);
}

static void do_ask(struct kd_loop *loop, const struct kd_action *action)
{
    (void)action;
    loop->strategy.ask_waits = true;
    loop->strategy.deadline_us = loop->strategy.n_refused = 0;
    kd_loop_ask(loop);
}

static void do_finish(struct kd_loop *loop, const struct kd_action *action)
{
    (void)action;
    loop->finished = true;
    if (kd_study_is_final(loop->study->end))
        kd_loop_unpin_all(loop);
}

static void (*const effects[KD_N_ACTIONS])(struct kd_loop *, const struct kd_action *) = {
    [KD_DO_ASK] = do_ask,          [KD_DO_START] = kd_loop_start_gang, [KD_DO_ASSIGN] = do_assign,
    [KD_DO_STOP] = do_stop,        [KD_DO_YIELD] = do_yield,           [KD_DO_KILL] = do_kill,
    [KD_DO_EXIT] = do_exit,        [KD_DO_FINISH] = do_finish,         [KD_DO_PIN] = kd_loop_pin,
    [KD_DO_CLONE] = kd_loop_clone,
};

void kd_loop_remove_later(struct kd_loop *loop, const char *path)
{
    kd_arr_push(&loop->gone, kd_strdup(path));
}

static void remove_gone(struct kd_loop *loop)
{
    for (size_t i = 0; i < loop->gone.n; i++) {
        kd_dir_remove(loop->gone.items[i]);
        free(loop->gone.items[i]);
    }
    kd_arr_clear(&loop->gone);
}

/* What was decided first is done first: an end frees the slots that a start in the same turn was
 * given. */
static void act(struct kd_loop *loop)
{
    remove_gone(loop);
    kd_loop_send_acks(loop);
    show_decisions(loop);
    for (size_t i = 0; i < loop->effects.n; i++) {
        struct kd_action action = loop->effects.items[i];
        effects[action.kind](loop, &action);
    }
    kd_arr_clear(&loop->effects);
}

/* ---- what happened ---- */

static int read_signals(struct kd_loop *loop)
{
    struct signalfd_siginfo info;
    while (read(loop->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        int64_t now = kd_clock_mono_us();
        bool is_echo =
            loop->n_stops > 0 && (info.ssi_signo == SIGHUP || now - loop->stopped_us < ECHO_US);
        if (is_echo) /* shells and wrappers pass a signal on that the kernel gave us already */
            continue;
        loop->stopped_us = now;
        if (++loop->n_stops > 1)
            return 0;
        struct kd_event event = {.kind = KD_EVENT_DRAIN, .at = kd_loop_now(loop)};
        if (kd_loop_deliver(loop, &event) != 0)
            return -1;
        kd_loop_note(
            loop,
            "stopping: waiting for %zu gangs, at most %.0f s; trials with a checkpoint are "
            "saved, the rest run again. Once more stops at once.",
            loop->study->live_gangs.n, loop->experiment->limits.grace_s);
    }
    return 0;
}

static int fire_timer(struct kd_loop *loop)
{
    double deadline = kd_study_deadline(loop->study);
    if (deadline == 0 || deadline > kd_loop_now(loop))
        return 0;
    struct kd_event event = {.kind = KD_EVENT_TIMER, .at = kd_loop_now(loop)};
    return kd_loop_deliver(loop, &event);
}

static int report_failed_starts(struct kd_loop *loop)
{
    int result = 0;
    for (size_t i = 0; i < loop->failed_gangs.n && result == 0; i++) {
        struct kd_event event = {.kind = KD_EVENT_GANG_ENDED,
                                 .at = kd_loop_now(loop),
                                 .gang = loop->failed_gangs.items[i],
                                 .end = KD_END_NO_START,
                                 .exit_code = -1,
                                 .exit_signal = -1,
                                 .text = loop->failed_starts.items[i]};
        result = kd_loop_deliver(loop, &event);
    }
    for (size_t i = 0; i < loop->failed_starts.n; i++)
        free(loop->failed_starts.items[i]);
    kd_arr_clear(&loop->failed_starts);
    kd_arr_clear(&loop->failed_gangs);
    return result;
}

static int wait_ms(const struct kd_loop *loop)
{
    bool at_once =
        loop->failed_gangs.n > 0 || kd_loop_gangs_have_more(loop) || kd_loop_knows_answer(loop);
    if (at_once)
        return 0;
    double deadline = kd_study_deadline(loop->study);
    double left = deadline > 0 ? (deadline - kd_loop_now(loop)) * 1000 : TICK_MS;
    return left < 0 ? 0 : left > TICK_MS ? TICK_MS : (int)left + 1;
}

static int take_in(struct kd_loop *loop, const bool *ready)
{
    if (ready[0] && read_signals(loop) != 0)
        return -1;
    if (report_failed_starts(loop) != 0 || kd_loop_read_gpus(loop) != 0 ||
        kd_loop_answer(loop) != 0 || kd_loop_read_bus(loop) != 0 ||
        kd_loop_read_gangs(loop, ready + 1) != 0 || kd_loop_watch_gangs(loop) != 0 ||
        kd_loop_watch_ask(loop) != 0 || kd_loop_watch_disk(loop) != 0)
        return -1;
    return fire_timer(loop);
}

static void wait_for_something(struct kd_loop *loop, bool **ready)
{
    int n = 1 + (int)loop->gangs.n;
    int news = kd_gpu_watch_fd(loop->gpus.watch);
    int *fds = KD_NEW_ARRAY(int, (size_t)n + 1);
    *ready = KD_NEW_ARRAY(bool, (size_t)n + 1);
    fds[0] = loop->signals;
    for (size_t i = 0; i < loop->gangs.n; i++)
        fds[i + 1] = loop->gangs.items[i].process.control;
    if (news >= 0)
        fds[n++] = news; /* after the gangs; what it says is taken each turn */
    kd_router_wait(loop->router, fds, *ready, n, wait_ms(loop));
    free(fds);
}

static int commit(struct kd_loop *loop)
{
    if (!loop->in_transaction)
        return 0;
    loop->in_transaction = false;
    return kd_store_commit(loop->store, loop->err);
}

static int turn(struct kd_loop *loop)
{
    bool *ready;
    wait_for_something(loop, &ready);
    int result = take_in(loop, ready);
    free(ready);
    if (result == 0)
        result = commit(loop);
    if (result != 0)
        return -1; /* nothing of this turn may be acted on */
    act(loop);
    const struct kd_watcher *watcher = loop->options->watcher;
    if (watcher && watcher->tick)
        watcher->tick(watcher->ud, loop->study);
    return 0;
}

/* What an earlier experiment teaches is recorded before anything is asked. */
static int tell_priors(struct kd_loop *loop)
{
    if (loop->priors == NULL)
        return 0;
    struct kd_event event = {
        .kind = KD_EVENT_PRIOR, .at = kd_loop_now(loop), .priors = loop->priors};
    return kd_loop_deliver(loop, &event);
}

static int start(struct kd_loop *loop)
{
    int64_t fence, gang;
    if (kd_store_highest(loop->store, &fence, &gang, loop->err) != 0)
        return -1;
    const struct kd_experiment *experiment = loop->experiment;
    json_t *links = kd_links_to_json(&loop->machine.links, loop->machine.n_gpus);
    struct kd_event event = {
        .kind = KD_EVENT_STARTED,
        .at = kd_loop_now(loop),
        .n_gpus = loop->machine.n_gpus,
        .n_cpus = loop->machine.n_cpus,
        .links = links,
        .memory = loop->machine.memory_bytes,
        .parallel = experiment->parallel_trials,
        .max_trials = experiment->max_trials,
        .max_failed = experiment->max_failed,
        .max_retries = experiment->limits.max_retries,
        .trial_time_s = experiment->limits.trial_time_s,
        .wall_time_s = experiment->limits.wall_time_s,
        .grace_s = experiment->limits.grace_s,
        .has_goal = experiment->objective.has_goal,
        .goal = experiment->objective.goal,
        .next_fence = fence + 1,
        .next_gang = gang + 1,
    };
    bool is_told = tell_priors(loop) == 0 && kd_loop_deliver(loop, &event) == 0;
    json_decref(links);
    if (!is_told || commit(loop) != 0)
        return -1;
    act(loop);
    return 0;
}

static void fill_result(const struct kd_loop *loop, struct kd_run_result *result)
{
    const struct kd_study *study = loop->study;
    *result = (struct kd_run_result){
        .end = study->end,
        .goal_met = study->end == KD_STUDY_GOAL,
        .n_trials = kd_study_n_done(study),
        .n_failed = kd_study_n_failed(study),
        .best = study->best,
        .seconds = kd_loop_now(loop) - loop->real_at_start,
        .commit_seconds = kd_store_commit_seconds(loop->store),
    };
}

static enum kd_run_end run_turns(struct kd_loop *loop)
{
    if (start(loop) != 0)
        return KD_RUN_ERROR;
    while (!loop->finished && loop->n_stops < 2)
        if (turn(loop) != 0)
            return KD_RUN_ERROR;
    if (kd_loop_settle_gpus(loop) != 0 || commit(loop) != 0)
        return KD_RUN_ERROR;
    return loop->study->end == KD_STUDY_RUNNING ? KD_RUN_INTERRUPTED : KD_RUN_ENDED;
}

enum kd_run_end kd_run(const struct kd_run_options *options, struct kd_run_result *result,
                       struct kd_error *err)
{
    struct kd_loop loop = {.options = options, .experiment = options->experiment, .err = err};
    loop.signals = loop.run_dir_lock = -1;
    loop.real_at_start = kd_clock_real();
    loop.mono_at_start = kd_clock_mono_us();
    *result = (struct kd_run_result){.best = -1};
    enum kd_run_end end = kd_loop_open(&loop);
    if (end == KD_RUN_ENDED)
        end = run_turns(&loop);
    if (loop.study != NULL && loop.store != NULL)
        fill_result(&loop, result);
    kd_loop_close(&loop);
    return end;
}
