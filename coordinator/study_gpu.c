/* study_gpu.c - a GPU that fails, or whose memory others hold: no gang gets it any more, and the
 * trial that held it is run again elsewhere. */
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/study_internal.h"

static struct kd_study_gang *holder_of(struct kd_study *study, int gpu)
{
    int64_t id = study->pool.gpu_gang[gpu];
    return id != 0 ? kd_study_find_gang(study, id) : NULL;
}

/* What was decided of a trial stays decided; an attempt that was only to save and give way cannot
 * do that any more. */
static bool is_decided(const struct kd_study_attempt *attempt)
{
    return attempt->cause == KD_CAUSE_EARLY || attempt->cause == KD_CAUSE_TIME ||
           attempt->cause == KD_CAUSE_KILLED;
}

static void end_attempt_there(struct kd_turn *turn, struct kd_study_attempt *attempt)
{
    if (attempt == NULL || !kd_study_is_live(turn->study, attempt->row.fence) ||
        is_decided(attempt))
        return;
    attempt->cause = KD_CAUSE_GPU;
    attempt->row.state = KD_ATTEMPT_STOPPING;
    kd_turn_save_attempt(turn, attempt);
}

/* A warm gang goes too, busy or idle: its process holds the GPU. */
static void end_gang_there(struct kd_turn *turn, struct kd_study_gang *gang, const char *text)
{
    if (gang->fault == NULL)
        gang->fault = kd_strdup(text);
    end_attempt_there(turn, kd_study_find_attempt(turn->study, gang->fence));
    if (gang->row.state == KD_GANG_STOPPING)
        return;
    gang->row.state = KD_GANG_STOPPING;
    kd_turn_save_gang(turn, gang);
    kd_turn_act(turn, (struct kd_action){.kind = KD_DO_KILL, .gang = gang->row.id, .trial = -1});
}

/* With what is left fewer trials fit, or none: then nobody should wait. */
static void count_what_is_left(struct kd_turn *turn, const char *text, const char *remedy)
{
    struct kd_study *study = turn->study;
    int capacity = kd_pool_capacity(&study->pool, &study->need);
    if (capacity < study->parallel && !study->need.oversubscribe)
        study->parallel = capacity;
    if (capacity > 0 || study->need.gpus == 0)
        return;
    char *why = kd_format(
        "a trial needs %d GPUs, and %d of this machine's %d are of use. %s. %s, then run "
        "the same command again: it goes on",
        study->need.gpus, kd_pool_usable_gpus(&study->pool), study->pool.n_gpus, text, remedy);
    kd_turn_end_study(turn, KD_STUDY_BROKEN, why);
    free(why);
}

void kd_turn_fail_gpu(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study *study = turn->study;
    const char *text = event->text ? event->text : "a GPU failed";
    if (study->suspended || event->gpu < 0 || event->gpu >= study->pool.n_gpus ||
        study->pool.is_drained[event->gpu])
        return;
    struct kd_study_gang *gang = holder_of(study, event->gpu);
    if (!event->is_of_use)
        kd_pool_drain(&study->pool, event->gpu);
    if (gang != NULL)
        end_gang_there(turn, gang, text);
    if (!event->is_of_use)
        count_what_is_left(turn, text, "Reset it (nvidia-smi --gpu-reset) or restart the machine");
}

void kd_turn_end_by_gpu(struct kd_turn *turn, struct kd_study_attempt *attempt)
{
    const struct kd_study_gang *gang = kd_study_find_gang(turn->study, attempt->row.gang);
    kd_turn_end_by_infrastructure(turn, attempt, gang->fault, true);
}

/* The trial does not say of which GPU; and all of them are held by a gang that has to go. There are
 * only so many: so nobody counts how often it comes to that. */
void kd_turn_end_by_taken_gpu(struct kd_turn *turn, struct kd_study_attempt *attempt,
                              const char *text)
{
    struct kd_study_gang *gang = kd_study_find_gang(turn->study, attempt->row.gang);
    const struct kd_slots *slots = gang->slots;
    kd_turn_end_by_infrastructure(turn, attempt, text, slots->n_gpus == 0);
    gang->fence = 0; /* what ends the gang, or the study, finds no attempt there */
    if (slots->n_gpus == 0)
        return;
    for (int i = 0; i < slots->n_gpus; i++)
        kd_pool_drain(&turn->study->pool, slots->gpus[i]);
    end_gang_there(turn, gang, text);
    count_what_is_left(turn, text, "End what holds its memory");
}
