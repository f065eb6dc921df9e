/* plan_calls.c - from a model, its flow and a batch to the flat list of steps. */
#include "coordinator/base/mem.h"
#include "trainer/models/plan_arena.h"
#include "trainer/models/plan_step.h"

/* A pass in the making. */
struct kd_emit_target {
    struct kd_pass *pass;
    struct kd_plan *plan;
    bool *written;  /* of each tensor's gradient: in this step already */
    int64_t summed; /* gradients before it are being summed over the ranks */
    int node;
    bool backward;
};

static bool is_training(const struct kd_pass *pass)
{
    return pass->kind != KD_PASS_EVALUATE;
}

static void add_step(const struct kd_emit_target *target, struct kd_step step)
{
    step.node = target->node;
    step.backward = target->backward;
    kd_arr_push(&target->pass->steps, step);
}

static void add_call(const struct kd_emit_target *target, struct kd_call call)
{
    add_step(target, (struct kd_step){.kind = KD_STEP_CALL, .call = call});
}

/* ---- what layers call */

void kd_emit_add(const struct kd_emit *e, struct kd_call call)
{
    add_call(e->target, call);
}

void kd_emit_add_aside(const struct kd_emit *e, struct kd_call call)
{
    add_step(e->target, (struct kd_step){.kind = KD_STEP_CALL, .call = call, .is_aside = true});
}

void kd_emit_add_weights(const struct kd_emit *e, struct kd_call call)
{
    (e->dx[0] ? kd_emit_add_aside : kd_emit_add)(e, call);
}

void kd_emit_sum_doubles(const struct kd_emit *e, double *values, int64_t n)
{
    if (kd_plan_has_ranks(e->target->plan))
        add_step(e->target,
                 (struct kd_step){.kind = KD_STEP_SUM_DOUBLES, .doubles = values, .n = n});
}

float *kd_emit_weight(const struct kd_emit *e, int p)
{
    return e->target->plan->parameters + e->node->parameters[p].offset;
}

const void *kd_emit_factor(const struct kd_emit *e, int p)
{
    const struct kd_plan *plan = e->target->plan;
    const struct kd_parameter *parameter = &e->node->parameters[p];
    return plan->factors ? (const void *)(plan->factors + parameter->factor_at * plan->value_bytes)
                         : plan->parameters + parameter->offset;
}

float *kd_emit_gradient(const struct kd_emit *e, int p)
{
    return e->target->plan->gradients + e->node->parameters[p].offset;
}

float kd_emit_beta(const struct kd_emit *e, int p)
{
    bool *written = &e->target->written[e->node->parameters[p].tensor];
    float beta = *written ? 1.0f : 0.0f;
    *written = true;
    return beta;
}

float *kd_emit_statistic(const struct kd_emit *e, int s)
{
    return e->target->plan->statistics + e->node->statistics[s].offset;
}

/* ---- nodes */

static void *buffer_at(const struct kd_plan *plan, int buffer)
{
    return buffer == KD_NO_BUFFER ? NULL : plan->activations + plan->flow.buffers.items[buffer].at;
}

/* The output of a node, which is the batch's own where only views lie between. */
static void *output_of(const struct kd_emit_target *target, int node)
{
    void *y =
        node == KD_NODE_BATCH ? NULL : buffer_at(target->plan, target->plan->flow.nodes[node].y);
    return y ? y : (void *)target->pass->batch.x;
}

static const struct kd_turn *turn_of(const struct kd_emit_target *target)
{
    const struct kd_turn *turn = target->pass->batch.turn;
    return turn ? turn : &target->plan->control->turn;
}

static struct kd_emit emit_for(const struct kd_emit_target *target, int i)
{
    struct kd_plan *plan = target->plan;
    const struct kd_node *node = &plan->model.nodes[i];
    const struct kd_node_flow *flow = &plan->flow.nodes[i];
    const struct kd_batch *batch = &target->pass->batch;
    struct kd_emit e = {
        .node = node,
        .n = batch->n,
        .training = is_training(target->pass),
        .tokens = node->inputs[0] == KD_NODE_BATCH ? batch->tokens : NULL,
        .y = buffer_at(plan, flow->y),
        .kept = buffer_at(plan, flow->kept),
        .scratch = buffer_at(plan, flow->scratch),
        .fixed = buffer_at(plan, flow->fixed),
        .sums = plan->sums + node->sums_at,
        .dy = buffer_at(plan, flow->dy),
        .rate = plan->rates + node->rate_at,
        .samples = batch->samples,
        .turn = turn_of(target),
        .target = target,
    };
    for (int j = 0; j < node->n_inputs; j++) {
        e.x[j] = output_of(target, node->inputs[j]);
        e.dx[j] = buffer_at(plan, flow->dx[j].written);
        e.beta_dx[j] = flow->dx[j].added ? 1.0f : 0.0f;
    }
    return e;
}

static void add_forward(struct kd_emit_target *target)
{
    for (int i = 0; i < target->plan->model.n_nodes; i++) {
        const struct kd_node *node = &target->plan->model.nodes[i];
        target->node = i;
        if (kd_node_is_alias(node))
            continue;
        struct kd_emit e = emit_for(target, i);
        node->layer->forward(&e);
    }
}

