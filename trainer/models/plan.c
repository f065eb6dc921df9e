#include "trainer/models/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "trainer/models/plan_arena.h"
#include "trainer/models/plan_update.h"

/* Initial weights are keyed by layer like dropout masks, but by other keys. */
#define INIT_KEY (UINT64_C(1) << 32)

static const char *const loss_names[] = {
    [KD_LOSS_CROSS_ENTROPY] = "crossEntropy",
    [KD_LOSS_MSE] = "mse",
};

static int check_outputs(const struct kd_plan *plan, int64_t n_targets, struct kd_error *err)
{
    const struct kd_node *last = &plan->model.nodes[plan->model.n_nodes - 1];
    int64_t n_outputs = kd_shape_count(last->out);
    if (n_outputs == n_targets)
        return 0;
    return kd_fail(
        err,
        "/model/%d: the model ends with %" PRId64 " values a sample, but %s needs %" PRId64
        " here (%s): let the last linear layer have units: %" PRId64,
        last->index, n_outputs, loss_names[plan->loss], n_targets,
        plan->loss == KD_LOSS_CROSS_ENTROPY ? "one per class" : "one per target", n_targets);
}

static void add_tensor(struct kd_plan *plan, const struct kd_node *node,
                       const struct kd_parameter *parameter)
{
    struct kd_plan_tensor tensor = {
        .name = kd_format("layers.%d.%s", node->index, parameter->name),
        .offset = parameter->offset,
        .n_dims = parameter->shape.n_dims,
    };
    memcpy(tensor.shape, parameter->shape.dims, sizeof tensor.shape);
    plan->tensors[plan->n_tensors] = tensor;
    plan->ranges[plan->n_tensors++] = (struct kd_range){
        .n = kd_shape_count(parameter->shape),
        .decay = parameter->shape.n_dims > 1,
    };
}

/* In reverse layer order: the gradients that are ready first lie together at the start. */
static void lay_out_parameters(struct kd_plan *plan)
{
    size_t most = (size_t)plan->model.n_nodes * KD_LAYER_TENSORS_MAX;
    plan->tensors = KD_NEW_ARRAY(struct kd_plan_tensor, most);
    plan->ranges = KD_NEW_ARRAY(struct kd_range, most);
    for (int i = plan->model.n_nodes - 1; i >= 0; i--) {
        struct kd_node *node = &plan->model.nodes[i];
        for (int p = 0; p < node->n_parameters; p++) {
            node->parameters[p].offset = plan->n_parameters;
            plan->n_parameters += kd_shape_count(node->parameters[p].shape);
            add_tensor(plan, node, &node->parameters[p]);
        }
    }
}

struct activation_sizes {
    int64_t total, widest; /* floats per sample */
};

static struct activation_sizes lay_out_activations(struct kd_plan *plan)
{
    struct activation_sizes sizes = {0};
    for (int i = 0; i < plan->model.n_nodes; i++) {
        struct kd_node *node = &plan->model.nodes[i];
        if (node->absorbed)
            continue;
        int64_t n_out = kd_shape_count(node->out);
        node->output_at = sizes.total;
        node->scratch_at = sizes.total + n_out;
        sizes.total += n_out + node->scratch;
        sizes.widest = n_out > sizes.widest ? n_out : sizes.widest;
    }
    return sizes;
}

/* Asked for before it is allocated: a width that does not fit is the trial's failure, not the program's end. */
static int check_memory(const struct kd_plan *plan, struct activation_sizes sizes,
                        struct kd_error *err)
{
    double floats = 4.0 * (double)plan->n_parameters +
                    (double)(sizes.total + 2 * sizes.widest) * (double)plan->max_batch;
    double bytes = floats * sizeof(float);
    double held = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (bytes <= held)
        return 0;
    return kd_fail(err,
                   "/model: %" PRId64 " parameters and a batch of %" PRId64
                   " need %.1f GB, this machine has %.1f GB: use fewer units or a smaller batch",
                   plan->n_parameters, plan->max_batch, bytes * 1e-9, held * 1e-9);
}

