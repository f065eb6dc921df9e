/* checks.h - for each op of ops.def what holds it to a float64 reference on a device: a line in
 * ops.def without a check_<name> in one of the check_*.h here does not compile. */
#ifndef KD_TESTS_KERNELS_CHECKS_H
#define KD_TESTS_KERNELS_CHECKS_H

#include <stdlib.h>
#include <string.h>

#include "tests/kernels/buffer.h"
#include "tests/kernels/check_batchnorm.h"
#include "tests/kernels/check_conv.h"
#include "tests/kernels/check_data.h"
#include "tests/kernels/check_dense.h"
#include "tests/kernels/check_loss.h"
#include "tests/kernels/check_pool.h"
#include "tests/kernels/check_sequence.h"
#include "tests/kernels/check_update.h"

typedef void check_fn(struct bench *bench);

static check_fn *const checks[KD_N_OPS] = {
#define KD_OP(name, summary) [KD_OP_##name] = check_##name,
#include "kernels/ops.def"
#undef KD_OP
};

/* In what precision? A device may not have it. */
static void on_device(const struct kd_device *device, enum kd_precision precision, check_fn *check,
                      uint64_t stream)
{
    struct kd_error err = {0};
    struct bench bench = {.device = device,
                          .precision = precision,
                          .rng = kd_rng_at(42, stream),
                          .is_slow =
                              strcmp(device->name, "sim") == 0 && !getenv("KATYDID_TEST_LONG")};
    assert_int_equal(device->open(0, &bench.queue, &err), 0);
    if (device->set_precision(bench.queue, precision, &err) == 0)
        check(&bench);
    else /* the CPU stores floats; an old GPU lacks a type */
        assert_true(device->is_host || strstr(err.text, "architecture"));
    device->close(bench.queue);
}

static void on_each_device(check_fn *check, uint64_t stream)
{
    for (int i = 0; kd_devices[i]; i++)
        on_device(kd_devices[i], KD_PRECISION_FP32, check, stream);
}

#endif
