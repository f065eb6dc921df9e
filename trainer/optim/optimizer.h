/* optimizer.h - one optimizer = one vtable in one file, one line in optimizers.def; and the
 * schedules likewise (schedule.h, schedules.def).
 *
 * Everything that may change from step to step is in struct kd_hyper (kernels/hyper.h), so a new
 * trial of the same shape needs no new plan. */
#ifndef KD_TRAINER_OPTIMIZER_H
#define KD_TRAINER_OPTIMIZER_H

#include <jansson.h>
#include <stdint.h>

#include "coordinator/base/error.h"
#include "coordinator/base/json.h"
#include "kernels/hyper.h"
#include "trainer/models/field.h"

struct kd_update_arena;

struct kd_optimizer {
    const char *name, *summary;
    const struct kd_field *fields; /* ends with a NULL name */
    /* values in the order of fields, into what the op reads */
    void (*set)(const double *values, struct kd_hyper *hyper);
    int n_slots;           /* of optimizer state, 0 .. 2 */
    bool spoils_gradients; /* step overwrites them */
    /* parameters -= f(gradients, state) over this rank's part (models/plan_update.h) */
    void (*step)(const struct kd_update_arena *arena);
};

extern const struct kd_optimizer *const kd_optimizers[]; /* NULL-terminated */
const struct kd_optimizer *kd_optimizer_find(const char *name);

/* {"name": "adamw", "lr": 0.001, "weightDecay": 0.01} to the vtable and the hyperparameters. -1:
 * the text starts with a JSON pointer ("/optimizer/lr: ..."). */
int kd_optimizer_read(const json_t *block, const struct kd_optimizer **optimizer,
                      struct kd_hyper *hyper, struct kd_error *err);

/* schedule: {"name": "cosine", "warmup": fraction of all steps, ...} -> factor of the base rate. */
struct kd_schedule;
struct kd_schedule *kd_schedule_read(const json_t *block,
                                     struct kd_error *err); /* NULL block = constant */
/* Its name and every setting with its value, for a block that kd_schedule_read took; a new
 * reference. */
json_t *kd_schedule_whole(const json_t *block);
double kd_schedule_factor(const struct kd_schedule *schedule, int64_t step,
                          int64_t total_steps); /* step from 0 */
void kd_schedule_free(struct kd_schedule *schedule);

/* For --describe: {"optimizers": [{"name", "summary", "fields"}], "schedules": [the same]}. */
void kd_optim_describe(struct kd_json *json);

#endif
