#include "trainer/models/profile.h"

#include <stdio.h>

#include "coordinator/base/clock.h"
#include "kernels/flops.h"
#include "trainer/models/plan_arena.h"

static const char *const phase_names[] = {
#define X(constant, name) name,
    KD_PHASES(X)
#undef X
};

static struct kd_profile_layer *layer_at(struct kd_profile *profile, const struct kd_plan *plan,
                                         int node)
{
    while ((int)profile->layers.n <= node) {
        struct kd_profile_layer layer = {.name = "loss"};
        int i = (int)profile->layers.n;
        if (i < plan->model.n_nodes)
            snprintf(layer.name, sizeof layer.name, "layers.%d %s", i,
                     plan->model.nodes[i].layer->name);
        kd_arr_push(&profile->layers, layer);
    }
    return &profile->layers.items[node];
}

static enum kd_phase phase_of(const struct kd_pass *pass, const struct kd_step *step)
{
    if (pass->kind == KD_PASS_EVALUATE)
        return KD_PHASE_EVALUATE;
    if (step->node == KD_NODE_BATCH)
        return KD_PHASE_DATA;
    if (step->kind != KD_STEP_CALL)
        return KD_PHASE_ALLREDUCE;
    return step->backward ? KD_PHASE_BACKWARD : KD_PHASE_FORWARD;
}

static void add_to_layer(struct kd_profile_layer *layer, const struct kd_step *step, int64_t ns)
{
    *(step->backward ? &layer->backward_ns : &layer->forward_ns) += ns;
}

void kd_profile_add_step(struct kd_profile *profile, const struct kd_plan *plan,
                         const struct kd_pass *pass, size_t i, int64_t ns)
{
    const struct kd_step *step = &pass->steps.items[i];
    profile->phase_ns[phase_of(pass, step)] += ns;
    if (pass->kind == KD_PASS_EVALUATE || step->node == KD_NODE_BATCH)
        return;
    add_to_layer(layer_at(profile, plan, step->node), step, ns);
    if (step->kind != KD_STEP_CALL)
        return;
    profile->op_ns[step->call.op] += ns;
    profile->op_flops[step->call.op] += kd_call_flops(&step->call);
}

int64_t kd_profile_begin(const struct kd_profile *profile)
{
    return profile ? kd_clock_mono_ns() : 0;
}

void kd_profile_end(struct kd_profile *profile, enum kd_phase phase, int64_t began)
{
    if (profile)
        profile->phase_ns[phase] += kd_clock_mono_ns() - began;
}

void kd_profile_release(struct kd_profile *profile)
{
    kd_arr_release(&profile->layers);
    *profile = (struct kd_profile){0};
}

/* ---- for people */

static double total_ns(const struct kd_profile *profile)
{
    double sum = 0;
    for (int p = 0; p < KD_N_PHASES; p++)
        sum += (double)profile->phase_ns[p];
    return sum > 0 ? sum : 1;
}

static double us_a_step(const struct kd_profile *profile, int64_t ns)
{
    return (double)ns * 1e-3 / (double)(profile->n_steps ? profile->n_steps : 1);
}

static void print_phases(const struct kd_profile *profile, struct kd_str *out)
{
    kd_str_addf(out, "%-28s %12s %7s\n", "phase", "us a step", "share");
    for (int p = 0; p < KD_N_PHASES; p++)
        if (profile->phase_ns[p])
            kd_str_addf(out, "%-28s %12.1f %6.1f%%\n", phase_names[p],
                        us_a_step(profile, profile->phase_ns[p]),
                        100.0 * (double)profile->phase_ns[p] / total_ns(profile));
}

static void print_layers(const struct kd_profile *profile, struct kd_str *out)
{
    kd_str_addf(out, "\n%-28s %12s %12s %7s\n", "layer", "forward us", "backward us", "share");
    for (size_t i = 0; i < profile->layers.n; i++) {
        const struct kd_profile_layer *layer = &profile->layers.items[i];
        double both = (double)(layer->forward_ns + layer->backward_ns);
        if (both > 0)
            kd_str_addf(out, "%-28s %12.1f %12.1f %6.1f%%\n", layer->name,
                        us_a_step(profile, layer->forward_ns),
                        us_a_step(profile, layer->backward_ns), 100.0 * both / total_ns(profile));
    }
}

static void print_ops(const struct kd_profile *profile, struct kd_str *out)
{
    kd_str_addf(out, "\n%-28s %12s %12s %7s\n", "op", "us a step", "GFLOP/s", "share");
    for (int op = 0; op < KD_N_OPS; op++) {
        double ns = (double)profile->op_ns[op];
        if (ns == 0)
            continue;
        kd_str_addf(out, "%-28s %12.1f ", kd_op_names[op], us_a_step(profile, profile->op_ns[op]));
        if (profile->op_flops[op] > 0)
            kd_str_addf(out, "%12.1f", profile->op_flops[op] / ns);
        else
            kd_str_addf(out, "%12s", "-");
        kd_str_addf(out, " %6.1f%%\n", 100.0 * ns / total_ns(profile));
    }
}

void kd_profile_print(const struct kd_profile *profile, struct kd_str *out)
{
    print_phases(profile, out);
    print_layers(profile, out);
    print_ops(profile, out);
}
