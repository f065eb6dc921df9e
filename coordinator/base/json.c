#include "coordinator/base/json.h"

#include <inttypes.h>
#include <math.h>

struct kd_json kd_json_to(struct kd_str *out)
{
    return (struct kd_json){.out = out};
}

static void before_value(struct kd_json *j)
{
    if (j->need_comma)
        kd_str_addc(j->out, ',');
    j->need_comma = true;
}

void kd_json_open(struct kd_json *j, char bracket)
{
    before_value(j);
    kd_str_addc(j->out, bracket);
    j->need_comma = false;
}

void kd_json_close(struct kd_json *j, char bracket)
{
    kd_str_addc(j->out, bracket);
    j->need_comma = true;
}

/* Length of the valid UTF-8 sequence at p, 0 when it is none. */
static int utf8_length(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    int length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (int i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool surrogate_or_beyond = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || surrogate_or_beyond ? 0 : length;
}

static void quoted(struct kd_str *out, const char *text)
{
    kd_str_addc(out, '"');
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        int length = utf8_length(p);
        if (length == 0)
            kd_str_add(out, "\xef\xbf\xbd"), p++;
        else if (*p == '"' || *p == '\\')
            kd_str_addc(out, '\\'), kd_str_addc(out, (char)*p++);
        else if (*p == '\n')
            kd_str_add(out, "\\n"), p++;
        else if (*p < 0x20 || *p == 0x7f)
            kd_str_addf(out, "\\u%04x", *p++);
        else
            kd_str_addn(out, (const char *)p, (size_t)length), p += length;
    }
    kd_str_addc(out, '"');
}

void kd_json_key(struct kd_json *j, const char *key)
{
    before_value(j);
    quoted(j->out, key);
    kd_str_addc(j->out, ':');
    j->need_comma = false;
}

void kd_json_number(struct kd_json *j, double value)
{
    char text[KD_NUMBER_MAX];
    before_value(j);
    kd_number_text(value, text);
    kd_str_addf(j->out, isfinite(value) ? "%s" : "\"%s\"", text);
}

void kd_json_int(struct kd_json *j, int64_t value)
{
    before_value(j);
    kd_str_addf(j->out, "%" PRId64, value);
}

void kd_json_bool(struct kd_json *j, bool value)
{
    before_value(j);
    kd_str_add(j->out, value ? "true" : "false");
}

void kd_json_null(struct kd_json *j)
{
    before_value(j);
    kd_str_add(j->out, "null");
}

void kd_json_string(struct kd_json *j, const char *text)
{
    if (text == NULL) {
        kd_json_null(j);
        return;
    }
    before_value(j);
    quoted(j->out, text);
}

void kd_json_raw(struct kd_json *j, const char *json)
{
    before_value(j);
    kd_str_add(j->out, json);
}

void kd_json_add_number(struct kd_json *j, const char *key, double value)
{
    kd_json_key(j, key);
    kd_json_number(j, value);
}

void kd_json_add_int(struct kd_json *j, const char *key, int64_t value)
{
    kd_json_key(j, key);
    kd_json_int(j, value);
}

void kd_json_add_bool(struct kd_json *j, const char *key, bool value)
{
    kd_json_key(j, key);
    kd_json_bool(j, value);
}

void kd_json_add_string(struct kd_json *j, const char *key, const char *text)
{
    kd_json_key(j, key);
    kd_json_string(j, text);
}

void kd_json_add_raw(struct kd_json *j, const char *key, const char *json)
{
    kd_json_key(j, key);
    kd_json_raw(j, json);
}
