/* json.h - writing JSON text into a kd_str, one value after the other; reading is jansson's.
 *
 * Commas come by themselves. Keys are given before values inside an object:
 *
 *     struct kd_json j = kd_json_to(&str);
 *     kd_json_open(&j, '{');
 *     kd_json_key(&j, "value"), kd_json_number(&j, 0.5);
 *     kd_json_close(&j, '}');
 *
 * Non-finite numbers are written as the strings "nan", "inf", "-inf" (the bus's and the store's
 * rule). */
#ifndef KD_BASE_JSON_H
#define KD_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/str.h"

struct kd_json {
    struct kd_str *out; /* borrowed */
    bool need_comma;
};

struct kd_json kd_json_to(struct kd_str *out);
void kd_json_open(struct kd_json *j, char bracket);  /* '{' or '[' */
void kd_json_close(struct kd_json *j, char bracket); /* '}' or ']' */
void kd_json_key(struct kd_json *j, const char *key);
void kd_json_number(struct kd_json *j, double value); /* shortest text that reads back the same */
void kd_json_int(struct kd_json *j, int64_t value);
void kd_json_bool(struct kd_json *j, bool value);
void kd_json_null(struct kd_json *j);
void kd_json_string(struct kd_json *j,
                    const char *text); /* NULL gives null; invalid UTF-8 becomes U+FFFD */
void kd_json_raw(struct kd_json *j, const char *json); /* text that is JSON already */

/* key and value in one call */
void kd_json_add_number(struct kd_json *j, const char *key, double value);
void kd_json_add_int(struct kd_json *j, const char *key, int64_t value);
void kd_json_add_bool(struct kd_json *j, const char *key, bool value);
void kd_json_add_string(struct kd_json *j, const char *key, const char *text);
void kd_json_add_raw(struct kd_json *j, const char *key, const char *json);

#endif
