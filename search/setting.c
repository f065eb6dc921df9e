#include "search/setting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

static int count_declared(const struct kd_settings *settings)
{
    int n = 0;
    while (settings->declared && settings->declared[n].name)
        n++;
    return n;
}

void kd_settings_init(struct kd_settings *settings, const struct kd_setting *declared)
{
    *settings = (struct kd_settings){.declared = declared};
    settings->texts = KD_NEW_ARRAY(char *, (size_t)count_declared(settings) + 1);
}

void kd_settings_release(struct kd_settings *settings)
{
    for (int i = count_declared(settings) - 1; settings->texts && i >= 0; i--)
        free(settings->texts[i]);
    free(settings->texts);
    *settings = (struct kd_settings){0};
}

static int find_setting(const struct kd_settings *settings, const char *name)
{
    for (int i = count_declared(settings) - 1; i >= 0; i--) {
        if (strcasecmp(settings->declared[i].name, name) == 0)
            return i;
    }
    return -1;
}

static int unknown_setting(const struct kd_settings *settings, const char *name,
                           struct kd_error *err)
{
    int n = count_declared(settings);
    if (n == 0)
        return kd_fail(err, "unknown setting \"%s\": there are no settings here", name);
    struct kd_str accepted = {0};
    const char **names = KD_NEW_ARRAY(const char *, (size_t)n + 1);
    for (int i = 0; i < n; i++) {
        names[i] = settings->declared[i].name;
        kd_str_addf(&accepted, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    const char *near = kd_nearest_name(name, names);
    kd_fail(err, "unknown setting \"%s\"%s%s%s; accepted are: %s", name,
            near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "",
            kd_str_text(&accepted));
    free(names);
    kd_str_release(&accepted);
    return -1;
}

static int check_bounds(const struct kd_setting *setting, const char *text, double value,
                        struct kd_error *err)
{
    char low[32], high[32];
    if (value >= setting->min && value <= setting->max)
        return 0;
    return kd_fail(err, "%s: %s is outside %s to %s (%s)", setting->name, text,
                   kd_number_text(setting->min, low), kd_number_text(setting->max, high),
                   setting->help);
}

static int check_number(const struct kd_setting *setting, const char *text, struct kd_error *err)
{
    double value;
    if (kd_number_parse(text, &value) < 0 || isnan(value))
        return kd_fail(err, "%s: \"%s\" is not a number (%s)", setting->name, text, setting->help);
    return check_bounds(setting, text, value, err);
}

static int check_int(const struct kd_setting *setting, const char *text, struct kd_error *err)
{
    long long value;
    if (kd_integer_parse(text, &value) < 0)
        return kd_fail(err, "%s: \"%s\" is not a whole number (%s)", setting->name, text,
                       setting->help);
    return check_bounds(setting, text, (double)value, err);
}

static const struct {
    const char *text;
    bool value;
} bool_texts[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false},
                  {"on", true},   {"off", false},   {"1", true},   {"0", false}};

static int parse_bool(const char *text)
{
    for (size_t i = 0; i < KD_COUNT(bool_texts); i++) {
        if (strcasecmp(bool_texts[i].text, text) == 0)
            return bool_texts[i].value;
    }
    return -1;
}

static int check_bool(const struct kd_setting *setting, const char *text, struct kd_error *err)
{
    if (parse_bool(text) >= 0)
        return 0;
    return kd_fail(err, "%s: \"%s\" is neither true nor false (%s)", setting->name, text,
                   setting->help);
}

static int check_choice(const struct kd_setting *setting, const char *text, struct kd_error *err)
{
    struct kd_str accepted = {0};
    for (int i = 0; setting->choices[i]; i++) {
        if (strcmp(setting->choices[i], text) == 0) {
            kd_str_release(&accepted);
            return 0;
        }
        kd_str_addf(&accepted, "%s%s", i > 0 ? ", " : "", setting->choices[i]);
    }
    kd_fail(err, "%s: \"%s\" is not one of %s", setting->name, text, kd_str_text(&accepted));
    kd_str_release(&accepted);
    return -1;
}

static int check_text(const struct kd_setting *setting, const char *text, struct kd_error *err)
{
    (void)setting, (void)text, (void)err;
    return 0;
}

static int (*const checks[])(const struct kd_setting *, const char *, struct kd_error *) = {
    [KD_SETTING_NUMBER] = check_number, [KD_SETTING_INT] = check_int,
    [KD_SETTING_BOOL] = check_bool,     [KD_SETTING_CHOICE] = check_choice,
    [KD_SETTING_TEXT] = check_text,
};

int kd_settings_set(struct kd_settings *settings, const char *name, const char *value,
                    struct kd_error *err)
{
    int at = find_setting(settings, name);
    if (at < 0)
        return unknown_setting(settings, name, err);
    const struct kd_setting *setting = &settings->declared[at];
    if (checks[setting->kind](setting, value, err) < 0)
        return -1;
    free(settings->texts[at]);
    settings->texts[at] = kd_strdup(value);
    return 0;
}

static int get_setting(const struct kd_settings *settings, const char *name)
{
    int at = find_setting(settings, name);
    if (at < 0)
        kd_bug("no setting \"%s\" is declared here", name);
    return at;
}

const char *kd_settings_text(const struct kd_settings *settings, const char *name)
{
    int at = get_setting(settings, name);
    const char *text = settings->texts[at] ? settings->texts[at] : settings->declared[at].fallback;
    return text ? text : "";
}

double kd_settings_number(const struct kd_settings *settings, const char *name)
{
    const char *text = kd_settings_text(settings, name);
    if (settings->declared[get_setting(settings, name)].kind == KD_SETTING_BOOL)
        return parse_bool(text) == 1;
    double value;
    return kd_number_parse(text, &value) == 0 ? value : NAN;
}

bool kd_settings_given(const struct kd_settings *settings, const char *name)
{
    int at = settings ? find_setting(settings, name) : -1;
    return at >= 0 && settings->texts[at];
}

bool kd_settings_has(const struct kd_settings *settings, const char *name)
{
    return find_setting(settings, name) >= 0;
}

uint64_t kd_settings_seed(const struct kd_settings *settings, uint64_t seed)
{
    long long given;
    if (!kd_settings_given(settings, "random_state"))
        return seed;
    const char *text = kd_settings_text(settings, "random_state");
    return kd_integer_parse(text, &given) == 0 ? (uint64_t)given : seed;
}
