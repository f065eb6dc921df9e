/* router.h - the coordinator's end of the bus: one ROUTER socket and the wait for everything else.
 *
 * Malformed messages are counted and dropped here; what comes out is a type and a JSON object. */
#ifndef KD_BUS_ROUTER_H
#define KD_BUS_ROUTER_H

#include <jansson.h>
#include <stdint.h>

#include "coordinator/base/error.h"
#include "coordinator/bus/message.h"

struct kd_router;

/* Where a peer can be answered; not who it is. */
struct kd_address {
    uint8_t length;
    unsigned char bytes[255];
};

/* Binds each of the NULL-terminated endpoints. Bind only while holding the store's lock: ipc://
 * steals silently. */
struct kd_router *kd_router_open(const char *const *endpoints, struct kd_error *err);
void kd_router_close(struct kd_router *router);    /* NULL is fine */
void *kd_router_context(struct kd_router *router); /* for dealers on inproc:// */

/* 1: a message; *body is the caller's. 0: none is waiting. */
int kd_router_receive(struct kd_router *router, struct kd_address *from, enum kd_message_type *type,
                      json_t **body);

/* Never blocks; false: the peer is gone or does not read. */
bool kd_router_send(struct kd_router *router, const struct kd_address *to,
                    enum kd_message_type type, const char *body);

/* Waits until a message, one of the file descriptors (POLLIN) or the timeout comes. ready[i] tells
 * which. */
void kd_router_wait(struct kd_router *router, const int *fds, bool *ready, int n, int timeout_ms);

int64_t kd_router_n_refused(const struct kd_router *router); /* malformed messages so far */

#endif
