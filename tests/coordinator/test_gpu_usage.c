/* test_gpu_usage.c - readings of a GPU added up to what an attempt made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "coordinator/base/mem.h"
#include "coordinator/gpu_usage.h"

static struct kd_gpu_usage add_up(const struct kd_gpu_reading *readings, size_t n)
{
    struct kd_gpu_usage usage = {0};
    for (size_t i = 0; i < n; i++)
        kd_gpu_usage_add(&usage, &readings[i]);
    return usage;
}

/* What the GPU did before the attempt began is not the attempt's: the first reading is only where
 * counters start. */
static void the_first_reading_is_where_it_begins(void **state)
{
    (void)state;
    const struct kd_gpu_reading readings[] = {
        {.at_s = 5, .memory_bytes = 9000, .percent = 99, .celsius = 90, .energy_mj = 70000},
        {.at_s = 6, .memory_bytes = 4000, .percent = 10, .celsius = 40, .energy_mj = 70500},
        {.at_s = 9, .memory_bytes = 3000, .percent = 50, .celsius = 45, .energy_mj = 72500},
    };
    struct kd_gpu_usage usage = add_up(readings, KD_COUNT(readings));
    assert_true(usage.seconds == 4 && kd_gpu_usage_joules(&usage) == 2.5);
    assert_true(fabs(kd_gpu_usage_percent(&usage) - 40) < 1e-9); /* 1 s of 10, 3 s of 50 */
    assert_int_equal(usage.memory_peak_bytes, 4000);
    assert_int_equal(usage.percent_peak, 50);
    assert_int_equal(usage.celsius_peak, 45);
}

static void one_reading_says_nothing(void **state)
{
    (void)state;
    const struct kd_gpu_reading reading = {
        .at_s = 5, .memory_bytes = 1, .percent = 9, .celsius = 9, .energy_mj = 9, .power_mw = 9};
    struct kd_gpu_usage usage = add_up(&reading, 1);
    assert_true(isnan(kd_gpu_usage_joules(&usage)) && isnan(kd_gpu_usage_percent(&usage)));
    assert_false(usage.has_memory || usage.has_celsius || usage.has_percent);
}

static void without_a_counter_energy_is_power_times_time(void **state)
{
    (void)state;
    const struct kd_gpu_reading readings[] = {
        {.at_s = 0, .energy_mj = -1, .power_mw = 100000},
        {.at_s = 1, .energy_mj = -1, .power_mw = 200000},
        {.at_s = 3, .energy_mj = -1, .power_mw = 200000},
    };
    struct kd_gpu_usage usage = add_up(readings, KD_COUNT(readings));
    assert_true(fabs(kd_gpu_usage_joules(&usage) - 550) < 1e-9);
}

/* The driver was loaded anew in between: its counter says nothing of this attempt. */
static void a_counter_that_goes_back_is_not_believed(void **state)
{
    (void)state;
    const struct kd_gpu_reading readings[] = {
        {.at_s = 0, .energy_mj = 900000, .power_mw = -1},
        {.at_s = 1, .energy_mj = 10, .power_mw = -1},
    };
    struct kd_gpu_usage usage = add_up(readings, KD_COUNT(readings));
    assert_true(isnan(kd_gpu_usage_joules(&usage)));
}

/* It is lost, say: until then it took what it took. */
static void a_gpu_that_falls_silent_keeps_what_it_said_last(void **state)
{
    (void)state;
    const struct kd_gpu_reading readings[] = {
        {.at_s = 0, .energy_mj = 1000, .memory_bytes = 5, .percent = 5, .celsius = 5},
        {.at_s = 1, .energy_mj = 4000, .memory_bytes = 7, .percent = 80, .celsius = 60},
        {.at_s = 2,
         .energy_mj = -1,
         .memory_bytes = -1,
         .percent = -1,
         .celsius = -1,
         .power_mw = -1},
    };
    struct kd_gpu_usage usage = add_up(readings, KD_COUNT(readings));
    assert_true(kd_gpu_usage_joules(&usage) == 3 && kd_gpu_usage_percent(&usage) == 80);
    assert_int_equal(usage.memory_peak_bytes, 7);
    assert_int_equal(usage.celsius_peak, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_reading_is_where_it_begins),
        cmocka_unit_test(one_reading_says_nothing),
        cmocka_unit_test(without_a_counter_energy_is_power_times_time),
        cmocka_unit_test(a_counter_that_goes_back_is_not_believed),
        cmocka_unit_test(a_gpu_that_falls_silent_keeps_what_it_said_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
