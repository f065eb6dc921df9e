/* message.h - the message types of PROTOCOL.md and reading their bodies. Pure. */
#ifndef KD_BUS_MESSAGE_H
#define KD_BUS_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KD_MESSAGE_TYPES(X)                                                                        \
    X(HELLO)                                                                                       \
    X(READY)                                                                                       \
    X(METRICS)                                                                                     \
    X(SAVED)                                                                                       \
    X(DONE)                                                                                        \
    X(PULSE)                                                                                       \
    X(ACK)                                                                                         \
    X(NOTED)                                                                                       \
    X(ASSIGN)                                                                                      \
    X(STOP)                                                                                        \
    X(YIELD)                                                                                       \
    X(CHECKPOINT)                                                                                  \
    X(FENCED)                                                                                      \
    X(EXIT)                                                                                        \
    X(TELL)                                                                                        \
    X(ASK)                                                                                         \
    X(SUGGESTED)                                                                                   \
    X(ASK_FAILED)                                                                                  \
    X(REFUSED)

enum kd_message_type {
#define X(id) KD_MSG_##id,
    KD_MESSAGE_TYPES(X)
#undef X
        KD_N_MESSAGE_TYPES
};

enum { KD_MESSAGE_MAX = 1 << 20, KD_MESSAGE_MAX_POINTS = 4096 };
#define KD_MESSAGE_SIGNATURE "KD1"

const char *kd_message_type_name(enum kd_message_type type);
int kd_message_type_find(const char *name, size_t length); /* -1 = unknown */

/* The three frames as they came. Returns the type and *body (owned by the caller), or -1 when
 * anything is wrong: signature, type, size, JSON, or a body that is no object. */
struct kd_frame {
    const char *bytes;
    size_t length;
};
int kd_message_decode(struct kd_frame signature, struct kd_frame type, struct kd_frame body,
                      json_t **out);

/* Fields of a body. Each is false when the field is absent or of another kind; a non-finite number
 * is a string. */
bool kd_body_int(const json_t *body, const char *key, int64_t *value);
bool kd_body_number(const json_t *body, const char *key, double *value);
bool kd_body_text(const json_t *body, const char *key, const char **value); /* borrowed */
bool kd_json_to_number(const json_t *value, double *out);

#endif
