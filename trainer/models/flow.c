#include "trainer/models/flow.h"

#include <stdlib.h>

#include "coordinator/base/mem.h"

/* The state of planning: a buffer of a gradient may be held by several values until it is written
 * to. */
struct planner {
    struct kd_flow *flow;
    const struct kd_model *model;
    int64_t value_bytes;
    int *gradients;      /* of each node's output, or KD_NO_BUFFER */
    KD_ARR(int) holders; /* of each buffer, by gradients */
};

static int loss_time(const struct planner *p)
{
    return p->model->n_nodes;
}

static int backward_time(const struct planner *p, int i)
{
    return 2 * p->model->n_nodes - i;
}

static int new_buffer(struct planner *p, int64_t per_sample, int64_t fixed, int first)
{
    struct kd_buffer buffer = {
        .per_sample = per_sample, .fixed = fixed, .first = first, .last = first};
    kd_arr_push(&p->flow->buffers, buffer);
    kd_arr_push(&p->holders, 0);
    return (int)p->flow->buffers.n - 1;
}

/* For as many values of a sample as the shape has. */
static int new_values(struct planner *p, struct kd_shape shape, int first)
{
    return new_buffer(p, kd_shape_count(shape) * p->value_bytes, 0, first);
}

static void live_until(struct planner *p, int buffer, int time)
{
    if (buffer == KD_NO_BUFFER)
        return;
    struct kd_buffer *b = &p->flow->buffers.items[buffer];
    b->last = time > b->last ? time : b->last;
}

/* ---- forward */

/* Of its inputs. */
static int forward_end(const struct planner *p, int i)
{
    const struct kd_layer *joined_by = p->model->nodes[i].layer->joined_by;
    bool is_joined =
        joined_by && i + 1 < p->model->n_nodes && p->model->nodes[i + 1].layer == joined_by;
    return is_joined ? i + 1 : i;
}

static void read_inputs(struct planner *p, int i)
{
    const struct kd_node *node = &p->model->nodes[i];
    bool again = node->trains && node->reads & KD_READS_X;
    int last = again ? backward_time(p, i) : forward_end(p, i);
    for (int j = 0; j < node->n_inputs; j++)
        if (node->inputs[j] != KD_NODE_BATCH)
            live_until(p, p->flow->nodes[node->inputs[j]].y, last);
}

static int buffer_for_kept(struct planner *p, int i, int64_t per_sample, int64_t fixed)
{
    if (per_sample + fixed == 0)
        return KD_NO_BUFFER;
    int buffer = new_buffer(p, per_sample, fixed, i);
    live_until(p, buffer, backward_time(p, i));
    return buffer;
}

static void plan_forward(struct planner *p, int i)
{
    const struct kd_node *node = &p->model->nodes[i];
    struct kd_node_flow *flow = &p->flow->nodes[i];
    *flow = (struct kd_node_flow){.y = KD_NO_BUFFER,
                                  .kept = KD_NO_BUFFER,
                                  .scratch = KD_NO_BUFFER,
                                  .fixed = KD_NO_BUFFER,
                                  .dy = KD_NO_BUFFER,
                                  .dy_before = KD_NO_BUFFER};
    if (kd_node_is_alias(node) && node->inputs[0] != KD_NODE_BATCH) {
        flow->y = p->flow->nodes[node->inputs[0]].y;
        return;
    }
    read_inputs(p, i);
    if (kd_node_is_alias(node)) /* of the batch itself */
        return;
    flow->y = new_values(p, node->out, i);
    if (node->trains && node->reads & KD_READS_Y)
        live_until(p, flow->y, backward_time(p, i));
    const int64_t of_float = (int64_t)sizeof(float);
    flow->kept = buffer_for_kept(p, i, node->kept * p->value_bytes, 0);
    flow->scratch = buffer_for_kept(p, i, node->scratch * of_float, 0);
    flow->fixed = buffer_for_kept(p, i, 0, node->fixed * of_float);
}

/* ---- backward */

static void hold(struct planner *p, int node, int buffer)
{
    p->gradients[node] = buffer;
    p->holders.items[buffer]++;
}

static void let_go(struct planner *p, int buffer, int time)
{
    p->holders.items[buffer]--;
    live_until(p, buffer, time);
}

static void plan_loss(struct planner *p)
{
    int last = p->model->n_nodes - 1, y = p->flow->nodes[last].y;
    live_until(p, y, loss_time(p));
    bool needed_again = y == KD_NO_BUFFER || p->flow->buffers.items[y].last > loss_time(p);
    p->flow->loss_dy = needed_again ? new_values(p, p->model->nodes[last].out, loss_time(p)) : y;
    hold(p, last, p->flow->loss_dy);
}

