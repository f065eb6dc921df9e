#include "tests/trainer/fixture.h"
#include "tests/trainer/thread_comm.h"

#include <stdio.h>

#include "trainer/optim/optimizer.h"
#include "trainer/optim/schedule.h"

static const struct shape_of_plan shape = {.n_features = 7, .n_targets = 3, .max_batch = 4};
static const char model[] = "[{'linear': {'units': 3}}]"; /* weight 0 .. 20, bias 21 .. 23 */

static const struct kd_optimizer *read_optimizer(const char *text, struct kd_hyper *hyper)
{
    const struct kd_optimizer *optimizer = NULL;
    struct kd_error err = {0};
    json_t *block = json_of(text);
    if (kd_optimizer_read(block, &optimizer, hyper, &err) != 0)
        fail_msg("%s", err.text);
    json_decref(block);
    return optimizer;
}

enum { N_WEIGHTS = 21, STEPS = 10 };

/* The arena in float64, with the gradient of every step. Weights decay by 0.2, the biases after
 * them do not. */
struct arena64 {
    double p[32], g[32], m[32], v[32];
    int n;
};

static double decay_of(int i)
{
    return i < N_WEIGHTS ? 0.2 : 0.0;
}

/* Sutskever, Martens, Dahl, Hinton (2013) in the form that PyTorch uses: v = mu v + g, p -= lr
 * v. */
static void sgd_reference(struct arena64 *a, int t)
{
    (void)t;
    for (int i = 0; i < a->n; i++) {
        a->m[i] = 0.9 * a->m[i] + a->g[i];
        a->p[i] = a->p[i] - 0.1 * decay_of(i) * a->p[i] - 0.1 * a->m[i];
    }
}

static void nesterov_reference(struct arena64 *a, int t)
{
    (void)t;
    for (int i = 0; i < a->n; i++) {
        a->m[i] = 0.9 * a->m[i] + a->g[i];
        a->p[i] = a->p[i] - 0.1 * decay_of(i) * a->p[i] - 0.1 * (a->g[i] + 0.9 * a->m[i]);
    }
}

static double adam_direction(struct arena64 *a, int i, int t)
{
    a->m[i] = 0.9 * a->m[i] + 0.1 * a->g[i];
    a->v[i] = 0.999 * a->v[i] + 0.001 * a->g[i] * a->g[i];
    return a->m[i] / (1 - pow(0.9, t)) / (sqrt(a->v[i] / (1 - pow(0.999, t))) + 1e-6);
}

/* Loshchilov, Hutter (2019), algorithm 2. */
static void adamw_reference(struct arena64 *a, int t)
{
    for (int i = 0; i < a->n; i++)
        a->p[i] = a->p[i] - 0.1 * decay_of(i) * a->p[i] - 0.1 * adam_direction(a, i, t);
}

/* You et al. (2020), algorithm 2; the bias takes Adam's step. */
static void lamb_reference(struct arena64 *a, int t)
{
    double u[32], weight = 0, length = 0;
    for (int i = 0; i < a->n; i++) {
        u[i] = adam_direction(a, i, t) + decay_of(i) * a->p[i];
        weight += i < N_WEIGHTS ? a->p[i] * a->p[i] : 0;
        length += i < N_WEIGHTS ? u[i] * u[i] : 0;
    }
    for (int i = 0; i < a->n; i++)
        a->p[i] -= 0.1 * (i < N_WEIGHTS ? sqrt(weight / length) : 1) * u[i];
}

/* Chen et al. (2023), algorithm 2. */
static void lion_reference(struct arena64 *a, int t)
{
    (void)t;
    for (int i = 0; i < a->n; i++) {
        double c = 0.9 * a->m[i] + 0.1 * a->g[i];
        a->p[i] = a->p[i] - 0.1 * decay_of(i) * a->p[i] - 0.1 * (c > 0 ? 1 : -1);
        a->m[i] = 0.99 * a->m[i] + 0.01 * a->g[i];
    }
}

