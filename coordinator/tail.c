#include "coordinator/tail.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/metric_line.h"

enum {
    READS_AT_A_TIME = 16,
    LONGEST_LINE = 65536,
    KEPT_LINES = 20,
    LAST_BYTES = 32768,
    MOST_POINTS_A_LINE = 256
};

struct kd_tail {
    const struct kd_experiment *experiment; /* borrowed */
    char *path;                             /* owned */
    int fd;                                 /* -1 = not there yet */
    struct kd_line_scanner *scanner;
    struct kd_str line; /* the line that has not ended yet */
    int64_t offset;     /* bytes read */
    int64_t committed;
    int64_t *
        counts; /* reports without a step so far: of the objective, then of each additional metric */
    KD_ARR(struct kd_metric_point) points;
};

struct kd_tail *kd_tail_new(const struct kd_experiment *experiment, const char *path,
                            int64_t committed, struct kd_error *err)
{
    struct kd_line_scanner *scanner = kd_line_scanner_new(experiment, err);
    if (scanner == NULL)
        return NULL;
    struct kd_tail *tail = KD_NEW(struct kd_tail);
    tail->experiment = experiment;
    tail->path = kd_strdup(path);
    tail->fd = -1;
    tail->scanner = scanner;
    tail->committed = committed;
    tail->counts = KD_NEW_ARRAY(int64_t, (size_t)experiment->objective.n_additional + 1);
    return tail;
}

void kd_tail_free(struct kd_tail *tail)
{
    if (tail == NULL)
        return;
    if (tail->fd >= 0)
        close(tail->fd);
    kd_line_scanner_free(tail->scanner);
    kd_str_release(&tail->line);
    kd_arr_release(&tail->points);
    free(tail->counts);
    free(tail->path);
    free(tail);
}

static int64_t *count_of(struct kd_tail *tail, const char *name)
{
    const struct kd_objective *objective = &tail->experiment->objective;
    for (int i = 0; i < objective->n_additional; i++)
        if (strcmp(objective->additional[i], name) == 0)
            return &tail->counts[i + 1];
    return &tail->counts[0];
}

static void scan_line(struct kd_tail *tail)
{
    struct kd_line_point found[MOST_POINTS_A_LINE];
    if (tail->line.length == 0)
        return;
    int n = kd_line_scan(tail->scanner, kd_str_text(&tail->line), tail->line.length, found,
                         MOST_POINTS_A_LINE);
    double now = kd_clock_real();
    for (int i = 0; i < n; i++) {
        int64_t step = found[i].has_step ? found[i].step : ++*count_of(tail, found[i].name);
        if (tail->offset > tail->committed)
            kd_arr_push(&tail->points,
                        (struct kd_metric_point){found[i].name, step, found[i].value, now});
    }
    kd_str_clear(&tail->line);
}

static void take_bytes(struct kd_tail *tail, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tail->offset++;
        if (bytes[i] == '\n' || bytes[i] == '\r')
            scan_line(tail);
        else if (tail->line.length < LONGEST_LINE)
            kd_str_addc(&tail->line, bytes[i]);
    }
}

struct kd_tail_news kd_tail_read(struct kd_tail *tail, bool at_end)
{
    char bytes[65536];
    ssize_t n = 0;
    int reads = 0;
    kd_arr_clear(&tail->points);
    if (tail->fd < 0)
        tail->fd = open(tail->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (tail->fd >= 0 && reads++ < READS_AT_A_TIME &&
           (n = read(tail->fd, bytes, sizeof bytes)) > 0)
        take_bytes(tail, bytes, (size_t)n);
    bool is_more = tail->fd >= 0 && n > 0;
    if (at_end && !is_more && tail->line.length > 0)
        scan_line(tail);
    return (struct kd_tail_news){tail->points.items, (int)tail->points.n,
                                 tail->offset - (int64_t)tail->line.length, is_more};
}

int64_t kd_tail_offset(const struct kd_tail *tail)
{
    return tail->offset;
}

void kd_tail_count_from(struct kd_tail *tail, int64_t step)
{
    for (int i = 0; i <= tail->experiment->objective.n_additional; i++)
        tail->counts[i] = step;
}

/* Where the last lines begin: at most `most` of them, empty ones not counted. */
static const char *begin_of_last(const char *text, const char *end, int most)
{
    const char *begin = end;
    for (const char *at = end; at > text; at--) {
        bool line_begins = at[-1] == '\n' || at[-1] == '\r';
        if (line_begins && at < end && *at != '\n' && *at != '\r' && --most == 0)
            return at;
        begin = at - 1;
    }
    return begin;
}

char *kd_last_lines(const char *path)
{
    char text[LAST_BYTES + 1];
    struct kd_str lines = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    ssize_t n =
        fd >= 0 ? pread(fd, text, LAST_BYTES, size > LAST_BYTES ? size - LAST_BYTES : 0) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    char *rest = (char *)begin_of_last(text, text + (n > 0 ? n : 0), KEPT_LINES), *line;
    while ((line = strsep(&rest, "\r\n")) != NULL)
        if (*line != '\0')
            kd_str_addf(&lines, "\n    %.400s", line);
    return kd_str_take(&lines);
}
