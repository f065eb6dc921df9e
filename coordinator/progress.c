#include "coordinator/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/clock.h"
#include "coordinator/base/log.h"
#include "coordinator/base/str.h"

enum { MOST_RUNNING_SHOWN = 8, BAR = 24, REDRAW_US = 100000 };

struct shown {
    enum kd_trial_state state;
    int attempts;
};

struct kd_progress {
    bool is_live;
    KD_ARR(struct shown) shown; /* by trial number: what a line was printed for */
    int done_at_start;
    int64_t started_us, drawn_us;
    int n_lines; /* of the picture on the screen */
    bool is_old; /* something happened since it was drawn */
};

struct kd_progress *kd_progress_new(bool is_live)
{
    struct kd_progress *progress = KD_NEW(struct kd_progress);
    progress->is_live = is_live;
    progress->started_us = kd_clock_mono_us();
    return progress;
}

void kd_progress_free(struct kd_progress *progress)
{
    if (progress == NULL)
        return;
    kd_arr_release(&progress->shown);
    free(progress);
}

char *kd_point_text(const struct kd_space *space, const double *values)
{
    struct kd_str text = {0};
    char number[KD_NUMBER_MAX];
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_param *param = &space->params[i];
        if (isnan(values[i]))
            continue;
        kd_str_addf(&text, "%s%s=", text.length ? " " : "", param->name);
        if (param->type == KD_PARAM_DOUBLE)
            kd_str_addf(&text, "%.6g", values[i]);
        else
            kd_str_add(&text, kd_param_text(param, values[i], number));
    }
    return kd_str_take(&text);
}

/* ---- the picture ---- */

static void erase(struct kd_progress *progress)
{
    if (progress->n_lines > 0)
        fprintf(stderr, "\r\x1b[%dA\x1b[J", progress->n_lines); /* \r: Ctrl-C echoes ^C */
    progress->n_lines = 0;
}

static int terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/* At most the terminal's width, and not in the middle of a character; what would move the cursor
 * becomes '?'. */
static void put_line(struct kd_progress *progress, const struct kd_str *line)
{
    int left = terminal_width() - 1;
    for (const char *p = kd_str_text(line); *p; p++) {
        bool begins_character = (*p & 0xc0) != 0x80;
        if (begins_character && left-- == 0)
            break;
        putc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, stderr);
    }
    putc('\n', stderr);
    progress->n_lines++;
}

static void add_clock(struct kd_str *line, double seconds)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        kd_str_addf(line, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        kd_str_addf(line, "%ld:%02ld", s / 60, s % 60);
}

static void draw_head(struct kd_progress *progress, const struct kd_study *study)
{
    const struct kd_experiment *experiment = study->experiment;
    double elapsed = (double)(kd_clock_mono_us() - progress->started_us) * 1e-6;
    int done = kd_study_n_done(study) - progress->done_at_start;
    int left = study->max_trials - kd_study_n_done(study);
    struct kd_str line = {0};
    kd_str_addf(&line, "%s  %s", experiment->name, experiment->algorithm);
    for (int i = 0; i < kd_experiment_n_objectives(experiment); i++)
        kd_str_addf(&line, ", %s %s",
                    kd_experiment_maximizes(experiment, i) ? "maximize" : "minimize",
                    kd_experiment_metric(experiment, i));
    kd_str_add(&line, "   ");
    add_clock(&line, elapsed);
    kd_str_add(&line, " elapsed");
    if (done > 0 && left > 0) {
        kd_str_add(&line, ", about ");
        add_clock(&line, elapsed / done * left);
        kd_str_add(&line, " left");
    }
    put_line(progress, &line);
    kd_str_release(&line);
}

