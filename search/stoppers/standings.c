#include "search/stoppers/standings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

/* Places in all tables, 16 bytes each: beyond it they are made anew, as they are asked for. Reached
 * only when every trial reports at steps of its own. */
enum { MOST_PLACES = 1 << 23 };

static void forget_all(struct kd_standings *standings)
{
    for (int i = 0; i < standings->n; i++)
        kd_ranking_release(&standings->tables[i].ranking);
    standings->n = 0;
}

void kd_standings_release(struct kd_standings *standings)
{
    forget_all(standings);
    free(standings->tables);
    *standings = (struct kd_standings){.value = standings->value};
}

/* A trial that was counted and is touched again has changed after its end. */
static bool has_changed(const struct kd_standings *standings, const struct kd_history *history)
{
    if (history->n_touched < standings->cursor || history->n_done < standings->n_done)
        return true;
    for (int i = standings->cursor; i < history->n_touched; i++) {
        int64_t done_seq = history->trials[history->touched[i]].done_seq;
        if (done_seq >= 0 && done_seq < standings->n_done)
            return true;
    }
    return false;
}

/* The first table of this step or a later one. */
static int find_table(const struct kd_standings *standings, int64_t step)
{
    int low = 0, high = standings->n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (standings->tables[middle].step < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct kd_standing_table *insert_table(struct kd_standings *standings, int at, int64_t step)
{
    if (standings->n == standings->capacity) {
        standings->capacity = standings->capacity > 0 ? 2 * standings->capacity : 16;
        standings->tables = kd_realloc_array(standings->tables, (size_t)standings->capacity,
                                             sizeof *standings->tables);
    }
    memmove(&standings->tables[at + 1], &standings->tables[at],
            (size_t)(standings->n - at) * sizeof *standings->tables);
    standings->n++;
    standings->tables[at] = (struct kd_standing_table){.step = step};
    return &standings->tables[at];
}

static struct kd_standing_table *get_table(struct kd_standings *standings,
                                           const struct kd_history *history, int64_t step)
{
    int at = find_table(standings, step);
    if (at < standings->n && standings->tables[at].step == step)
        return &standings->tables[at];
    if ((int64_t)standings->n * history->n_done > MOST_PLACES) {
        forget_all(standings);
        at = 0;
    }
    return insert_table(standings, at, step);
}

const struct kd_ranking *kd_standings_at(struct kd_standings *standings,
                                         const struct kd_history *history, int64_t step)
{
    if (has_changed(standings, history))
        forget_all(standings);
    standings->cursor = history->n_touched;
    standings->n_done = history->n_done;
    struct kd_standing_table *table = get_table(standings, history, step);
    for (; table->n_seen < history->n_done; table->n_seen++) {
        int number = history->done[table->n_seen];
        const struct kd_observation *trial = &history->trials[number];
        double value = trial->outcome == KD_COMPLETE ? standings->value(trial, step) : NAN;
        if (!isnan(value))
            kd_ranking_add(&table->ranking, (struct kd_place){value, number});
    }
    return &table->ranking;
}

double kd_best_report(const struct kd_report *reports, int n)
{
    double best = INFINITY;
    for (int i = 0; i < n; i++) {
        if (isfinite(reports[i].value) && reports[i].value < best)
            best = reports[i].value;
    }
    return best;
}

double kd_best_up_to(const struct kd_observation *trial, int64_t step)
{
    int n = kd_observation_report_at(trial, step);
    bool has_step = n < trial->n_reports && trial->reports[n].step == step;
    return kd_best_report(trial->reports, has_step ? n + 1 : n);
}

bool kd_is_check_due(const struct kd_observation *trial, int64_t step, int64_t n_warmup,
                     int64_t interval)
{
    if (step < n_warmup)
        return false;
    int64_t since = n_warmup + (step - n_warmup) / interval * interval;
    int at = kd_observation_report_at(trial, step);
    return at == 0 || trial->reports[at - 1].step < since;
}
