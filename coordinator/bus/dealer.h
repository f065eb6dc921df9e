/* dealer.h - one peer's socket: sends and receives whole messages, reconnects by itself. Used by
 * one thread. */
#ifndef KD_BUS_DEALER_H
#define KD_BUS_DEALER_H

#include <jansson.h>

#include "coordinator/base/error.h"
#include "coordinator/bus/message.h"

struct kd_dealer;

/* context: of kd_router_context for inproc:// endpoints, or NULL for a context of its own. */
struct kd_dealer *kd_dealer_open(void *context, const char *endpoint, struct kd_error *err);
void kd_dealer_close(
    struct kd_dealer *dealer); /* waits at most 1 s for sends in flight; NULL is fine */

/* Never blocks. false: the socket would not take it now (nobody there for long); the caller sends
 * again later. */
bool kd_dealer_send(struct kd_dealer *dealer, enum kd_message_type type, const char *body);

/* 1: *type and *body (owned by the caller) are filled; 0: timeout; -1: the context is gone. Bad
 * messages are skipped. timeout_ms -1 waits for ever. */
int kd_dealer_receive(struct kd_dealer *dealer, int timeout_ms, enum kd_message_type *type,
                      json_t **body);

#endif
