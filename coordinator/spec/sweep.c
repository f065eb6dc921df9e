/* sweep.c - a small recursive descent over Hydra's sweep expressions. */
#include "coordinator/spec/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

enum { MOST_DEPTH = 8 };

struct scan {
    const char *whole, *at;
    struct kd_sweep *sweep;
    struct kd_error *err;
    int depth;
};

static int expression(struct scan *s);

static void skip_blanks(struct scan *s)
{
    while (*s->at == ' ' || *s->at == '\t')
        s->at++;
}

static bool take(struct scan *s, char c)
{
    skip_blanks(s);
    if (*s->at != c)
        return false;
    s->at++;
    return true;
}

static int expect(struct scan *s, char c)
{
    if (take(s, c))
        return 0;
    return kd_fail(s->err, "%s: expected '%c' at \"%s\"", s->whole, c, s->at);
}

/* Hydra's quoted text: backslashes before a quote of its kind count in pairs, and one left over
 * makes that quote a character; all others are themselves. */
static char *quoted(struct scan *s)
{
    struct kd_str text = {0};
    char quote = *s->at;
    for (const char *p = s->at + 1; *p; p++) {
        size_t slashes = strspn(p, "\\");
        bool is_escape = slashes > 0 && p[slashes] == quote;
        kd_str_addn(&text, p, is_escape ? slashes / 2 : slashes);
        p += slashes;
        if (*p == '\0')
            break;
        if (*p == quote && slashes % 2 == 0) {
            s->at = p + 1;
            return kd_str_take(&text);
        }
        kd_str_addc(&text, *p);
    }
    kd_str_release(&text);
    kd_fail(s->err, "%s: the quote at \"%s\" does not end", s->whole, s->at);
    return NULL;
}

/* A word up to , ( ) or the end, or a quoted text. NULL and err: a quote that does not end. */
static char *word(struct scan *s)
{
    skip_blanks(s);
    if (*s->at == '\'' || *s->at == '"')
        return quoted(s);
    size_t length = strcspn(s->at, ",()");
    const char *start = s->at;
    s->at += length;
    while (length > 0 && (start[length - 1] == ' ' || start[length - 1] == '\t'))
        length--;
    return kd_strndup(start, length);
}

static int number(struct scan *s, double *value)
{
    char *text = word(s);
    if (text == NULL)
        return -1;
    int rc = kd_number_parse(text, value);
    if (rc != 0 || !isfinite(*value))
        rc = kd_fail(s->err, "%s: \"%s\" is not a number", s->whole, text);
    free(text);
    return rc;
}

static int interval(struct scan *s)
{
    return number(s, &s->sweep->min) || expect(s, ',') || number(s, &s->sweep->max) ? -1 : 0;
}

static int range(struct scan *s)
{
    struct kd_sweep *sweep = s->sweep;
    sweep->step = 1;
    if (interval(s) != 0 || (take(s, ',') && number(s, &sweep->step) != 0))
        return -1;
    if (sweep->step <= 0 || sweep->min >= sweep->max)
        return kd_fail(s->err, "%s: a range goes up: range(start, end[, step])", s->whole);
    double n = ceil((sweep->max - sweep->min) / sweep->step - 1e-9);
    sweep->max = sweep->min + (n - 1) * sweep->step;
    sweep->is_int = sweep->min == floor(sweep->min) && sweep->step == floor(sweep->step);
    if (n < 2)
        return kd_fail(s->err, "%s: only one value is left, since a range leaves out its end",
                       s->whole);
    return 0;
}

static int list_item(struct scan *s)
{
    struct kd_sweep *sweep = s->sweep;
    double value;
    char *text = word(s);
    if (text == NULL)
        return -1;
    if (*text == '\0') {
        free(text);
        return kd_fail(s->err, "%s: an empty value", s->whole);
    }
    sweep->all_numbers = (sweep->n_list == 0 || sweep->all_numbers) &&
                         kd_number_parse(text, &value) == 0 && isfinite(value);
    sweep->list = kd_realloc_array(sweep->list, (size_t)sweep->n_list + 1, sizeof *sweep->list);
    sweep->list[sweep->n_list++] = text;
    return 0;
}