static float *new_floats(const struct kd_plan *plan, int64_t n)
{
    return plan->device->alloc((size_t)n * sizeof(float));
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

static int allocate(struct kd_plan *plan, struct kd_error *err)
{
    lay_out_parameters(plan);
    struct activation_sizes sizes = lay_out_activations(plan);
    if (check_memory(plan, sizes, err) != 0)
        return -1;
    plan->parameters = new_floats(plan, plan->n_parameters);
    plan->gradients = new_floats(plan, plan->n_parameters);
    plan->activations = new_floats(plan, sizes.total * plan->max_batch);
    for (int i = 0; i < 2; i++)
        plan->upstream[i] = new_floats(plan, sizes.widest * plan->max_batch);
    plan->rates = new_floats(plan, plan->model.n_rates);
    plan->control = plan->device->alloc(sizeof *plan->control);
    write_rates(plan);
    return 0;
}

static int build(struct kd_plan *plan, const struct kd_plan_options *options, struct kd_error *err)
{
    struct kd_shape in = {{options->n_features}, .n_dims = 1};
    plan->device = kd_device_find(options->device, err);
    if (!plan->device)
        return kd_error_prefix(err, "/device");
    if (kd_model_read(&plan->model, options->model, in, err) != 0 ||
        check_outputs(plan, options->n_targets, err) != 0 ||
        plan->device->open(&plan->queue, err) != 0)
        return -1;
    return allocate(plan, err);
}

struct kd_plan *kd_plan_new(const struct kd_plan_options *options, struct kd_error *err)
{
    kd_assert(options->n_features > 0 && options->n_targets > 0 && options->max_batch > 0);
    struct kd_plan *plan = KD_NEW(struct kd_plan);
    plan->loss = options->loss;
    plan->max_batch = options->max_batch;
    plan->train.training = true;
    if (build(plan, options, err) != 0) {
        kd_plan_free(plan);
        return NULL;
    }
    return plan;
}

static void free_device_memory(struct kd_plan *plan)
{
    void *memory[] = {
        plan->parameters,  plan->gradients,   plan->state[0], plan->state[1], plan->activations,
        plan->upstream[0], plan->upstream[1], plan->rates,    plan->control,
    };
    for (size_t i = 0; i < KD_COUNT(memory); i++)
        plan->device->free(memory[i]);
    plan->device->close(plan->queue);
}

void kd_plan_free(struct kd_plan *plan)
{
    if (!plan)
        return;
    if (plan->device)
        free_device_memory(plan);
    for (int i = 0; i < plan->n_tensors; i++)
        free((char *)plan->tensors[i].name);
    free(plan->tensors);
    free(plan->ranges);
    free(plan->nonfinite);
    kd_arr_release(&plan->train.calls);
    kd_arr_release(&plan->evaluate.calls);
    kd_model_release(&plan->model);
    free(plan);
}

static void run(struct kd_plan *plan, struct kd_call call)
{
    kd_call_run(&call, plan->device->ops, plan->queue);
}

static void reset_parameter(struct kd_plan *plan, const struct kd_node *node, int p, uint64_t seed)
{
    const struct kd_parameter *parameter = &node->parameters[p];
    float *x = plan->parameters + parameter->offset;
    int64_t n = kd_shape_count(parameter->shape);
    if (parameter->bound == 0.0f)
        run(plan, KD_CALL(fill, .x = x, .n = n));
    else
        run(plan, KD_CALL(init_uniform, .x = x, .n = n, .bound = parameter->bound,
                          .seed = kd_hash2(seed, INIT_KEY | (uint64_t)node->index),
                          .stream = (uint64_t)p));
}

void kd_plan_reset(struct kd_plan *plan, uint64_t seed)
{
    for (int i = 0; i < plan->model.n_nodes; i++)
        for (int p = 0; p < plan->model.nodes[i].n_parameters; p++)
            reset_parameter(plan, &plan->model.nodes[i], p, seed);
    run(plan, KD_CALL(fill, .x = plan->gradients, .n = plan->n_parameters));
    for (int i = 0; i < KD_PLAN_SLOTS; i++)
        if (plan->state[i])
            run(plan, KD_CALL(fill, .x = plan->state[i], .n = plan->n_parameters));
    plan->device->wait(plan->queue);
}

int kd_plan_retune(struct kd_plan *plan, const json_t *model, struct kd_error *err)
{
    struct kd_model other;
    if (kd_model_read(&other, model, plan->model.nodes[0].in, err) != 0)
        return -1;
    int result = kd_model_check_same(&plan->model, &other, err);
    for (int i = 0; result == 0 && i < other.n_nodes; i++)
        memcpy(plan->model.nodes[i].settings, other.nodes[i].settings,
               sizeof other.nodes[i].settings);
    kd_model_release(&other);
    if (result == 0)
        write_rates(plan);
    return result;
}

static void run_pass(struct kd_plan *plan, struct kd_pass *pass, const struct kd_batch *batch,
                     struct kd_batch_result *result)
{
    kd_assert(batch->n >= 0 && batch->n <= plan->max_batch);
    const struct kd_device *device = plan->device;
    struct kd_turn turn = {.seed = batch->seed, .step = batch->step, .n_global = batch->n_global, .n_counted = batch->n_global};
    struct kd_loss_sums sums = {0};
    kd_pass_make(pass, plan, batch);
    device->copy_in(plan->queue, &plan->control->turn, &turn, sizeof turn);
    device->copy_in(plan->queue, &plan->control->sums, &sums, sizeof sums);
    for (size_t i = 0; i < pass->calls.n; i++)
        kd_call_run(&pass->calls.items[i], device->ops, plan->queue);
    device->copy_out(plan->queue, &sums, &plan->control->sums, sizeof sums);
    device->wait(plan->queue);
    *result = (struct kd_batch_result){.loss_sum = sums.loss, .n_correct = sums.n_correct};
}

void kd_plan_backward(struct kd_plan *plan, const struct kd_batch *batch,
                      struct kd_batch_result *result)
{
    run_pass(plan, &plan->train, batch, result);
}

void kd_plan_evaluate(struct kd_plan *plan, const struct kd_batch *batch,
                      struct kd_batch_result *result)
{
    run_pass(plan, &plan->evaluate, batch, result);
}

void kd_plan_update(struct kd_plan *plan, enum kd_op op, int n_slots, const struct kd_hyper *hyper)
{
    struct kd_op_update update = {
        .parameters = plan->parameters,
        .gradients = plan->gradients,
        .ranges = plan->ranges,
        .n_ranges = plan->n_tensors,
        .hyper = &plan->control->hyper,
    };
    for (int i = 0; i < n_slots; i++)
        update.state[i] = kd_plan_state(plan, i);
    plan->device->copy_in(plan->queue, &plan->control->hyper, hyper, sizeof *hyper);
    run(plan, (struct kd_call){.op = op, .args.sgd = update});
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
    if (!plan->state[slot])
        plan->state[slot] = new_floats(plan, plan->n_parameters);
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

static const char *tensor_of(const struct kd_plan *plan, int64_t offset)
{
    int i = plan->n_tensors - 1;
    while (plan->tensors[i].offset > offset)
        i--;
    return plan->tensors[i].name;
}

static const char *find_in(struct kd_plan *plan, const float *arena, const char *what)
{
    int64_t at;
    run(plan, KD_CALL(find_nonfinite, .x = arena, .n = plan->n_parameters,
                      .at = &plan->control->nonfinite_at));
    plan->device->copy_out(plan->queue, &at, &plan->control->nonfinite_at, sizeof at);
    plan->device->wait(plan->queue);
    if (at < 0)
        return NULL;
    free(plan->nonfinite);
    plan->nonfinite = kd_format("%s of %s", what, tensor_of(plan, at));
    return plan->nonfinite;
}

const char *kd_plan_find_nonfinite(struct kd_plan *plan)
{
    const char *found = find_in(plan, plan->gradients, "gradient");
    return found ? found : find_in(plan, plan->parameters, "parameter");
}
