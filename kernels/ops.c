#include "kernels/ops.h"

const char *const kd_op_names[KD_N_OPS] = {
#define KD_OP(name, summary) #name,
#include "kernels/ops.def"
#undef KD_OP
};

/* Each case is typed by ops.def, so an op that gets another op's arguments does not compile. */
void kd_call_run(const struct kd_call *call, const struct kd_ops *ops, struct kd_queue *queue)
{
    switch (call->op) {
#define KD_OP(name, summary)                                                                       \
    case KD_OP_##name:                                                                             \
        ops->name(queue, &call->args.name);                                                        \
        break;
#include "kernels/ops.def"
#undef KD_OP
    case KD_N_OPS:
        break;
    }
}
