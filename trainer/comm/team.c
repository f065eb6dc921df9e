#include "trainer/comm/team.h"

#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "kernels/simd.h"
#include "trainer/comm/comm.h"

enum { LINE_FLOATS = KD_TEAM_LINE / sizeof(float) };
enum { SPINS = 20, YIELDS = 300, SLEEP_MS = 100 };

size_t kd_team_board_bytes(int size)
{
    return sizeof(struct kd_team_board) + (size_t)size * sizeof(struct kd_team_place);
}

void kd_team_init(struct kd_team *team, struct kd_team_board *board, int rank, int size)
{
    *team = (struct kd_team){.board = board, .rank = rank, .size = size};
}

void kd_team_release(struct kd_team *team)
{
    kd_arr_release(&team->jobs);
}

void kd_team_part(const struct kd_team *team, int64_t n, int64_t *begin, int64_t *end)
{
    int64_t lines = (n + LINE_FLOATS - 1) / LINE_FLOATS;
    *begin = lines * team->rank / team->size * LINE_FLOATS;
    *end = lines * (team->rank + 1) / team->size * LINE_FLOATS;
    if (*end > n)
        *end = n;
    if (*begin > n)
        *begin = n;
}

/* ---- telling and waiting
 *
 * A teller counts, then looks for sleepers; who wants to sleep becomes a sleeper, then looks at the
 * counts. All of that is sequentially consistent, so one of the two sees the other, and nobody
 * sleeps over what was told. */

static long futex(_Atomic uint32_t *word, int operation, uint32_t value,
                  const struct timespec *timeout)
{
    return syscall(SYS_futex, (uint32_t *)word, operation, value, timeout, NULL, 0);
}

static void tell(struct kd_team *team, enum kd_team_count count, uint64_t value)
{
    struct kd_team_board *board = team->board;
    atomic_store(&board->places[team->rank].counts[count], value);
    if (atomic_load(&board->n_sleepers) == 0)
        return;
    atomic_fetch_add(&board->bell, 1);
    futex(&board->bell, FUTEX_WAKE, INT32_MAX, NULL);
}

/* The first rank that has not yet told so much; -1: all have. */
static int first_behind(const struct kd_team *team, enum kd_team_count count, uint64_t value)
{
    for (int rank = 0; rank < team->size; rank++)
        if (atomic_load(&team->board->places[rank].counts[count]) < value)
            return rank;
    return -1;
}

/* True: all have told so much. Works on the jobs under way meanwhile. */
static bool look(struct kd_team *team, enum kd_team_count count, uint64_t value)
{
    kd_team_progress(team);
    return first_behind(team, count, value) < 0;
}

static bool sleep_and_look(struct kd_team *team, enum kd_team_count count, uint64_t value)
{
    static const struct timespec longest = {.tv_nsec = SLEEP_MS * 1000000L};
    struct kd_team_board *board = team->board;
    atomic_fetch_add(&board->n_sleepers, 1);
    uint32_t bell = atomic_load(&board->bell);
    bool seen = look(team, count, value);
    if (!seen)
        futex(&board->bell, FUTEX_WAIT, bell, &longest);
    atomic_fetch_sub(&board->n_sleepers, 1);
    return seen || look(team, count, value);
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void wait_asleep(struct kd_team *team, enum kd_team_count count, uint64_t value)
{
    int64_t start_us = kd_clock_mono_us(), told_us = start_us;
    while (!sleep_and_look(team, count, value)) {
        int rank = first_behind(team, count, value);
        int64_t now_us = kd_clock_mono_us();
        if (rank < 0 || !team->still_waiting || now_us - told_us < SLEEP_MS * 1000)
            continue;
        team->still_waiting(team->ud, rank, now_us - start_us);
        told_us = now_us;
    }
}

static void wait_until_all(struct kd_team *team, enum kd_team_count count, uint64_t value)
{
    for (int i = 0; i < SPINS; i++) {
        if (look(team, count, value))
            return;
        relax();
    }
    for (int i = 0; i < YIELDS; i++) {
        if (look(team, count, value))
            return;
        sched_yield();
    }
    wait_asleep(team, count, value);
}

/* ---- jobs */

/* A cache line at any address. Line by line, so that several are on their way from their owner at
 * once; as a vector type because no compiler can know that the copies are apart. */
typedef float line __attribute__((vector_size(KD_TEAM_LINE), aligned(sizeof(float)), may_alias));

/* The copies to write: [first, last). */
struct writing {
    int first, last;
};

KD_SIMD static void sum_lines(float *const *copies, int size, struct writing to, int64_t begin,
                              int64_t end)
{
    for (int64_t i = begin; i < end; i += LINE_FLOATS) {
        line sum = *(const line *)(copies[0] + i);
        for (int rank = 1; rank < size; rank++)
            sum += *(const line *)(copies[rank] + i);
        for (int rank = to.first; rank < to.last; rank++)
            *(line *)(copies[rank] + i) = sum;
    }
}

static void sum_rest(float *const *copies, int size, struct writing to, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        float sum = copies[0][i];
        for (int rank = 1; rank < size; rank++)
            sum += copies[rank][i];
        for (int rank = to.first; rank < to.last; rank++)
            copies[rank][i] = sum;
    }
}