static void draw_bar(struct kd_progress *progress, const struct kd_study *study)
{
    int done = kd_study_n_done(study);
    int full = study->max_trials > 0 ? BAR * done / study->max_trials : 0;
    struct kd_str line = {0};
    kd_str_addc(&line, '[');
    for (int i = 0; i < BAR; i++)
        kd_str_addc(&line, i < full ? '#' : '-');
    if (study->max_trials > 0)
        kd_str_addf(&line, "] %d/%d", done, study->max_trials);
    else
        kd_str_addf(&line, "] %d", done);
    kd_str_addf(&line, "   %d running", study->counts[KD_TRIAL_RUNNING]);
    if (study->counts[KD_TRIAL_PAUSED])
        kd_str_addf(&line, "   %d paused", study->counts[KD_TRIAL_PAUSED]);
    if (study->counts[KD_TRIAL_EARLY_STOPPED])
        kd_str_addf(&line, "   %d stopped early", study->counts[KD_TRIAL_EARLY_STOPPED]);
    if (kd_study_n_failed(study))
        kd_str_addf(&line, "   %d failed", kd_study_n_failed(study));
    if (study->draining)
        kd_str_add(&line, "   stopping");
    put_line(progress, &line);
    kd_str_release(&line);
}

static void draw_running(struct kd_progress *progress, const struct kd_study *study)
{
    const struct kd_objective *objective = &study->experiment->objective;
    int drawn = 0;
    for (size_t i = 0; i < study->live_gangs.n && drawn < MOST_RUNNING_SHOWN; i++) {
        int64_t fence = study->gangs.items[study->live_gangs.items[i]].fence;
        const struct kd_study_attempt *attempt =
            kd_study_find_attempt((struct kd_study *)study, fence);
        if (attempt == NULL)
            continue;
        const struct kd_observation *seen = &study->history.trials[attempt->row.trial];
        char *point = kd_point_text(&study->experiment->space, seen->values);
        struct kd_str line = {0};
        kd_str_addf(&line, "  trial %-5d ", attempt->row.trial);
        if (seen->n_reports > 0) {
            const struct kd_report *last = &seen->reports[seen->n_reports - 1];
            kd_str_addf(&line, "step %-4lld %s %-9.5g ", (long long)last->step, objective->metric,
                        objective->maximize ? -last->value : last->value);
        }
        kd_str_add(&line, point);
        put_line(progress, &line);
        kd_str_release(&line);
        free(point);
        drawn++;
    }
}

static void draw_best(struct kd_progress *progress, const struct kd_study *study)
{
    if (study->best < 0)
        return;
    const struct kd_trial *best = &study->trials.items[study->best];
    char *point = kd_point_text(&study->experiment->space, best->values);
    struct kd_str line = {0};
    kd_str_addf(&line, "best: trial %d  %s %.6g  %s", best->number,
                study->experiment->objective.metric, best->objective, point);
    put_line(progress, &line);
    kd_str_release(&line);
    free(point);
}

static void draw(struct kd_progress *progress, const struct kd_study *study)
{
    erase(progress);
    draw_head(progress, study);
    draw_bar(progress, study);
    draw_running(progress, study);
    draw_best(progress, study);
    fflush(stderr);
    progress->drawn_us = kd_clock_mono_us();
    progress->is_old = false;
}

/* ---- lines ---- */

static void print_end(const struct kd_study *study, const struct kd_trial *trial)
{
    char *point = kd_point_text(&study->experiment->space, trial->values);
    struct kd_str line = {0};
    kd_str_addf(&line, "trial %d %s", trial->number, kd_trial_state_name(trial->state));
    if (trial->has_objective)
        kd_str_addf(&line, ": %s = %.6g", study->experiment->objective.metric, trial->objective);
    for (int i = 0; trial->has_objective && i < trial->n_more_objectives; i++)
        kd_str_addf(&line, ", %s = %.6g", kd_experiment_metric(study->experiment, i + 1),
                    trial->more_objectives[i]);
    if (!kd_trial_is_feasible(trial))
        kd_str_add(&line, ", a constraint does not hold");
    if (trial->started_at > 0)
        kd_str_addf(&line, " in %.2f s", trial->finished_at - trial->started_at);
    kd_str_addf(&line, "   %s", point);
    bool went_well = trial->state == KD_TRIAL_SUCCEEDED && isfinite(trial->objective);
    if (!went_well && trial->reason)
        kd_str_addf(&line, "\n  %s", trial->reason);
    kd_info("%s", line.text);
    kd_str_release(&line);
    free(point);
}