static const struct {
    const char *name, *block;
    void (*reference)(struct arena64 *arena, int t);
} cases[] = {
    {"sgd", "{'name': 'sgd', 'lr': 0.1, 'momentum': 0.9, 'weightDecay': 0.2}", sgd_reference},
    {"sgd", "{'name': 'sgd', 'lr': 0.1, 'momentum': 0.9, 'weightDecay': 0.2, 'nesterov': true}",
     nesterov_reference},
    {"adamw", "{'name': 'adamw', 'lr': 0.1, 'weightDecay': 0.2, 'epsilon': 1e-6}", adamw_reference},
    {"lamb", "{'name': 'lamb', 'lr': 0.1, 'weightDecay': 0.2}", lamb_reference},
    {"lion", "{'name': 'lion', 'lr': 0.1, 'weightDecay': 0.2}", lion_reference},
};

static struct arena64 random_arena(int64_t n)
{
    struct kd_rng rng = kd_rng_at(1, 2);
    struct arena64 arena = {.n = (int)n};
    assert_true(n <= (int64_t)KD_COUNT(arena.p));
    for (int i = 0; i < arena.n; i++) {
        arena.g[i] = (float)(kd_rng_uniform(&rng) - 0.5);
        arena.p[i] = (float)(kd_rng_uniform(&rng) - 0.5);
    }
    return arena;
}

static void write_floats(float *to, const double *from, int n)
{
    for (int i = 0; i < n; i++)
        to[i] = (float)from[i];
}

/* clip: what the hyperparameter is set to; the gradient of the reference is scaled to that norm. */
static void check_optimizer(size_t c, double clip)
{
    struct kd_hyper hyper;
    const struct kd_optimizer *optimizer = read_optimizer(cases[c].block, &hyper);
    struct kd_plan *plan = plan_of(model, shape);
    struct arena64 wanted = random_arena(kd_plan_n_parameters(plan)), given = wanted;
    double norm = 0;
    for (int i = 0; i < wanted.n; i++)
        norm += wanted.g[i] * wanted.g[i];
    norm = sqrt(norm);
    for (int i = 0; i < wanted.n && clip > 0 && clip < norm; i++)
        wanted.g[i] *= clip / norm;
    kd_plan_prepare_update(plan, &(struct kd_update_options){.optimizer = optimizer});
    write_floats(kd_plan_parameters(plan), given.p, given.n);
    assert_int_equal(hyper.step, 1);
    hyper.clip = (float)clip;
    for (; hyper.step <= STEPS; hyper.step++) {
        write_floats(kd_plan_gradients(plan), given.g, given.n);
        kd_plan_update(plan, &hyper, true);
        assert_true(fabs(kd_plan_gradient_norm(plan) - norm) < 1e-6 * norm);
        cases[c].reference(&wanted, (int)hyper.step);
    }
    for (int i = 0; i < wanted.n; i++)
        if (fabs((double)kd_plan_parameters(plan)[i] - wanted.p[i]) > 1e-5)
            fail_msg("%s: parameter %d is %.9g, the equations give %.9g", cases[c].block, i,
                     (double)kd_plan_parameters(plan)[i], wanted.p[i]);
    kd_plan_free(plan);
}

static void optimizers_follow_their_equations_and_leave_biases_undecayed(void **state)
{
    (void)state;
    for (size_t c = 0; c < KD_COUNT(cases); c++)
        check_optimizer(c, 0);
}

static void gradients_are_clipped_to_a_norm_before_the_step(void **state)
{
    (void)state;
    for (size_t c = 0; c < KD_COUNT(cases); c++) {
        check_optimizer(c, 0.25);
        check_optimizer(c, 100);
    }
}

/* ---- PyTorch's optimizers (data/optim.txt, made by data/make_optim.py) */

enum { STORED_STEPS = 20 };

static const struct stored_case {
    const char *name, *block;
    float clip;
} stored_cases[] = {
    {"sgd", "{'name': 'sgd', 'lr': 0.1}", 0},
    {"momentum", "{'name': 'sgd', 'lr': 0.1, 'momentum': 0.9}", 0},
    {"nesterov", "{'name': 'sgd', 'lr': 0.1, 'momentum': 0.9, 'nesterov': 1}", 0},
    {"nesterov-clipped", "{'name': 'sgd', 'lr': 0.1, 'momentum': 0.9, 'nesterov': 1}", 1.5f},
    {"adamw",
     "{'name': 'adamw', 'lr': 0.05, 'beta1': 0.8, 'beta2': 0.95, 'epsilon': 1e-7, 'weightDecay': "
     "0.1}",
     0},
    {"adamw-clipped",
     "{'name': 'adamw', 'lr': 0.05, 'beta1': 0.8, 'beta2': 0.95, 'epsilon': 1e-7, 'weightDecay': "
     "0.1}",
     1.5f},
};