static void sum_stretch(const struct kd_team *team, const struct kd_team_job *job,
                        struct writing to, int64_t begin, int64_t end)
{
    int64_t rest = end - (end - begin) % LINE_FLOATS;
    sum_lines(job->copies, team->size, to, begin, rest);
    sum_rest(job->copies, team->size, to, rest, end);
}

static void sum_part(const struct kd_team *team, const struct kd_team_job *job)
{
    sum_stretch(team, job, (struct writing){0, team->size}, job->at + job->begin,
                job->at + job->end);
}

/* The work is shared out evenly, whoever owns the results: the stretch that is ready last may be
 * one rank's altogether. */
static void sum_part_of_shares(const struct kd_team *team, const struct kd_team_job *job)
{
    for (int owner = 0; owner < team->size; owner++) {
        int64_t begin, end, n = job->end - job->begin;
        kd_comm_share_of(owner, team->size, job->n_all, &begin, &end);
        kd_comm_cut(job->at + job->begin, n, &begin, &end);
        sum_stretch(team, job, (struct writing){owner, owner + 1}, job->at + job->begin + begin,
                    job->at + job->begin + end);
    }
}

static void give_part(const struct kd_team *team, const struct kd_team_job *job)
{
    int64_t at = job->at + job->begin;
    size_t bytes = (size_t)(job->end - job->begin) * sizeof(float);
    for (int rank = 0; bytes > 0 && rank < team->size; rank++)
        if (rank != team->rank)
            memcpy(job->copies[rank] + at, job->copies[team->rank] + at, bytes);
}

static void (*const do_work[])(const struct kd_team *, const struct kd_team_job *) = {
    [KD_TEAM_SUM] = sum_part,
    [KD_TEAM_SUM_OF_SHARES] = sum_part_of_shares,
    [KD_TEAM_GIVE] = give_part,
};

void kd_team_start(struct kd_team *team, const struct kd_team_job *job)
{
    kd_arr_push(&team->jobs, *job);
    tell(team, KD_TEAM_ARRIVED, ++team->n_started);
}

void kd_team_progress(struct kd_team *team)
{
    while (team->n_worked < team->n_started &&
           first_behind(team, KD_TEAM_ARRIVED, team->n_worked + 1) < 0) {
        const struct kd_team_job *job = &team->jobs.items[team->n_worked - team->first_job];
        do_work[job->work](team, job);
        tell(team, KD_TEAM_DONE, ++team->n_worked);
    }
}

void kd_team_finish(struct kd_team *team)
{
    if (team->jobs.n == 0)
        return;
    wait_until_all(team, KD_TEAM_DONE, team->n_started);
    kd_arr_clear(&team->jobs);
    team->first_job = team->n_started;
}

/* ---- few doubles
 *
 * Two slots in turn are enough: who writes into one has seen all ranks in the round before, so they
 * have left the round before that, whose slot it is. */

static void add_round(const struct kd_team *team, double *values, int64_t n)
{
    const struct kd_team_place *places = team->board->places;
    size_t slot = team->n_rounds % 2;
    memcpy(values, places[0].doubles[slot], (size_t)n * sizeof(double));
    for (int rank = 1; rank < team->size; rank++)
        for (int64_t i = 0; i < n; i++)
            values[i] += places[rank].doubles[slot][i];
}

static void sum_round(struct kd_team *team, double *values, int64_t n)
{
    struct kd_team_place *mine = &team->board->places[team->rank];
    team->n_rounds++;
    if (n > 0)
        memcpy(mine->doubles[team->n_rounds % 2], values, (size_t)n * sizeof(double));
    tell(team, KD_TEAM_ROUND, team->n_rounds);
    wait_until_all(team, KD_TEAM_ROUND, team->n_rounds);
    if (n > 0)
        add_round(team, values, n);
}

void kd_team_sum_doubles(struct kd_team *team, double *values, int64_t n)
{
    if (n == 0)
        sum_round(team, values, 0);
    for (int64_t at = 0; at < n; at += KD_TEAM_DOUBLES)
        sum_round(team, values + at, n - at < KD_TEAM_DOUBLES ? n - at : KD_TEAM_DOUBLES);
}