static void add_copy(const struct kd_emit_target *target, const void *from, void *to, int64_t n)
{
    add_call(target,
             KD_CALL(activation, .x = from, .y = to, .n = n, .activation = KD_ACTIVATION_NONE));
}

static void add_sum_of_gradients(const struct kd_emit_target *target, int i, int j)
{
    struct kd_plan *plan = target->plan;
    const struct kd_flow_dx *dx = &plan->flow.nodes[i].dx[j];
    const struct kd_node *input = &plan->model.nodes[plan->model.nodes[i].inputs[j]];
    add_call(target, KD_CALL(add, .a = buffer_at(plan, dx->sum_of[0]),
                             .b = buffer_at(plan, dx->sum_of[1]), .y = buffer_at(plan, dx->sum_in),
                             .n = target->pass->batch.n * kd_shape_count(input->out)));
}

static void add_node_backward(struct kd_emit_target *target, int i)
{
    struct kd_plan *plan = target->plan;
    const struct kd_node *node = &plan->model.nodes[i];
    const struct kd_node_flow *flow = &plan->flow.nodes[i];
    if (flow->dy == KD_NO_BUFFER)
        return;
    if (flow->dy_before != KD_NO_BUFFER)
        add_copy(target, buffer_at(plan, flow->dy_before), buffer_at(plan, flow->dy),
                 target->pass->batch.n * kd_shape_count(node->out));
    if (!kd_node_is_alias(node) && !node->layer->passes_dy) {
        struct kd_emit e = emit_for(target, i);
        node->layer->backward(&e);
    }
    for (int j = 0; j < node->n_inputs; j++)
        if (flow->dx[j].sum_in != KD_NO_BUFFER)
            add_sum_of_gradients(target, i, j);
}

/* ---- gradients to the other ranks */

/* Tensors lie in the order in which nodes end their backward passes, but a tied one is complete
 * only after its own node's. */
static int64_t end_of_complete(const struct kd_plan *plan, int node)
{
    int64_t end = plan->n_parameters;
    for (int t = plan->n_tensors - 1; t >= 0 && plan->tensor_nodes[t] < node; t--)
        end = plan->tensors[t].offset;
    return end;
}

static void start_sum(struct kd_emit_target *target)
{
    const struct kd_plan *plan = target->plan;
    bool sums = target->pass->kind == KD_PASS_ONLY || target->pass->kind == KD_PASS_LAST;
    if (!sums || !kd_plan_has_ranks(plan))
        return;
    int64_t end = end_of_complete(plan, target->node), n = end - target->summed;
    if (n == 0 || (n < KD_BUCKET_FLOATS && end < plan->n_parameters))
        return;
    add_step(target, (struct kd_step){.kind = KD_STEP_START_SUM, .at = target->summed, .n = n});
    target->summed = end;
}

static void add_backward(struct kd_emit_target *target)
{
    target->backward = true;
    for (int i = target->plan->model.n_nodes - 1; i >= 0; i--) {
        target->node = i;
        add_node_backward(target, i);
        start_sum(target);
    }
}

/* ---- the loss */

static int64_t last_dimension(const struct kd_plan *plan)
{
    return kd_shape_last(kd_model_out(&plan->model));
}

/* The loss's scale, in fp16. */
static const float *scale_of(const struct kd_plan *plan)
{
    return plan->scales_loss ? &plan->control->note.loss_scale.scale : NULL;
}

static void add_cross_entropy(const struct kd_emit_target *target, void *y)
{
    struct kd_plan *plan = target->plan;
    const struct kd_batch *batch = &target->pass->batch;
    int64_t positions = kd_shape_count(kd_model_out(&plan->model)) / last_dimension(plan);
    add_call(
        target,
        KD_CALL(cross_entropy, .logits = y, .labels = batch->labels,
                .other_labels = batch->other_labels, .rows = batch->n * positions,
                .n_classes = last_dimension(plan),
                .smoothing = is_training(target->pass) ? plan->rates + plan->model.n_rates : NULL,
                .scale = scale_of(plan), .turn = turn_of(target), .sums = &plan->control->note.sums,
                .backward = is_training(target->pass)));
}

static void add_target_loss(const struct kd_emit_target *target, void *y, enum kd_op op)
{
    struct kd_plan *plan = target->plan;
    struct kd_op_target_loss loss = {.y = y,
                                     .targets = target->pass->batch.targets,
                                     .rows = target->pass->batch.n,
                                     .n_targets = kd_shape_count(kd_model_out(&plan->model)),
                                     .scale = scale_of(plan),
                                     .turn = turn_of(target),
                                     .sums = &plan->control->note.sums,
                                     .backward = is_training(target->pass)};
    add_call(target, (struct kd_call){.op = op, .args.mse = loss});
}

static void add_mse(const struct kd_emit_target *target, void *y)
{
    add_target_loss(target, y, KD_OP_mse);
}

static void add_bce(const struct kd_emit_target *target, void *y)
{
    add_target_loss(target, y, KD_OP_bce);
}

