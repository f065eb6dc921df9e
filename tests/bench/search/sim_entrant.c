/* sim_entrant.c - what is simulated, read from its text. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/pair.h"
#include "tests/bench/search/sim.h"

static const struct kd_stopper *find_stopper(const char *name)
{
    return strcmp(name, sim_asha_published.name) == 0 ? &sim_asha_published : kd_stopper_find(name);
}

static int find_parts(struct sim_entrant *entrant, char *name, struct kd_error *err)
{
    const struct kd_pair *pair = kd_pair_find(name);
    if (pair) {
        entrant->strategy = pair->strategy;
        entrant->stopper = pair->stopper;
        return 0;
    }
    char *stopper = strchr(name, '/');
    if (!stopper)
        return kd_fail(
            err, "\"%s\" is no strategy with a stopper, as asha or bohb; write STRATEGY/STOPPER",
            name);
    *stopper++ = '\0';
    entrant->strategy = kd_strategy_find(name);
    if (!entrant->strategy)
        return kd_fail(err, "no strategy is named \"%s\"", name);
    if (strcmp(stopper, "none") != 0 && !(entrant->stopper = find_stopper(stopper)))
        return kd_fail(err, "no stopper is named \"%s\"", stopper);
    return 0;
}

static int set_pair(struct sim_entrant *entrant, char *pair, struct kd_error *err)
{
    char *value = strchr(pair, '=');
    if (!value)
        return kd_fail(err, "\"%s\" is not key=value", pair);
    *value++ = '\0';
    bool is_stoppers = kd_settings_has(&entrant->stopper_settings, pair);
    return kd_settings_set(is_stoppers ? &entrant->stopper_settings : &entrant->strategy_settings,
                           pair, value, err);
}

int sim_entrant_init(struct sim_entrant *entrant, const char *text, struct kd_error *err)
{
    char *copy = kd_strdup(text), *rest = copy, *name = strsep(&rest, ":"), *pair;
    *entrant = (struct sim_entrant){.label = kd_strdup(text)};
    int status = find_parts(entrant, name, err);
    if (status == 0) {
        kd_settings_init(&entrant->strategy_settings, entrant->strategy->settings);
        kd_settings_init(&entrant->stopper_settings,
                         entrant->stopper ? entrant->stopper->settings : NULL);
    }
    while (status == 0 && (pair = strsep(&rest, "+")))
        status = set_pair(entrant, pair, err);
    if (status < 0) {
        kd_error_prefix(err, "%s", text);
        sim_entrant_release(entrant);
    }
    free(copy);
    return status;
}

void sim_entrant_release(struct sim_entrant *entrant)
{
    kd_settings_release(&entrant->strategy_settings);
    kd_settings_release(&entrant->stopper_settings);
    free(entrant->label);
    *entrant = (struct sim_entrant){0};
}
