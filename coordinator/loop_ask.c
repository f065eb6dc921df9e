/* loop_ask.c - the strategy as the loop sees it: telling it the history, asking, checking what it
 * answers. Ours is a thread on inproc://; an external one is any process that says HELLO on the
 * bus. Both have a deadline. */
#include "coordinator/loop_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/json.h"

/* Of our own strategies none is known to take that long: one that does is stuck. */
enum { OWN_DEADLINE_S = 600, TELL_BYTES = KD_MESSAGE_MAX / 4, MOST_REFUSALS_SHOWN = 5 };

/* ---- telling and asking ---- */

static bool send_history(struct kd_loop *loop)
{
    bool is_more, is_sent = true;
    struct kd_feed_source source = kd_study_feed_source(loop->study);
    do {
        struct kd_str text = {0};
        struct kd_json j = kd_json_to(&text);
        kd_json_open(&j, '{');
        kd_json_key(&j, "history");
        kd_json_open(&j, '[');
        is_more = kd_feed_write(&loop->strategy.feed, &source, TELL_BYTES, &j);
        kd_json_close(&j, ']');
        kd_json_close(&j, '}');
        is_sent = kd_router_send(loop->router, &loop->strategy.address, KD_MSG_TELL, text.text);
        kd_str_release(&text);
    } while (is_more && is_sent);
    return is_sent;
}

static double patience_s(const struct kd_loop *loop)
{
    return loop->experiment->is_external ? loop->experiment->external_deadline_s : OWN_DEADLINE_S;
}

/* What could not be sent waits for the next HELLO, as does a question whose process went away: the
 * history is told from the start then. The deadline runs from the first try. */
void kd_loop_ask(struct kd_loop *loop)
{
    struct kd_loop_strategy *strategy = &loop->strategy;
    if (!strategy->ask_waits || kd_loop_knows_answer(loop))
        return;
    if (strategy->deadline_us == 0)
        strategy->deadline_us = kd_clock_mono_us() + (int64_t)(patience_s(loop) * 1e6);
    if (!strategy->listens)
        return;
    char text[64];
    snprintf(text, sizeof text, "{\"ask\":%d,\"n\":%d}", loop->study->ask_trials,
             loop->study->ask_n);
    bool is_sent =
        send_history(loop) && kd_router_send(loop->router, &strategy->address, KD_MSG_ASK, text);
    strategy->ask_waits = !is_sent;
    strategy->listens = is_sent;
}

/* ---- answering without it ---- */

static bool asks_for_enqueued(const struct kd_loop *loop)
{
    int n = loop->experiment->n_enqueued;
    return loop->experiment->is_external && kd_history_n_proposed(&loop->study->history, n) < n;
}

bool kd_loop_knows_answer(const struct kd_loop *loop)
{
    bool knows = loop->options->fixed_point != NULL || asks_for_enqueued(loop);
    return loop->strategy.ask_waits && knows;
}

/* A question for enqueued points is for no more than there are. */
static int take_enqueued(struct kd_loop *loop, double *values)
{
    struct kd_sampler *sampler = kd_experiment_sampler(loop->experiment, loop->err);
    int n =
        sampler ? kd_sampler_ask(sampler, &loop->study->history, loop->study->ask_n, values) : -1;
    kd_sampler_free(sampler);
    return n;
}

int kd_loop_answer(struct kd_loop *loop)
{
    if (!kd_loop_knows_answer(loop))
        return 0;
    loop->strategy.ask_waits = false;
    size_t n_params = (size_t)loop->experiment->space.n_params;
    double *values = KD_NEW_ARRAY(double, (size_t)loop->study->ask_n *n_params + 1);
    struct kd_event event = {.kind = KD_EVENT_SUGGESTED, .at = kd_loop_now(loop), .n = 1};
    if (loop->options->fixed_point)
        memcpy(values, loop->options->fixed_point, n_params * sizeof *values);
    else
        event.n = take_enqueued(loop, values);
    event.values = values;
    int result = event.n < 0 ? -1 : kd_loop_deliver(loop, &event);
    free(values);
    return result;
}

/* ---- who it is ---- */

static void answer(struct kd_loop *loop, const struct kd_address *to, enum kd_message_type type,
                   struct kd_str *text)
{
    kd_router_send(loop->router, to, type, kd_str_text(text));
    kd_str_release(text);
}

