/* test_schedule.c - schedules: their values, and what every one of the registry promises. */
#include "tests/trainer/fixture.h"

#include "trainer/optim/schedule.h"

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

/* The field's default, its bounds, and what lies between, each schedule's fields in all
 * combinations. */
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

/* From step to step of ten thousand, where none of the default shapes is steeper than a rise within
 * a tenth of the steps. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_take_their_values),
        cmocka_unit_test(every_schedule_is_a_share_of_the_base_rate_and_ends_where_it_says),
        cmocka_unit_test(schedules_that_do_not_jump_change_little_from_step_to_step),
        cmocka_unit_test(schedule_errors_point_at_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
