/* worker.h - the built-in strategies at work: a thread that is a peer on the bus (inproc://), so a
 * slow strategy never holds the loop and an external one needs no other path.
 *
 * It knows space, strategy, settings and seed from the experiment (read only), everything else from
 * TELL and ASK. */
#ifndef KD_WORKER_H
#define KD_WORKER_H

#include "coordinator/spec/experiment.h"

struct kd_worker;

/* Where the coordinator's router listens, and how it knows its own worker from other peers; all
 * borrowed. */
struct kd_worker_place {
    void *context;
    const char *endpoint, *run_uuid, *token;
};

/* Starts the thread. Fails when the strategy does not fit the experiment. */
struct kd_worker *kd_worker_start(const struct kd_experiment *experiment,
                                  const struct kd_worker_place *place, struct kd_error *err);

/* The router must be told to send EXIT first, or its context be closed; waits for the thread. NULL
 * is fine. */
void kd_worker_join(struct kd_worker *worker);

#endif
