/* loop_bus.c - the bus as the loop sees it: checking who a message is from, and answering. */
#include "coordinator/loop_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/json.h"

enum { MOST_MESSAGES_A_TURN = 4096, LONGEST_NAME = 256 };

struct message {
    struct kd_address from;
    enum kd_message_type type;
    const json_t *body;
    struct kd_live_gang *gang; /* whose it is */
    int64_t fence, seq;        /* of the trial messages */
};

/* ---- answers ---- */

static void send_to(struct kd_loop *loop, const struct kd_address *to, enum kd_message_type type,
                    struct kd_str *text)
{
    kd_router_send(loop->router, to, type, kd_str_text(text));
    kd_str_release(text);
}

static void send_fence(struct kd_loop *loop, const struct kd_address *to, enum kd_message_type type,
                       int64_t fence, int64_t seq)
{
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '{');
    if (fence)
        kd_json_add_int(&j, "fence", fence);
    if (seq)
        kd_json_add_int(&j, "seq", seq);
    kd_json_close(&j, '}');
    send_to(loop, to, type, &text);
}

void kd_loop_send_acks(struct kd_loop *loop)
{
    for (size_t i = 0; i < loop->acks.n; i++) {
        const struct kd_ack *ack = &loop->acks.items[i];
        const struct kd_live_gang *gang = kd_loop_find_gang(loop, ack->gang);
        if (gang != NULL && gang->has_address)
            send_fence(loop, &gang->address, KD_MSG_ACK, ack->fence, ack->seq);
    }
    kd_arr_clear(&loop->acks);
}

/* One acknowledgement a fence and turn: the highest. */
static void acknowledge(struct kd_loop *loop, const struct message *m, int64_t seq)
{
    for (size_t i = 0; i < loop->acks.n; i++)
        if (loop->acks.items[i].fence == m->fence) {
            if (seq > loop->acks.items[i].seq)
                loop->acks.items[i].seq = seq;
            return;
        }
    kd_arr_push(&loop->acks, (struct kd_ack){m->gang->id, m->fence, seq});
}

void kd_loop_tell_gang(struct kd_loop *loop, const struct kd_action *action,
                       enum kd_message_type type)
{
    struct kd_live_gang *gang = kd_loop_find_gang(loop, action->gang);
    bool is_over = action->fence != 0 && !kd_study_is_live(loop->study, action->fence);
    if (gang == NULL || is_over) /* its DONE came in the turn in which it was told to stop */
        return;
    if (!gang->has_address) {
        kd_loop_end_gang(loop, gang->id, false);
        return;
    }
    double patience_s =
        loop->experiment->limits.grace_s > 10 ? loop->experiment->limits.grace_s : 10;
    gang->kill_at_us = kd_clock_mono_us() + (int64_t)(patience_s * 1e6);
    send_fence(loop, &gang->address, type, action->fence, 0);
}

void kd_loop_assign(struct kd_loop *loop, struct kd_live_gang *gang, int64_t fence)
{
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, fence);
    const struct kd_trial *trial = &loop->study->trials.items[attempt->row.trial];
    char *trial_dir = kd_loop_trial_dir(loop, trial->number);
    char *checkpoints = kd_loop_checkpoint_dir(loop, trial);
    char *parent = kd_loop_parent_checkpoint(loop, trial);
    struct kd_render_context context = {
        .trial = trial->number,
        .attempt = attempt->row.n,
        .seed = (uint64_t)trial->seed,
        .trial_dir = trial_dir,
        .checkpoint_dir = checkpoints,
        .caller_env = (const char *const *)environ,
    };
    struct kd_rendered rendered;
    struct kd_error err;
    if (kd_render(loop->experiment, trial->values, &context, &rendered, &err) != 0)
        kd_bug("trial %d cannot be rendered: %s", trial->number, err.text);
    json_t *body =
        json_pack("{s:I, s:i, s:i, s:I, s:I, s:O, s:s, s:s, s:b, s:s?}", "fence", (json_int_t)fence,
                  "trial", trial->number, "attempt", attempt->row.n, "seed",
                  (json_int_t)trial->seed, "until", (json_int_t)trial->until, "trainer",
                  rendered.trainer, "base_dir", loop->experiment->base_dir, "checkpoint_dir",
                  checkpoints, "resume", attempt->row.n > 1, "parent_checkpoint", parent);
    char *text = json_dumps(body, JSON_COMPACT);
    gang->moved_us = kd_clock_mono_us();
    gang->pulse_step = 0;
    gang->kill_at_us = 0;
    kd_router_send(loop->router, &gang->address, KD_MSG_ASSIGN, text);
    free(text);
    json_decref(body);
    kd_rendered_release(&rendered);
    free(parent);
    free(checkpoints);
    free(trial_dir);
}