static void refuse(struct kd_loop *loop, const struct kd_address *to, int64_t ask,
                   const char *reason)
{
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '{');
    if (ask >= 0)
        kd_json_add_int(&j, "ask", ask);
    kd_json_add_string(&j, "reason", reason);
    kd_json_close(&j, '}');
    answer(loop, to, KD_MSG_REFUSED, &text);
}

static bool is_same_address(const struct kd_address *a, const struct kd_address *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

bool kd_loop_is_from_strategy(const struct kd_loop *loop, const struct kd_address *from,
                              enum kd_message_type type, const json_t *body)
{
    bool says_hello = type == KD_MSG_HELLO && json_object_get(body, "strategy") != NULL;
    bool is_answer = type == KD_MSG_SUGGESTED || type == KD_MSG_ASK_FAILED;
    return says_hello || is_answer ||
           (loop->strategy.listens && is_same_address(from, &loop->strategy.address));
}

static void write_param(struct kd_json *j, const struct kd_space *space, int i)
{
    static const char *const types[] = {
        [KD_PARAM_DOUBLE] = "double",
        [KD_PARAM_INT] = "int",
        [KD_PARAM_DISCRETE] = "discrete",
        [KD_PARAM_CATEGORICAL] = "categorical",
    };
    static const char *const distributions[] = {
        [KD_UNIFORM] = "uniform",
        [KD_LOG_UNIFORM] = "logUniform",
        [KD_NORMAL] = "normal",
        [KD_LOG_NORMAL] = "logNormal",
    };
    const struct kd_param *param = &space->params[i];
    kd_json_open(j, '{');
    kd_json_add_string(j, "name", param->name);
    kd_json_add_string(j, "type", types[param->type]);
    kd_json_add_number(j, "min", param->min);
    kd_json_add_number(j, "max", param->max);
    kd_json_add_number(j, "step", param->step);
    kd_json_add_string(j, "distribution", distributions[param->distribution]);
    if (param->n_choices > 0) {
        kd_json_key(j, "list");
        kd_json_open(j, '[');
        for (int k = 0; k < param->n_choices; k++)
            if (param->type == KD_PARAM_DISCRETE)
                kd_json_number(j, param->values[k]);
            else
                kd_json_string(j, param->choices[k]);
        kd_json_close(j, ']');
    }
    if (param->condition) {
        kd_json_key(j, "condition");
        kd_json_open(j, '{');
        kd_json_add_string(j, "parameter", space->params[param->condition->parent].name);
        kd_json_key(j, "in");
        kd_json_open(j, '[');
        for (int k = 0; k < param->condition->n_values; k++)
            kd_json_number(j, param->condition->values[k]);
        kd_json_close(j, ']');
        kd_json_close(j, '}');
    }
    kd_json_close(j, '}');
}

/* The answer to an external strategy's HELLO; after it everything is told from the start. */
static void introduce(struct kd_loop *loop)
{
    const struct kd_experiment *experiment = loop->experiment;
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '{');
    kd_json_add_string(&j, "run", kd_store_run_uuid(loop->store));
    kd_json_add_string(&j, "experiment", experiment->name);
    kd_json_add_int(&j, "seed", (int64_t)experiment->seed);
    kd_json_add_int(&j, "objectives", kd_experiment_n_objectives(experiment));
    kd_json_add_int(&j, "constraints", experiment->n_constraints);
    kd_json_add_number(&j, "deadline", experiment->external_deadline_s);
    kd_json_key(&j, "parameters");
    kd_json_open(&j, '[');
    for (int i = 0; i < experiment->space.n_params; i++)
        write_param(&j, &experiment->space, i);
    kd_json_close(&j, ']');
    kd_json_close(&j, '}');
    answer(loop, &loop->strategy.address, KD_MSG_NOTED, &text);
}

/* NULL: it may answer; else why not. */
static const char *reason_against(const struct kd_loop *loop, const json_t *body)
{
    const char *run = NULL, *token = "";
    kd_body_text(body, "token", &token);
    kd_body_text(body, "run", &run);
    if (run != NULL && strcmp(run, kd_store_run_uuid(loop->store)) != 0)
        return "this is another run";
    if (loop->worker != NULL && strcmp(token, loop->strategy.token) != 0)
        return "this run has a strategy of its own: its spec says no algorithmName: external";
    return NULL;
}

