/* thread_comm.h - ranks as threads of one test: a communicator whose sums are made in rank order
 * under a barrier. */
#ifndef KD_TESTS_TRAINER_THREAD_COMM_H
#define KD_TESTS_TRAINER_THREAD_COMM_H

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "trainer/comm/comm.h"

enum { THREAD_RANKS_MAX = 8 };

struct thread_world {
    int size;
    pthread_barrier_t barrier;
    const void *values[THREAD_RANKS_MAX]; /* of the sum under way, by rank */
};

/* comm comes first, so that a backend's function finds the rest. */
struct thread_comm {
    struct kd_comm comm;
    struct thread_world *world;
};

static inline void thread_meet(struct kd_comm *comm, const void *values)
{
    struct thread_world *world = ((struct thread_comm *)comm)->world;
    world->values[comm->rank] = values;
    pthread_barrier_wait(&world->barrier);
}

#define THREAD_SUM(name, type)                                                                     \
    static inline void name(struct kd_comm *comm, type *values, int64_t n)                         \
    {                                                                                              \
        struct thread_world *world = ((struct thread_comm *)comm)->world;                          \
        type *sums = KD_NEW_ARRAY(type, (size_t)n + 1);                                            \
        thread_meet(comm, values);                                                                 \
        for (int r = 0; r < world->size; r++)                                                      \
            for (int64_t i = 0; i < n; i++)                                                        \
                sums[i] += ((const type *)world->values[r])[i];                                    \
        pthread_barrier_wait(&world->barrier);                                                     \
        if (n > 0)                                                                                 \
            memcpy(values, sums, (size_t)n * sizeof *values);                                      \
        free(sums);                                                                                \
    }
THREAD_SUM(thread_sum_floats, float)
THREAD_SUM(thread_sum_doubles, double)

static inline void thread_gather_floats(struct kd_comm *comm, float *values, int64_t n)
{
    struct thread_world *world = ((struct thread_comm *)comm)->world;
    thread_meet(comm, values);
    for (int r = 0; r < world->size; r++) {
        int64_t begin, end;
        kd_comm_share_of(r, world->size, n, &begin, &end);
        if (r != comm->rank && end > begin)
            memcpy(values + begin, (const float *)world->values[r] + begin,
                   (size_t)(end - begin) * sizeof *values);
    }
    pthread_barrier_wait(&world->barrier);
}

static inline void thread_broadcast(struct kd_comm *comm, int root, void *bytes, int64_t n)
{
    struct thread_world *world = ((struct thread_comm *)comm)->world;
    thread_meet(comm, bytes);
    if (comm->rank != root && n > 0)
        memcpy(bytes, world->values[root], (size_t)n);
    pthread_barrier_wait(&world->barrier);
}

static inline void thread_wait_broadcast(struct kd_comm *comm, void *bytes, int64_t n)
{
    thread_broadcast(comm, 0, bytes, n);
}

/* What a rank is not promised is a NaN afterwards. */
static inline void thread_sum_of_shares(struct kd_comm *comm, float *all, int64_t n_all, int64_t at,
                                        int64_t n)
{
    int64_t begin, end;
    thread_sum_floats(comm, all + at, n);
    kd_comm_share(comm, n_all, &begin, &end);
    kd_comm_cut(at, n, &begin, &end);
    for (int64_t i = 0; i < n; i++)
        if (i < begin || i >= end)
            all[at + i] = NAN;
}

static inline void thread_nothing(struct kd_comm *comm)
{
    (void)comm;
}

static const struct kd_comm_backend thread_backend = {
    .name = "threads",
    .alloc_floats = kd_comm_alloc_plain,
    .free_floats = kd_comm_free_plain,
    .start_sum = thread_sum_floats,
    .start_sum_of_shares = thread_sum_of_shares,
    .progress = thread_nothing,
    .finish_sums = thread_nothing,
    .sum_floats = thread_sum_floats,
    .gather_floats = thread_gather_floats,
    .sum_doubles = thread_sum_doubles,
    .broadcast = thread_broadcast,
    .wait_broadcast = thread_wait_broadcast,
};

/* Runs one rank; ud is shared. */
typedef void thread_rank_fn(struct kd_comm *comm, void *ud);

struct thread_rank {
    struct thread_comm comm;
    thread_rank_fn *run;
    void *ud;
};

static inline void *thread_rank_main(void *arg)
{
    struct thread_rank *rank = arg;
    rank->run(&rank->comm.comm, rank->ud);
    return NULL;
}

static inline void run_ranks(int n_ranks, thread_rank_fn *run_one, void *ud)
{
    struct thread_world world = {.size = n_ranks};
    struct thread_rank ranks[THREAD_RANKS_MAX];
    pthread_t threads[THREAD_RANKS_MAX];
    kd_assert(n_ranks <= THREAD_RANKS_MAX);
    pthread_barrier_init(&world.barrier, NULL, (unsigned)n_ranks);
    for (int r = 0; r < n_ranks; r++) {
        ranks[r] = (struct thread_rank){
            .comm = {{.backend = &thread_backend, .rank = r, .size = n_ranks}, &world},
            .run = run_one,
            .ud = ud};
        pthread_create(&threads[r], NULL, thread_rank_main, &ranks[r]);
    }
    for (int r = 0; r < n_ranks; r++)
        pthread_join(threads[r], NULL);
    pthread_barrier_destroy(&world.barrier);
}

#endif
