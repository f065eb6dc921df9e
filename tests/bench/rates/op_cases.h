/* op_cases.h - the shapes on which ops are measured: those of an MLP on MNIST (784-128-10, batch
 * 64), of a GPT (4 layers, width 128, 64 tokens, batch 12), of ResNet-18 on CIFAR (batch 512), and
 * of GPT-2 124M (width 768, 1024 tokens, batch 4). */
#ifndef KD_TESTS_BENCH_OP_CASES_H
#define KD_TESTS_BENCH_OP_CASES_H

#include "tests/bench/rates/op_make.h"

struct op_case {
    enum kd_op op;
    op_make_fn *make;
    const char *model;
    int64_t dims[OP_DIMS_MAX]; /* as op_make_*.c says */
};

/* Op by op, from small to large. */
extern const struct op_case op_cases[];
extern const int n_op_cases;

/* The first op of ops.def that has no case, or NULL. */
const char *op_cases_missing(void);

#endif
