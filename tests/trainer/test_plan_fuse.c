#include "tests/trainer/fixture.h"

#include "trainer/models/plan_arena.h"

static const struct shape_of_plan text_shape = {
    .n_targets = 11,
    .max_batch = 8,
    .input = {.shape = {{8}, .n_dims = 1}, .tokens = true, .vocabulary = 11, .positions = 8}};

static int count_calls(const struct kd_pass *pass, enum kd_op op)
{
    int n = 0;
    for (size_t i = 0; i < pass->steps.n; i++)
        n += pass->steps.items[i].kind == KD_STEP_CALL && pass->steps.items[i].call.op == op;
    return n;
}

/* The two calls that an add_layernorm stands for. */
static void split(struct kd_pass *pass)
{
    struct kd_pass whole = *pass;
    pass->steps.items = NULL, pass->steps.n = pass->steps.capacity = 0;
    for (size_t i = 0; i < whole.steps.n; i++) {
        struct kd_step step = whole.steps.items[i];
        const struct kd_op_add_layernorm a = step.call.args.add_layernorm;
        if (step.call.op != KD_OP_add_layernorm) {
            kd_arr_push(&pass->steps, step);
            continue;
        }
        step.call = KD_CALL(add, .a = a.a, .b = a.b, .y = a.sum, .n = a.rows * a.columns);
        kd_arr_push(&pass->steps, step);
        step.call =
            KD_CALL(layernorm, .x = a.sum, .weight = a.weight, .bias = a.bias, .y = a.y,
                    .saved = a.saved, .rows = a.rows, .columns = a.columns, .epsilon = a.epsilon);
        kd_arr_push(&pass->steps, step);
    }
    kd_arr_release(&whole.steps);
}

/* Two blocks of two residuals, of which the last is followed by the layernorm before the head; the
 * first one follows no sum. */
static void a_gpt_adds_and_normalizes_in_one_call_with_the_same_bits(void **state)
{
    (void)state;
    struct kd_plan *plan = plan_of("{'gpt': {'layers': 2, 'heads': 2, 'width': 16}}", text_shape);
    struct sample_set set = sample_set_for(8, &text_shape);
    struct kd_batch batch = batch_of(&set, 0, set.n);
    struct kd_batch_result fused, apart;
    int64_t n = kd_plan_n_parameters(plan);
    kd_plan_backward(plan, &batch, &fused);
    float *gradients = copy_of(kd_plan_gradients(plan), n);
    struct kd_pass *pass = kd_pass_for(plan, KD_PASS_ONLY, &batch);
    assert_int_equal(count_calls(pass, KD_OP_add_layernorm), 4);
    assert_int_equal(count_calls(pass, KD_OP_layernorm), 1);
    split(pass);
    kd_plan_backward(plan, &batch, &apart);
    assert_true(kd_pass_for(plan, KD_PASS_ONLY, &batch) == pass);
    assert_int_equal(count_calls(pass, KD_OP_add_layernorm), 0);
    assert_true(fused.loss_sum == apart.loss_sum);
    assert_memory_equal(gradients, kd_plan_gradients(plan), (size_t)n * sizeof *gradients);
    pass = kd_pass_for(plan, KD_PASS_EVALUATE, &batch);
    assert_int_equal(count_calls(pass, KD_OP_add_layernorm), 4);
    free(gradients);
    sample_set_release(&set);
    kd_plan_free(plan);
}

/* Else the layernorm's output could be given the place of what its rows are still to be made of. */
static void what_is_summed_lives_until_the_layernorm_that_follows(void **state)
{
    (void)state;
    struct kd_plan *plan = plan_of("{'gpt': {'layers': 2, 'heads': 2, 'width': 16}}", text_shape);
    int n_sums = 0;
    for (int i = 0; i < plan->model.n_nodes; i++) {
        const struct kd_node *node = &plan->model.nodes[i];
        bool is_sum = strcmp(node->layer->name, "residual") == 0;
        n_sums += is_sum;
        for (int j = 0; is_sum && j < node->n_inputs; j++) {
            int y = plan->flow.nodes[node->inputs[j]].y;
            assert_true(plan->flow.buffers.items[y].last > i);
        }
    }
    assert_int_equal(n_sums, 4);
    kd_plan_free(plan);
}

