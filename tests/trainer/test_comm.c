/* What every communication backend promises, at 1 to 4 ranks under the real mpirun.
 *
 * The program starts itself: `test_comm --rank BACKEND FOLDER` is one rank, makes every check of
 * the table and writes a line for each that failed. Then there is a test for each check, which
 * looks for lines of its own. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/trainer/mpirun.h"

enum { MOST_RANKS = 4 };

/* ---- what a rank does */

/* 0, 1, odd, whole lines, the stage of shm.c and one more, several stages. */
static const int64_t sizes[] = {0, 1, 2, 7, 16, 17, 63, 1000, 4097, 65536, 65537, 200003};

#define CALL(comm, what, ...) (comm)->backend->what((comm), ##__VA_ARGS__)

/* Of any size and sign: their sum hangs on the order in which they are added. */
static float value_of(int rank, int64_t i)
{
    struct kd_rng rng = kd_rng_at((uint64_t)rank + 1, (uint64_t)i);
    return (float)ldexp(kd_rng_uniform(&rng) - 0.5, (int)kd_rng_below(&rng, 20));
}

static void fill(const struct kd_comm *comm, float *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = value_of(comm->rank, i);
}

/* To the rounding of four additions of numbers below 2^19. */
static bool is_sum(const struct kd_comm *comm, const float *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int rank = 0; rank < comm->size; rank++)
            sum += (double)value_of(rank, i);
        if (!(fabs(values[i] - sum) <= 0.25))
            return false;
    }
    return true;
}

static bool is_everywhere(struct kd_comm *comm, const void *bytes, size_t n)
{
    char *first = kd_alloc(n + 1);
    if (n > 0)
        memcpy(first, bytes, n);
    CALL(comm, broadcast, 0, first, (int64_t)n);
    bool same = n == 0 || memcmp(first, bytes, n) == 0;
    free(first);
    return same;
}

static bool sums_are_right_and_the_same_on_every_rank(struct kd_comm *comm)
{
    bool good = true;
    for (size_t k = 0; k < KD_COUNT(sizes); k++) {
        float *values = CALL(comm, alloc_floats, sizes[k]);
        fill(comm, values, sizes[k]);
        CALL(comm, sum_floats, values, sizes[k]);
        good = is_sum(comm, values, sizes[k]) && good;
        good = is_everywhere(comm, values, (size_t)sizes[k] * sizeof(float)) && good;
        CALL(comm, free_floats, values);
    }
    return good;
}

static bool memory_of_any_kind_can_be_summed(struct kd_comm *comm)
{
    bool good = true;
    for (size_t k = 0; k < KD_COUNT(sizes); k++) {
        float *values = KD_NEW_ARRAY(float, (size_t)sizes[k] + 1);
        fill(comm, values, sizes[k]);
        CALL(comm, start_sum, values, sizes[k]);
        CALL(comm, finish_sums);
        good = is_sum(comm, values, sizes[k]) && good;
        good = is_everywhere(comm, values, (size_t)sizes[k] * sizeof(float)) && good;
        free(values);
    }
    return good;
}

/* In buckets of odd lengths, with other calls in between; each rank dawdles at other places each
 * time. */
static void sum_in_buckets(struct kd_comm *comm, float *values, int64_t n, struct kd_rng *rng)
{
    double doubles[3] = {1, 2, 3};
    for (int64_t at = 0, length = 1; at < n; at += length, length = length * 3 + 2) {
        CALL(comm, start_sum, values + at, length < n - at ? length : n - at);
        for (int64_t i = kd_rng_below(rng, 20); i > 0; i--)
            CALL(comm, progress);
        if (length % 2 == 0)
            CALL(comm, sum_doubles, doubles, 3);
    }
    CALL(comm, finish_sums);
    CALL(comm, finish_sums);
}

static bool buckets_give_the_same_bits_each_time(struct kd_comm *comm)
{
    enum { N = 100003, TIMES = 5 };
    bool good = true;
    float *values = CALL(comm, alloc_floats, N), *before = KD_NEW_ARRAY(float, N);
    struct kd_rng rng = kd_rng_at(9, (uint64_t)comm->rank);
    for (int i = 0; i < TIMES; i++) {
        fill(comm, values, N);
        sum_in_buckets(comm, values, N, &rng);
        good = is_sum(comm, values, N) && good;
        good = (i == 0 || memcmp(before, values, N * sizeof(float)) == 0) && good;
        good = is_everywhere(comm, values, N * sizeof(float)) && good;
        memcpy(before, values, N * sizeof(float));
    }
    free(before);
    CALL(comm, free_floats, values);
    return good;
}

