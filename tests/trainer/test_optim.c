#include "tests/trainer/fixture.h"
#include "tests/trainer/thread_comm.h"

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

/* The arena in float64, with the gradient of every step. Weights decay by 0.2, the biases after them do not. */
struct arena64 {
    double p[32], g[32], m[32], v[32];
    int n;
};

static double decay_of(int i)
{
    return i < N_WEIGHTS ? 0.2 : 0.0;
}

/* Sutskever, Martens, Dahl, Hinton (2013) in the form that PyTorch uses: v = mu v + g, p -= lr v. */
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

static struct kd_schedule *read_schedule(const char *text)
{
    struct kd_error err = {0};
    json_t *block = text ? json_of(text) : NULL;
    struct kd_schedule *schedule = kd_schedule_read(block, &err);
    if (!schedule)
        fail_msg("%s", err.text);
    json_decref(block);
    return schedule;
}

static void schedules_take_their_values(void **state)
{
    (void)state;
    static const struct {
        const char *block;
        int64_t step, total;
        double want;
    } points[] = {
        {NULL, 0, 10, 1},
        {"null", 9, 10, 1},
        {"{'name': 'constant'}", 5, 10, 1},
        {"{'name': 'constant', 'warmup': 0.4}", 0, 10, 0.2},
        {"{'name': 'constant', 'warmup': 0.4}", 3, 10, 0.8},
        {"{'name': 'constant', 'warmup': 0.4}", 4, 10, 1},
        {"{'name': 'constant', 'warmup': 1}", 9, 10, 10.0 / 11},
        {"{'name': 'step'}", 3, 10, 1},
        {"{'name': 'step'}", 4, 10, 0.1},
        {"{'name': 'step'}", 9, 10, 0.01},
        {"{'name': 'step', 'drops': 1, 'factor': 0.5}", 5, 10, 0.5},
        {"{'name': 'step', 'drops': 1, 'factor': 0.5, 'warmup': 0.5}", 7, 10, 1},
        {"{'name': 'cosine'}", 0, 10, 1},
        {"{'name': 'cosine'}", 5, 10, 0.5},
        {"{'name': 'cosine'}", 10, 10, 0},
        {"{'name': 'cosine'}", 99, 10, 0},
        {"{'name': 'cosine', 'floor': 0.2}", 10, 10, 0.2},
        {"{'name': 'cosine', 'warmup': 0.5}", 5, 10, 1},
        {"{'name': 'cosine', 'warmup': 0.1}", 0, 0, 1},
        {"{'name': 'linear'}", 5, 10, 0.5},
        {"{'name': 'linear', 'floor': 0.2}", 10, 10, 0.2},
        {"{'name': 'polynomial'}", 5, 10, 0.25},
        {"{'name': 'polynomial', 'power': 1, 'floor': 0.5}", 5, 10, 0.75},
        {"{'name': 'oneCycle'}", 0, 10, 0.04},
        {"{'name': 'oneCycle'}", 3, 10, 1},
        {"{'name': 'oneCycle', 'rise': 0.5, 'initial': 2}", 5, 20, 0.75},
        {"{'name': 'oneCycle', 'initial': 2, 'final': 4}", 10, 10, 0.125},
        {"{'name': 'oneCycle', 'rise': 0}", 0, 10, 1},
        {"{'name': 'oneCycle', 'rise': 1}", 10, 10, 1},
        {"{'name': 'oneCycle', 'initial': 4, 'warmup': 0.4}", 0, 10, 0.05},
        {"{'name': 'oneCycle', 'initial': 4, 'warmup': 0.4}", 4, 10, 0.25},
        {"{'name': 'wsd'}", 8, 10, 1},
        {"{'name': 'wsd'}", 9, 10, 0.5},
        {"{'name': 'wsd', 'shape': 'sqrt', 'decay': 1, 'floor': 0.1}", 4, 16, 0.55},
        {"{'name': 'wsd', 'shape': 'cosine', 'decay': 0.5}", 75, 100, 0.5},
        {"{'name': 'wsd', 'decay': 0}", 10, 10, 1},
    };
    for (size_t i = 0; i < KD_COUNT(points); i++) {
        struct kd_schedule *schedule = read_schedule(points[i].block);
        double got = kd_schedule_factor(schedule, points[i].step, points[i].total);
        if (fabs(got - points[i].want) > 1e-12)
            fail_msg("%s at %d of %d is %g, should be %g", points[i].block, (int)points[i].step,
                     (int)points[i].total, got, points[i].want);
        kd_schedule_free(schedule);
    }
}

/* ---- what every schedule promises */

/* Where a schedule ends, from what its user wrote; every schedule has a line. */
static double end_at_one(const double *v)
{
    (void)v;
    return 1;
}

static double end_of_steps(const double *v)
{
    return pow(v[1], v[0]);
}

static double end_at_first(const double *v)
{
    return v[0];
}

static double end_of_power(const double *v)
{
    return v[0] > 0 ? v[1] : 1;
}

static double end_of_cycle(const double *v)
{
    return v[0] < 1 ? 1 / v[1] / v[2] : 1;
}

static double end_of_wsd(const double *v)
{
    return v[0] > 0 ? v[2] : 1;
}