static void print_start(const struct kd_trial *trial)
{
    if (trial->attempts == 1 && trial->parent >= 0)
        kd_info("trial %d started from trial %d at step %lld", trial->number, trial->parent,
                (long long)trial->parent_step);
    else if (trial->attempts == 1)
        kd_info("trial %d started", trial->number);
    else
        kd_info("trial %d started again (attempt %d): %.*s", trial->number, trial->attempts,
                (int)strcspn(trial->reason ? trial->reason : "", "\n"),
                trial->reason ? trial->reason : "");
}

static void print_change(const struct kd_study *study, const struct kd_trial *trial)
{
    if (kd_trial_is_terminal(trial->state))
        print_end(study, trial);
    else if (trial->state == KD_TRIAL_RUNNING)
        print_start(trial);
    else if (trial->state == KD_TRIAL_PAUSED)
        kd_info("trial %d stands still: %s", trial->number, trial->reason);
    else if (trial->attempts > 0)
        kd_info("trial %d waits to run again: %s", trial->number, trial->reason);
}

static void on_action(void *ud, const struct kd_study *study, const struct kd_action *action)
{
    struct kd_progress *progress = ud;
    progress->is_old = true;
    if (action->kind != KD_DO_SAVE_TRIAL)
        return;
    const struct kd_trial *trial = &study->trials.items[action->trial];
    while (progress->shown.n <= (size_t)trial->number)
        kd_arr_push(&progress->shown, (struct shown){KD_TRIAL_PENDING, 0});
    struct shown *shown = &progress->shown.items[trial->number];
    if (shown->state == trial->state && shown->attempts == trial->attempts)
        return;
    *shown = (struct shown){trial->state, trial->attempts};
    bool worth_a_line =
        trial->state == KD_TRIAL_FAILED || trial->state == KD_TRIAL_METRICS_UNAVAILABLE;
    if (progress->is_live && !worth_a_line)
        return;
    erase(progress);
    print_change(study, trial);
}

static void on_metrics(void *ud, const struct kd_study *study, int64_t fence,
                       const struct kd_metric_point *points, int n)
{
    (void)study;
    (void)fence;
    (void)points;
    (void)n;
    ((struct kd_progress *)ud)->is_old = true;
}

static void on_started(void *ud, const struct kd_study *study, bool resumed)
{
    struct kd_progress *progress = ud;
    progress->done_at_start = kd_study_n_done(study);
    for (size_t i = 0; i < study->trials.n; i++)
        kd_arr_push(&progress->shown,
                    (struct shown){study->trials.items[i].state, study->trials.items[i].attempts});
    if (resumed)
        kd_info("experiment '%s' goes on: %d trials are done", study->experiment->name,
                progress->done_at_start);
}

static void on_tick(void *ud, const struct kd_study *study)
{
    struct kd_progress *progress = ud;
    int64_t age = kd_clock_mono_us() - progress->drawn_us;
    bool is_due = (progress->is_old && age > REDRAW_US) || age > 10 * REDRAW_US;
    if (progress->is_live && (is_due || study->finished) && !kd_log_would_block())
        draw(progress, study);
}

static void on_note(void *ud, const char *text)
{
    erase(ud);
    kd_info("%s", text);
}

struct kd_watcher kd_progress_watcher(struct kd_progress *progress)
{
    return (struct kd_watcher){
        .ud = progress,
        .started = on_started,
        .action = on_action,
        .metrics = on_metrics,
        .tick = on_tick,
        .note = on_note,
    };
}
