/* frames.h - the multi-frame work that router and dealer share. Inside bus/ only: it shows
 * zmq.h. */
#ifndef KD_BUS_FRAMES_H
#define KD_BUS_FRAMES_H

#include <jansson.h>
#include <zmq.h>

#include "coordinator/bus/message.h"

/* The options that every socket has: size limit, handshake deadline, no linger beyond 1 s, deep
 * queues. */
void kd_frames_configure(void *socket);

/* Receives all frames of one message without waiting, at most KD_FRAMES_MAX of them kept. Returns
 * how many came (0 = nothing there, -1 = the context is gone); the caller closes them with
 * kd_frames_close. */
enum { KD_FRAMES_MAX = 4 };
int kd_frames_receive(void *socket, zmq_msg_t frames[KD_FRAMES_MAX]);
void kd_frames_close(zmq_msg_t *frames, int n);

/* Decodes the three frames from first on; type or -1. */
int kd_frames_decode(zmq_msg_t *first, json_t **body);

/* Sends signature, type and body; the address frame, if any, has been sent by the caller. 0 or
 * -1. */
int kd_frames_send(void *socket, enum kd_message_type type, const char *body);

#endif