static void (*const add_losses[])(const struct kd_emit_target *target, void *y) = {
    [KD_LOSS_CROSS_ENTROPY] = add_cross_entropy,
    [KD_LOSS_MSE] = add_mse,
    [KD_LOSS_BCE] = add_bce,
};

/* The loss writes its gradient over the outputs, or over a copy where those are still needed. */
static void add_loss(struct kd_emit_target *target)
{
    struct kd_plan *plan = target->plan;
    int last = plan->model.n_nodes - 1;
    void *y = output_of(target, last), *dy = buffer_at(plan, plan->flow.loss_dy);
    target->node = plan->model.n_nodes;
    if (is_training(target->pass) && dy != y)
        add_copy(target, y, dy, target->pass->batch.n * kd_shape_count(kd_model_out(&plan->model)));
    add_losses[plan->loss](target, is_training(target->pass) ? dy : y);
}

/* A step's, or a batch's where there is but one. Zeros of any type are zeros of all. */
static void add_zero_sums(const struct kd_emit_target *target)
{
    struct kd_loss_sums *sums = &target->plan->control->note.sums;
    struct kd_call zero =
        KD_CALL(fill, .x = (float *)sums, .n = (int64_t)(sizeof *sums / sizeof(float)));
    add_step(target, (struct kd_step){.kind = KD_STEP_CALL, .call = zero, .is_aside = true});
}

/* What products read of the parameters, which may have changed in any way since the last step. */
static void add_factors(const struct kd_emit_target *target)
{
    const struct kd_plan *plan = target->plan;
    if (plan->factors)
        add_call(target, KD_CALL(round, .x = plan->parameters, .y = plan->factors,
                                 .ranges = plan->ranges, .n_ranges = plan->n_tensors));
}

/* ---- the whole */

static const struct kd_feed no_feed;

static const struct kd_feed *feed_of(const struct kd_batch *batch)
{
    return batch->feed ? batch->feed : &no_feed;
}

static void add_feed(struct kd_emit_target *target)
{
    const struct kd_feed *feed = &target->pass->feed;
    target->node = KD_NODE_BATCH;
    for (int i = 0; i < feed->n; i++)
        add_call(target, feed->calls[i]);
}

/* Also when it is of a global batch of another size: ranks' shares are uneven, and what is recorded
 * has to be so on all of them. */
static bool is_made_for(const struct kd_pass *pass, const struct kd_batch *batch)
{
    const struct kd_batch *made = &pass->batch;
    return pass->used > 0 && made->n == batch->n && made->n_global == batch->n_global &&
           made->x == batch->x && made->tokens == batch->tokens && made->labels == batch->labels &&
           made->other_labels == batch->other_labels && made->targets == batch->targets &&
           made->samples == batch->samples && made->turn == batch->turn &&
           kd_feed_is_same(&pass->feed, feed_of(batch));
}

void kd_pass_release(struct kd_pass *pass, struct kd_plan *plan)
{
    for (size_t i = 0; i < pass->steps.n; i++)
        kd_replay_drop(&pass->steps.items[i].replay, plan->device);
    kd_pass_forget_ends(pass, plan);
    kd_arr_release(&pass->steps);
}

static struct kd_pass *least_recently_used(struct kd_pass *passes)
{
    struct kd_pass *oldest = passes;
    for (int i = 1; i < KD_PASSES_KEPT; i++)
        if (passes[i].used < oldest->used)
            oldest = &passes[i];
    return oldest;
}

struct kd_pass *kd_pass_for(struct kd_plan *plan, enum kd_pass_kind kind,
                            const struct kd_batch *batch)
{
    struct kd_pass *passes = plan->passes[kind], *pass = NULL;
    for (int i = 0; i < KD_PASSES_KEPT && !pass; i++)
        pass = is_made_for(&passes[i], batch) ? &passes[i] : NULL;
    if (!pass) {
        pass = least_recently_used(passes);
        kd_pass_make(pass, plan, batch);
    }
    pass->used = ++plan->n_passes;
    return pass;
}

void kd_pass_make(struct kd_pass *pass, struct kd_plan *plan, const struct kd_batch *batch)
{
    kd_pass_release(pass, plan);
    pass->batch = *batch;
    pass->batch.feed = NULL;
    pass->feed = *feed_of(batch);
    struct kd_emit_target target = {
        .pass = pass, .plan = plan, .written = KD_NEW_ARRAY(bool, (size_t)plan->n_tensors + 1)};
    bool adds = pass->kind == KD_PASS_MIDDLE || pass->kind == KD_PASS_LAST;
    for (int t = 0; t < plan->n_tensors; t++)
        target.written[t] = adds;
    add_feed(&target);
    target.node = 0; /* what follows is the forward pass's, and counts as the first layer's */
    if (!adds) {
        add_zero_sums(&target);
        add_factors(&target);
    }
    add_forward(&target);
    add_loss(&target);
    if (is_training(pass))
        add_backward(&target);
    kd_pass_fuse(pass, plan->value_bytes);
    kd_pass_find_joins(pass, plan);
    free(target.written);
}
