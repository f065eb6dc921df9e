/* setting.h - the settings of a strategy or stopper: declared as a table, read from Katib's (name,
 * value) texts.
 *
 *     static const struct kd_setting settings[] = {
 *         {"n_startup_trials", KD_SETTING_INT, "10", 0, 1e6, NULL, "random trials before the model is used"},
 *         {0},
 *     };
 *
 * After kd_settings_set for each pair the user gave, a value is looked up by name:
 * kd_settings_number(&s, "..."). */
#ifndef KD_SEARCH_SETTING_H
#define KD_SEARCH_SETTING_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"

enum kd_setting_kind {
    KD_SETTING_NUMBER,
    KD_SETTING_INT,
    KD_SETTING_BOOL,
    KD_SETTING_CHOICE,
    KD_SETTING_TEXT
};

struct kd_setting {
    const char *name;
    enum kd_setting_kind kind;
    const char *fallback;       /* default, as text; NULL: none ("" for text, NaN for a number) */
    double min, max;            /* numbers and ints, inclusive */
    const char *const *choices; /* KD_SETTING_CHOICE: NULL-terminated */
    const char *help;           /* one line */
};

struct kd_settings {
    const struct kd_setting
        *declared; /* ends with a NULL name; borrowed; may be NULL: no settings */
    char **texts;  /* owned; one per declared setting, NULL = default */
};

void kd_settings_init(struct kd_settings *settings, const struct kd_setting *declared);
void kd_settings_release(struct kd_settings *settings);

/* Case does not matter in a name: Katib writes n_EI_candidates for one TPE and n_ei_candidates for
 * the other. -1 with a text that lists what is accepted: unknown name (with a did-you-mean), wrong
 * kind, out of bounds. */
int kd_settings_set(struct kd_settings *settings, const char *name, const char *value,
                    struct kd_error *err);

double kd_settings_number(const struct kd_settings *settings,
                          const char *name); /* also ints and bools (0, 1) */
bool kd_settings_given(const struct kd_settings *settings, const char *name); /* by the user */
const char *kd_settings_text(const struct kd_settings *settings, const char *name);

/* Is a setting of this name declared? Case does not matter. */
bool kd_settings_has(const struct kd_settings *settings, const char *name);

/* `random_state` when it is declared and given, else the seed. */
uint64_t kd_settings_seed(const struct kd_settings *settings, uint64_t seed);

#endif