static const struct {
    const char *name;
    double (*of)(const double *values);
} ends[] = {
    {"constant", end_at_one},     {"step", end_of_steps},     {"cosine", end_at_first},
    {"linear", end_at_first},     {"oneCycle", end_of_cycle}, {"wsd", end_of_wsd},
    {"polynomial", end_of_power},
};

static double end_of(const struct kd_schedule_kind *kind, const double *values)
{
    for (size_t i = 0; i < KD_COUNT(ends); i++)
        if (strcmp(ends[i].name, kind->name) == 0)
            return ends[i].of(values);
    fail_msg("add to `ends` where the schedule %s ends", kind->name);
    return NAN;
}

/* The field's default, its bounds, and what lies between, each schedule's fields in all combinations. */
enum { N_CHOICES = 4 };

static double choice_of(const struct kd_field *field, int choice)
{
    double most = field->max;
    if (field->kind == KD_FIELD_SWITCH)
        most = 1;
    for (int i = 0; field->choices && field->choices[i]; i++)
        most = i;
    if (field->kind == KD_FIELD_INTEGER)
        most = fmin(most, 7); /* a thousand drops are no other case */
    const double all[N_CHOICES] = {field->fallback, field->min, most, (field->min + most) / 2};
    return field->kind == KD_FIELD_NUMBER ? all[choice] : round(all[choice]);
}

static void check_schedule(const struct kd_schedule_kind *kind, const double *values)
{
    enum { POINTS = 1000 };
    double factor = NAN, end = end_of(kind, values);
    for (int i = 0; i <= POINTS; i++) {
        factor = kind->factor(values, (double)i / POINTS);
        if (!(factor >= 0 && factor <= 1))
            fail_msg("%s: the factor at %d of %d is %.17g", kind->name, i, POINTS, factor);
    }
    if (fabs(factor - end) > 1e-9)
        fail_msg("%s ends at %.9g, should at %.9g", kind->name, factor, end);
}

static void every_schedule_is_a_share_of_the_base_rate_and_ends_where_it_says(void **state)
{
    (void)state;
    for (int k = 0; kd_schedule_kinds[k]; k++) {
        const struct kd_schedule_kind *kind = kd_schedule_kinds[k];
        int n = 0, n_combinations = 1;
        for (; kind->fields && kind->fields[n].name; n++)
            n_combinations *= N_CHOICES;
        for (int c = 0; c < n_combinations; c++) {
            double values[KD_FIELDS_MAX] = {0};
            for (int f = 0, rest = c; f < n; f++, rest /= N_CHOICES)
                values[f] = choice_of(&kind->fields[f], rest % N_CHOICES);
            check_schedule(kind, values);
        }
    }
}

/* From step to step of ten thousand, where none of the default shapes is steeper than a rise within a tenth of the steps. */
static void schedules_that_do_not_jump_change_little_from_step_to_step(void **state)
{
    (void)state;
    enum { STEPS_IN_ALL = 10000 };
    for (int k = 0; kd_schedule_kinds[k]; k++) {
        char *text = kd_format("{'name': '%s', 'warmup': 0.07}", kd_schedule_kinds[k]->name);
        struct kd_schedule *schedule = read_schedule(text);
        double steepest = 0, before = 0;
        for (int64_t step = 0; step < STEPS_IN_ALL; step++) {
            double factor = kd_schedule_factor(schedule, step, STEPS_IN_ALL);
            assert_true(factor > 0 && factor <= 1);
            steepest = fmax(steepest, fabs(factor - before));
            before = factor;
        }
        if ((steepest > 0.002) != kd_schedule_kinds[k]->jumps)
            fail_msg("%s changes by %g from one step to the next", kd_schedule_kinds[k]->name,
                     steepest);
        free(text);
        kd_schedule_free(schedule);
    }
}

static void schedule_errors_point_at_the_field(void **state)
{
    (void)state;
    static const char *const errors[][2] = {
        {"{'name': 'cosin'}",
         "/schedule/name: unknown schedule \"cosin\"; did you mean "
         "\"cosine\"? There are: constant, step, cosine, linear, polynomial, oneCycle, wsd"},
        {"'cosine'",
         "/schedule: must be a mapping with a name, such as {name: cosine, warmup: 0.1}"},
        {"{'name': 'cosine', 'warmup': 1.5}", "/schedule/warmup: 1.5 is above the most, 1"},
        {"{'name': 'step', 'drops': 1.5}", "/schedule/drops: 1.5 is not a whole number"},
    };
    for (size_t i = 0; i < KD_COUNT(errors); i++) {
        struct kd_error err = {0};
        json_t *block = json_of(errors[i][0]);
        assert_null(kd_schedule_read(block, &err));
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
        cmocka_unit_test(gradients_are_clipped_to_a_norm_before_the_step),
        cmocka_unit_test(sharded_state_makes_the_same_steps),
        cmocka_unit_test(the_average_follows_the_weights_and_is_swapped_in_and_out),
        cmocka_unit_test(every_optimizer_has_a_case_and_defaults),
        cmocka_unit_test(optimizer_errors_point_at_the_field),
        cmocka_unit_test(schedules_take_their_values),
        cmocka_unit_test(every_schedule_is_a_share_of_the_base_rate_and_ends_where_it_says),
        cmocka_unit_test(schedules_that_do_not_jump_change_little_from_step_to_step),
        cmocka_unit_test(schedule_errors_point_at_the_field),
        cmocka_unit_test(both_registries_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
