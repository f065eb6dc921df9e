/* test_gpu_watch.c - the thread that looks at the GPUs, on machines that the stand-in for NVML plays. Waits are for the thread,
 * never for a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/launch/gpu_watch.h"
#include "coordinator/launch/gpus.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_is_measured_on_each_of_its_gpus),
        cmocka_unit_test(without_a_counter_of_energy_power_is_taken),
        cmocka_unit_test(an_instance_has_no_energy_of_its_own),
        cmocka_unit_test(nothing_is_measured_where_nobody_can_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