/* As a plan does whose optimizer's state is spread: bucket by bucket, each rank looking at its
 * share alone. */
static bool each_rank_gets_the_sums_of_its_share(struct kd_comm *comm, float *values, int64_t n)
{
    int64_t begin, end;
    float *whole = KD_NEW_ARRAY(float, (size_t)n + 1);
    fill(comm, whole, n);
    CALL(comm, sum_floats, whole, n);
    fill(comm, values, n);
    for (int64_t at = 0, length = 1; at < n; at += length, length = length * 3 + 2)
        CALL(comm, start_sum_of_shares, values, n, at, length < n - at ? length : n - at);
    CALL(comm, finish_sums);
    kd_comm_share(comm, n, &begin, &end);
    bool good = true;
    for (int64_t i = begin; i < end; i++)
        good = fabsf(values[i] - whole[i]) <= 1e-5f * (1 + fabsf(whole[i])) && good;
    free(whole);
    return good;
}

static bool shares_are_summed_in_buckets(struct kd_comm *comm)
{
    bool good = true;
    for (size_t k = 0; k < KD_COUNT(sizes); k++) {
        float *liked = CALL(comm, alloc_floats, sizes[k]);
        float *other = KD_NEW_ARRAY(float, (size_t)sizes[k] + 1);
        good = each_rank_gets_the_sums_of_its_share(comm, liked, sizes[k]) && good;
        good = each_rank_gets_the_sums_of_its_share(comm, other, sizes[k]) && good;
        CALL(comm, free_floats, liked);
        free(other);
    }
    return good;
}

static bool doubles_are_summed_in_any_number(struct kd_comm *comm)
{
    static const int64_t counts[] = {0, 1, 3, 64, 2047, 2048, 2049, 5001};
    bool good = true;
    for (size_t k = 0; k < KD_COUNT(counts); k++) {
        double *values = KD_NEW_ARRAY(double, (size_t)counts[k] + 1);
        for (int64_t i = 0; i < counts[k]; i++)
            values[i] = (double)i + 1.0 / (comm->rank + 3);
        CALL(comm, sum_doubles, values, counts[k]);
        double parts = 0;
        for (int rank = 0; rank < comm->size; rank++)
            parts += 1.0 / (rank + 3);
        for (int64_t i = 0; i < counts[k]; i++)
            good = fabs(values[i] - ((double)i * comm->size + parts)) < 1e-9 && good;
        good = is_everywhere(comm, values, (size_t)counts[k] * sizeof(double)) && good;
        free(values);
    }
    return good;
}

/* Also a minus zero, which a sum with zeros would turn into a plus. */
static float gathered_value(int64_t i)
{
    return i % 3 == 0 ? -0.0f : (float)i;
}

static bool gathers(struct kd_comm *comm, float *values, int64_t n)
{
    int64_t begin, end;
    kd_comm_share(comm, n, &begin, &end);
    for (int64_t i = 0; i < n; i++)
        values[i] = i >= begin && i < end ? gathered_value(i) : 99.0f;
    CALL(comm, gather_floats, values, n);
    for (int64_t i = 0; i < n; i++)
        if (values[i] != gathered_value(i) || signbit(values[i]) != signbit(gathered_value(i)))
            return false;
    return true;
}

static bool every_part_reaches_every_rank(struct kd_comm *comm)
{
    bool good = true;
    for (size_t k = 0; k < KD_COUNT(sizes); k++) {
        float *values = CALL(comm, alloc_floats, sizes[k]);
        float *plain = KD_NEW_ARRAY(float, (size_t)sizes[k] + 1);
        good = gathers(comm, values, sizes[k]) && good;
        good = gathers(comm, plain, sizes[k]) && good;
        free(plain);
        CALL(comm, free_floats, values);
    }
    return good;
}

