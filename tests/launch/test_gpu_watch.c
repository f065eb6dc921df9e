/* test_gpu_watch.c - the thread that looks at the GPUs, on machines that the stand-in for NVML plays. Waits are for the thread,
 * never for a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/launch/gpu_watch.h"
#include "coordinator/launch/gpus.h"
#include "coordinator/launch/run_dir.h"
#include "coordinator/launch/xid.h"

enum { N_GPUS = 4, FOR_EVER_MS = 60000 };

static struct kd_topology topology; /* large */

struct fixture {
    struct kd_gpu gpus[N_GPUS];
    struct kd_gpu_watch *watch;
};

static struct fixture start(const char *machine)
{
    struct fixture f = {0};
    char note[256];
    setenv("KATYDID_NVML", KD_NVML_STANDIN, 1);
    setenv("NVML_STANDIN", machine, 1);
    unsetenv("CUDA_VISIBLE_DEVICES");
    int n = kd_gpus_find(f.gpus, N_GPUS, &topology, note, sizeof note);
    f.watch = kd_gpu_watch_start(f.gpus, n);
    assert_non_null(f.watch);
    return f;
}

static void wait_for_news(struct fixture *f)
{
    struct pollfd item = {.fd = kd_gpu_watch_fd(f->watch), .events = POLLIN};
    assert_int_equal(poll(&item, 1, FOR_EVER_MS), 1);
}

/* An attempt on these GPUs that lasts until it was seen twice. */
static void run_attempt(struct fixture *f, int64_t fence, const int *gpus, int n)
{
    kd_gpu_watch_hold(f->watch, fence, gpus, n);
    kd_gpu_watch_hold(f->watch, 99, gpus,
                      n); /* ends at once: when it is measured, both were seen */
    kd_gpu_watch_release(f->watch, 99);
    wait_for_news(f);
    struct kd_gpu_measured other;
    while (kd_gpu_watch_take(f->watch, &other))
        assert_int_equal(other.fence, 99);
    kd_gpu_watch_release(f->watch, fence);
    kd_gpu_watch_settle(f->watch, FOR_EVER_MS);
}

static void an_attempt_is_measured_on_each_of_its_gpus(void **state)
{
    (void)state;
    struct fixture f = start("station");
    const int gpus[] = {1, 3};
    run_attempt(&f, 7, gpus, 2);
    for (int i = 0; i < 2; i++) {
        struct kd_gpu_measured measured;
        assert_true(kd_gpu_watch_take(f.watch, &measured));
        assert_int_equal(measured.fence, 7);
        assert_int_equal(measured.i, i);
        assert_int_equal(measured.usage.percent_peak, 60 + gpus[i]);
        assert_int_equal(measured.usage.celsius_peak, 50 + gpus[i]);
        assert_int_equal(measured.usage.memory_peak_bytes, (gpus[i] + 1LL) << 30);
        double watts = kd_gpu_usage_joules(&measured.usage) / measured.usage.seconds;
        /* The counter and the clock are read one after the other. */
        assert_true(watts > 100 * (gpus[i] + 1) && watts < 400 * (gpus[i] + 1));
    }
    struct kd_gpu_measured none;
    assert_false(kd_gpu_watch_take(f.watch, &none));
    kd_gpu_watch_stop(f.watch);
}

static void without_a_counter_of_energy_power_is_taken(void **state)
{
    (void)state;
    struct fixture f = start("pascal");
    const int gpu = 1;
    struct kd_gpu_measured measured;
    run_attempt(&f, 7, &gpu, 1);
    assert_true(kd_gpu_watch_take(f.watch, &measured));
    assert_int_equal(measured.usage.energy_mj, 0);
    assert_true(fabs(kd_gpu_usage_joules(&measured.usage) - 400 * measured.usage.seconds) < 1e-6);
    kd_gpu_watch_stop(f.watch);
}

static void an_instance_has_no_energy_of_its_own(void **state)
{
    (void)state;
    struct fixture f = start("mig");
    const int second = 1;
    struct kd_gpu_measured measured;
    run_attempt(&f, 7, &second, 1);
    assert_true(kd_gpu_watch_take(f.watch, &measured));
    assert_true(isnan(kd_gpu_usage_joules(&measured.usage)));
    assert_true(measured.usage.has_memory && measured.usage.has_celsius);
    kd_gpu_watch_stop(f.watch);
}

/* Nobody asks a stand-in anything, and a driver that is gone answers nothing; neither holds anybody up. */
static void nothing_is_measured_where_nobody_can_be_asked(void **state)
{
    (void)state;
    struct fixture f = start("station");
    kd_gpu_watch_stop(f.watch);
    setenv("KATYDID_FAKE_GPUS", "4", 1);
    assert_null(kd_gpu_watch_start(f.gpus, N_GPUS));
    unsetenv("KATYDID_FAKE_GPUS");
    assert_null(kd_gpu_watch_start(f.gpus, 0));
    setenv("NVML_STANDIN", "mismatch", 1);
    f.watch = kd_gpu_watch_start(f.gpus, N_GPUS);
    const int gpu = 0;
    struct kd_gpu_measured measured;
    run_attempt(&f, 7, &gpu, 1);
    assert_true(kd_gpu_watch_take(f.watch, &measured));
    assert_int_equal(measured.usage.n_readings, 0);
    kd_gpu_watch_stop(f.watch);
}

