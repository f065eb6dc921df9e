/* plan_calls.c - from a model and a batch to the flat list of op calls. */
#include "trainer/models/plan_arena.h"

static void add_call(void *ud, struct kd_call call)
{
    struct kd_pass *pass = ud;
    kd_arr_push(&pass->calls, call);
}

static struct kd_emit emit_for(struct kd_pass *pass, struct kd_plan *plan,
                               const struct kd_node *node)
{
    return (struct kd_emit){
        .node = node,
        .n = pass->n,
        .training = pass->training,
        .y = plan->activations + node->output_at * plan->max_batch,
        .scratch = plan->activations + node->scratch_at * plan->max_batch,
        .weights = plan->parameters,
        .gradients = plan->gradients,
        .rate = plan->rates + node->rate_at,
        .samples = pass->samples,
        .turn = &plan->control->turn,
        .add = add_call,
        .ud = pass,
    };
}

/* Where each node's input is, for its backward pass; returns the output of the last one. */
static const float *add_forward(struct kd_pass *pass, struct kd_plan *plan, const float **inputs)
{
    const float *x = pass->x;
    for (int i = 0; i < plan->model.n_nodes; i++) {
        const struct kd_node *node = &plan->model.nodes[i];
        struct kd_emit e = emit_for(pass, plan, node);
        e.x = inputs[i] = x;
        if (!node->absorbed)
            x = node->layer->forward(&e);
    }
    return x;
}

static void add_loss(struct kd_pass *pass, struct kd_plan *plan, float *outputs, int64_t n_outputs)
{
    struct kd_control *control = plan->control;
    if (plan->loss == KD_LOSS_CROSS_ENTROPY)
        add_call(pass, KD_CALL(cross_entropy, .logits = outputs, .labels = pass->labels,
                               .rows = pass->n, .n_classes = n_outputs, .turn = &control->turn,
                               .sums = &control->sums, .backward = pass->training));
    else
        add_call(pass, KD_CALL(mse, .y = outputs, .targets = pass->targets, .rows = pass->n,
                               .n_targets = n_outputs, .turn = &control->turn,
                               .sums = &control->sums, .backward = pass->training));
}

/* The loss writes its gradient over the outputs, which an activation at the end still needs: it gets a copy. */
static float *own_outputs(struct kd_pass *pass, struct kd_plan *plan, const float *outputs)
{
    const struct kd_node *last = &plan->model.nodes[plan->model.n_nodes - 1];
    if (!pass->training || last->layer->activation == KD_ACTIVATION_NONE)
        return (float *)outputs;
    add_call(pass,
             KD_CALL(activation, .x = outputs, .y = plan->upstream[0],
                     .n = pass->n * kd_shape_count(last->out), .activation = KD_ACTIVATION_NONE));
    return plan->upstream[0];
}

/* Nothing needs the gradient of what lies before the first parameters. */
static int first_with_parameters(const struct kd_model *model)
{
    int i = 0;
    while (i < model->n_nodes && model->nodes[i].n_parameters == 0)
        i++;
    return i;
}

static void add_backward(struct kd_pass *pass, struct kd_plan *plan, const float *const *inputs,
                         float *dy)
{
    int first = first_with_parameters(&plan->model);
    for (int i = plan->model.n_nodes - 1; i >= first; i--) {
        const struct kd_node *node = &plan->model.nodes[i];
        if (node->absorbed)
            continue;
        struct kd_emit e = emit_for(pass, plan, node);
        e.x = inputs[i];
        e.dy = dy;
        e.dx = i == first ? NULL : plan->upstream[dy == plan->upstream[0]];
        dy = node->layer->backward(&e);
    }
}

static bool is_made_for(const struct kd_pass *pass, const struct kd_batch *batch)
{
    return pass->made && pass->n == batch->n && pass->x == batch->x &&
           pass->labels == batch->labels && pass->targets == batch->targets &&
           pass->samples == batch->samples;
}

void kd_pass_make(struct kd_pass *pass, struct kd_plan *plan, const struct kd_batch *batch)
{
    if (is_made_for(pass, batch))
        return;
    kd_arr_clear(&pass->calls);
    pass->made = true;
    pass->n = batch->n;
    pass->x = batch->x;
    pass->labels = batch->labels;
    pass->targets = batch->targets;
    pass->samples = batch->samples;
    const float **inputs = KD_NEW_ARRAY(const float *, (size_t)plan->model.n_nodes);
    const float *outputs = add_forward(pass, plan, inputs);
    float *own = own_outputs(pass, plan, outputs);
    add_loss(pass, plan, own, kd_shape_count(plan->model.nodes[plan->model.n_nodes - 1].out));
    if (pass->training)
        add_backward(pass, plan, inputs, own);
    free(inputs);
}
