#include "coordinator/bus/peer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/clock.h"
#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/bus/dealer.h"

enum { BATCH = 64, RESEND_US = 1000000, WINDOW = 64 };

/* One message of a fence's stream that is not acknowledged yet. */
struct pending {
    int64_t fence, seq;
    enum kd_message_type type;
    char *body; /* owned */
};

struct kd_peer {
    struct kd_dealer *dealer;
    char *run, *token; /* owned */
    int64_t gang;
    int n_ranks;

    int64_t fence, next_seq; /* of the stream that is being written */
    int64_t assigned;        /* newest fence given out: an ASSIGN that comes again is not news */
    KD_ARR(struct pending) outbox;
    struct kd_str batch; /* the points collected so far, JSON arrays with commas */
    int n_batched;
    int64_t batch_fence;

    bool wants_work; /* READY is repeated until an ASSIGN comes */
    int64_t sent_us, heard_us;
    json_t *body; /* of the last message given out */
};

int kd_peer_options_from_env(struct kd_peer_options *options, struct kd_error *err)
{
    const char *gang = getenv("KATYDID_GANG");
    const struct {
        const char *name, **value;
    } needed[] = {
        {"KATYDID_BUS", &options->endpoint},
        {"KATYDID_RUN", &options->run_uuid},
        {"KATYDID_TOKEN", &options->token},
        {"KATYDID_GANG", &gang},
    };
    for (size_t i = 0; i < KD_COUNT(needed); i++) {
        *needed[i].value = getenv(needed[i].name);
        if (*needed[i].value == NULL)
            return kd_fail(err,
                           "%s is not set: a gang is started by the coordinator (katydid run), "
                           "which sets it",
                           needed[i].name);
    }
    long long number;
    if (kd_integer_parse(gang, &number) != 0)
        return kd_fail(err, "KATYDID_GANG: '%s' is no number", gang);
    options->gang = number;
    return 0;
}

/* {"run":...,"gang":...,"token":... and the caller's fields follow */
static struct kd_json open_body(struct kd_peer *peer, struct kd_str *text)
{
    struct kd_json j = kd_json_to(text);
    kd_json_open(&j, '{');
    kd_json_add_string(&j, "run", peer->run);
    kd_json_add_int(&j, "gang", peer->gang);
    kd_json_add_string(&j, "token", peer->token);
    return j;
}

static void send_hello(struct kd_peer *peer)
{
    struct kd_str text = {0};
    struct kd_json j = open_body(peer, &text);
    kd_json_add_int(&j, "ranks", peer->n_ranks);
    kd_json_add_int(&j, "pid", getpid());
    kd_json_close(&j, '}');
    kd_dealer_send(peer->dealer, KD_MSG_HELLO, text.text);
    kd_str_release(&text);
}

static void send_ready(struct kd_peer *peer)
{
    struct kd_str text = {0};
    struct kd_json j = open_body(peer, &text);
    kd_json_close(&j, '}');
    kd_dealer_send(peer->dealer, KD_MSG_READY, text.text);
    kd_str_release(&text);
}

struct kd_peer *kd_peer_open(const struct kd_peer_options *options, struct kd_error *err)
{
    struct kd_dealer *dealer = kd_dealer_open(NULL, options->endpoint, err);
    if (dealer == NULL)
        return NULL;
    struct kd_peer *peer = KD_NEW(struct kd_peer);
    peer->dealer = dealer;
    peer->run = kd_strdup(options->run_uuid);
    peer->token = kd_strdup(options->token);
    peer->gang = options->gang;
    peer->n_ranks = options->n_ranks;
    peer->sent_us = peer->heard_us = kd_clock_mono_us();
    send_hello(peer);
    return peer;
}

void kd_peer_close(struct kd_peer *peer)
{
    if (peer == NULL)
        return;
    kd_dealer_close(peer->dealer);
    for (size_t i = 0; i < peer->outbox.n; i++)
        free(peer->outbox.items[i].body);
    kd_arr_release(&peer->outbox);
    kd_str_release(&peer->batch);
    json_decref(peer->body);
    free(peer->run);
    free(peer->token);
    free(peer);
}

void kd_peer_ready(struct kd_peer *peer)
{
    peer->wants_work = true;
    peer->sent_us = kd_clock_mono_us();
    send_ready(peer);
}

