#include "coordinator/bus/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/bus/frames.h"

struct kd_router {
    void *context, *socket;
    int64_t n_refused;
};

struct kd_router *kd_router_open(const char *const *endpoints, struct kd_error *err)
{
    struct kd_router *router = KD_NEW(struct kd_router);
    router->context = zmq_ctx_new();
    router->socket = zmq_socket(router->context, ZMQ_ROUTER);
    int yes = 1;
    kd_frames_configure(router->socket);
    zmq_setsockopt(router->socket, ZMQ_ROUTER_MANDATORY, &yes, sizeof yes);
    for (; *endpoints; endpoints++)
        if (zmq_bind(router->socket, *endpoints) != 0) {
            kd_fail(err, "bus: cannot bind %s: %s", *endpoints, zmq_strerror(errno));
            kd_router_close(router);
            return NULL;
        }
    return router;
}

void kd_router_close(struct kd_router *router)
{
    if (router == NULL)
        return;
    zmq_close(router->socket);
    zmq_ctx_term(router->context);
    free(router);
}

void *kd_router_context(struct kd_router *router)
{
    return router->context;
}

static void address_from(struct kd_address *address, zmq_msg_t *frame)
{
    size_t length = zmq_msg_size(frame);
    address->length = (uint8_t)(length > 255 ? 255 : length);
    memcpy(address->bytes, zmq_msg_data(frame), address->length);
}

int kd_router_receive(struct kd_router *router, struct kd_address *from, enum kd_message_type *type,
                      json_t **body)
{
    for (;;) {
        zmq_msg_t frames[KD_FRAMES_MAX];
        int n = kd_frames_receive(router->socket, frames);
        if (n <= 0)
            return 0;
        int found = n == 4 ? kd_frames_decode(frames + 1, body) : -1;
        address_from(from, &frames[0]);
        kd_frames_close(frames, n);
        if (found >= 0) {
            *type = (enum kd_message_type)found;
            return 1;
        }
        router->n_refused++;
    }
}

bool kd_router_send(struct kd_router *router, const struct kd_address *to,
                    enum kd_message_type type, const char *body)
{
    if (zmq_send(router->socket, to->bytes, to->length, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return false;
    return kd_frames_send(router->socket, type, body) == 0;
}

void kd_router_wait(struct kd_router *router, const int *fds, bool *ready, int n, int timeout_ms)
{
    zmq_pollitem_t *items = KD_NEW_ARRAY(zmq_pollitem_t, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        items[i] = (zmq_pollitem_t){.fd = fds[i], .events = ZMQ_POLLIN};
    items[n] = (zmq_pollitem_t){.socket = router->socket, .events = ZMQ_POLLIN};
    int found = zmq_poll(items, n + 1, timeout_ms);
    for (int i = 0; i < n; i++)
        ready[i] = found > 0 && (items[i].revents & (ZMQ_POLLIN | ZMQ_POLLERR)) != 0;
    free(items);
}

int64_t kd_router_n_refused(const struct kd_router *router)
{
    return router->n_refused;
}
