/* op_make.h - for each op a function that lays its arguments out on a desk from a few numbers, its
 * dims; what they are stands in the text of the shape that it makes. An op of ops.def without one
 * does not link. */
#ifndef KD_TESTS_BENCH_OP_MAKE_H
#define KD_TESTS_BENCH_OP_MAKE_H

#include "tests/bench/rates/desk.h"

enum { OP_DIMS_MAX = 8 };

typedef struct kd_call op_make_fn(struct desk *desk, const int64_t *dims);

#define KD_OP(name, summary) op_make_fn op_make_##name;
#include "kernels/ops.def"
#undef KD_OP

const char *op_activation_name(int64_t activation); /* " relu"; "" for none */

#endif