/* Opens a body of the fence's stream with the next seq in it. */
static struct kd_json open_stream_body(struct kd_peer *peer, int64_t fence, struct kd_str *text)
{
    if (fence != peer->fence) {
        peer->fence = fence;
        peer->next_seq = 1;
    }
    struct kd_json j = open_body(peer, text);
    kd_json_add_int(&j, "fence", fence);
    kd_json_add_int(&j, "seq", peer->next_seq);
    return j;
}

/* Keeps the message until it is acknowledged. Beyond the window it waits for acknowledgements
 * first, so that a coordinator that is away does not find its socket full of repetitions. */
static void post(struct kd_peer *peer, enum kd_message_type type, struct kd_str *text)
{
    struct pending pending = {peer->fence, peer->next_seq++, type, kd_str_take(text)};
    if (peer->outbox.n < WINDOW)
        kd_dealer_send(peer->dealer, type, pending.body);
    if (peer->outbox.n == 0)
        peer->sent_us = kd_clock_mono_us();
    kd_arr_push(&peer->outbox, pending);
}

void kd_peer_metric(struct kd_peer *peer, int64_t fence, const char *name, int64_t step,
                    double value, double at)
{
    if (peer->n_batched > 0 && fence != peer->batch_fence)
        kd_peer_flush(peer);
    peer->batch_fence = fence;
    struct kd_json j = kd_json_to(&peer->batch);
    j.need_comma = peer->n_batched > 0;
    kd_json_open(&j, '[');
    kd_json_string(&j, name);
    kd_json_int(&j, step);
    kd_json_number(&j, value);
    kd_json_number(&j, at);
    kd_json_close(&j, ']');
    if (++peer->n_batched == BATCH)
        kd_peer_flush(peer);
}

void kd_peer_flush(struct kd_peer *peer)
{
    if (peer->n_batched == 0)
        return;
    struct kd_str text = {0};
    struct kd_json j = open_stream_body(peer, peer->batch_fence, &text);
    kd_json_key(&j, "points");
    kd_json_open(&j, '[');
    kd_json_raw(&j, kd_str_text(&peer->batch));
    kd_json_close(&j, ']');
    kd_json_close(&j, '}');
    kd_str_clear(&peer->batch);
    peer->n_batched = 0;
    post(peer, KD_MSG_METRICS, &text);
}

void kd_peer_checkpointed(struct kd_peer *peer, int64_t fence, int64_t step, const char *path,
                          int64_t bytes, const char *digest)
{
    kd_peer_flush(peer);
    struct kd_str text = {0};
    struct kd_json j = open_stream_body(peer, fence, &text);
    kd_json_add_int(&j, "step", step);
    kd_json_add_string(&j, "path", path);
    kd_json_add_int(&j, "bytes", bytes);
    kd_json_add_string(&j, "digest", digest);
    kd_json_close(&j, '}');
    post(peer, KD_MSG_SAVED, &text);
}

void kd_peer_pulse(struct kd_peer *peer, int64_t fence, int64_t optimizer_step)
{
    struct kd_str text = {0};
    struct kd_json j = open_body(peer, &text);
    kd_json_add_int(&j, "fence", fence);
    kd_json_add_int(&j, "step", optimizer_step);
    kd_json_close(&j, '}');
    kd_dealer_send(peer->dealer, KD_MSG_PULSE, text.text);
    kd_str_release(&text);
}

void kd_peer_done(struct kd_peer *peer, int64_t fence, const char *outcome, const char *reason)
{
    kd_peer_flush(peer);
    struct kd_str text = {0};
    struct kd_json j = open_stream_body(peer, fence, &text);
    kd_json_add_string(&j, "outcome", outcome);
    kd_json_add_string(&j, "reason", reason);
    kd_json_close(&j, '}');
    post(peer, KD_MSG_DONE, &text);
}