static int list(struct scan *s)
{
    do {
        if (list_item(s) != 0)
            return -1;
    } while (take(s, ','));
    return 0;
}

static int tag(struct scan *s)
{
    struct kd_sweep *sweep = s->sweep;
    char *name = word(s);
    if (name == NULL)
        return -1;
    bool is_log = strcmp(name, "log") == 0 || strcmp(name, "logUniform") == 0;
    bool is_log_normal = strcmp(name, "logNormal") == 0;
    bool is_normal = strcmp(name, "normal") == 0;
    if (!is_log && !is_log_normal && !is_normal)
        kd_fail(s->err, "%s: unknown tag \"%s\"; known: log, normal, logNormal", s->whole, name);
    free(name);
    if ((!is_log && !is_log_normal && !is_normal) || expect(s, ',') || expression(s))
        return -1;
    sweep->is_log |= is_log || is_log_normal;
    sweep->is_normal |= is_normal || is_log_normal;
    return sweep->list ? kd_fail(s->err, "%s: a tag goes with interval", s->whole) : 0;
}

static int as_int(struct scan *s)
{
    if (expression(s) != 0)
        return -1;
    s->sweep->is_int = true;
    if (!s->sweep->list &&
        (s->sweep->min != floor(s->sweep->min) || s->sweep->max != floor(s->sweep->max)))
        return kd_fail(s->err, "%s: int() needs whole numbers", s->whole);
    return 0;
}

static int as_float(struct scan *s)
{
    int rc = expression(s);
    s->sweep->is_int = false;
    return rc;
}

static const struct {
    const char *name;
    int (*read)(struct scan *);
} functions[] = {
    {"interval(", interval}, {"range(", range}, {"choice(", list},
    {"tag(", tag},           {"int(", as_int},  {"float(", as_float},
};

static int expression(struct scan *s)
{
    skip_blanks(s);
    if (++s->depth > MOST_DEPTH)
        return kd_fail(s->err, "%s: nested too deep", s->whole);
    for (size_t i = 0; i < KD_COUNT(functions); i++) {
        size_t length = strlen(functions[i].name);
        if (strncmp(s->at, functions[i].name, length) != 0)
            continue;
        s->at += length;
        return functions[i].read(s) != 0 ? -1 : expect(s, ')');
    }
    if (strchr(s->at, '('))
        return kd_fail(s->err,
                       "%s: unknown function at \"%s\"; known: interval, range, choice, tag, int, "
                       "float",
                       s->whole, s->at);
    return list(s);
}

int kd_sweep_parse(const char *text, struct kd_sweep *sweep, struct kd_error *err)
{
    const char *equals = strchr(text, '=');
    *sweep = (struct kd_sweep){0};
    if (equals == NULL || equals == text)
        return kd_fail(err,
                       "\"%s\" is no sweep: write name=expression, as in "
                       "lr=tag(log,interval(1e-5,1e-1)) or opt=choice(sgd,adamw)",
                       text);
    struct scan s = {.whole = text, .at = equals + 1, .sweep = sweep, .err = err};
    sweep->name = kd_strndup(text, (size_t)(equals - text));
    int rc = expression(&s);
    skip_blanks(&s);
    if (rc == 0 && *s.at)
        rc = kd_fail(err, "%s: \"%s\" is left over", text, s.at);
    if (rc != 0)
        kd_sweep_release(sweep);
    return rc;
}

void kd_sweep_release(struct kd_sweep *sweep)
{
    for (int i = 0; i < sweep->n_list; i++)
        free(sweep->list[i]);
    free(sweep->list);
    free(sweep->name);
    *sweep = (struct kd_sweep){0};
}
