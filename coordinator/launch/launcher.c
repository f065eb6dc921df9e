#include "coordinator/launch/launcher.h"

#include <stdarg.h>
#include <stdio.h>

#define KD_LAUNCHER(name) extern const struct kd_launcher kd_launcher_##name;
#include "coordinator/launch/launchers.def"
#undef KD_LAUNCHER

const struct kd_launcher *const kd_launchers[] = {
#define KD_LAUNCHER(name) &kd_launcher_##name,
#include "coordinator/launch/launchers.def"
#undef KD_LAUNCHER
    NULL,
};

const struct kd_launcher *kd_launcher_for(const struct kd_launch *launch)
{
    for (int i = 0; kd_launchers[i]; i++)
        if (kd_launchers[i]->serves(launch))
            return kd_launchers[i];
    kd_bug("no launcher serves %d ranks", launch->n_ranks);
}

void kd_words_add(kd_words *words, const char *text)
{
    kd_arr_push(words, kd_strdup(text));
}

void kd_words_addf(kd_words *words, const char *format, ...)
{
    char text[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    kd_words_add(words, text);
}

void kd_words_release(kd_words *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->items[i]);
    kd_arr_release(words);
}
