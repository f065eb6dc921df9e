/* ops.h - the arguments of every op, and the table of ops that a device fills.
 *
 * The rules of all ops: matrices are row-major and dense, `rows` counts samples (or samples times
 * positions), any size may be 0, pointers are device memory and borrowed, outputs are overwritten
 * and never overlap inputs unless the op says that it works in place; `beta` is 0 (the old output
 * is not read) or 1 (it is added to). An op cannot fail: what it is given was checked when the plan
 * was compiled. Ops of one queue run in order; on a GPU they return before they are done, so
 * nothing comes back but through memory. What an op needs in passing (a copied patch, packed
 * weights) is the device's own.
 *
 * `void` is values: what flows between layers, its gradients, and the copy of the weights that
 * products read, as the queue stores them by its precision (precision.h). All else is what its type
 * says. */
#ifndef KD_KERNELS_OPS_H
#define KD_KERNELS_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/hyper.h"
#include "kernels/op_data.h"
#include "kernels/op_dense.h"
#include "kernels/op_image.h"
#include "kernels/op_loss.h"
#include "kernels/op_sequence.h"
#include "kernels/op_update.h"

struct kd_queue; /* a device's order of work (a stream); NULL on the CPU */

/* What a device fills, cpu/device.c for one. */
struct kd_ops {
#define KD_OP(name, summary) void (*name)(struct kd_queue * queue, const struct kd_op_##name *args);
#include "kernels/ops.def"
#undef KD_OP
};

enum kd_op {
#define KD_OP(name, summary) KD_OP_##name,
#include "kernels/ops.def"
#undef KD_OP
    KD_N_OPS
};

/* An op with its arguments, as data: a plan's step is a flat list of these. */
struct kd_call {
    enum kd_op op;
    union {
#define KD_OP(name, summary) struct kd_op_##name name;
#include "kernels/ops.def"
#undef KD_OP
    } args;
};

/* KD_CALL(fill, .x = x, .n = 8) */
#define KD_CALL(name, ...)                                                                         \
    ((struct kd_call){.op = KD_OP_##name, .args.name = (struct kd_op_##name){__VA_ARGS__}})

void kd_call_run(const struct kd_call *call, const struct kd_ops *ops, struct kd_queue *queue);

extern const char *const kd_op_names[KD_N_OPS];

#endif
