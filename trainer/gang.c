#include "trainer/gang.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/log.h"
#include "coordinator/bus/peer.h"
#include "trainer/checkpoint.h"
#include "trainer/train.h"

enum { PULSE_US = 1000000, WAIT_MS = 1000 };
static const double ORPHAN_GRACE_S = 3600;
static const char EXIT_TEXT[] = "exit"; /* in place of an assignment, between the ranks */

struct gang {
    struct kd_comm *comm;
    struct kd_session session;
    struct kd_peer *peer; /* rank 0 */
    double grace_s;
    int64_t fence; /* of the trial under way */
    int64_t pulsed_us;
    struct kd_checkpoint_file saved; /* the newest that was not told yet; path empty: none */
    int64_t saved_step;
};

/* ---- the bus as a sink */

/* Short epochs end faster than the bus should be bothered: points and checkpoints are told
 * together, at the next time of listening or at the trial's end. */
static void tell(struct gang *gang)
{
    kd_peer_flush(gang->peer);
    if (gang->saved.path[0])
        kd_peer_checkpointed(gang->peer, gang->fence, gang->saved_step, gang->saved.path,
                             gang->saved.bytes, gang->saved.digest);
    gang->saved.path[0] = '\0';
}

static void sink_report(void *ud, const struct kd_report *report)
{
    struct gang *gang = ud;
    for (int i = 0; i < KD_N_METRICS; i++)
        if (report->has[i])
            kd_peer_metric(gang->peer, gang->fence, kd_metrics[i].name, report->step,
                           report->values[i], report->at);
}

static void sink_saved(void *ud, int64_t step, const char *path, int64_t bytes, const char *digest)
{
    struct gang *gang = ud;
    gang->saved_step = step;
    gang->saved.bytes = bytes;
    strncpy(gang->saved.path, path, sizeof gang->saved.path - 1);
    strncpy(gang->saved.digest, digest, sizeof gang->saved.digest - 1);
}

static bool is_orphan(const struct gang *gang)
{
    return kd_peer_silence_s(gang->peer) > gang->grace_s;
}

static enum kd_word word_of(const struct gang *gang, const struct kd_peer_message *message)
{
    static const enum kd_word words[] = {
        [KD_PEER_STOP] = KD_WORD_STOP,
        [KD_PEER_YIELD] = KD_WORD_YIELD,
        [KD_PEER_CHECKPOINT] = KD_WORD_CHECKPOINT,
        [KD_PEER_FENCED] = KD_WORD_DROP,
        [KD_PEER_EXIT] = KD_WORD_EXIT,
    };
    if (message->kind == KD_PEER_EXIT)
        return KD_WORD_EXIT;
    int64_t fence = json_integer_value(json_object_get(message->body, "fence"));
    bool ours = fence == gang->fence && (size_t)message->kind < KD_COUNT(words);
    return ours ? words[message->kind] : KD_WORD_GO;
}

static enum kd_word sink_poll(void *ud, int64_t optimizer_step)
{
    struct gang *gang = ud;
    struct kd_peer_message message;
    struct kd_error err;
    enum kd_word word = is_orphan(gang) ? KD_WORD_EXIT : KD_WORD_GO;
    tell(gang);
    if (kd_clock_mono_us() - gang->pulsed_us >= PULSE_US) {
        kd_peer_pulse(gang->peer, gang->fence, optimizer_step);
        gang->pulsed_us = kd_clock_mono_us();
    }
    while (kd_peer_receive(gang->peer, 0, &message, &err) == 0 && message.kind != KD_PEER_NOTHING) {
        enum kd_word heard = word_of(gang, &message);
        if (heard > word)
            word = heard;
    }
    return word;
}

/* ---- one trial */

static const char *text_in(const json_t *body, const char *name)
{
    return json_string_value(json_object_get(body, name));
}

