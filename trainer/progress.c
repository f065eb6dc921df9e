/* progress.c - report lines on stdout, the progress line on stderr. */
#include "trainer/progress.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/log.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

enum { REDRAW_US = 100000 };
#define ERASE "\r\x1b[K"

/* ---- terminals */

/* mpirun gives its ranks a pipe for stderr and, at times, a terminal of its own making for stdout:
 * what it writes to itself decides. Other launchers have a helper in between and give none. */
static int open_parents(int fd)
{
    char path[64], target[64] = {0};
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getppid(), fd);
    if (readlink(path, target, sizeof target - 1) < 0 ||
        (strncmp(target, "/dev/pts/", 9) != 0 && strncmp(target, "/dev/tty", 8) != 0))
        return -1;
    return open(target, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

/* A descriptor of the terminal that fd leads to, or -1. */
static int open_terminal(int fd, bool is_launched)
{
    int terminal = is_launched ? open_parents(fd) : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (terminal >= 0 && !isatty(terminal)) {
        close(terminal);
        terminal = -1;
    }
    return terminal;
}

static int width_of(int terminal)
{
    struct winsize size;
    return ioctl(terminal, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void kd_progress_init(struct kd_progress *progress, const char *unit, int64_t batch_size,
                      bool is_launched)
{
    const char *term = getenv("TERM");
    bool can_move = term && *term && strcmp(term, "dumb") != 0;
    *progress =
        (struct kd_progress){.unit = unit, .batch_size = batch_size, .is_relayed = is_launched};
    progress->terminal = can_move ? open_terminal(STDERR_FILENO, is_launched) : -1;
    int out = progress->terminal >= 0 ? open_terminal(STDOUT_FILENO, is_launched) : -1;
    progress->is_shared = out >= 0;
    if (out >= 0)
        close(out);
}

/* ---- the line */

static void add_clock(struct kd_str *part, double seconds)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        kd_str_addf(part, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        kd_str_addf(part, "%ld:%02ld", s / 60, s % 60);
}

static double elapsed_s(const struct kd_progress *progress)
{
    return (double)(kd_clock_mono_us() - progress->began_us) * 1e-6;
}

static double steps_done(const struct kd_progress *progress)
{
    return (double)(progress->step - progress->course.begin_step);
}

static void say_place(const struct kd_progress *progress, struct kd_str *part)
{
    int64_t step = progress->step, end = progress->course.end_step;
    int64_t per_epoch = progress->course.steps_per_epoch;
    int64_t epochs = (end + per_epoch - 1) / per_epoch;
    int64_t epoch = step < end ? step / per_epoch + 1 : epochs;
    kd_str_addf(part, "epoch %lld/%lld step %lld/%lld %d%% ", (long long)epoch, (long long)epochs,
                (long long)step, (long long)end, (int)(100.0 * (double)step / (double)end));
    double done = steps_done(progress), left = (double)(end - step);
    bool is_under_way = left > 0 && done > 0;
    add_clock(part, elapsed_s(progress) * (is_under_way ? left / done : 1));
    kd_str_add(part, is_under_way ? " left" : " elapsed");
}

static void say_metric(const struct kd_progress *progress, enum kd_metric_kind kind, int digits,
                       struct kd_str *part)
{
    const struct kd_report *last = &progress->last;
    if (last->has[kind])
        kd_str_addf(part, "%s %.*g", kd_metrics[kind].name, digits, last->values[kind]);
}

static void say_train_loss(const struct kd_progress *progress, struct kd_str *part)
{
    say_metric(progress, KD_METRIC_TRAIN_LOSS, 3, part);
}

static void say_val_loss(const struct kd_progress *progress, struct kd_str *part)
{
    say_metric(progress, KD_METRIC_VAL_LOSS, 3, part);
}

static void say_accuracy(const struct kd_progress *progress, struct kd_str *part)
{
    bool is_validated = progress->last.has[KD_METRIC_VAL_ACCURACY];
    say_metric(progress, is_validated ? KD_METRIC_VAL_ACCURACY : KD_METRIC_TRAIN_ACCURACY, 4, part);
}

/* Of the last report; before the first, of the time since the beginning. */
static void say_pace(const struct kd_progress *progress, struct kd_str *part)
{
    double elapsed = elapsed_s(progress), rate = 0;
    if (progress->last.has[KD_METRIC_SAMPLES_PER_SECOND])
        rate = progress->last.values[KD_METRIC_SAMPLES_PER_SECOND];
    else if (elapsed > 0)
        rate = steps_done(progress) * (double)progress->batch_size / elapsed;
    if (rate > 0)
        kd_str_addf(part, "%.0f samples/s", rate);
}

/* The weightiest first: a part that finds no room is left out. */
static void compose(const struct kd_progress *progress, size_t width, struct kd_str *line)
{
    static void (*const parts[])(const struct kd_progress *, struct kd_str *) = {
        say_place, say_train_loss, say_val_loss, say_accuracy, say_pace};
    struct kd_str part = {0};
    for (size_t i = 0; i < KD_COUNT(parts); i++) {
        kd_str_clear(&part);
        parts[i](progress, &part);
        size_t gap = line->length ? 2 : 0;
        if (part.length == 0 || line->length + gap + part.length > width)
            continue;
        kd_str_add(line, gap ? "  " : "");
        kd_str_add(line, kd_str_text(&part));
    }
    kd_str_release(&part);
}

static void draw(struct kd_progress *progress)
{
    struct kd_str line = {0};
    compose(progress, (size_t)width_of(progress->terminal) - 1, &line);
    fprintf(stderr, ERASE "%s", kd_str_text(&line));
    fflush(stderr);
    kd_str_release(&line);
    progress->drawn_us = kd_clock_mono_us();
    progress->is_old = false;
    progress->is_on_line = true;
}

static bool is_drawn(const struct kd_progress *progress)
{
    return progress->terminal >= 0 && progress->course.end_step > 0 && !kd_log_would_block();
}

void kd_progress_tick(struct kd_progress *progress)
{
    if (progress->course.step)
        progress->step = *progress->course.step;
    if (kd_clock_mono_us() - progress->drawn_us >= REDRAW_US && is_drawn(progress))
        draw(progress);
}

void kd_progress_begin(struct kd_progress *progress, const struct kd_course *course)
{
    progress->course = *course;
    progress->step = course->begin_step;
    progress->began_us = kd_clock_mono_us();
    if (is_drawn(progress))
        draw(progress);
}

void kd_progress_release(struct kd_progress *progress)
{
    progress->course.step = NULL; /* the training is over */
    if (progress->is_old && is_drawn(progress))
        draw(progress);
    if (progress->is_on_line)
        putc('\n', stderr);
    if (progress->terminal >= 0)
        close(progress->terminal);
    progress->terminal = -1;
    progress->is_on_line = false;
}

/* ---- reports */

static void remember(struct kd_progress *progress, const struct kd_report *report)
{
    for (int i = 0; i < KD_N_METRICS; i++)
        if (report->has[i])
            kd_report_set(&progress->last, (enum kd_metric_kind)i, report->values[i]);
}

/* What mpirun passes on of the two streams may change places, so that a line drawn before the last
 * report can come after it: there every report clears the line it takes, whether or not one was
 * drawn. */
void kd_progress_report(struct kd_progress *progress, const struct kd_report *report)
{
    bool is_above = progress->is_shared && (progress->is_on_line || progress->is_relayed);
    printf("%s%s=%lld", is_above ? ERASE : "", progress->unit, (long long)report->step);
    for (int i = 0; i < KD_N_METRICS; i++)
        if (report->has[i])
            printf(" %s=%.6g", kd_metrics[i].name, report->values[i]);
    putchar('\n');
    fflush(stdout);
    remember(progress, report);
    progress->is_old = true;
    progress->is_on_line = progress->is_on_line && !is_above;
    kd_progress_tick(progress);
}