/* Drops what is durable now, and sends on what the window had held back. */
static void acknowledge(struct kd_peer *peer, int64_t fence, int64_t seq)
{
    size_t gone = 0;
    while (gone < peer->outbox.n &&
           (peer->outbox.items[gone].fence < fence ||
            (peer->outbox.items[gone].fence == fence && peer->outbox.items[gone].seq <= seq)))
        free(peer->outbox.items[gone++].body);
    if (gone == 0)
        return;
    size_t left = peer->outbox.n - gone;
    memmove(peer->outbox.items, peer->outbox.items + gone, left * sizeof peer->outbox.items[0]);
    peer->outbox.n = left;
    size_t from = WINDOW > gone ? WINDOW - gone : 0;
    for (size_t i = from; i < left && i < WINDOW; i++)
        kd_dealer_send(peer->dealer, peer->outbox.items[i].type, peer->outbox.items[i].body);
    peer->sent_us = kd_clock_mono_us();
}

static void drop_fence(struct kd_peer *peer, int64_t fence)
{
    size_t kept = 0;
    for (size_t i = 0; i < peer->outbox.n; i++)
        if (peer->outbox.items[i].fence == fence)
            free(peer->outbox.items[i].body);
        else
            peer->outbox.items[kept++] = peer->outbox.items[i];
    peer->outbox.n = kept;
}

static void resend_when_due(struct kd_peer *peer)
{
    int64_t now = kd_clock_mono_us();
    if (now - peer->sent_us < RESEND_US || (peer->outbox.n == 0 && !peer->wants_work))
        return;
    peer->sent_us = now;
    send_hello(peer);
    for (size_t i = 0; i < peer->outbox.n && i < WINDOW; i++)
        kd_dealer_send(peer->dealer, peer->outbox.items[i].type, peer->outbox.items[i].body);
    if (peer->wants_work)
        send_ready(peer);
}

/* What the trainer is told of a message; KD_PEER_NOTHING: dealt with here. */
static enum kd_peer_message_kind kind_of(struct kd_peer *peer, enum kd_message_type type,
                                         const json_t *body)
{
    int64_t fence = 0, seq = 0;
    kd_body_int(body, "fence", &fence);
    switch (type) {
    case KD_MSG_ACK:
        if (kd_body_int(body, "seq", &seq))
            acknowledge(peer, fence, seq);
        return KD_PEER_NOTHING;
    case KD_MSG_ASSIGN:
        if (fence <= peer->assigned)
            return KD_PEER_NOTHING;
        peer->assigned = fence;
        peer->wants_work = false;
        return KD_PEER_ASSIGN;
    case KD_MSG_STOP:
        return KD_PEER_STOP;
    case KD_MSG_YIELD:
        return KD_PEER_YIELD;
    case KD_MSG_CHECKPOINT:
        return KD_PEER_CHECKPOINT;
    case KD_MSG_FENCED:
        drop_fence(peer, fence);
        return KD_PEER_FENCED;
    case KD_MSG_EXIT:
        return KD_PEER_EXIT;
    default:
        return KD_PEER_NOTHING;
    }
}

int kd_peer_receive(struct kd_peer *peer, int timeout_ms, struct kd_peer_message *message,
                    struct kd_error *err)
{
    int64_t until = kd_clock_mono_us() + (int64_t)timeout_ms * 1000;
    *message = (struct kd_peer_message){.kind = KD_PEER_NOTHING};
    for (;;) {
        resend_when_due(peer);
        int64_t left_ms = (until - kd_clock_mono_us()) / 1000;
        int wait_ms = left_ms < 0 ? 0 : left_ms > 200 ? 200 : (int)left_ms;
        enum kd_message_type type;
        json_t *body;
        int got = kd_dealer_receive(peer->dealer, wait_ms, &type, &body);
        if (got < 0)
            return kd_fail(err, "bus: the socket is closed");
        if (got == 0 && left_ms <= wait_ms)
            return 0;
        if (got == 0)
            continue;
        peer->heard_us = kd_clock_mono_us();
        message->kind = kind_of(peer, type, body);
        json_decref(peer->body);
        peer->body = message->body = body;
        if (message->kind != KD_PEER_NOTHING)
            return 0;
    }
}

bool kd_peer_is_quiet(const struct kd_peer *peer)
{
    return peer->outbox.n == 0 && peer->n_batched == 0;
}

double kd_peer_silence_s(const struct kd_peer *peer)
{
    return (double)(kd_clock_mono_us() - peer->heard_us) * 1e-6;
}