/* ---- errors ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[200], made[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(made, sizeof made, "%s/new", dir);
    FILE *file = fopen(made, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(made, path), 0); /* there at once, and whole */
}

/* Everything until now is known afterwards. */
static void look(struct fixture *f)
{
    int64_t number = kd_gpu_watch_look(f->watch);
    while (kd_gpu_watch_looked(f->watch) < number)
        wait_for_news(f);
}

static void expect_fault(struct fixture *f, int gpu, int xid)
{
    struct kd_gpu_fault fault;
    assert_true(kd_gpu_watch_take_fault(f->watch, &fault));
    assert_int_equal(fault.gpu, gpu);
    assert_int_equal(fault.xid, xid);
}

static void expect_no_fault(struct fixture *f)
{
    struct kd_gpu_fault fault;
    look(f);
    assert_false(kd_gpu_watch_take_fault(f->watch, &fault));
}

static void errors_come_with_the_next_look(void **state)
{
    const char *dir = *state;
    struct fixture f = start("station");
    expect_no_fault(&f);
    write_file(dir, "xid-1", "31"); /* in this order also when a look comes between */
    write_file(dir, "xid-2", "79");
    look(&f);
    expect_fault(&f, 1, 31);
    expect_fault(&f, 2, 79);
    expect_no_fault(&f);
    kd_gpu_watch_stop(f.watch);
}

/* Of a free one the driver tells that some GPU is lost, of a held one its reading; each is told once. */
static void a_lost_gpu_is_found_held_or_free(void **state)
{
    const char *dir = *state;
    struct fixture f = start("station");
    write_file(dir, "lost-3", "");
    look(&f);
    expect_fault(&f, 3, KD_XID_LOST);
    const int gpu = 1;
    kd_gpu_watch_hold(f.watch, 7, &gpu, 1);
    write_file(dir, "lost-1", "");
    look(&f);
    expect_fault(&f, 1, KD_XID_LOST);
    expect_no_fault(&f);
    kd_gpu_watch_stop(f.watch); /* with an attempt that nobody released */
}

static void an_error_of_a_gpu_in_mig_mode_hits_the_instances_that_it_names(void **state)
{
    const char *dir = *state;
    struct fixture f = start("mig"); /* instances 0, 1 and 3 */
    write_file(dir, "xid-0", "94 3");
    look(&f);
    expect_fault(&f, 2, 94);
    expect_no_fault(&f);
    write_file(dir, "xid-0", "95");
    look(&f);
    for (int i = 0; i < 3; i++)
        expect_fault(&f, i, 95);
    kd_gpu_watch_stop(f.watch);
}

static void only_what_is_no_fault_of_the_gpu_leaves_it_of_use(void **state)
{
    (void)state;
    static const int own[] = {13, 31, 43, 68};
    for (size_t i = 0; i < KD_COUNT(own); i++)
        assert_int_equal(kd_xid_effect(own[i]), KD_XID_OWN);
    assert_int_equal(kd_xid_effect(45), KD_XID_SILENT);
    static const int failures[] = {KD_XID_LOST, 48, 62, 64, 74, 79, 95, 119, 7777};
    for (size_t i = 0; i < KD_COUNT(failures); i++)
        assert_int_equal(kd_xid_effect(failures[i]), KD_XID_FAILS);
    assert_int_equal(kd_xid_effect(94), KD_XID_SPOILS);
    assert_int_equal(kd_xid_effect(63), KD_XID_NOTED);
    assert_string_equal(kd_xid_meaning(79), "GPU has fallen off the bus");
}

/* ---- a folder for each test, by which it tells the stand-in what fails ---- */

static int setup(void **state)
{
    char *dir = kd_strdup("/tmp/katydid-gpus-XXXXXX");
    assert_non_null(mkdtemp(dir));
    setenv("NVML_STANDIN_DIR", dir, 1);
    *state = dir;
    return 0;
}

static int teardown(void **state)
{
    kd_dir_remove(*state);
    free(*state);
    unsetenv("NVML_STANDIN_DIR");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_is_measured_on_each_of_its_gpus),
        cmocka_unit_test(without_a_counter_of_energy_power_is_taken),
        cmocka_unit_test(an_instance_has_no_energy_of_its_own),
        cmocka_unit_test(nothing_is_measured_where_nobody_can_be_asked),
        cmocka_unit_test_setup_teardown(errors_come_with_the_next_look, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_gpu_is_found_held_or_free, setup, teardown),
        cmocka_unit_test_setup_teardown(
            an_error_of_a_gpu_in_mig_mode_hits_the_instances_that_it_names, setup, teardown),
        cmocka_unit_test(only_what_is_no_fault_of_the_gpu_leaves_it_of_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
