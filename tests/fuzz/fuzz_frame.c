/* fuzz_frame.c - the bus's frames: whatever comes in, decoding answers with a type and an object,
 * or with no. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/error.h"
#include "coordinator/bus/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is the three frames with a newline between them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kd_frame frames[3] = {{"", 0}, {"", 0}, {"", 0}};
    const char *at = (const char *)data, *end = at + size;
    for (int i = 0; i < 3 && at < end; i++) {
        const char *newline = i < 2 ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        frames[i] = (struct kd_frame){at, (size_t)((newline ? newline : end) - at)};
        at = newline ? newline + 1 : end;
    }
    json_t *body = NULL;
    int type = kd_message_decode(frames[0], frames[1], frames[2], &body);
    if (type < 0)
        return 0;
    kd_assert(type < KD_N_MESSAGE_TYPES && json_is_object(body));
    int64_t fence;
    double number;
    const char *text;
    kd_body_int(body, "fence", &fence);
    kd_body_number(body, "value", &number);
    kd_body_text(body, "run", &text);
    json_decref(body);
    return 0;
}
