/* study_turn.c - saying what to do about an event. */
#include "coordinator/study_internal.h"

void kd_turn_act(struct kd_turn *turn, struct kd_action action)
{
    kd_arr_push(turn->actions, action);
}

/* Saving reads the study when the event is applied, so a row needs to be saved only once. */
static void save_once(struct kd_turn *turn, struct kd_action action)
{
    for (size_t i = 0; i < turn->actions->n; i++) {
        const struct kd_action *other = &turn->actions->items[i];
        if (other->kind == action.kind && other->gang == action.gang &&
            other->fence == action.fence && other->trial == action.trial)
            return;
    }
    kd_turn_act(turn, action);
}

void kd_turn_save_experiment(struct kd_turn *turn)
{
    save_once(turn, (struct kd_action){.kind = KD_DO_SAVE_EXPERIMENT, .trial = -1});
}

void kd_turn_save_trial(struct kd_turn *turn, const struct kd_trial *trial)
{
    save_once(turn, (struct kd_action){.kind = KD_DO_SAVE_TRIAL, .trial = trial->number});
}

void kd_turn_save_attempt(struct kd_turn *turn, const struct kd_study_attempt *attempt)
{
    save_once(turn, (struct kd_action){.kind = KD_DO_SAVE_ATTEMPT,
                                       .fence = attempt->row.fence,
                                       .trial = attempt->row.trial});
}

void kd_turn_save_gang(struct kd_turn *turn, const struct kd_study_gang *gang)
{
    save_once(turn, (struct kd_action){.kind = KD_DO_SAVE_GANG, .gang = gang->row.id, .trial = -1});
}
