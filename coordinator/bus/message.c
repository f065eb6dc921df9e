#include "coordinator/bus/message.h"

#include <math.h>
#include <string.h>

#include "coordinator/base/mem.h"

static const char *const names[] = {
#define X(id) #id,
    KD_MESSAGE_TYPES(X)
#undef X
};

const char *kd_message_type_name(enum kd_message_type type)
{
    return names[type];
}

int kd_message_type_find(const char *name, size_t length)
{
    for (int i = 0; i < KD_N_MESSAGE_TYPES; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return i;
    return -1;
}

int kd_message_decode(struct kd_frame signature, struct kd_frame type, struct kd_frame body,
                      json_t **out)
{
    if (signature.length != strlen(KD_MESSAGE_SIGNATURE) ||
        memcmp(signature.bytes, KD_MESSAGE_SIGNATURE, signature.length) != 0)
        return -1;
    int found = kd_message_type_find(type.bytes, type.length);
    if (found < 0 || body.length > KD_MESSAGE_MAX)
        return -1;
    json_t *json = json_loadb(body.bytes, body.length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        return -1;
    }
    *out = json;
    return found;
}

bool kd_json_to_number(const json_t *value, double *out)
{
    static const struct {
        const char *text;
        double value;
    } words[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    if (json_is_number(value)) {
        *out = json_number_value(value);
        return true;
    }
    if (!json_is_string(value))
        return false;
    for (size_t i = 0; i < KD_COUNT(words); i++)
        if (strcmp(json_string_value(value), words[i].text) == 0) {
            *out = words[i].value;
            return true;
        }
    return false;
}

bool kd_body_int(const json_t *body, const char *key, int64_t *value)
{
    const json_t *field = json_object_get(body, key);
    if (!json_is_integer(field))
        return false;
    *value = json_integer_value(field);
    return true;
}

bool kd_body_number(const json_t *body, const char *key, double *value)
{
    return kd_json_to_number(json_object_get(body, key), value);
}

bool kd_body_text(const json_t *body, const char *key, const char **value)
{
    const json_t *field = json_object_get(body, key);
    if (!json_is_string(field))
        return false;
    *value = json_string_value(field);
    return true;
}
