/* team.h - ranks that sum in memory which all of them map: the algorithm of shm.c, without
 * processes.
 *
 * A job is a stretch of floats of which every rank has a copy, and all ranks see all copies. Each
 * rank does its own part of it for all: two phases, told by counters on the board that only grow.
 *   1. arrived: my copy is ready. When all have arrived I sum my part over the copies, in the order
 *      of the ranks, and write it back into every copy (or into its owner's alone). So no bit hangs
 *      on timing, and every rank ends with the same ones.
 *   2. done: my part is written. When all are done my copy is whole.
 * Jobs are numbered alike on every rank and worked on in order; several may be under way.
 *
 * Who waits spins for some microseconds, then yields, then sleeps on a futex, so that more ranks
 * than cores do no harm. */
#ifndef KD_TRAINER_COMM_TEAM_H
#define KD_TRAINER_COMM_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/base/arr.h"

enum { KD_TEAM_DOUBLES = 2048, KD_TEAM_LINE = 64 };

enum kd_team_count { KD_TEAM_ARRIVED, KD_TEAM_DONE, KD_TEAM_ROUND, KD_N_TEAM_COUNTS };

/* What one rank tells the others. */
struct kd_team_place {
    _Alignas(KD_TEAM_LINE) _Atomic uint64_t counts[KD_N_TEAM_COUNTS];
    _Alignas(KD_TEAM_LINE) double doubles[2][KD_TEAM_DOUBLES]; /* of even and odd rounds */
};

/* The shared memory: kd_team_board_bytes of zeros. */
struct kd_team_board {
    _Alignas(KD_TEAM_LINE) _Atomic uint32_t bell; /* a futex: rings when something was told */
    _Atomic uint32_t n_sleepers;
    struct kd_team_place places[];
};

/* What a rank does with its part. */
enum kd_team_work {
    KD_TEAM_SUM,           /* sums it, for all copies */
    KD_TEAM_SUM_OF_SHARES, /* sums it, each element for the copy of the rank whose share it is in */
    KD_TEAM_GIVE,          /* copies it to the others */
};

struct kd_team_job {
    float *const *copies; /* one a rank, borrowed until the job is done */
    int64_t at;           /* where the stretch begins in each copy */
    int64_t begin, end;   /* this rank's part of it, counted from `at` */
    enum kd_team_work work;
    int64_t n_all; /* of sums of shares: the floats of a copy that kd_comm_share shares out */
};

struct kd_team {
    struct kd_team_board *board; /* borrowed */
    int rank, size;
    uint64_t n_started, n_worked,
        n_rounds;                    /* jobs that this rank began, did its part of; sum_doubles */
    KD_ARR(struct kd_team_job) jobs; /* those from number first_job on */
    uint64_t first_job;
    /* Called about each 0.1 s of waiting for `rank`; may end the process. NULL: waits for ever. */
    void (*still_waiting)(void *ud, int rank, int64_t waited_us);
    void *ud;
};

size_t kd_team_board_bytes(int size);
void kd_team_init(struct kd_team *team, struct kd_team_board *board, int rank, int size);
void kd_team_release(struct kd_team *team);

/* This rank's part when n floats are summed: whole cache lines, as even as they come. */
void kd_team_part(const struct kd_team *team, int64_t n, int64_t *begin, int64_t *end);

void kd_team_start(struct kd_team *team, const struct kd_team_job *job);
void kd_team_progress(struct kd_team *team); /* does what can be done without waiting */
void kd_team_finish(struct kd_team *team);   /* all jobs that were started are done */

/* Element-wise sum in place, each rank adding all values in the order of the ranks: one phase, for
 * small n. n = 0: a barrier. */
void kd_team_sum_doubles(struct kd_team *team, double *values, int64_t n);

#endif
