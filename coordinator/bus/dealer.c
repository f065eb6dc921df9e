#include "coordinator/bus/dealer.h"

#include <errno.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/bus/frames.h"

struct kd_dealer {
    void *own_context; /* NULL when the context is someone else's */
    void *socket;
};

struct kd_dealer *kd_dealer_open(void *context, const char *endpoint, struct kd_error *err)
{
    struct kd_dealer *dealer = KD_NEW(struct kd_dealer);
    if (context == NULL)
        context = dealer->own_context = zmq_ctx_new();
    dealer->socket = zmq_socket(context, ZMQ_DEALER);
    if (dealer->socket == NULL) {
        kd_fail(err, "bus: no socket: %s", zmq_strerror(errno));
        kd_dealer_close(dealer);
        return NULL;
    }
    kd_frames_configure(dealer->socket);
    if (zmq_connect(dealer->socket, endpoint) != 0) {
        kd_fail(err, "bus: cannot connect to %s: %s", endpoint, zmq_strerror(errno));
        kd_dealer_close(dealer);
        return NULL;
    }
    return dealer;
}

void kd_dealer_close(struct kd_dealer *dealer)
{
    if (dealer == NULL)
        return;
    if (dealer->socket)
        zmq_close(dealer->socket);
    if (dealer->own_context)
        zmq_ctx_term(dealer->own_context);
    free(dealer);
}

bool kd_dealer_send(struct kd_dealer *dealer, enum kd_message_type type, const char *body)
{
    return kd_frames_send(dealer->socket, type, body) == 0;
}

/* One message if there is one. 1, 0, -1 as kd_dealer_receive; 2: a bad one was skipped. */
static int receive_now(struct kd_dealer *dealer, enum kd_message_type *type, json_t **body)
{
    zmq_msg_t frames[KD_FRAMES_MAX];
    int n = kd_frames_receive(dealer->socket, frames);
    if (n <= 0)
        return n;
    int found = n == 3 ? kd_frames_decode(frames, body) : -1;
    kd_frames_close(frames, n);
    if (found < 0)
        return 2;
    *type = (enum kd_message_type)found;
    return 1;
}

int kd_dealer_receive(struct kd_dealer *dealer, int timeout_ms, enum kd_message_type *type,
                      json_t **body)
{
    for (;;) {
        int result = receive_now(dealer, type, body);
        if (result == 1 || result == -1)
            return result;
        if (result == 2)
            continue;
        zmq_pollitem_t item = {.socket = dealer->socket, .events = ZMQ_POLLIN};
        int ready = zmq_poll(&item, 1, timeout_ms);
        if (ready < 0 && errno == ETERM)
            return -1;
        if (ready == 0 && timeout_ms >= 0)
            return 0;
        if (ready < 0 && timeout_ms >= 0)
            return 0; /* a signal: the caller looks around and comes back */
    }
}
