/* peer.h - the side of a gang: rank 0 talks to the coordinator.
 *
 * Knows frames, fences, sequence numbers and resending (PROTOCOL.md); knows nothing of training.
 * Trial messages (metrics, checkpoints, the end) go out in order, each with the next seq of its
 * fence, and stay in an outbox until they are acknowledged; what is not acknowledged is sent again
 * every second, and after a reconnect. Sending never blocks. One thread uses a peer; no MPI call is
 * made here.
 *
 * A trainer's life:
 *     kd_peer_open, kd_peer_hello, kd_peer_ready
 *     loop: kd_peer_receive -> ASSIGN -> train, kd_peer_metrics ..., kd_peer_done, kd_peer_ready
 *     EXIT or kd_peer_is_orphan -> kd_peer_close */
#ifndef KD_BUS_PEER_H
#define KD_BUS_PEER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"

struct kd_peer;

struct kd_peer_options {
    const char *endpoint; /* KATYDID_BUS: ipc://... */
    const char *run_uuid; /* KATYDID_RUN */
    int64_t gang;         /* KATYDID_GANG */
    const char *token;    /* KATYDID_TOKEN */
    int n_ranks;
};

/* Reads the four variables above from the environment. -1 names the one that is missing. */
int kd_peer_options_from_env(struct kd_peer_options *options, struct kd_error *err);

struct kd_peer *kd_peer_open(const struct kd_peer_options *options,
                             struct kd_error *err); /* sends HELLO */
void kd_peer_close(struct kd_peer *peer); /* NULL is fine; waits at most 1 s for sends in flight */

/* "This gang can take a trial." Repeated every second until an ASSIGN comes. */
void kd_peer_ready(struct kd_peer *peer);

/* One metric point; a batch collects points until 64 are in it or kd_peer_flush is called (the
 * trainer does at each report boundary). `at` is REAL UTC seconds. */
void kd_peer_metric(struct kd_peer *peer, int64_t fence, const char *name, int64_t step,
                    double value, double at);
void kd_peer_flush(struct kd_peer *peer);

/* A checkpoint of the trial is durable at path: `step` completed units, its size and digest
 * (hex). */
void kd_peer_checkpointed(struct kd_peer *peer, int64_t fence, int64_t step, const char *path,
                          int64_t bytes, const char *digest);

/* "Still alive, this many optimizer steps done": not acknowledged, not stored; feeds the
 * watchdog. */
void kd_peer_pulse(struct kd_peer *peer, int64_t fence, int64_t optimizer_step);

/* The end of a trial. outcome: "succeeded", "stopped" (after STOP), "yielded" (after YIELD;
 * resumable from its checkpoint), "diverged" (non-finite loss), "failed" (reason says what, where,
 * what to do). */
void kd_peer_done(struct kd_peer *peer, int64_t fence, const char *outcome, const char *reason);

enum kd_peer_message_kind {
    KD_PEER_NOTHING, /* the timeout passed */
    KD_PEER_ASSIGN,  /* body: see below */
    KD_PEER_STOP,    /* {"fence": f}: finish at the next report boundary with outcome "stopped" */
    KD_PEER_YIELD,   /* {"fence": f}: checkpoint at the next boundary, then outcome "yielded" */
    KD_PEER_CHECKPOINT, /* {"fence": f}: checkpoint at the next boundary and go on */
    KD_PEER_FENCED, /* {"fence": f}: the coordinator no longer knows this attempt: drop the trial, then READY */
    KD_PEER_EXIT, /* end the gang */
};

/* ASSIGN's body:
 *   {"fence": 17, "trial": 3, "attempt": 1, "seed": 123, "until": 0 (fidelity units, 0 = the configuration's end),
 *    "trainer": {... the trainer block with its placeholders filled ...},
 *    "base_dir": "folder that relative data paths start from",
 *    "checkpoint_dir": "absolute path of the trial's checkpoint folder", "resume": true|false,
 *    "parent_checkpoint": null} */
struct kd_peer_message {
    enum kd_peer_message_kind kind;
    json_t *body; /* owned by the peer, valid until the next kd_peer_receive */
};

/* Waits up to timeout_ms (0 = only look) for the next message; handles acknowledgements and resends
 * on the way. */
int kd_peer_receive(struct kd_peer *peer, int timeout_ms, struct kd_peer_message *message,
                    struct kd_error *err);

/* Nothing is waiting for an acknowledgement. */
bool kd_peer_is_quiet(const struct kd_peer *peer);

/* Seconds since the coordinator was last heard (it answers every READY, PULSE and trial
 * message). */
double kd_peer_silence_s(const struct kd_peer *peer);

#endif
