/* plan.c - a plan's making and its end: the model read, the arenas laid out and allocated. Running
 * it is plan_run.c's. */
#include "trainer/models/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "trainer/models/layout.h"
#include "trainer/models/plan_arena.h"

/* ---- what the model must end with */

static int fail_outputs(const struct kd_plan *plan, int64_t has, const char *per,
                        struct kd_error *err)
{
    static const char *const losses[] = {
        [KD_LOSS_CROSS_ENTROPY] = "crossEntropy", [KD_LOSS_MSE] = "mse", [KD_LOSS_BCE] = "bce"};
    int64_t needs = plan->model.input.n_outputs;
    return kd_fail(err,
                   "/model/%d: the model ends with %" PRId64 " values %s, but %s needs %" PRId64
                   " here (%s): let the last linear layer have units: %" PRId64,
                   plan->model.n_nodes - 1, has, per, losses[plan->loss], needs,
                   plan->loss == KD_LOSS_CROSS_ENTROPY ? "one per class" : "one per target", needs);
}

static int fail_positions(const struct kd_shape out, int64_t positions, struct kd_error *err)
{
    char text[KD_SHAPE_TEXT_MAX];
    return kd_fail(err,
                   "/model: the model gives %s for a sample, that is %" PRId64
                   " predictions, but a sample has %" PRId64 " label%s: %s",
                   kd_shape_text(out, text), kd_shape_count(out) / kd_shape_last(out), positions,
                   positions == 1 ? "" : "s",
                   positions == 1
                       ? "flatten, or pool over the positions, before the last linear layer"
                       : "keep one position for every token");
}

static int check_outputs(const struct kd_plan *plan, struct kd_error *err)
{
    struct kd_shape out = kd_model_out(&plan->model);
    const struct kd_input *input = &plan->model.input;
    int64_t positions = input->positions > 0 ? input->positions : 1;
    if (plan->loss != KD_LOSS_CROSS_ENTROPY)
        return kd_shape_count(out) == input->n_outputs
                   ? 0
                   : fail_outputs(plan, kd_shape_count(out), "a sample", err);
    if (kd_shape_count(out) != positions * kd_shape_last(out))
        return fail_positions(out, positions, err);
    return kd_shape_last(out) == input->n_outputs
               ? 0
               : fail_outputs(plan, kd_shape_last(out), positions == 1 ? "a sample" : "a position",
                              err);
}

/* ---- tensors */

static void add_tensor(struct kd_plan *plan, const struct kd_node *node,
                       struct kd_parameter *parameter)
{
    struct kd_plan_tensor tensor = {
        .name = kd_format("layers.%d.%s", node->index, parameter->name),
        .offset = plan->n_parameters,
        .n_dims = parameter->shape.n_dims,
    };
    memcpy(tensor.shape, parameter->shape.dims, sizeof tensor.shape);
    parameter->offset = plan->n_parameters;
    parameter->tensor = plan->n_tensors;
    parameter->factor_at = plan->n_factors;
    plan->n_parameters += kd_shape_count(parameter->shape);
    plan->tensors[plan->n_tensors] = tensor;
    plan->tensor_nodes[plan->n_tensors] = node->index;
    plan->ranges[plan->n_tensors++] = (struct kd_range){
        .n = kd_shape_count(parameter->shape),
        .decay = parameter->shape.n_dims > 1,
    };
    plan->n_factors += kd_rounded_size(&plan->ranges[plan->n_tensors - 1]);
}

static void tie(struct kd_plan *plan)
{
    for (int i = 0; i < plan->model.n_nodes; i++)
        for (int p = 0; p < plan->model.nodes[i].n_parameters; p++) {
            struct kd_parameter *parameter = &plan->model.nodes[i].parameters[p];
            if (!parameter->tied_node)
                continue;
            const struct kd_node *owner = &plan->model.nodes[parameter->tied_node - 1];
            parameter->offset = owner->parameters[parameter->tied_at].offset;
            parameter->tensor = owner->parameters[parameter->tied_at].tensor;
            parameter->factor_at = owner->parameters[parameter->tied_at].factor_at;
        }
}