static int on_hello(struct kd_loop *loop, const struct kd_address *from, const json_t *body)
{
    struct kd_loop_strategy *strategy = &loop->strategy;
    const char *against = reason_against(loop, body), *name = "";
    if (against != NULL) {
        refuse(loop, from, -1, against);
        loop->n_dropped++;
        return 0;
    }
    if (strategy->listens && !is_same_address(from, &strategy->address))
        kd_router_send(loop->router, &strategy->address, KD_MSG_EXIT,
                       "{\"reason\":\"another process is the strategy now\"}");
    bool is_new = !strategy->listens;
    strategy->address = *from;
    strategy->listens = true;
    strategy->feed = (struct kd_feed){0};
    strategy->ask_waits = loop->study->asking;
    if (loop->experiment->is_external) {
        kd_body_text(body, "strategy", &name);
        free(strategy->name);
        strategy->name = kd_strdup(name);
        if (is_new)
            kd_loop_note(loop, "the strategy '%s' is here", name);
        introduce(loop);
    }
    kd_loop_ask(loop);
    return 0;
}

/* ---- what it answers ---- */

/* The nearest allowed value where only rounding lies between; null and "nan" are no value. */
static bool read_value(const struct kd_param *param, const json_t *item, double *value)
{
    if (json_is_null(item)) {
        *value = NAN;
        return true;
    }
    if (!kd_json_to_number(item, value))
        return false;
    if (!isfinite(*value))
        return isnan(*value);
    double nearest = kd_param_clip(param, *value);
    if (fabs(nearest - *value) <= 1e-9 * fabs(*value))
        *value = nearest;
    return true;
}

static int read_point(const struct kd_space *space, const json_t *list, double *point,
                      struct kd_error *err)
{
    if ((int)json_array_size(list) != space->n_params)
        return kd_fail(err, "a point has %d numbers here, not %d", space->n_params,
                       (int)json_array_size(list));
    for (int i = 0; i < space->n_params; i++)
        if (!read_value(&space->params[i], json_array_get(list, (size_t)i), &point[i]))
            return kd_fail(err, "%s: a number was expected", space->params[i].name);
    kd_space_mask(space, point);
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_param *param = &space->params[i];
        bool is_good = !kd_space_is_active(space, point, i) || kd_param_allows(param, point[i]);
        if (!is_good)
            return kd_fail(err, "%s: %g is not one of its values (%g to %g)", param->name, point[i],
                           param->min, param->max);
    }
    return 0;
}

static int read_answer(const struct kd_loop *loop, const json_t *points, double *values,
                       struct kd_error *err)
{
    const struct kd_space *space = &loop->experiment->space;
    for (size_t i = 0; i < json_array_size(points); i++)
        if (read_point(space, json_array_get(points, i), &values[i * (size_t)space->n_params],
                       err) != 0)
            return kd_error_prefix(err, "point %d", (int)i);
    return 0;
}

static int check_answer(const struct kd_loop *loop, int64_t ask, const json_t *points,
                        struct kd_error *err)
{
    const struct kd_study *study = loop->study;
    if (!study->asking)
        return kd_fail(err, "no question is open");
    if (ask != study->ask_trials)
        return kd_fail(err, "the open question is %d, not %lld", study->ask_trials, (long long)ask);
    if (!json_is_array(points))
        return kd_fail(err, "\"points\" is no list");
    if (json_array_size(points) > (size_t)study->ask_n)
        return kd_fail(err, "%d points were asked for, %d came", study->ask_n,
                       (int)json_array_size(points));
    return 0;
}

static void count_refusal(struct kd_loop *loop, const struct kd_address *from, int64_t ask,
                          const char *reason)
{
    struct kd_loop_strategy *strategy = &loop->strategy;
    snprintf(strategy->last_refusal, sizeof strategy->last_refusal, "%.255s", reason);
    if (++strategy->n_refused <= MOST_REFUSALS_SHOWN)
        kd_loop_note(loop, "an answer of the strategy was refused: %s", reason);
    refuse(loop, from, ask, reason);
}

static int fail_ask(struct kd_loop *loop, const char *text)
{
    struct kd_event event = {.kind = KD_EVENT_ASK_FAILED, .at = kd_loop_now(loop), .text = text};
    loop->strategy.deadline_us = 0;
    loop->strategy.ask_waits = false;
    return kd_loop_deliver(loop, &event);
}

/* A bad answer of an external strategy leaves the question open until its deadline; one of ours
 * will not get better. */
