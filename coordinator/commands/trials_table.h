/* trials_table.h - trials as rows: number, state, objectives, parameters, whether the constraints
 * hold, what was made of GPUs, time, reason. */
#ifndef KD_COMMANDS_TRIALS_TABLE_H
#define KD_COMMANDS_TRIALS_TABLE_H

#include "coordinator/commands/table.h"
#include "coordinator/store/query.h"

enum { KD_TRIALS_OBJECTIVE = 2 }; /* the column of the first objective */

/* Makes the columns; those of the parameters are the ones that some of the trials have. */
void kd_trials_table(struct kd_table *table, const struct kd_experiment_info *experiment,
                     const struct kd_trial_info *trials, int n);

void kd_trials_table_row(struct kd_table *table, const struct kd_experiment_info *experiment,
                         const struct kd_trial_info *trial);

/* Four cells: mean load in percent, greatest memory in GiB, greatest temperature, joules; empty
 * where not known. */
void kd_gpu_cells(struct kd_table *table, const struct kd_gpu_total *used);

#endif