/* In reverse layer order: the gradients that are ready first lie together at the start. */
static void lay_out_parameters(struct kd_plan *plan)
{
    size_t most = (size_t)plan->model.n_nodes * KD_LAYER_TENSORS_MAX;
    plan->tensors = KD_NEW_ARRAY(struct kd_plan_tensor, most);
    plan->tensor_nodes = KD_NEW_ARRAY(int, most);
    plan->ranges = KD_NEW_ARRAY(struct kd_range, most);
    for (int i = plan->model.n_nodes - 1; i >= 0; i--) {
        struct kd_node *node = &plan->model.nodes[i];
        for (int p = 0; p < node->n_parameters; p++)
            if (!node->parameters[p].tied_node)
                add_tensor(plan, node, &node->parameters[p]);
    }
    tie(plan);
}

static void lay_out_statistics(struct kd_plan *plan)
{
    for (int i = 0; i < plan->model.n_nodes; i++) {
        struct kd_node *node = &plan->model.nodes[i];
        for (int s = 0; s < node->n_statistics; s++) {
            struct kd_statistic *statistic = &node->statistics[s];
            struct kd_plan_tensor tensor = {
                .name = kd_format("layers.%d.%s", i, statistic->name),
                .offset = plan->n_statistics,
                .shape = {statistic->n},
                .n_dims = 1,
            };
            kd_arr_push(&plan->statistic_tensors, tensor);
            statistic->offset = plan->n_statistics;
            plan->n_statistics += statistic->n;
        }
        node->sums_at = plan->n_sums;
        plan->n_sums += node->n_sums;
    }
}

static void lay_out_activations(struct kd_plan *plan)
{
    kd_flow_plan(&plan->flow, &plan->model, plan->value_bytes);
    plan->activation_bytes =
        kd_layout_place(plan->flow.buffers.items, (int)plan->flow.buffers.n, plan->max_batch);
}

/* ---- memory */

/* Of the weights as products read them, where they do not read the parameters themselves: those may
 * begin anywhere, which tensor cores do not like. */
static int64_t factor_bytes(const struct kd_plan *plan)
{
    return plan->precision == KD_PRECISION_FP32 ? 0 : plan->n_factors * plan->value_bytes;
}

static double bytes_needed(const struct kd_plan *plan)
{
    double arenas = 5.0; /* parameters, gradients, two slots of state and an average at most */
    return arenas * (double)plan->n_parameters * sizeof(float) + (double)factor_bytes(plan) +
           (double)plan->activation_bytes;
}

/* Of a GPU without other programs CUDA and its libraries take some for themselves; less than a
 * tenth. What is short where ranks share a GPU, one of them may have taken already: nobody else can
 * be blamed. */
static enum kd_room room_for(const struct kd_plan *plan, double bytes, size_t free_bytes,
                             size_t total_bytes)
{
    bool is_shared = plan->device->is_host || plan->n_sharing > 1;
    if (bytes <= (double)free_bytes)
        return KD_ROOM_ENOUGH;
    return is_shared || bytes > 0.9 * (double)total_bytes ? KD_ROOM_TOO_LITTLE : KD_ROOM_TAKEN;
}

/* Asked for before it is allocated: a width that does not fit is the trial's failure, not the
 * program's end. */