/* ---- gangs ---- */

static int on_hello(struct kd_loop *loop, const struct message *m)
{
    send_fence(loop, &m->from, KD_MSG_NOTED, 0, 0);
    return 0;
}

/* The gang still asks for work although it was given some: the ASSIGN did not arrive. */
static void assign_again(struct kd_loop *loop, const struct kd_study_gang *gang)
{
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, gang->fence);
    if (attempt->row.state == KD_ATTEMPT_LAUNCHING)
        kd_arr_push(&loop->effects, (struct kd_action){.kind = KD_DO_ASSIGN,
                                                       .gang = gang->row.id,
                                                       .fence = gang->fence,
                                                       .trial = attempt->row.trial});
}

static int on_ready(struct kd_loop *loop, const struct message *m)
{
    const struct kd_study_gang *gang = kd_study_find_gang(loop->study, m->gang->id);
    send_fence(loop, &m->from, KD_MSG_NOTED, 0, 0);
    if (gang == NULL)
        return 0;
    if (gang->fence == 0) /* one that was given work and asks for more makes no progress */
        m->gang->moved_us = kd_clock_mono_us();
    if (gang->fence != 0) {
        assign_again(loop, gang);
        return 0;
    }
    struct kd_event event = {.kind = KD_EVENT_READY, .at = kd_loop_now(loop), .gang = m->gang->id};
    return gang->row.state == KD_GANG_STARTING ? kd_loop_deliver(loop, &event) : 0;
}

static int on_pulse(struct kd_loop *loop, const struct message *m)
{
    int64_t step = 0;
    send_fence(loop, &m->from, KD_MSG_NOTED, 0, 0);
    if (kd_body_int(m->body, "step", &step) && step != m->gang->pulse_step) {
        m->gang->pulse_step = step;
        m->gang->moved_us = kd_clock_mono_us();
    }
    return 0;
}

/* [name, step, value, at]; a point that is none of this is left out. */
static bool read_metric(const json_t *item, struct kd_metric_point *point)
{
    point->name = json_string_value(json_array_get(item, 0));
    const json_t *step = json_array_get(item, 1);
    if (point->name == NULL || strlen(point->name) > LONGEST_NAME || !json_is_integer(step))
        return false;
    point->step = json_integer_value(step);
    return kd_json_to_number(json_array_get(item, 2), &point->value) &&
           kd_json_to_number(json_array_get(item, 3), &point->at) && isfinite(point->at);
}

int kd_loop_record_metrics(struct kd_loop *loop, struct kd_event *event,
                           const struct kd_metric_point *points, int n)
{
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, event->fence);
    kd_point_reports reports = {0};
    for (int i = 0; i < n; i++)
        kd_watch_point(loop->experiment, points[i].name, points[i].step, points[i].value, &reports);
    event->reports = reports.items;
    event->n_reports = (int)reports.n;
    int result = kd_loop_begin(loop);
    if (result == 0 && n > 0)
        result = kd_store_add_metrics(loop->store, loop->row.id, attempt->row.trial, event->fence,
                                      points, n, &event->first_row, &event->last_row, loop->err);
    if (result == 0)
        result = kd_loop_deliver(loop, event);
    const struct kd_watcher *watcher = loop->options->watcher;
    if (result == 0 && watcher && watcher->metrics)
        watcher->metrics(watcher->ud, loop->study, event->fence, points, n);
    kd_arr_release(&reports);
    return result;
}

static int on_metrics(struct kd_loop *loop, const struct message *m)
{
    const json_t *list = json_object_get(m->body, "points");
    size_t n = json_array_size(list);
    if (n > KD_MESSAGE_MAX_POINTS)
        n = KD_MESSAGE_MAX_POINTS;
    struct kd_metric_point *points = KD_NEW_ARRAY(struct kd_metric_point, n + 1);
    int n_good = 0;
    for (size_t i = 0; i < n; i++)
        n_good += read_metric(json_array_get(list, i), &points[n_good]);
    struct kd_event event = {
        .kind = KD_EVENT_METRICS, .at = kd_loop_now(loop), .fence = m->fence, .seq = m->seq};
    int result = kd_loop_record_metrics(loop, &event, points, n_good);
    free(points);
    return result;
}

