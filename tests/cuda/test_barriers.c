/* test_barriers.c - no barrier of the kernels can go without a test failing: each is left out, and
 * then the check of some op that reaches it must fail in some schedule. What fails is a process of
 * its own, since it may also crash or hang.
 *
 * A barrier of a header counts once: what one kernel needs it for (to use an array again) another
 * does not. */
#include "tests/kernels/checks.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cuda/control.h"

enum { PLACES_MAX = 256, WHERE_MAX = 200, SECONDS_MAX = 60 };

struct place {
    char where[WHERE_MAX]; /* "reduce.cuh:51" */
    const char *file;
    int line;
    bool reached_by[KD_N_OPS];
};

/* Shared with the children, who fill it. */
static struct {
    struct place places[PLACES_MAX];
    int n_places;
} * seen;
static enum kd_op op_now;

static void note(const char *file, int line)
{
    struct place *place = seen->places, *end = place + seen->n_places;
    while (place < end && (place->line != line || strcmp(place->file, file) != 0))
        place++;
    if (place == end) {
        assert_true(seen->n_places < PLACES_MAX);
        seen->n_places++;
        const char *slash = strrchr(file, '/');
        snprintf(place->where, WHERE_MAX, "%s:%d", slash ? slash + 1 : file, line);
        place->file = file; /* children are forks: the same address in each */
        place->line = line;
    }
    place->reached_by[op_now] = true;
}

/* Values stored in 16 bits have kernels of their own, and others in code of architecture 80. */
static void one_op(void **state)
{
    static const char *const architectures[] = {"75", "80"};
    (void)state;
    on_each_device(checks[op_now], op_now);
    for (size_t a = 0; a < KD_COUNT(architectures); a++) {
        setenv("KATYDID_SIM_ARCHITECTURE", architectures[a], 1);
        on_device(kd_devices[0], KD_PRECISION_FP16, checks[op_now], op_now);
    }
}

/* Whether the check of op passes, in a child. */
static bool passes(enum kd_op op, const char *schedule, const char *dropped)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO), dup2(nowhere, STDERR_FILENO);
        alarm(SECONDS_MAX);
        op_now = op;
        kd_sim_schedule(schedule);
        kd_sim_drop_barrier(dropped);
        kd_sim_watch_barriers(dropped ? NULL : note);
        const struct CMUnitTest test[] = {cmocka_unit_test(one_op)};
        _exit(cmocka_run_group_tests(test, NULL, NULL));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status == 0;
}

static void every_op_passes_with_all_its_barriers(void **state)
{
    (void)state;
    int n_failed = 0;
    for (int op = 0; op < KD_N_OPS; op++)
        if (!passes((enum kd_op)op, "forward", NULL)) {
            print_error("%s fails\n", kd_op_names[op]);
            n_failed++;
        }
    assert_int_equal(n_failed, 0);
}

/* The op and the schedule that show it; false: none does. */
static bool is_missed(const struct place *place)
{
    static const char *const schedules[] = {"forward", "reverse", "random:1", "random:2"};
    for (size_t s = 0; s < KD_COUNT(schedules); s++)
        for (int op = 0; op < KD_N_OPS; op++)
            if (place->reached_by[op] && !passes((enum kd_op)op, schedules[s], place->where)) {
                printf("  %s is missed by %s in %s\n", place->where, kd_op_names[op], schedules[s]);
                return true;
            }
    return false;
}

static void a_barrier_left_out_makes_some_op_fail_in_some_schedule(void **state)
{
    (void)state;
    int n_idle = 0;
    assert_true(seen->n_places > 0);
    for (int i = 0; i < seen->n_places; i++)
        if (!is_missed(&seen->places[i])) {
            print_error("%s: nothing fails without this barrier\n", seen->places[i].where);
            n_idle++;
        }
    assert_int_equal(n_idle, 0);
}

int main(void)
{
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_passes_with_all_its_barriers),
        cmocka_unit_test(a_barrier_left_out_makes_some_op_fail_in_some_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