/* The formulas of make_optim.py. */
static struct kd_plan *train_stored_case(const struct stored_case *c)
{
    struct kd_hyper hyper;
    struct kd_update_options options = {.optimizer = read_optimizer(c->block, &hyper)};
    struct kd_plan *plan = plan_of(model, shape);
    int64_t n = kd_plan_n_parameters(plan);
    kd_plan_prepare_update(plan, &options);
    for (int64_t i = 0; i < n; i++)
        kd_plan_parameters(plan)[i] = (float)(0.5 * cos((double)i));
    hyper.clip = c->clip;
    for (; hyper.step <= STORED_STEPS; hyper.step++) {
        for (int64_t i = 0; i < n; i++)
            kd_plan_gradients(plan)[i] = (float)sin(1 + (double)i + 0.7 * (double)hyper.step);
        kd_plan_update(plan, &hyper, false);
    }
    return plan;
}

/* The stored numbers are of float64 arithmetic; float32 stays within 3e-6 of them over 20 steps. */
static void check_stored_case(const struct stored_case *c, FILE *stored)
{
    char name[64], text[64];
    if (fscanf(stored, "%63s", name) != 1 || strcmp(name, c->name) != 0)
        fail_msg("optim.txt is not of these cases: %s is missing", c->name);
    struct kd_plan *plan = train_stored_case(c);
    for (int64_t i = 0; i < kd_plan_n_parameters(plan); i++) {
        assert_int_equal(fscanf(stored, "%63s", text), 1);
        double got = kd_plan_parameters(plan)[i], wanted = strtod(text, NULL);
        if (fabs(got - wanted) > 3e-6)
            fail_msg("%s: parameter %d is %.9f, PyTorch's is %.9f", c->name, (int)i, got, wanted);
    }
    kd_plan_free(plan);
}

static void optimizers_step_as_pytorch_does(void **state)
{
    (void)state;
    FILE *stored = fopen(KD_SOURCE_DIR "/tests/trainer/data/optim.txt", "r");
    assert_non_null(stored);
    for (size_t c = 0; c < KD_COUNT(stored_cases); c++)
        check_stored_case(&stored_cases[c], stored);
    fclose(stored);
}

/* ---- sharded state, the average */

static const char deep[] = "[{'linear': {'units': 9}}, 'relu', {'linear': {'units': 3}}]";

struct run {
    const char *block;
    bool zero, averages;
    float *after, *average; /* owned, of rank 0 */
    int64_t n, n_state;     /* state held by rank 0 */
};

static void update_on_rank(struct kd_comm *comm, void *ud)
{
    struct run *run = ud;
    struct shape_of_plan here = shape;
    struct kd_hyper hyper;
    int64_t begin, end;
    here.comm = comm;
    struct kd_update_options options = {.optimizer = read_optimizer(run->block, &hyper),
                                        .zero = run->zero,
                                        .averages = run->averages};
    struct kd_plan *plan = plan_of(deep, here);
    kd_plan_prepare_update(plan, &options);
    hyper.clip = 0.5f;
    hyper.average_decay = 0.9f;
    int64_t n = kd_plan_n_parameters(plan);
    for (; hyper.step <= STEPS; hyper.step++) {
        for (int64_t i = 0; i < n; i++)
            kd_plan_gradients(plan)[i] = (float)sin((double)(i * hyper.step) + 0.3);
        kd_plan_update(plan, &hyper, false);
    }
    kd_plan_state_range(plan, &begin, &end);
    if (comm->rank == 0) {
        run->n = n;
        run->n_state = end - begin;
        run->after = copy_of(kd_plan_parameters(plan), n);
        run->average = run->averages ? copy_of(kd_plan_average(plan), n) : NULL;
    }
    kd_plan_free(plan);
}

static void sharded_state_makes_the_same_steps(void **state)
{
    (void)state;
    for (size_t c = 0; c < KD_COUNT(cases); c++)
        for (int n_ranks = 2; n_ranks <= 5; n_ranks += 3) {
            struct run whole = {.block = cases[c].block, .averages = true}, shards = whole;
            shards.zero = true;
            run_ranks(n_ranks, update_on_rank, &whole);
            run_ranks(n_ranks, update_on_rank, &shards);
            assert_int_equal(whole.n_state, whole.n);
            assert_in_range(shards.n_state, whole.n / n_ranks, whole.n / n_ranks + 1);
            for (int64_t i = 0; i < whole.n; i++) {
                assert_true(fabsf(whole.after[i] - shards.after[i]) < 1e-6f);
                assert_true(fabsf(whole.average[i] - shards.average[i]) < 1e-6f);
            }
            free(whole.after), free(shards.after), free(whole.average), free(shards.average);
        }
}

