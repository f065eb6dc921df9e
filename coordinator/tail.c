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

enum { LONGEST_LINE = 65536, KEPT_LINES = 20, MOST_POINTS_A_LINE = 256 };

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
    char *kept[KEPT_LINES]; /* ring of the last lines */
    int n_kept;
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
    for (int i = 0; i < KEPT_LINES; i++)
        free(tail->kept[i]);
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

static void keep_line(struct kd_tail *tail)
{
    char **place = &tail->kept[tail->n_kept++ % KEPT_LINES];
    free(*place);
    *place = kd_strndup(kd_str_text(&tail->line), tail->line.length);
}

static void scan_line(struct kd_tail *tail)
{
    struct kd_line_point found[MOST_POINTS_A_LINE];
    if (tail->line.length == 0)
        return;
    keep_line(tail);
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

int kd_tail_read(struct kd_tail *tail, bool at_end, const struct kd_metric_point **points,
                 int64_t *offset)
{
    char bytes[65536];
    ssize_t n;
    kd_arr_clear(&tail->points);
    if (tail->fd < 0)
        tail->fd = open(tail->path, O_RDONLY | O_CLOEXEC);
    while (tail->fd >= 0 && (n = read(tail->fd, bytes, sizeof bytes)) > 0)
        take_bytes(tail, bytes, (size_t)n);
    if (at_end && tail->line.length > 0) {
        scan_line(tail);
        kd_str_clear(&tail->line);
    }
    *points = tail->points.items;
    *offset = tail->offset - (int64_t)tail->line.length;
    return (int)tail->points.n;
}

char *kd_tail_last_lines(const struct kd_tail *tail)
{
    struct kd_str text = {0};
    int first = tail->n_kept > KEPT_LINES ? tail->n_kept - KEPT_LINES : 0;
    for (int i = first; i < tail->n_kept; i++)
        kd_str_addf(&text, "\n    %.400s", tail->kept[i % KEPT_LINES]);
    return kd_str_take(&text);
}