static const struct kd_flow_dx no_dx = {
    KD_NO_BUFFER, false, {KD_NO_BUFFER, KD_NO_BUFFER}, KD_NO_BUFFER};

/* Buffer `more` is another part of the gradient of `input`: it becomes its gradient, or is added to
 * it. */
static void contribute(struct planner *p, int input, int more, struct kd_flow_dx *dx, int time)
{
    int old = p->gradients[input];
    if (old == KD_NO_BUFFER) {
        hold(p, input, more);
        return;
    }
    int sum = more;
    if (p->holders.items[more] > 0) /* somebody still needs it as it is */
        sum = p->holders.items[old] == 1 && old != more
                  ? old
                  : new_buffer(p, p->flow->buffers.items[old].per_sample, 0, time);
    dx->sum_of[0] = old;
    dx->sum_of[1] = more;
    dx->sum_in = sum;
    live_until(p, more, time);
    let_go(p, old, time);
    hold(p, input, sum);
}

/* Where the layer writes the gradient of one of its inputs. */
static void plan_dx(struct planner *p, int i, int j)
{
    const struct kd_node *node = &p->model->nodes[i];
    struct kd_node_flow *flow = &p->flow->nodes[i];
    struct kd_flow_dx *dx = &flow->dx[j];
    int input = node->inputs[j], time = backward_time(p, i);
    int old = p->gradients[input];
    if (old != KD_NO_BUFFER && p->holders.items[old] == 1 && old != flow->dy &&
        node->layer->adds_dx) {
        dx->written = old;
        dx->added = true;
        return;
    }
    int64_t size = kd_shape_count(p->model->nodes[input].out) * p->value_bytes;
    bool in_place = node->layer->dx_over_dy && node->n_inputs == 1 &&
                    p->holders.items[flow->dy] == 1 &&
                    p->flow->buffers.items[flow->dy].per_sample == size;
    dx->written = in_place ? flow->dy : new_buffer(p, size, 0, time);
    if (in_place)
        let_go(p, flow->dy, time);
    contribute(p, input, dx->written, dx, time);
    if (in_place)
        p->holders.items[flow->dy]++; /* let go of once more by the caller */
}

static void own_dy(struct planner *p, int i)
{
    struct kd_node_flow *flow = &p->flow->nodes[i];
    if (!p->model->nodes[i].spoils_dy || p->holders.items[flow->dy] == 1)
        return;
    int time = backward_time(p, i);
    flow->dy_before = flow->dy;
    flow->dy = new_values(p, p->model->nodes[i].out, time);
    let_go(p, flow->dy_before, time);
    p->holders.items[flow->dy] = 1;
}

static bool needs_gradient(const struct planner *p, int input)
{
    return input != KD_NODE_BATCH && p->model->nodes[input].trains;
}

static void plan_backward(struct planner *p, int i)
{
    const struct kd_node *node = &p->model->nodes[i];
    struct kd_node_flow *flow = &p->flow->nodes[i];
    for (int j = 0; j < KD_NODE_INPUTS_MAX; j++)
        flow->dx[j] = no_dx;
    if (!node->trains || p->gradients[i] == KD_NO_BUFFER)
        return;
    bool hands_on = kd_node_is_alias(node) || node->layer->passes_dy;
    flow->dy = p->gradients[i];
    if (!hands_on)
        own_dy(p, i);
    for (int j = 0; j < node->n_inputs; j++) {
        if (!needs_gradient(p, node->inputs[j]))
            continue;
        if (hands_on)
            contribute(p, node->inputs[j], flow->dy, &flow->dx[j], backward_time(p, i));
        else
            plan_dx(p, i, j);
    }
    let_go(p, flow->dy, backward_time(p, i));
}

void kd_flow_plan(struct kd_flow *flow, const struct kd_model *model, int64_t value_bytes)
{
    struct planner p = {.flow = flow, .model = model, .value_bytes = value_bytes};
    size_t n = (size_t)model->n_nodes;
    *flow = (struct kd_flow){.nodes = KD_NEW_ARRAY(struct kd_node_flow, n)};
    p.gradients = KD_NEW_ARRAY(int, n);
    for (int i = 0; i < model->n_nodes; i++) {
        plan_forward(&p, i);
        p.gradients[i] = KD_NO_BUFFER;
    }
    plan_loss(&p);
    for (int i = model->n_nodes - 1; i >= 0; i--)
        plan_backward(&p, i);
    free(p.gradients);
    kd_arr_release(&p.holders);
}

void kd_flow_release(struct kd_flow *flow)
{
    free(flow->nodes);
    kd_arr_release(&flow->buffers);
    *flow = (struct kd_flow){0};
}
