/* table.h - the ops of the CPU device, one function kd_cpu_<op> each. */
#ifndef KD_KERNELS_CPU_TABLE_H
#define KD_KERNELS_CPU_TABLE_H

#include "kernels/ops.h"

#define KD_OP(name, summary)                                                                       \
    void kd_cpu_##name(struct kd_queue *queue, const struct kd_op_##name *args);
#include "kernels/ops.def"
#undef KD_OP

#endif
