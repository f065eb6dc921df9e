/* environment.c - building a trial's environment. */
#include "coordinator/spec/environment.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

static const char *const leftovers[] = {"OMPI_",  "PMIX_",    "PMI_",       "PRTE_",
                                        "SLURM_", "KATYDID_", "LD_PRELOAD="};

static bool leaks(const char *pair)
{
    for (size_t i = 0; i < KD_COUNT(leftovers); i++)
        if (strncmp(pair, leftovers[i], strlen(leftovers[i])) == 0)
            return true;
    return false;
}

void kd_environment_inherit(struct kd_environment *env, const char *const *caller)
{
    for (; caller && *caller; caller++)
        if (strchr(*caller, '=') && !leaks(*caller))
            kd_arr_push(&env->list, kd_strdup(*caller));
}

void kd_environment_inherit_own(struct kd_environment *env, const char *const *caller)
{
    for (; caller && *caller; caller++)
        if (strncmp(*caller, "KATYDID_", 8) == 0 && strchr(*caller, '='))
            kd_arr_push(&env->list, kd_strdup(*caller));
}

static int find(const struct kd_environment *env, const char *name, size_t length)
{
    for (size_t i = 0; i < env->list.n; i++)
        if (strncmp(env->list.items[i], name, length) == 0 && env->list.items[i][length] == '=')
            return (int)i;
    return -1;
}

void kd_environment_set(struct kd_environment *env, const char *name, const char *value)
{
    char *pair = kd_format("%s=%s", name, value);
    int at = find(env, name, strlen(name));
    if (at >= 0) {
        free(env->list.items[at]);
        env->list.items[at] = pair;
    } else {
        kd_arr_push(&env->list, pair);
    }
}

const char *kd_environment_get(const struct kd_environment *env, const char *name)
{
    int at = find(env, name, strlen(name));
    return at < 0 ? NULL : env->list.items[at] + strlen(name) + 1;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **kd_environment_take(struct kd_environment *env)
{
    if (env->list.n > 0)
        qsort(env->list.items, env->list.n, sizeof *env->list.items, by_text);
    kd_arr_push(&env->list, NULL);
    char **taken = env->list.items;
    *env = (struct kd_environment){0};
    return taken;
}

void kd_environment_release(struct kd_environment *env)
{
    for (size_t i = 0; i < env->list.n; i++)
        free(env->list.items[i]);
    kd_arr_release(&env->list);
}

char *kd_environment_expand(const struct kd_environment *env, const char *text)
{
    struct kd_str out = {0};
    while (*text) {
        const char *close = text[0] == '$' && text[1] == '(' ? strchr(text, ')') : NULL;
        int at = close ? find(env, text + 2, (size_t)(close - text - 2)) : -1;
        if (text[0] == '$' && text[1] == '$') {
            kd_str_addc(&out, '$'), text += 2;
        } else if (at >= 0) {
            kd_str_add(&out, strchr(env->list.items[at], '=') + 1);
            text = close + 1;
        } else {
            kd_str_addc(&out, *text++);
        }
    }
    return kd_str_take(&out);
}
