/* test_gpu_watch.c - the thread that looks at the GPUs, on machines that the stand-in for NVML
 * plays. Waits are for the thread, never for a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Nobody asks a stand-in anything, and a driver that is gone answers nothing; neither holds anybody
 * up. */
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

/* Of a free one the driver tells that some GPU is lost, of a held one its reading; each is told
 * once. */
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

/* What the kernel's log has by now, told at the next look. */
static void log_lines(const char *dir, const char *lines)
{
    char path[200];
    snprintf(path, sizeof path, "%s/kmsg", dir);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(lines, file);
    fclose(file);
    setenv("KATYDID_KMSG", path, 1);
}

#define SWITCH "3,1200,99,-;nvidia-nvswitch3: SXid (PCI:0000:c4:00.0): "

/* Of those that there is room for, which are all behind NVSwitches. */
static void an_sxid_that_is_fatal_to_all_hits_each_gpu_behind_a_switch(void **state)
{
    struct kd_gpu_fault fault;
    log_lines(*state, SWITCH "22003, Fatal, Link 01 Minion Halt\n"); /* before anybody looked */
    struct fixture f = start("nvswitch");
    expect_no_fault(&f);
    log_lines(*state, SWITCH "12020, Fatal, Link 46 egress sequence ID error\n" SWITCH
                             "12020, Severity 1 Engine instance 46 Sub-engine instance 00\n" SWITCH
                             "12020, Data {0x00000001, 0x00000001}\n SUBSYSTEM=pci\n");
    look(&f);
    for (int i = 0; i < N_GPUS; i++) {
        assert_true(kd_gpu_watch_take_fault(f.watch, &fault));
        assert_int_equal(fault.gpu, i);
        assert_int_equal(fault.xid, 12020);
        assert_string_equal(fault.text, "NVSwitch 0000:c4:00.0 reported SXid 12020, Fatal, Link 46 "
                                        "egress sequence ID error");
    }
    expect_no_fault(&f);
    kd_gpu_watch_stop(f.watch);
}

/* 20034 comes of each link of a GPU that has fallen off the bus: the others are well. */
static void other_sxids_are_told_and_hit_no_gpu(void **state)
{
    log_lines(*state, "");
    struct fixture f = start("nvswitch");
    expect_no_fault(&f);
    log_lines(*state,
              SWITCH "20034, Fatal, Link 30 LTSSM Fault Up\n" SWITCH
                     "12028, Non-fatal, Link 32 egress non-posted PRIV error (First)\n"
                     "4,1,2,-;NVRM: Xid (PCI:0000:10:1c): 63, pid=1896\n"
                     "12,1,3,-;somebody: SXid (PCI:0000:c4:00.0): 12020, Fatal, Link 1\n" SWITCH
                     "not a number\n" SWITCH "10004, Non-fa");
    look(&f);
    expect_fault(&f, KD_NO_GPU, 20034);
    expect_fault(&f, KD_NO_GPU, 12028);
    expect_no_fault(&f);
    log_lines(*state, "tal, thermal event\n"); /* the rest of a line that was not whole */
    look(&f);
    expect_fault(&f, KD_NO_GPU, 10004);
    expect_no_fault(&f);
    kd_gpu_watch_stop(f.watch);
}

/* More than the reader holds at once, and lines that are longer than any record. */
static void a_log_that_fills_fast_is_read_to_its_end(void **state)
{
    enum { N_LINES = 150, LONG = 40000 };
    char line[200], *text = KD_NEW_ARRAY(char, LONG + 1);
    log_lines(*state, "");
    struct fixture f = start("nvswitch");
    expect_no_fault(&f);
    memset(text, 'x', LONG);
    log_lines(*state, text);
    log_lines(*state, "\n");
    for (int i = 0; i < N_LINES; i++) {
        snprintf(line, sizeof line, SWITCH "%d, Non-fatal, Link 32 an error\n", 13000 + i);
        log_lines(*state, line);
    }
    look(&f);
    for (int i = 0; i < N_LINES; i++)
        expect_fault(&f, KD_NO_GPU, 13000 + i);
    expect_no_fault(&f);
    free(text);
    kd_gpu_watch_stop(f.watch);
}

/* Their links go to each other: whatever the log says of switches is none of theirs. */
static void without_switches_the_log_is_not_read(void **state)
{
    log_lines(*state, "");
    struct fixture f = start("station");
    expect_no_fault(&f);
    log_lines(*state, SWITCH "12020, Fatal, Link 46 egress sequence ID error\n" SWITCH
                             "12028, Non-fatal, Link 32 egress non-posted PRIV error (First)\n");
    expect_no_fault(&f);
    kd_gpu_watch_stop(f.watch);
}

static void a_log_that_cannot_be_read_holds_nobody_up(void **state)
{
    const char *dir = *state;
    setenv("KATYDID_KMSG", "/nonexistent/kmsg", 1);
    struct fixture f = start("nvswitch");
    write_file(dir, "xid-1", "79");
    look(&f);
    expect_fault(&f, 1, 79);
    expect_no_fault(&f);
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
    static const int of_switches[] = {10003, 12020, 22003, 22011, 23001, 23009, 23017};
    for (size_t i = 0; i < KD_COUNT(of_switches); i++)
        assert_int_equal(kd_xid_effect(of_switches[i]), KD_XID_FAILS);
    static const int of_links[] = {11004, 12028, 19084, 20034, 22012, 23018, 28002};
    for (size_t i = 0; i < KD_COUNT(of_links); i++)
        assert_int_equal(kd_xid_effect(of_links[i]), KD_XID_NOTED);
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
    unsetenv("KATYDID_KMSG");
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
        cmocka_unit_test_setup_teardown(an_sxid_that_is_fatal_to_all_hits_each_gpu_behind_a_switch,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(other_sxids_are_told_and_hit_no_gpu, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_that_fills_fast_is_read_to_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(without_switches_the_log_is_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_that_cannot_be_read_holds_nobody_up, setup, teardown),
        cmocka_unit_test(only_what_is_no_fault_of_the_gpu_leaves_it_of_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