static int check_memory(struct kd_plan *plan, struct kd_error *err)
{
    double bytes = bytes_needed(plan);
    size_t free_bytes, total_bytes;
    char of[64] = "";
    plan->device->memory(&free_bytes, &total_bytes);
    free_bytes /= (size_t)plan->n_sharing; /* they ask at the same time */
    plan->room = room_for(plan, bytes, free_bytes, total_bytes);
    if (plan->room == KD_ROOM_ENOUGH)
        return 0;
    if (!plan->device->is_host)
        snprintf(of, sizeof of, " free of %.3g", (double)total_bytes * 1e-9);
    return kd_fail(err,
                   "/model: %" PRId64 " parameters and a batch of %" PRId64
                   " need %.3g GB, %s has %.3g GB%s: %suse fewer units or a smaller batch",
                   plan->n_parameters, plan->max_batch, bytes * 1e-9,
                   plan->device->is_host ? "this machine" : "the GPU", (double)free_bytes * 1e-9,
                   of,
                   plan->room == KD_ROOM_TAKEN
                       ? "other programs hold the rest (`nvidia-smi` shows them): end them, or "
                       : "");
}

static void *new_memory(const struct kd_plan *plan, int64_t n, size_t size)
{
    return plan->device->alloc((size_t)n * size);
}

static void write_rates(struct kd_plan *plan)
{
    for (int i = 0; i < plan->model.n_nodes; i++) {
        const struct kd_node *node = &plan->model.nodes[i];
        if (!node->layer->tunable)
            continue;
        float rate = kd_node_rate(node);
        plan->device->copy_in(plan->queue, plan->rates + node->rate_at, &rate, sizeof rate);
    }
}

static void write_smoothing(struct kd_plan *plan, float smoothing)
{
    plan->device->copy_in(plan->queue, plan->rates + plan->model.n_rates, &smoothing,
                          sizeof smoothing);
}

static int allocate(struct kd_plan *plan, struct kd_error *err)
{
    lay_out_parameters(plan);
    lay_out_statistics(plan);
    lay_out_activations(plan);
    if (check_memory(plan, err) != 0)
        return -1;
    plan->parameters = kd_exchange_alloc(&plan->exchange, plan->n_parameters);
    plan->gradients = kd_exchange_alloc(&plan->exchange, plan->n_parameters);
    plan->statistics = new_memory(plan, plan->n_statistics, sizeof(float));
    plan->activations = new_memory(plan, plan->activation_bytes, 1);
    if (factor_bytes(plan) > 0)
        plan->factors = new_memory(plan, factor_bytes(plan), 1);
    plan->sums = new_memory(plan, plan->n_sums, sizeof(double));
    plan->rates = new_memory(plan, plan->model.n_rates + 1, sizeof(float));
    plan->control = plan->device->alloc(sizeof *plan->control);
    plan->notes = kd_alloc_aligned(KD_PAGE, KD_NOTES * sizeof *plan->notes);
    plan->device->pin(plan->notes, KD_NOTES * sizeof *plan->notes);
    write_rates(plan);
    return 0;
}

/* ---- making and freeing */

/* Of those of its kind that the host has. */
static int number_of_device(const struct kd_plan *plan)
{
    return plan->comm ? plan->comm->local_rank : 0;
}

int kd_plan_open_beside(struct kd_plan *plan, struct kd_queue **queue, struct kd_error *err)
{
    int status = plan->device->open(number_of_device(plan), queue, err);
    if (status == KD_DEVICE_IS_FULL)
        plan->room = KD_ROOM_TAKEN;
    return status < 0 ? -1 : 0;
}

/* The host's devices record nothing. */
static int open_aside(struct kd_plan *plan, enum kd_precision precision, struct kd_error *err)
{
    if (plan->device->is_host)
        return 0;
    if (kd_plan_open_beside(plan, &plan->aside.queue, err) != 0)
        return -1;
    return plan->device->set_precision(plan->aside.queue, precision, err);
}

static int build(struct kd_plan *plan, const struct kd_plan_options *options, struct kd_error *err)
{
    if (kd_model_read(&plan->model, options->model, &options->input, err) != 0 ||
        check_outputs(plan, err) != 0 || kd_plan_open_beside(plan, &plan->queue, err) != 0)
        return -1;
    if (plan->device->set_precision(plan->queue, options->precision, err) != 0)
        return kd_error_prefix(err, "/precision");
    if (open_aside(plan, options->precision, err) != 0)
        return -1;
    if (kd_exchange_init(&plan->exchange, plan->comm, plan->device, plan->queue, options->gang,
                         err) != 0 ||
        allocate(plan, err) != 0)
        return -1;
    write_smoothing(plan, options->label_smoothing);
    return 0;
}