static int on_suggested(struct kd_loop *loop, const struct kd_address *from, const json_t *body)
{
    const json_t *points = json_object_get(body, "points");
    int64_t ask = -1;
    struct kd_error err;
    kd_body_int(body, "ask", &ask);
    size_t n = json_array_size(points);
    size_t n_params = (size_t)loop->experiment->space.n_params;
    double *values = NULL;
    int result = check_answer(loop, ask, points, &err);
    if (result == 0) {
        values = KD_NEW_ARRAY(double, n *n_params + 1);
        result = read_answer(loop, points, values, &err);
    }
    if (result == 0) {
        struct kd_event event = {
            .kind = KD_EVENT_SUGGESTED, .at = kd_loop_now(loop), .n = (int)n, .values = values};
        loop->strategy.deadline_us = 0;
        result = kd_loop_deliver(loop, &event);
    } else if (loop->experiment->is_external) {
        count_refusal(loop, from, ask, err.text);
        result = 0;
    } else if (loop->study->asking && ask == loop->study->ask_trials) {
        result = fail_ask(loop, "the strategy's answer does not fit the space");
    } else {
        result = 0; /* an answer to a question of before */
    }
    free(values);
    return result;
}

static int on_ask_failed(struct kd_loop *loop, const struct kd_address *from, const json_t *body)
{
    const char *reason = "it says no reason";
    (void)from;
    if (!loop->study->asking)
        return 0;
    kd_body_text(body, "reason", &reason);
    char *text = kd_format("the strategy could not answer: %s", reason);
    int result = fail_ask(loop, text);
    free(text);
    return result;
}

int kd_loop_hear_strategy(struct kd_loop *loop, const struct kd_address *from,
                          enum kd_message_type type, const json_t *body)
{
    static int (*const handlers[KD_N_MESSAGE_TYPES])(struct kd_loop *, const struct kd_address *,
                                                     const json_t *) = {
        [KD_MSG_HELLO] = on_hello,
        [KD_MSG_SUGGESTED] = on_suggested,
        [KD_MSG_ASK_FAILED] = on_ask_failed,
    };
    bool is_it = loop->strategy.listens && is_same_address(from, &loop->strategy.address);
    if (type != KD_MSG_HELLO && !is_it) {
        refuse(loop, from, -1, "say HELLO first, or again: you are not this run's strategy now");
        loop->n_dropped++;
        return 0;
    }
    if (handlers[type] != NULL)
        return handlers[type](loop, from, body);
    loop->n_dropped++;
    return 0;
}

/* ---- the deadline, and the end ---- */

int kd_loop_watch_ask(struct kd_loop *loop)
{
    struct kd_loop_strategy *strategy = &loop->strategy;
    if (!loop->study->asking)
        strategy->deadline_us = 0;
    if (strategy->deadline_us == 0 || kd_clock_mono_us() < strategy->deadline_us)
        return 0;
    struct kd_str text = {0};
    kd_str_addf(&text, "no answer within %g s to the question for %d points: ", patience_s(loop),
                loop->study->ask_n);
    if (strategy->n_refused > 0)
        kd_str_addf(&text, "%lld answers were refused, the last because: %s",
                    (long long)strategy->n_refused, strategy->last_refusal);
    else if (strategy->listens)
        kd_str_addf(&text, "the strategy %s is silent",
                    strategy->name ? strategy->name : loop->experiment->algorithm);
    else
        kd_str_addf(&text, "no strategy said HELLO at %s", loop->endpoint);
    int result = fail_ask(loop, text.text);
    kd_str_release(&text);
    return result;
}

void kd_loop_end_strategy(struct kd_loop *loop)
{
    struct kd_loop_strategy *strategy = &loop->strategy;
    struct kd_address from;
    enum kd_message_type type;
    json_t *body;
    int64_t until = kd_clock_mono_us() + 5000000;
    while (loop->worker && !strategy->listens && kd_clock_mono_us() < until) {
        kd_router_wait(loop->router, NULL, NULL, 0, 1000); /* its HELLO is on the way */
        while (kd_router_receive(loop->router, &from, &type, &body) == 1) {
            bool is_hello = kd_loop_is_from_strategy(loop, &from, type, body);
            if (is_hello && reason_against(loop, body) == NULL) {
                strategy->listens = true;
                strategy->address = from;
            }
            json_decref(body);
        }
    }
    if (strategy->listens)
        kd_router_send(loop->router, &strategy->address, KD_MSG_EXIT, "{}");
    kd_worker_join(loop->worker);
    free(strategy->token);
    free(strategy->name);
}
