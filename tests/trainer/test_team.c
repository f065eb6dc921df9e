/* The algorithm of the shared-memory backend, with threads as ranks: what a race detector can see.
 *
 * Built with -fsanitize=thread (CFLAGS) it says whether any float is touched without the counters
 * between. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "tests/trainer/support.h"
#include "trainer/comm/team.h"

enum { MOST_RANKS = 5, N = 20011, TIMES = 20 };

struct world {
    int size;
    struct kd_team_board *board;
    float *copies[MOST_RANKS];
    void (*act)(struct kd_team *team, struct world *world);
    _Atomic int n_told, told_of; /* by still_waiting */
};

struct actor {
    pthread_t thread;
    int rank;
    struct world *world;
};

static void *act(void *argument)
{
    struct actor *actor = argument;
    struct kd_team team;
    kd_team_init(&team, actor->world->board, actor->rank, actor->world->size);
    actor->world->act(&team, actor->world);
    kd_team_release(&team);
    return NULL;
}

static void run_ranks(struct world *world)
{
    struct actor actors[MOST_RANKS];
    world->board = kd_alloc_aligned(KD_TEAM_LINE, kd_team_board_bytes(world->size));
    for (int rank = 0; rank < world->size; rank++)
        world->copies[rank] = kd_alloc_aligned(KD_TEAM_LINE, N * sizeof(float));
    for (int rank = 0; rank < world->size; rank++) {
        actors[rank] = (struct actor){.rank = rank, .world = world};
        assert_int_equal(pthread_create(&actors[rank].thread, NULL, act, &actors[rank]), 0);
    }
    for (int rank = 0; rank < world->size; rank++)
        pthread_join(actors[rank].thread, NULL);
}

static void release(struct world *world)
{
    for (int rank = 0; rank < world->size; rank++)
        free(world->copies[rank]);
    free(world->board);
}

/* ---- sums */

static float value_of(int rank, int64_t i)
{
    return 1.0f / (float)(3 + rank + i % 1013);
}

static void start(struct kd_team *team, struct world *world, int64_t at, int64_t n)
{
    struct kd_team_job job = {.copies = world->copies, .at = at};
    kd_team_part(team, n, &job.begin, &job.end);
    kd_team_start(team, &job);
}

/* Buckets of 1, 5, 17, ... with small sums in between; the copy is read and written anew right
 * after. */
static void sum_again_and_again(struct kd_team *team, struct world *world)
{
    float *mine = world->copies[team->rank];
    for (int k = 0; k < TIMES; k++) {
        for (int64_t i = 0; i < N; i++)
            mine[i] = value_of(team->rank, i);
        for (int64_t at = 0, n = 1; at < N; at += n, n = n * 3 + 2) {
            double one = 1;
            start(team, world, at, n < N - at ? n : N - at);
            kd_team_progress(team);
            if (n % 3 == 0)
                kd_team_sum_doubles(team, &one, 1);
        }
        kd_team_finish(team);
    }
}

static void check_sums(int size)
{
    struct world world = {.size = size, .act = sum_again_and_again};
    run_ranks(&world);
    for (int64_t i = 0; i < N; i++) {
        float sum = value_of(0, i);
        for (int rank = 1; rank < size; rank++)
            sum += value_of(rank, i);
        for (int rank = 0; rank < size; rank++)
            assert_true(world.copies[rank][i] == sum); /* to the bit: added in this order */
    }
    release(&world);
}

static void sums_are_made_in_the_order_of_the_ranks(void **unused)
{
    (void)unused;
    for (int size = 1; size <= MOST_RANKS; size++)
        check_sums(size);
}

/* ---- gathering */

static void gather_again_and_again(struct kd_team *team, struct world *world)
{
    float *mine = world->copies[team->rank];
    for (int k = 0; k < TIMES; k++) {
        struct kd_team_job job = {.copies = world->copies, .work = KD_TEAM_GIVE};
        job.begin = (int64_t)N * team->rank / team->size;
        job.end = (int64_t)N * (team->rank + 1) / team->size;
        for (int64_t i = 0; i < N; i++)
            mine[i] = i >= job.begin && i < job.end ? (float)(i + k) : -1.0f;
        kd_team_start(team, &job);
        kd_team_finish(team);
    }
}

static void every_part_reaches_every_copy(void **unused)
{
    (void)unused;
    struct world world = {.size = 3, .act = gather_again_and_again};
    run_ranks(&world);
    for (int rank = 0; rank < world.size; rank++)
        for (int64_t i = 0; i < N; i++)
            assert_true(world.copies[rank][i] == (float)(i + TIMES - 1));
    release(&world);
}

/* ---- doubles */

static void sum_doubles_again_and_again(struct kd_team *team, struct world *world)
{
    double values[KD_TEAM_DOUBLES + 3];
    for (int k = 0; k < TIMES; k++) {
        int64_t n = k % 3 == 0 ? KD_TEAM_DOUBLES + 3 : k;
        for (int64_t i = 0; i < n; i++)
            values[i] = (double)(i + team->rank * k);
        kd_team_sum_doubles(team, values, n);
        for (int64_t i = 0; i < n; i++) /* counted in the copy, which is the thread's own */
            world->copies[team->rank][k] +=
                values[i] != (double)(i * team->size + k * team->size * (team->size - 1) / 2);
    }
}

static void rounds_of_doubles_do_not_mix(void **unused)
{
    (void)unused;
    struct world world = {.size = 4, .act = sum_doubles_again_and_again};
    run_ranks(&world);
    for (int rank = 0; rank < world.size; rank++)
        for (int k = 0; k < TIMES; k++)
            assert_true(world.copies[rank][k] == 0);
    release(&world);
}

/* ---- waiting */

static void note(void *ud, int rank, int64_t waited_us)
{
    struct world *world = ud;
    if (waited_us > 0)
        atomic_store(&world->told_of, rank);
    atomic_fetch_add(&world->n_told, 1);
}

/* Rank 1 comes only after the others have been told that they wait for it. */
static void come_late(struct kd_team *team, struct world *world)
{
    double one = 1;
    team->still_waiting = note;
    team->ud = world;
    while (team->rank == 1 && atomic_load(&world->n_told) == 0)
        sched_yield();
    kd_team_sum_doubles(team, &one, 1);
    world->copies[team->rank][0] = (float)one;
}

static void who_waits_long_is_told_for_whom(void **unused)
{
    (void)unused;
    struct world world = {.size = 3, .act = come_late, .told_of = -1};
    run_ranks(&world);
    assert_int_equal(world.told_of, 1);
    for (int rank = 0; rank < world.size; rank++)
        assert_true(world.copies[rank][0] == 3);
    release(&world);
}

/* ---- parts */

static void parts_are_whole_lines_that_cover_all_once(void **unused)
{
    (void)unused;
    for (int size = 1; size <= 7; size++) {
        for (int64_t n = 0; n < 300; n++) {
            int64_t covered = 0;
            for (int rank = 0; rank < size; rank++) {
                struct kd_team team = {.rank = rank, .size = size};
                int64_t begin, end;
                kd_team_part(&team, n, &begin, &end);
                assert_int_equal(begin, covered);
                assert_true(end == n || end % 16 == 0);
                covered = end;
            }
            assert_int_equal(covered, n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_made_in_the_order_of_the_ranks),
        cmocka_unit_test(every_part_reaches_every_copy),
        cmocka_unit_test(rounds_of_doubles_do_not_mix),
        cmocka_unit_test(who_waits_long_is_told_for_whom),
        cmocka_unit_test(parts_are_whole_lines_that_cover_all_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