struct kd_plan *kd_plan_new(const struct kd_plan_options *options, struct kd_error *err)
{
    kd_assert(options->max_batch > 0);
    struct kd_plan *plan = KD_NEW(struct kd_plan);
    plan->comm = options->comm;
    plan->device = options->device;
    plan->n_sharing = options->n_sharing > 0 ? options->n_sharing : 1;
    plan->loss = options->loss;
    plan->precision = options->precision;
    plan->scales_loss = options->precision == KD_PRECISION_FP16;
    plan->value_bytes = kd_precision_bytes(options->precision);
    plan->max_batch = options->max_batch;
    for (int k = 0; k < KD_N_PASSES; k++)
        for (int i = 0; i < KD_PASSES_KEPT; i++)
            plan->passes[k][i].kind = (enum kd_pass_kind)k;
    bool is_made = build(plan, options, err) == 0;
    if (options->room)
        *options->room = plan->room;
    if (!is_made) {
        kd_plan_free(plan);
        return NULL;
    }
    return plan;
}

static void free_device_memory(struct kd_plan *plan)
{
    for (int k = 0; k < KD_N_PASSES; k++)
        for (int i = 0; i < KD_PASSES_KEPT; i++)
            kd_pass_release(&plan->passes[k][i], plan);
    kd_plan_forget_updates(plan);
    if (plan->notes) {
        plan->device->wait(plan->queue);
        plan->device->unpin(plan->notes);
    }
    free(plan->notes);
    kd_exchange_free(&plan->exchange, plan->parameters);
    kd_exchange_free(&plan->exchange, plan->gradients);
    kd_exchange_release(&plan->exchange);
    void *memory[] = {
        plan->state[0], plan->state[1],    plan->average, plan->norms, plan->statistics,
        plan->factors,  plan->activations, plan->sums,    plan->rates, plan->control,
    };
    for (size_t i = 0; i < KD_COUNT(memory); i++)
        plan->device->free(memory[i]);
    plan->device->close(plan->aside.queue);
    plan->device->close(plan->queue);
}

static void free_names(struct kd_plan *plan)
{
    for (int i = 0; i < plan->n_tensors; i++)
        free((char *)plan->tensors[i].name);
    for (size_t i = 0; i < plan->statistic_tensors.n; i++)
        free((char *)plan->statistic_tensors.items[i].name);
    free(plan->nonfinite);
}

void kd_plan_free(struct kd_plan *plan)
{
    if (!plan)
        return;
    free_device_memory(plan);
    free_names(plan);
    free(plan->tensors);
    free(plan->tensor_nodes);
    free(plan->ranges);
    free(plan->own_ranges);
    kd_arr_release(&plan->statistic_tensors);
    kd_flow_release(&plan->flow);
    kd_model_release(&plan->model);
    free(plan);
}

int kd_plan_retune(struct kd_plan *plan, const json_t *model, float label_smoothing,
                   struct kd_error *err)
{
    struct kd_model other;
    if (kd_model_read(&other, model, &plan->model.input, err) != 0)
        return -1;
    int result = kd_model_check_same(&plan->model, &other, err);
    for (int i = 0; result == 0 && i < other.n_nodes; i++)
        memcpy(plan->model.nodes[i].settings, other.nodes[i].settings,
               sizeof other.nodes[i].settings);
    kd_model_release(&other);
    if (result != 0)
        return -1;
    write_rates(plan);
    write_smoothing(plan, label_smoothing);
    return 0;
}

int64_t kd_plan_bytes(const struct kd_plan *plan)
{
    int64_t begin, end, floats = (plan->average ? 3 : 2) * plan->n_parameters;
    kd_plan_state_range(plan, &begin, &end);
    for (int i = 0; i < KD_PLAN_SLOTS; i++)
        floats += plan->state[i] ? end - begin : 0;
    return (floats + plan->n_statistics) * (int64_t)sizeof(float) + factor_bytes(plan) +
           plan->activation_bytes;
}