static bool memory_comes_zeroed_and_goes_again(struct kd_comm *comm)
{
    enum { TIMES = 50, AT_ONCE = 3 };
    bool good = true;
    CALL(comm, free_floats, NULL);
    for (int i = 0; i < TIMES; i++) {
        float *all[AT_ONCE];
        int64_t n = 1 + i * 37;
        for (int k = 0; k < AT_ONCE; k++)
            all[k] = CALL(comm, alloc_floats, n);
        for (int k = 0; k < AT_ONCE; k++) {
            good = (uintptr_t)all[k] % 64 == 0 && all[k][0] == 0 && all[k][n - 1] == 0 && good;
            all[k][n - 1] = (float)k;
            if (i % 2 == k % 2) /* some are given back before any sum */
                CALL(comm, sum_floats, all[k], n);
        }
        for (int k = 0; k < AT_ONCE; k++) {
            int times = i % 2 == k % 2 ? comm->size : 1;
            good = all[k][n - 1] == (float)(k * times) && good;
            CALL(comm, free_floats, all[k]);
        }
    }
    return good;
}

static bool every_rank_can_broadcast(struct kd_comm *comm)
{
    bool good = true;
    for (int root = 0; root < comm->size; root++) {
        int64_t word = comm->rank;
        CALL(comm, broadcast, root, &word, sizeof word);
        CALL(comm, barrier);
        good = word == root && good;
    }
    int64_t word = comm->rank;
    CALL(comm, wait_broadcast, &word, sizeof word);
    return word == 0 && good;
}

static bool another_backend_may_take_over(struct kd_comm *comm)
{
    const struct kd_comm_backend *before = comm->backend;
    struct kd_error err;
    bool good = kd_comm_choose(comm, "auto", &err) == 0;
    good = comm->backend == kd_comm_backends[comm->size == 1 ? KD_COMM_SELF : KD_COMM_SHM] && good;
    good = sums_are_right_and_the_same_on_every_rank(comm) && good;
    good = kd_comm_choose(comm, before->name, &err) == 0 && comm->backend == before && good;
    good = sums_are_right_and_the_same_on_every_rank(comm) && good;
    return kd_comm_choose(comm, "telepathy", &err) < 0 && comm->backend == before && good;
}

static bool self_is_for_one_rank_alone(struct kd_comm *comm)
{
    const struct kd_comm_backend *before = comm->backend;
    struct kd_error err;
    bool chosen = kd_comm_choose(comm, "self", &err) == 0;
    comm->backend = before;
    return chosen == (comm->size == 1);
}

#define CHECKS(X)                                                                                  \
    X(sums_are_right_and_the_same_on_every_rank)                                                   \
    X(memory_of_any_kind_can_be_summed)                                                            \
    X(buckets_give_the_same_bits_each_time)                                                        \
    X(shares_are_summed_in_buckets)                                                                \
    X(doubles_are_summed_in_any_number)                                                            \
    X(every_part_reaches_every_rank)                                                               \
    X(memory_comes_zeroed_and_goes_again)                                                          \
    X(every_rank_can_broadcast)                                                                    \
    X(another_backend_may_take_over)                                                               \
    X(self_is_for_one_rank_alone)

static const struct {
    const char *name;
    bool (*holds)(struct kd_comm *comm);
} checks[] = {
#define X(check) {#check, check},
    CHECKS(X)
#undef X
};