/* Two steps over rows of 4, as a pass has them. */
enum { ROWS = 3, COLUMNS = 4, N = ROWS * COLUMNS };

static bool are_fused(struct kd_op_add add, struct kd_op_layernorm norm)
{
    struct kd_pass pass = {.kind = KD_PASS_ONLY};
    kd_arr_push(&pass.steps, ((struct kd_step){.call = {.op = KD_OP_add, .args.add = add}}));
    kd_arr_push(&pass.steps,
                ((struct kd_step){.call = {.op = KD_OP_layernorm, .args.layernorm = norm}}));
    kd_pass_fuse(&pass, sizeof(float));
    bool result = pass.steps.n == 1;
    assert_int_equal(count_calls(&pass, KD_OP_add_layernorm), result);
    kd_arr_release(&pass.steps);
    return result;
}

static void only_calls_that_may_be_one_become_one(void **state)
{
    (void)state;
    static float memory[8 * N], saved[2 * ROWS], weight[COLUMNS];
    const struct kd_op_add add = {.a = memory, .b = memory + 2 * N, .y = memory + 4 * N, .n = N};
    const struct kd_op_layernorm norm = {.x = memory + 4 * N,
                                         .weight = weight,
                                         .y = memory + 6 * N,
                                         .saved = saved,
                                         .rows = ROWS,
                                         .columns = COLUMNS};
    struct kd_op_layernorm other = norm;
    assert_true(are_fused(add, norm));
    other.x = memory + N; /* reads something else */
    assert_false(are_fused(add, other));
    other = norm, other.rows = ROWS - 1; /* not all of it */
    assert_false(are_fused(add, other));
    other = norm, other.y = memory; /* row by row in a's place */
    assert_true(are_fused(add, other));
    other.y = memory + N - 1; /* over the end of a: the next rows would be lost */
    assert_false(are_fused(add, other));
    other.y = memory + N;
    assert_true(are_fused(add, other));
    other.y = memory + 2 * N + COLUMNS; /* over b */
    assert_false(are_fused(add, other));
    other = norm, other.saved = memory + 3 * N - 1;
    assert_false(are_fused(add, other));
}

static void calls_with_a_sum_over_ranks_between_them_stay_two(void **state)
{
    (void)state;
    static float memory[4 * N], saved[2 * ROWS];
    struct kd_pass pass = {.kind = KD_PASS_ONLY};
    kd_arr_push(&pass.steps, ((struct kd_step){.call = KD_CALL(add, .a = memory, .b = memory + N,
                                                               .y = memory + 2 * N, .n = N)}));
    kd_arr_push(&pass.steps, ((struct kd_step){.kind = KD_STEP_SUM_DOUBLES}));
    kd_arr_push(&pass.steps, ((struct kd_step){.call = KD_CALL(layernorm, .x = memory + 2 * N,
                                                               .y = memory + 3 * N, .saved = saved,
                                                               .rows = ROWS, .columns = COLUMNS)}));
    kd_pass_fuse(&pass, sizeof(float));
    assert_int_equal(pass.steps.n, 3);
    assert_int_equal(count_calls(&pass, KD_OP_add_layernorm), 0);
    kd_arr_release(&pass.steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gpt_adds_and_normalizes_in_one_call_with_the_same_bits),
        cmocka_unit_test(what_is_summed_lives_until_the_layernorm_that_follows),
        cmocka_unit_test(only_calls_that_may_be_one_become_one),
        cmocka_unit_test(calls_with_a_sum_over_ranks_between_them_stay_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
