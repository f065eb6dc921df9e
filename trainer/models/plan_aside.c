#include "trainer/models/plan_aside.h"

#include "coordinator/base/arr.h"
#include "trainer/models/plan_arena.h"

/* ---- which steps are joins */

/* Buffers, by number; KD_NO_BUFFER among them is nothing. */
enum { KD_NODE_BUFFERS_MAX = 4 + 2 * KD_NODE_INPUTS_MAX };
struct buffers {
    int items[KD_NODE_BUFFERS_MAX];
    int n;
};

static void add_buffer(struct buffers *buffers, int buffer)
{
    kd_assert(buffers->n < KD_NODE_BUFFERS_MAX);
    buffers->items[buffers->n++] = buffer;
}

/* What a node's calls aside may read. */
static struct buffers read_by(const struct kd_plan *plan, int i)
{
    const struct kd_node *node = &plan->model.nodes[i];
    const struct kd_node_flow *flow = &plan->flow.nodes[i];
    struct buffers buffers = {{flow->dy, flow->kept}, 2};
    for (int j = 0; j < node->n_inputs; j++)
        if (node->inputs[j] != KD_NODE_BATCH)
            add_buffer(&buffers, plan->flow.nodes[node->inputs[j]].y);
    return buffers;
}

/* What sums of gradients at the end of its backward pass write. */
static struct buffers summed_by(const struct kd_plan *plan, int i)
{
    struct buffers buffers = {{0}, 0};
    for (int j = 0; j < plan->model.nodes[i].n_inputs; j++)
        add_buffer(&buffers, plan->flow.nodes[i].dx[j].sum_in);
    return buffers;
}

/* What its backward pass may write. */
static struct buffers written_by(const struct kd_plan *plan, int i)
{
    const struct kd_node_flow *flow = &plan->flow.nodes[i];
    struct buffers buffers = summed_by(plan, i);
    for (int j = 0; j < plan->model.nodes[i].n_inputs; j++)
        add_buffer(&buffers, flow->dx[j].written);
    add_buffer(&buffers, flow->dy);
    add_buffer(&buffers, flow->kept);
    add_buffer(&buffers, flow->scratch);
    add_buffer(&buffers, flow->fixed);
    return buffers;
}

static int64_t end_of(const struct kd_plan *plan, const struct kd_buffer *buffer)
{
    return buffer->at + buffer->per_sample * plan->max_batch + buffer->fixed;
}

/* Buffers whose lives do not meet may lie in the same place. */
static bool overlap(const struct kd_plan *plan, int a, int b)
{
    if (a == KD_NO_BUFFER || b == KD_NO_BUFFER)
        return false;
    const struct kd_buffer *first = &plan->flow.buffers.items[a];
    const struct kd_buffer *second = &plan->flow.buffers.items[b];
    return first->at < end_of(plan, second) && second->at < end_of(plan, first);
}

static bool any_overlap(const struct kd_plan *plan, const struct buffers *a,
                        const struct buffers *b)
{
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < b->n; j++)
            if (overlap(plan, a->items[i], b->items[j]))
                return true;
    return false;
}

/* Nodes of which a step was done aside since the last join. */
struct out {
    KD_ARR(int) nodes;
};

/* A layer's own calls write nothing that those which it has given aside read. */
static bool spoils(const struct kd_plan *plan, const struct out *out, int i)
{
    struct buffers written = written_by(plan, i), summed = summed_by(plan, i);
    for (size_t k = 0; k < out->nodes.n; k++) {
        int node = out->nodes.items[k];
        struct buffers read = read_by(plan, node);
        if (any_overlap(plan, node == i ? &summed : &written, &read))
            return true;
    }
    return false;
}

static bool is_layer(const struct kd_plan *plan, int node)
{
    return node >= 0 && node < plan->model.n_nodes;
}

static bool joins(const struct kd_plan *plan, const struct kd_step *step, const struct out *out)
{
    bool is_loss = step->node == plan->model.n_nodes;
    if (step->kind == KD_STEP_START_SUM || is_loss)
        return true;
    return step->kind == KD_STEP_CALL && step->backward && is_layer(plan, step->node) &&
           spoils(plan, out, step->node);
}

void kd_pass_find_joins(struct kd_pass *pass, const struct kd_plan *plan)
{
    struct out out = {0};
    for (size_t i = 0; i < pass->steps.n; i++) {
        struct kd_step *step = &pass->steps.items[i];
        step->joins = !step->is_aside && joins(plan, step, &out);
        if (step->joins)
            out.nodes.n = 0;
        if (step->is_aside && step->backward)
            kd_arr_push(&out.nodes, step->node);
    }
    kd_arr_release(&out.nodes);
}

/* ---- at work */

static void fork_aside(struct kd_plan *plan)
{
    struct kd_aside *aside = &plan->aside;
    if (aside->is_level)
        return;
    plan->device->mark(plan->queue, KD_ASIDE_MARK);
    plan->device->wait_for(aside->queue, plan->queue, KD_ASIDE_MARK);
    aside->is_level = true;
}

void kd_plan_call_aside(struct kd_plan *plan, const struct kd_call *call)
{
    struct kd_aside *aside = &plan->aside;
    if (aside->queue)
        fork_aside(plan);
    kd_call_run(call, plan->device->ops, aside->queue ? aside->queue : plan->queue);
    aside->is_out = aside->queue != NULL;
}

void kd_plan_join(struct kd_plan *plan)
{
    struct kd_aside *aside = &plan->aside;
    if (!aside->is_out)
        return;
    plan->device->mark(aside->queue, KD_ASIDE_MARK);
    plan->device->wait_for(plan->queue, aside->queue, KD_ASIDE_MARK);
    aside->is_out = false;
}

static void run_beside(struct kd_plan *plan, const struct kd_step *step)
{
    if (step->joins)
        kd_plan_join(plan);
    kd_pass_run_step(plan, step);
    plan->aside.is_level = false;
}

void kd_pass_run_aside(struct kd_plan *plan, struct kd_pass *pass)
{
    plan->aside.is_level = false;
    for (size_t i = 0; i < pass->steps.n; i++) {
        const struct kd_step *step = &pass->steps.items[i];
        if (step->is_aside)
            kd_plan_call_aside(plan, &step->call);
        else
            run_beside(plan, step);
    }
    kd_plan_join(plan);
    plan->aside.is_level = false;
}
