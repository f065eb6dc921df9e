/* loop_checkpoint.c - checkpoints that clones start from: pinned when a trial pauses, given to a
 * clone when it is decided on.
 *
 *     FOLDER/NUMBER/rung-STEP   what NUMBER had saved when it paused there last (PIN)
 *     FOLDER/NUMBER/parent      of a clone of the trainer, which reads it there (CLONE)
 *     checkpoint.dir            of a clone of a command: it finds its parent's checkpoint as if it
 *                               were its own (CLONE)
 *
 * Effects are done in their order, so a pin or a gift that is missing after a crash means that
 * nothing that came after it was done either: what it was to be made from is untouched, and it is
 * made now. */
#include "coordinator/loop_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/launch/dir_copy.h"
#include "coordinator/launch/run_dir.h"

/* The trainer writes other files and renames them; what a command does is not known. */
static enum kd_copy_how how_to_copy(const struct kd_loop *loop)
{
    return kd_loop_runs_trainer(loop) ? KD_COPY_LINK : KD_COPY_BYTES;
}

static char *pin_dir(const struct kd_loop *loop, int trial, int64_t step)
{
    char *dir = kd_loop_trial_dir(loop, trial);
    char *pin = kd_format("%s/rung-%lld", dir, (long long)step);
    free(dir);
    return pin;
}

char *kd_loop_parent_checkpoint(const struct kd_loop *loop, const struct kd_trial *trial)
{
    if (trial->parent < 0)
        return NULL;
    char *dir = kd_loop_trial_dir(loop, trial->number);
    char *path = kd_format("%s/parent", dir);
    free(dir);
    return path;
}

/* Where a clone is given its parent's checkpoint; owned. */
static char *gift_dir(const struct kd_loop *loop, const struct kd_trial *trial)
{
    return kd_loop_runs_trainer(loop) ? kd_loop_parent_checkpoint(loop, trial)
                                      : kd_loop_checkpoint_dir(loop, trial);
}

static void copy(struct kd_loop *loop, const char *from, const char *to, int trial)
{
    struct kd_error err;
    if (kd_dir_copy(from, to, how_to_copy(loop), &err) != 0)
        kd_loop_note(loop, "the checkpoint of trial %d could not be kept: %s", trial, err.text);
}

/* A pin of an earlier rung is nobody's source any more: those that are given it have it. */
static void remove_pins(const struct kd_loop *loop, int trial, int64_t except)
{
    char *folder = kd_loop_trial_dir(loop, trial);
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        long long step;
        if (sscanf(entry->d_name, "rung-%lld", &step) != 1 || step == except)
            continue;
        char *path = kd_format("%s/%s", folder, entry->d_name);
        kd_dir_remove(path);
        free(path);
    }
    if (dir != NULL)
        closedir(dir);
    free(folder);
}

void kd_loop_pin(struct kd_loop *loop, const struct kd_action *action)
{
    const struct kd_trial *trial = &loop->study->trials.items[action->trial];
    char *from = kd_loop_checkpoint_dir(loop, trial);
    char *to = pin_dir(loop, trial->number, action->step);
    copy(loop, from, to, trial->number);
    remove_pins(loop, trial->number, action->step);
    free(from);
    free(to);
}

static void give(struct kd_loop *loop, const struct kd_trial *clone)
{
    char *from = pin_dir(loop, clone->parent, clone->parent_step), *to = gift_dir(loop, clone);
    copy(loop, from, to, clone->parent);
    free(from);
    free(to);
}

/* What lies in the trial's folder is of a database that was deleted. */
void kd_loop_clone(struct kd_loop *loop, const struct kd_action *action)
{
    char *dir = kd_loop_trial_dir(loop, action->trial);
    kd_dir_remove(dir);
    give(loop, &loop->study->trials.items[action->trial]);
    free(dir);
}

static bool is_missing(char *path)
{
    bool missing = access(path, F_OK) != 0;
    free(path);
    return missing;
}

void kd_loop_mend_checkpoints(struct kd_loop *loop)
{
    const struct kd_study *study = loop->study;
    for (size_t i = 0; study->clones && i < study->trials.n; i++) {
        int64_t step = study->rung_step.items[i];
        bool is_over = kd_trial_is_terminal(study->trials.items[i].state);
        if (!is_over && step > 0 && is_missing(pin_dir(loop, (int)i, step)))
            kd_loop_pin(loop, &(struct kd_action){.trial = (int)i, .step = step});
    }
    for (size_t i = 0; study->clones && i < study->trials.n; i++) {
        const struct kd_trial *trial = &study->trials.items[i];
        bool is_clone = trial->parent >= 0 && !kd_trial_is_terminal(trial->state);
        if (is_clone && is_missing(gift_dir(loop, trial)))
            give(loop, trial);
    }
}

void kd_loop_unpin_all(struct kd_loop *loop)
{
    const struct kd_study *study = loop->study;
    for (size_t i = 0; study->clones && i < study->trials.n; i++) {
        char *parent = kd_loop_parent_checkpoint(loop, &study->trials.items[i]);
        remove_pins(loop, (int)i, -1);
        if (parent != NULL)
            kd_dir_remove(parent);
        free(parent);
    }
}
