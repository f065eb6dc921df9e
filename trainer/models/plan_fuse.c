/* plan_fuse.c - neighbouring calls of a pass that one op can do together: what the first writes and
 * the second reads goes over memory once less. The op that takes their place gives the same bits on
 * the CPU. */
#include "trainer/models/plan_arena.h"

/* Do n bytes at a and m at b lie apart? */
static bool are_apart(const void *a, int64_t n, const void *b, int64_t m)
{
    uintptr_t from_a = (uintptr_t)a, from_b = (uintptr_t)b;
    return from_a + (uintptr_t)n <= from_b || from_b + (uintptr_t)m <= from_a;
}

/* A row's y and saved are written before the next rows are read. */
static bool spoils(const struct kd_op_layernorm *norm, const void *input, int64_t bytes)
{
    int64_t saved_bytes = 2 * norm->rows * (int64_t)sizeof *norm->saved;
    return (norm->y != input && !are_apart(norm->y, bytes, input, bytes)) ||
           !are_apart(norm->saved, saved_bytes, input, bytes);
}

/* A residual block's end and the next one's layernorm. */
static bool fuse_add_layernorm(struct kd_call *first, const struct kd_call *second,
                               int64_t value_bytes)
{
    const struct kd_op_add add = first->args.add;
    const struct kd_op_layernorm *norm = &second->args.layernorm;
    int64_t bytes = add.n * value_bytes;
    if (norm->x != add.y || norm->rows * norm->columns != add.n || spoils(norm, add.a, bytes) ||
        spoils(norm, add.b, bytes))
        return false;
    *first = KD_CALL(add_layernorm, .a = add.a, .b = add.b, .sum = add.y, .weight = norm->weight,
                     .bias = norm->bias, .y = norm->y, .saved = norm->saved, .rows = norm->rows,
                     .columns = norm->columns, .epsilon = norm->epsilon);
    return true;
}

/* What may follow what; fuse makes *first both, or returns false and leaves it. */
static const struct pair {
    enum kd_op first, second;
    bool (*fuse)(struct kd_call *first, const struct kd_call *second, int64_t value_bytes);
} pairs[] = {
    {KD_OP_add, KD_OP_layernorm, fuse_add_layernorm},
};

static bool fuse(struct kd_step *first, const struct kd_step *second, int64_t value_bytes)
{
    if (first->kind != KD_STEP_CALL || second->kind != KD_STEP_CALL)
        return false;
    for (size_t p = 0; p < KD_COUNT(pairs); p++)
        if (first->call.op == pairs[p].first && second->call.op == pairs[p].second)
            return pairs[p].fuse(&first->call, &second->call, value_bytes);
    return false;
}

/* A profile counts both for the first one's layer. */
void kd_pass_fuse(struct kd_pass *pass, int64_t value_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < pass->steps.n; i++)
        if (n == 0 || !fuse(&pass->steps.items[n - 1], &pass->steps.items[i], value_bytes))
            pass->steps.items[n++] = pass->steps.items[i];
    pass->steps.n = n;
}