static void the_average_follows_the_weights_and_is_swapped_in_and_out(void **state)
{
    (void)state;
    struct kd_hyper hyper;
    const struct kd_optimizer *optimizer = read_optimizer("{'name': 'sgd', 'lr': 1}", &hyper);
    struct kd_plan *plan = plan_of(model, shape);
    kd_plan_prepare_update(plan,
                           &(struct kd_update_options){.optimizer = optimizer, .averages = true});
    kd_plan_reset(plan, 3);
    double wanted = kd_plan_parameters(plan)[2];
    hyper.average_decay = 0.5f;
    for (; hyper.step <= 3; hyper.step++) {
        kd_plan_gradients(plan)[2] = 0.25f;
        kd_plan_update(plan, &hyper, false);
        wanted = 0.5 * wanted + 0.5 * (double)kd_plan_parameters(plan)[2];
    }
    float weight = kd_plan_parameters(plan)[2], average = kd_plan_average(plan)[2];
    assert_true(fabs((double)average - wanted) < 1e-6);
    kd_plan_swap_average(plan);
    assert_true(kd_plan_parameters(plan)[2] == average && kd_plan_average(plan)[2] == weight);
    kd_plan_swap_average(plan);
    assert_true(kd_plan_parameters(plan)[2] == weight && kd_plan_average(plan)[2] == average);
    kd_plan_free(plan);
}

static void every_optimizer_has_a_case_and_defaults(void **state)
{
    (void)state;
    for (int i = 0; kd_optimizers[i]; i++) {
        bool covered = false;
        for (size_t c = 0; c < KD_COUNT(cases); c++)
            covered |= strcmp(cases[c].name, kd_optimizers[i]->name) == 0;
        if (!covered)
            fail_msg("add a case for the optimizer %s", kd_optimizers[i]->name);
        struct kd_hyper hyper;
        char *text = kd_format("{'name': '%s'}", kd_optimizers[i]->name);
        assert_ptr_equal(read_optimizer(text, &hyper), kd_optimizers[i]);
        assert_true(hyper.lr > 0);
        free(text);
    }
}

/* Half the squared distance to zero, after n steps of the optimizer's defaults on its gradient. */
static double distance_after(const struct kd_optimizer *optimizer, int n_steps)
{
    char *text = kd_format("{'name': '%s'}", optimizer->name);
    struct kd_hyper hyper;
    struct kd_plan *plan = plan_of(model, shape);
    int64_t n = kd_plan_n_parameters(plan);
    double sum = 0;
    read_optimizer(text, &hyper);
    kd_plan_prepare_update(plan, &(struct kd_update_options){.optimizer = optimizer});
    for (int64_t i = 0; i < n; i++)
        kd_plan_parameters(plan)[i] = (float)cos((double)i);
    for (; hyper.step <= n_steps; hyper.step++) {
        memcpy(kd_plan_gradients(plan), kd_plan_parameters(plan), (size_t)n * sizeof(float));
        kd_plan_update(plan, &hyper, false);
    }
    for (int64_t i = 0; i < n; i++)
        sum += 0.5 * (double)kd_plan_parameters(plan)[i] * (double)kd_plan_parameters(plan)[i];
    kd_plan_free(plan);
    free(text);
    return sum;
}

static void every_optimizer_goes_downhill_by_its_defaults_and_the_same_way_twice(void **state)
{
    (void)state;
    for (int i = 0; kd_optimizers[i]; i++) {
        double far = distance_after(kd_optimizers[i], 0);
        double nearer = distance_after(kd_optimizers[i], 100);
        double nearest = distance_after(kd_optimizers[i], 200);
        if (!(nearest < nearer && nearer < 0.99 * far))
            fail_msg("%s goes from %g to %g to %g", kd_optimizers[i]->name, far, nearer, nearest);
        assert_true(nearest == distance_after(kd_optimizers[i], 200));
    }
}