static int on_saved(struct kd_loop *loop, const struct message *m)
{
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, m->fence);
    const char *path = "", *digest = "";
    int64_t bytes = 0;
    struct kd_event event = {
        .kind = KD_EVENT_SAVED, .at = kd_loop_now(loop), .fence = m->fence, .seq = m->seq};
    kd_body_int(m->body, "step", &event.step);
    kd_body_int(m->body, "bytes", &bytes);
    kd_body_text(m->body, "path", &path);
    kd_body_text(m->body, "digest", &digest);
    if (kd_loop_begin(loop) != 0 ||
        kd_store_add_artifact(loop->store, loop->row.id, attempt->row.trial, "checkpoint", path,
                              bytes, digest, loop->err) != 0)
        return -1;
    return kd_loop_deliver(loop, &event);
}

static int on_done(struct kd_loop *loop, const struct message *m)
{
    struct kd_event event = {
        .kind = KD_EVENT_DONE, .at = kd_loop_now(loop), .fence = m->fence, .seq = m->seq};
    kd_body_text(m->body, "outcome", &event.outcome);
    kd_body_text(m->body, "reason", &event.text);
    m->gang->kill_at_us = 0;
    return kd_loop_deliver(loop, &event);
}

/* ---- who may say what ---- */

/* The contents decide, never the address. */
static bool identify(struct kd_loop *loop, struct message *m)
{
    const char *run = "", *token = "";
    int64_t gang = 0;
    kd_body_text(m->body, "run", &run);
    kd_body_text(m->body, "token", &token);
    kd_body_int(m->body, "gang", &gang);
    m->gang = kd_loop_find_gang(loop, gang);
    if (strcmp(run, kd_store_run_uuid(loop->store)) != 0 || m->gang == NULL ||
        strcmp(token, m->gang->token) != 0)
        return false;
    m->gang->address = m->from;
    m->gang->has_address = true;
    return true;
}

/* The stream of a fence is applied once and in order. Returns whether the message is the next
 * one. */
static bool is_next(struct kd_loop *loop, struct message *m)
{
    kd_body_int(m->body, "fence", &m->fence);
    kd_body_int(m->body, "seq", &m->seq);
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, m->fence);
    if (attempt == NULL || attempt->row.gang != m->gang->id) {
        send_fence(loop, &m->from, KD_MSG_FENCED, m->fence, 0);
        loop->n_dropped++;
        return false;
    }
    if (m->seq <= attempt->row.last_seq) {
        acknowledge(loop, m, attempt->row.last_seq);
        return false;
    }
    if (!kd_study_is_live(loop->study, m->fence)) {
        send_fence(loop, &m->from, KD_MSG_FENCED, m->fence, 0);
        loop->n_dropped++;
        return false;
    }
    return m->seq == attempt->row.last_seq + 1;
}

static const struct {
    int (*handle)(struct kd_loop *, const struct message *);
    bool in_stream;
} handlers[KD_N_MESSAGE_TYPES] = {
    [KD_MSG_HELLO] = {on_hello, false}, [KD_MSG_READY] = {on_ready, false},
    [KD_MSG_PULSE] = {on_pulse, false}, [KD_MSG_METRICS] = {on_metrics, true},
    [KD_MSG_SAVED] = {on_saved, true},  [KD_MSG_DONE] = {on_done, true},
};

static int handle(struct kd_loop *loop, struct message *m)
{
    if (kd_loop_is_from_strategy(loop, &m->from, m->type, m->body))
        return kd_loop_hear_strategy(loop, &m->from, m->type, m->body);
    if (handlers[m->type].handle == NULL || !identify(loop, m)) {
        loop->n_dropped++;
        return 0;
    }
    if (!handlers[m->type].in_stream)
        return handlers[m->type].handle(loop, m);
    if (!is_next(loop, m))
        return 0;
    m->gang->moved_us = kd_clock_mono_us();
    int result = handlers[m->type].handle(loop, m);
    if (result == 0)
        acknowledge(loop, m, m->seq);
    return result;
}

int kd_loop_read_bus(struct kd_loop *loop)
{
    int result = 0;
    for (int i = 0; i < MOST_MESSAGES_A_TURN && result == 0; i++) {
        struct message m = {0};
        json_t *body;
        if (kd_router_receive(loop->router, &m.from, &m.type, &body) == 0)
            break;
        m.body = body;
        result = handle(loop, &m);
        json_decref(body);
    }
    return result;
}
