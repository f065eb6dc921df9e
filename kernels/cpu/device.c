/* device.c - the CPU: host memory, one thread, every op done when its call returns. */
#include "kernels/device.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include "coordinator/base/mem.h"
#include "kernels/cpu/convolution.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/table.h"

static const struct kd_ops cpu_ops = {
#define KD_OP(name, summary) .name = kd_cpu_##name,
#include "kernels/ops.def"
#undef KD_OP
};

/* A rank is one thread: several ranks fill the machine, and a pool of OpenMP threads under each
 * would fight over it. oneDNN brings its OpenMP runtime along, so it is looked up, not linked;
 * without one there is nothing to hold back. */
static void stay_single_threaded(void)
{
    void (*set_num_threads)(int) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    memcpy(&set_num_threads, &symbol, sizeof symbol);
    if (set_num_threads)
        set_num_threads(1);
}

/* The momentum of a weight that gets no more gradients decays into subnormal numbers after some 800
 * steps, and arithmetic on those is ten times slower: a whole update took 590 us instead of 65.
 * Below 1e-38 is zero. */
static void flush_subnormals(void)
{
#if defined(__SSE2__)
    const unsigned flush_results = 0x8000, read_as_zero = 0x0040;
    _mm_setcsr(_mm_getcsr() | flush_results | read_as_zero);
#endif
}

static int cpu_open(int which, struct kd_queue **queue, struct kd_error *err)
{
    (void)which;
    if (kd_isa_check(err) < 0)
        return -1;
    stay_single_threaded();
    flush_subnormals();
    *queue = NULL;
    return 0;
}

static void cpu_close(struct kd_queue *queue)
{
    (void)queue;
    kd_conv_release();
    kd_cpu_scratch_release();
}

static void cpu_identity(char text[KD_IDENTITY_MAX])
{
    *text = '\0'; /* ranks share it */
}

static void *cpu_alloc(size_t bytes)
{
    return kd_alloc_aligned(64, bytes ? bytes : 64);
}

static void cpu_copy(struct kd_queue *queue, void *to, const void *from, size_t bytes)
{
    (void)queue;
    if (bytes)
        memcpy(to, from, bytes);
}

static void cpu_memory(size_t *free_bytes, size_t *total_bytes)
{
    *total_bytes = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    *free_bytes =
        *total_bytes; /* others' shares come and go: what does not fit at all is told early */
}

static void cpu_pin(void *host, size_t bytes)
{
    (void)host, (void)bytes;
}

static void cpu_unpin(void *host)
{
    (void)host;
}

static void cpu_mark(struct kd_queue *queue, int i)
{
    (void)queue, (void)i;
}

static void cpu_wait(struct kd_queue *queue)
{
    (void)queue;
}

static bool cpu_has_passed(struct kd_queue *queue, int i)
{
    (void)queue, (void)i;
    return true;
}

static void cpu_wait_for(struct kd_queue *queue, const struct kd_queue *other, int i)
{
    (void)queue, (void)other, (void)i;
}

/* A call costs nothing that a recording could save. */
static bool cpu_record(struct kd_queue *queue)
{
    (void)queue;
    return false;
}

static int cpu_set_precision(struct kd_queue *queue, enum kd_precision precision,
                             struct kd_error *err)
{
    (void)queue;
    if (precision == KD_PRECISION_FP32)
        return 0;
    return kd_fail(err, "the CPU computes in fp32, not %s: use fp32, or a GPU (device: cuda)",
                   kd_precision_name(precision));
}

extern const struct kd_device kd_device_cpu;

const struct kd_device kd_device_cpu = {
    .name = "cpu",
    .summary = "oneDNN's products and convolutions, own vector loops, one thread a rank",
    .ops = &cpu_ops,
    .is_host = true,
    .open = cpu_open,
    .open_urgent = cpu_open,
    .close = cpu_close,
    .identity = cpu_identity,
    .alloc = cpu_alloc,
    .free = free,
    .memory = cpu_memory,
    .copy_in = cpu_copy,
    .copy_out = cpu_copy,
    .pin = cpu_pin,
    .unpin = cpu_unpin,
    .wait = cpu_wait,
    .mark = cpu_mark,
    .wait_mark = cpu_mark,
    .has_passed = cpu_has_passed,
    .wait_for = cpu_wait_for,
    .record = cpu_record,
    .set_precision = cpu_set_precision,
};
