#include "coordinator/bus/frames.h"

#include <errno.h>
#include <string.h>

#include "coordinator/base/error.h"

void kd_frames_configure(void *socket)
{
    const struct {
        int option, value;
    } options[] = {
        {ZMQ_LINGER, 1000},        {ZMQ_SNDHWM, 100000},          {ZMQ_RCVHWM, 100000},
        {ZMQ_HANDSHAKE_IVL, 3000}, {ZMQ_HEARTBEAT_IVL, 2000},     {ZMQ_HEARTBEAT_TIMEOUT, 10000},
        {ZMQ_RECONNECT_IVL, 50},   {ZMQ_RECONNECT_IVL_MAX, 1000},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof options[i].value);
    int64_t largest = KD_MESSAGE_MAX;
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
}

/* Frames past the ones we know are read and dropped, so that the next message starts at its first
 * frame. */
static void drop_rest(void *socket, zmq_msg_t *last)
{
    while (zmq_msg_more(last)) {
        zmq_msg_close(last);
        zmq_msg_init(last);
        if (zmq_msg_recv(last, socket, 0) < 0)
            return;
    }
}

int kd_frames_receive(void *socket, zmq_msg_t frames[KD_FRAMES_MAX])
{
    int n = 0;
    do {
        zmq_msg_init(&frames[n]);
        if (zmq_msg_recv(&frames[n], socket, n == 0 ? ZMQ_DONTWAIT : 0) < 0) {
            int failure = errno;
            kd_frames_close(frames, n + 1);
            return failure == ETERM ? -1 : 0;
        }
        n++;
    } while (n < KD_FRAMES_MAX && zmq_msg_more(&frames[n - 1]));
    if (zmq_msg_more(&frames[n - 1])) {
        drop_rest(socket, &frames[n - 1]);
        return KD_FRAMES_MAX + 1; /* too many: no message of ours */
    }
    return n;
}

void kd_frames_close(zmq_msg_t *frames, int n)
{
    for (int i = 0; i < n && i < KD_FRAMES_MAX; i++)
        zmq_msg_close(&frames[i]);
}

static struct kd_frame frame_of(zmq_msg_t *message)
{
    return (struct kd_frame){zmq_msg_data(message), zmq_msg_size(message)};
}

int kd_frames_decode(zmq_msg_t *first, json_t **body)
{
    return kd_message_decode(frame_of(&first[0]), frame_of(&first[1]), frame_of(&first[2]), body);
}

int kd_frames_send(void *socket, enum kd_message_type type, const char *body)
{
    const char *name = kd_message_type_name(type);
    if (strlen(body) > KD_MESSAGE_MAX)
        kd_bug("a %s of %zu bytes: no message may have more than %d", name, strlen(body),
               KD_MESSAGE_MAX);
    if (zmq_send(socket, KD_MESSAGE_SIGNATURE, strlen(KD_MESSAGE_SIGNATURE),
                 ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_send(socket, name, strlen(name), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_send(socket, body, strlen(body), ZMQ_DONTWAIT) < 0)
        return -1;
    return 0;
}