static void train(struct gang *gang, const json_t *body, struct kd_outcome *outcome)
{
    const struct kd_sink sink = {
        .ud = gang, .report = sink_report, .saved = sink_saved, .poll = sink_poll};
    struct kd_problems problems = {0};
    struct kd_config config;
    const char *base_dir = text_in(body, "base_dir");
    kd_config_read(&config, json_object_get(body, "trainer"), base_dir ? base_dir : ".", &problems);
    bool failed = kd_problems_fail(&problems, &outcome->reason) < 0;
    if (!kd_comm_any_failed(gang->comm, failed, &outcome->reason)) {
        struct kd_job job = {
            .config = &config,
            .seed = (uint64_t)json_integer_value(json_object_get(body, "seed")),
            .until = json_integer_value(json_object_get(body, "until")),
            .checkpoint_dir = text_in(body, "checkpoint_dir"),
            .resume = json_is_true(json_object_get(body, "resume")),
            .parent_checkpoint = text_in(body, "parent_checkpoint"),
            .sink = gang->peer ? &sink : NULL,
        };
        kd_train(&gang->session, &job, outcome);
    }
    kd_config_release(&config);
    kd_problems_release(&problems);
}

/* All ranks, with the same text. True: the gang ends. */
static bool run_assignment(struct gang *gang, const char *text)
{
    struct kd_outcome outcome = {.kind = KD_OUTCOME_FAILED};
    json_t *body = json_loads(text, 0, NULL);
    kd_assert(body != NULL); /* rank 0 parsed it once already */
    gang->fence = json_integer_value(json_object_get(body, "fence"));
    train(gang, body, &outcome);
    json_decref(body);
    if (gang->peer && outcome.kind != KD_OUTCOME_DROPPED) {
        tell(gang);
        kd_peer_done(gang->peer, gang->fence, kd_outcome_name(outcome.kind), outcome.reason.text);
    }
    gang->saved.path[0] = '\0';
    return outcome.exit;
}

/* ---- rank 0 and the others */

/* Asks for work and waits for it. NULL: the gang ends. The caller frees. */
static char *next_assignment(struct gang *gang)
{
    struct kd_peer_message message;
    struct kd_error err;
    kd_peer_ready(gang->peer);
    for (;;) {
        if (kd_peer_receive(gang->peer, WAIT_MS, &message, &err) < 0) {
            kd_warn("the bus: %s", err.text);
            return NULL;
        }
        if (message.kind == KD_PEER_ASSIGN)
            return json_dumps(message.body, JSON_COMPACT);
        if (message.kind == KD_PEER_EXIT)
            return NULL;
        if (is_orphan(gang)) {
            kd_warn("the coordinator has been silent for %.0f s (KATYDID_ORPHAN_GRACE): the gang "
                    "ends",
                    gang->grace_s);
            return NULL;
        }
    }
}

static void lead(struct gang *gang)
{
    for (bool end = false; !end;) {
        char *own = next_assignment(gang);
        char *text = kd_comm_wait_text(gang->comm, own ? own : EXIT_TEXT);
        end = own ? run_assignment(gang, text) : true;
        free(text);
        free(own);
    }
}

static void follow(struct gang *gang)
{
    for (bool end = false; !end;) {
        char *text = kd_comm_wait_text(gang->comm, NULL);
        end = strcmp(text, EXIT_TEXT) == 0 || run_assignment(gang, text);
        free(text);
    }
}

static double orphan_grace_s(void)
{
    const char *text = getenv("KATYDID_ORPHAN_GRACE");
    double seconds;
    return text && kd_number_parse(text, &seconds) == 0 && seconds > 0 ? seconds : ORPHAN_GRACE_S;
}

static struct kd_peer *open_peer(const struct kd_comm *comm, struct kd_error *err)
{
    struct kd_peer_options options = {0};
    if (kd_peer_options_from_env(&options, err) < 0)
        return NULL;
    options.n_ranks = comm->size;
    return kd_peer_open(&options, err);
}

int kd_gang_serve(struct kd_comm *comm, struct kd_error *err)
{
    struct gang gang = {.comm = comm, .grace_s = orphan_grace_s()};
    if (comm->rank == 0)
        gang.peer = open_peer(comm, err);
    if (kd_comm_any_failed(comm, comm->rank == 0 && !gang.peer, err))
        return -1;
    kd_session_init(&gang.session, comm);
    (comm->rank == 0 ? lead : follow)(&gang);
    kd_session_release(&gang.session);
    kd_peer_close(gang.peer);
    return 0;
}
