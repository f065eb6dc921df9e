#include "coordinator/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool terminal;
} trial_states[] = {
#define X(id, name, terminal) {name, terminal},
    KD_TRIAL_STATES(X)
#undef X
};

static const char *const attempt_states[] = {
#define X(id, name) name,
    KD_ATTEMPT_STATES(X)
#undef X
};

static const char *const gang_states[] = {
#define X(id, name) name,
    KD_GANG_STATES(X)
#undef X
};

static const char *const moves[] = {
#define X(id, text) text,
    KD_TRIAL_MOVES(X)
#undef X
};

/* Every allowed move. What is not here cannot happen. */
static const struct {
    enum kd_trial_state from;
    enum kd_trial_move move;
    enum kd_trial_state to;
} table[] = {
    {KD_TRIAL_PENDING, KD_MOVE_ASSIGNED, KD_TRIAL_RUNNING},
    {KD_TRIAL_PENDING, KD_MOVE_KILLED, KD_TRIAL_KILLED},
    {KD_TRIAL_PENDING, KD_MOVE_BROKE, KD_TRIAL_FAILED},
    {KD_TRIAL_RUNNING, KD_MOVE_FINISHED, KD_TRIAL_SUCCEEDED},
    {KD_TRIAL_RUNNING, KD_MOVE_STOPPED, KD_TRIAL_EARLY_STOPPED},
    {KD_TRIAL_RUNNING, KD_MOVE_BROKE, KD_TRIAL_FAILED},
    {KD_TRIAL_RUNNING, KD_MOVE_NO_METRIC, KD_TRIAL_METRICS_UNAVAILABLE},
    {KD_TRIAL_RUNNING, KD_MOVE_RETRIED, KD_TRIAL_PENDING},
    {KD_TRIAL_RUNNING, KD_MOVE_YIELDED, KD_TRIAL_PENDING},
    {KD_TRIAL_RUNNING, KD_MOVE_PAUSED, KD_TRIAL_PAUSED},
    {KD_TRIAL_RUNNING, KD_MOVE_KILLED, KD_TRIAL_KILLED},
    {KD_TRIAL_PAUSED, KD_MOVE_RESUMED, KD_TRIAL_PENDING},
    {KD_TRIAL_PAUSED, KD_MOVE_STOPPED, KD_TRIAL_EARLY_STOPPED},
};

const char *kd_trial_state_name(enum kd_trial_state state)
{
    return trial_states[state].name;
}

int kd_trial_state_find(const char *name)
{
    for (int i = 0; i < KD_N_TRIAL_STATES; i++)
        if (strcmp(trial_states[i].name, name) == 0)
            return i;
    return -1;
}

bool kd_trial_is_terminal(enum kd_trial_state state)
{
    return trial_states[state].terminal;
}

const char *kd_trial_move_text(enum kd_trial_move move)
{
    return moves[move];
}

bool kd_trial_next_state(enum kd_trial_state from, enum kd_trial_move move, enum kd_trial_state *to)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].from == from && table[i].move == move) {
            *to = table[i].to;
            return true;
        }
    return false;
}

const char *kd_attempt_state_name(enum kd_attempt_state state)
{
    return attempt_states[state];
}

const char *kd_gang_state_name(enum kd_gang_state state)
{
    return gang_states[state];
}

bool kd_trial_is_finite(const struct kd_trial *trial)
{
    bool finite = trial->has_objective && isfinite(trial->objective);
    for (int i = 0; finite && i < trial->n_more_objectives; i++)
        finite = isfinite(trial->more_objectives[i]);
    return finite;
}

bool kd_trial_is_feasible(const struct kd_trial *trial)
{
    for (int i = 0; i < trial->n_constraints; i++)
        if (!(trial->excess[i] <= 0)) /* NaN: not known */
            return false;
    return true;
}

void kd_trial_release(struct kd_trial *trial)
{
    free(trial->more_objectives);
    free(trial->excess);
    free(trial->values);
    free(trial->reason);
    free(trial->ask_basis);
    free(trial->log);
}

void kd_attempt_release(struct kd_attempt *attempt)
{
    free(attempt->outcome);
}

void kd_gang_release(struct kd_gang *gang)
{
    free(gang->token_hash);
    free(gang->shape);
    free(gang->slots);
    free(gang->run_dir);
    free(gang->boot_id);
}