static int open_ranks(struct kd_comm *comm, const char *backend)
{
    struct kd_error err;
    if (kd_comm_open(comm, &err) == 0 && kd_comm_choose(comm, backend, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return -1;
}

/* The results are there only when every check has come to its end. */
static int be_a_rank(const char *backend, const char *folder)
{
    struct kd_comm comm;
    struct kd_str failed = {0};
    if (open_ranks(&comm, backend) < 0)
        return 1;
    for (size_t i = 0; i < KD_COUNT(checks); i++)
        if (!checks[i].holds(&comm))
            kd_str_addf(&failed, "%s: %s, rank %d of %d\n", checks[i].name, backend, comm.rank,
                        comm.size);
    char *path = kd_format("%s/%s-%d-%d", folder, backend, comm.size, comm.rank);
    FILE *out = fopen(path, "w");
    fputs(kd_str_text(&failed), out);
    kd_str_release(&failed);
    free(path);
    kd_comm_close(&comm);
    return fclose(out);
}

/* ---- one that is lost */

/* The last rank leaves in the middle of a sum; the others wait for it. */
static int be_left_alone(const char *how)
{
    enum { N = 5000 };
    struct kd_comm comm;
    if (open_ranks(&comm, "shm") < 0)
        return 1;
    float *values = CALL(&comm, alloc_floats, N);
    CALL(&comm, sum_floats, values, N);
    CALL(&comm, start_sum, values, N);
    if (comm.rank == comm.size - 1 && strcmp(how, "killed") == 0)
        raise(SIGKILL);
    if (comm.rank == comm.size - 1)
        pause();
    CALL(&comm, sum_doubles, (double[]){1}, 1);
    return 0;
}

/* ---- the tests */

static char failures[1 << 16];

static void read_results(const struct folder *folder, const char *backend, int n)
{
    for (int rank = 0; rank < n; rank++) {
        char *path = kd_format("%s/%s-%d-%d", folder->path, backend, n, rank);
        FILE *in = fopen(path, "r");
        size_t used = strlen(failures);
        if (!in)
            fail_msg("%s: rank %d of %d has not ended its checks", backend, rank, n);
        used += fread(failures + used, 1, sizeof failures - 1 - used, in);
        failures[used] = '\0';
        fclose(in);
        free(path);
    }
}

static int run_checks(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    for (int id = 0; id < KD_N_COMM_BACKENDS; id++) {
        int most = id == KD_COMM_SELF ? 1 : MOST_RANKS;
        for (int n = 1; n <= most; n++) {
            const char *name = kd_comm_backends[id]->name;
            char *arguments = kd_format("--rank %s '%s'", name, folder.path);
            if (mpirun_self(&folder, "", n, arguments) != 0)
                fail_msg("%s, %d ranks: failed", name, n);
            read_results(&folder, name, n);
            free(arguments);
        }
    }
    folder_remove(&folder);
    return 0;
}

static void check_no_failure_of(const char *name)
{
    const char *at = strstr(failures, name);
    if (at)
        fail_msg("%.*s", (int)strcspn(at, "\n"), at);
}

#define X(check)                                                                                   \
    static void test_##check(void **unused)                                                        \
    {                                                                                              \
        (void)unused;                                                                              \
        check_no_failure_of(#check);                                                               \
    }
CHECKS(X)
#undef X

static void check_end(const char *options, const char *how, const char *message)
{
    struct folder folder = folder_make();
    char *arguments = kd_format("--left %s 2>'%s/err'", how, folder.path);
    char *search = kd_format("grep -q '%s' '%s/err'", message, folder.path);
    char *show = kd_format("cat '%s/err' >&2", folder.path);
    mpirun_self(&folder, options, 3, arguments);
    int found = system(search);
    if (found != 0)
        assert_int_equal(system(show), 0);
    assert_int_equal(found, 0);
    free(show);
    free(search);
    free(arguments);
    folder_remove(&folder);
}

/* With recovery mpirun lets the others live: they find out by themselves. */
static void a_killed_rank_ends_those_that_wait_for_it(void **unused)
{
    (void)unused;
    check_end("--enable-recovery --mca orte_abort_on_non_zero_status 0", "killed",
              "waited for rank 2, whose process [0-9]* has ended");
}

static void nobody_waits_longer_than_the_deadline(void **unused)
{
    (void)unused;
    setenv(KD_COMM_DEADLINE, "0.3", 1);
    check_end("", "asleep", "has waited [0-9]* s for rank 2");
    unsetenv(KD_COMM_DEADLINE);
}

static void a_deadline_that_is_no_time_is_refused(void **unused)
{
    (void)unused;
    struct kd_comm comm;
    struct kd_error err;
    setenv(KD_COMM_DEADLINE, "soon", 1);
    assert_int_equal(kd_comm_open(&comm, &err), -1);
    assert_non_null(strstr(err.text, "\"soon\" is not a number of seconds"));
    unsetenv(KD_COMM_DEADLINE);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--rank") == 0)
        return be_a_rank(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "--left") == 0)
        return be_left_alone(argv[2]);
    const struct CMUnitTest tests[] = {
#define X(check) {#check, test_##check, NULL, NULL, NULL},
        CHECKS(X)
#undef X
            cmocka_unit_test(a_killed_rank_ends_those_that_wait_for_it),
        cmocka_unit_test(nobody_waits_longer_than_the_deadline),
        cmocka_unit_test(a_deadline_that_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, run_checks, NULL);
}