struct kd_queue *kd_plan_queue(const struct kd_plan *plan)
{
    return plan->queue;
}

int64_t kd_plan_value_bytes(const struct kd_plan *plan)
{
    return plan->value_bytes;
}

int64_t kd_plan_bytes_to_come(const struct kd_plan *plan)
{
    int64_t floats = plan->average ? 0 : plan->n_parameters;
    for (int i = 0; i < KD_PLAN_SLOTS; i++)
        floats += plan->state[i] ? 0 : plan->n_parameters;
    return floats * (int64_t)sizeof(float);
}

/* ---- the arenas */

/* To memory that is not pinned the copy's call itself waits, and would do so without a deadline. */
void kd_plan_fetch(struct kd_plan *plan, void *host, const void *device, size_t bytes)
{
    kd_exchange_wait(&plan->exchange);
    plan->device->copy_out(plan->queue, host, device, bytes);
    plan->device->wait(plan->queue);
}

void kd_plan_read(struct kd_plan *plan, float *host, const float *arena, int64_t n)
{
    kd_plan_fetch(plan, host, arena, (size_t)n * sizeof *host);
}

void kd_plan_write(struct kd_plan *plan, float *arena, const float *host, int64_t n)
{
    plan->device->copy_in(plan->queue, arena, host, (size_t)n * sizeof *host);
    kd_exchange_wait(&plan->exchange);
}

bool kd_plan_scales_loss(const struct kd_plan *plan)
{
    return plan->scales_loss;
}

struct kd_loss_scale kd_plan_loss_scale(struct kd_plan *plan)
{
    struct kd_loss_scale loss_scale;
    kd_plan_fetch(plan, &loss_scale, &plan->control->note.loss_scale, sizeof loss_scale);
    return loss_scale;
}

void kd_plan_set_loss_scale(struct kd_plan *plan, struct kd_loss_scale loss_scale)
{
    plan->device->copy_in(plan->queue, &plan->control->note.loss_scale, &loss_scale,
                          sizeof loss_scale);
}

bool kd_plan_is_on_host(const struct kd_plan *plan)
{
    return plan->device->is_host;
}

int64_t kd_plan_n_parameters(const struct kd_plan *plan)
{
    return plan->n_parameters;
}

float *kd_plan_parameters(struct kd_plan *plan)
{
    return plan->parameters;
}

float *kd_plan_gradients(struct kd_plan *plan)
{
    return plan->gradients;
}

float *kd_plan_state(struct kd_plan *plan, int slot)
{
    kd_assert(slot >= 0 && slot < KD_PLAN_SLOTS);
    int64_t begin, end;
    kd_plan_state_range(plan, &begin, &end);
    if (!plan->state[slot])
        plan->state[slot] = new_memory(plan, end - begin, sizeof(float));
    return plan->state[slot];
}

int kd_plan_n_tensors(const struct kd_plan *plan)
{
    return plan->n_tensors;
}

struct kd_plan_tensor kd_plan_tensor_at(const struct kd_plan *plan, int i)
{
    kd_assert(i >= 0 && i < plan->n_tensors);
    return plan->tensors[i];
}

int64_t kd_plan_n_statistics(const struct kd_plan *plan)
{
    return plan->n_statistics;
}

float *kd_plan_statistics(struct kd_plan *plan)
{
    return plan->statistics;
}

int kd_plan_n_statistic_tensors(const struct kd_plan *plan)
{
    return (int)plan->statistic_tensors.n;
}

struct kd_plan_tensor kd_plan_statistic_tensor_at(const struct kd_plan *plan, int i)
{
    kd_assert(i >= 0 && i < (int)plan->statistic_tensors.n);
    return plan->statistic_tensors.items[i];
}