static void an_optimizer_that_overwrites_gradients_says_so(void **state)
{
    (void)state;
    for (int i = 0; kd_optimizers[i]; i++) {
        char *text = kd_format("{'name': '%s'}", kd_optimizers[i]->name);
        struct kd_hyper hyper;
        struct kd_plan *plan = plan_of(model, shape);
        bool is_changed = false;
        read_optimizer(text, &hyper);
        kd_plan_prepare_update(plan, &(struct kd_update_options){.optimizer = kd_optimizers[i]});
        for (int64_t k = 0; k < kd_plan_n_parameters(plan); k++)
            kd_plan_gradients(plan)[k] = (float)cos((double)k);
        kd_plan_update(plan, &hyper, false);
        for (int64_t k = 0; k < kd_plan_n_parameters(plan); k++)
            is_changed |= kd_plan_gradients(plan)[k] != (float)cos((double)k);
        if (is_changed != kd_optimizers[i]->spoils_gradients)
            fail_msg("%s: spoils_gradients should be %d", kd_optimizers[i]->name, is_changed);
        kd_plan_free(plan);
        free(text);
    }
}

static void optimizer_errors_point_at_the_field(void **state)
{
    (void)state;
    static const char *const errors[][2] = {
        {"{'name': 'adam'}",
         "/optimizer/name: unknown optimizer \"adam\"; did you mean \"adamw\"? There are: sgd, "
         "adamw, lamb, lion"},
        {"{'lr': 1}", "/optimizer: must be a mapping with a name, such as {name: sgd, lr: 0.1}"},
        {"{'name': 'sgd', 'lr': -1}", "/optimizer/lr: -1 is below the least, 0"},
        {"{'name': 'sgd', 'lr': 'x'}", "/optimizer/lr: \"x\" is not a number"},
        {"{'name': 'sgd', 'momentum': 1}",
         "/optimizer/momentum: 1 is above the most, 1 (which is excluded itself)"},
        {"{'name': 'sgd', 'weight_decay': 1}",
         "/optimizer: unknown field \"weight_decay\"; did you mean \"weightDecay\"? There are: lr, "
         "momentum, weightDecay, nesterov"},
    };
    for (size_t i = 0; i < KD_COUNT(errors); i++) {
        const struct kd_optimizer *optimizer;
        struct kd_hyper hyper;
        struct kd_error err = {0};
        json_t *block = json_of(errors[i][0]);
        assert_int_equal(kd_optimizer_read(block, &optimizer, &hyper, &err), -1);
        assert_string_equal(err.text, errors[i][1]);
        json_decref(block);
    }
}

static void both_registries_are_described(void **state)
{
    (void)state;
    struct kd_str text = {0};
    struct kd_json json = kd_json_to(&text);
    kd_optim_describe(&json);
    json_t *described = json_loads(kd_str_text(&text), 0, NULL);
    json_t *optimizers = json_object_get(described, "optimizers");
    json_t *schedules = json_object_get(described, "schedules");
    size_t n_optimizers = 0, n_schedules = 0;
    while (kd_optimizers[n_optimizers])
        n_optimizers++;
    while (kd_schedule_kinds[n_schedules])
        n_schedules++;
    assert_int_equal(json_array_size(optimizers), n_optimizers);
    assert_int_equal(json_array_size(schedules), n_schedules);
    json_t *cosine = json_object_get(json_array_get(schedules, 2), "fields");
    json_t *warmup = json_array_get(cosine, json_array_size(cosine) - 1);
    assert_string_equal(json_string_value(json_object_get(warmup, "name")), "warmup");
    json_decref(described);
    kd_str_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers_follow_their_equations_and_leave_biases_undecayed),
        cmocka_unit_test(optimizers_step_as_pytorch_does),
        cmocka_unit_test(gradients_are_clipped_to_a_norm_before_the_step),
        cmocka_unit_test(sharded_state_makes_the_same_steps),
        cmocka_unit_test(the_average_follows_the_weights_and_is_swapped_in_and_out),
        cmocka_unit_test(every_optimizer_has_a_case_and_defaults),
        cmocka_unit_test(every_optimizer_goes_downhill_by_its_defaults_and_the_same_way_twice),
        cmocka_unit_test(an_optimizer_that_overwrites_gradients_says_so),
        cmocka_unit_test(optimizer_errors_point_at_the_field),
        cmocka_unit_test(both_registries_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
