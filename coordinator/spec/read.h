/* read.h - the parts that fill one experiment, in the order in which they run. Each finds all that
 * is wrong in its part and goes on; none needs another part to have succeeded. */
#ifndef KD_SPEC_READ_PARTS_H
#define KD_SPEC_READ_PARTS_H

#include "coordinator/spec/fields.h"

/* Readers of fields (fields.h); the target is the struct that the name says. */
void kd_read_objective(struct kd_reader *, const struct kd_yaml *, void *objective);
void kd_read_parameters(struct kd_reader *, const struct kd_yaml *, void *space);
void kd_read_template(struct kd_reader *, const struct kd_yaml *, void *experiment);
void kd_read_collector(struct kd_reader *, const struct kd_yaml *, void *collector); /* Katib's */
void kd_read_metrics(struct kd_reader *, const struct kd_yaml *, void *collector);   /* ours */
void kd_read_job(struct kd_reader *, const struct kd_yaml *, void *experiment);
void kd_read_resources(struct kd_reader *, const struct kd_yaml *, void *resources);
void kd_read_cpus(struct kd_reader *, const struct kd_yaml *, void *cpus);    /* double */
void kd_read_memory(struct kd_reader *, const struct kd_yaml *, void *bytes); /* int64_t */
void kd_read_limits(struct kd_reader *, const struct kd_yaml *, void *limits);

void kd_read_objectives(struct kd_reader *, const struct kd_yaml *, void *experiment);
void kd_read_constraints(struct kd_reader *, const struct kd_yaml *, void *experiment);
void kd_read_enqueue(struct kd_reader *, const struct kd_yaml *, void *experiment);
void kd_read_warm_start(struct kd_reader *, const struct kd_yaml *, void *warm_start);

/* The conditions of the space's parameters, which stand in the list in the same order; is_sound:
 * was the parameter itself understood? */
void kd_read_conditions(struct kd_reader *, const struct kd_yaml *list, struct kd_space *space,
                        const bool *is_sound);

/* Helpers of the readers of objectives: a direction and what follows from it; a metric to be
 * listened to. */
void kd_read_direction(struct kd_reader *, const struct kd_yaml *, bool *maximize,
                       enum kd_metric_pick *pick);
int kd_read_pick(struct kd_reader *, const struct kd_yaml *); /* enum kd_metric_pick, or -1 */
void kd_objective_also(struct kd_objective *objective, const char *metric);

/* One variable of the trial; at: where it stands. */
void kd_template_add_env(struct kd_reader *, const struct kd_yaml *at, const char *name,
                         const char *value);

/* spec.algorithm and spec.earlyStopping; either node may be NULL. */
void kd_read_algorithm(struct kd_reader *, const struct kd_yaml *);
void kd_read_stopper(struct kd_reader *, const struct kd_yaml *);

/* -1 and a finding: "<where>: there is no parameter "x"; did you mean ...". */
int kd_found_unknown_parameter(struct kd_reader *, struct kd_mark, const char *where,
                               const char *name, const struct kd_space *);

/* The whole document: tables, defaults, and what depends on several fields. */
void kd_read_document(struct kd_reader *);

/* Will what runs trials do what the stopper asks for? */
void kd_check_stopper_runs(struct kd_reader *);

/* Placeholders: unknown names, unused parameters, unused trialParameters. */
void kd_check_uses(struct kd_reader *);
/* Asks the built-in trainer whether its block is right, at both ends of every parameter. */
void kd_check_trainer(struct kd_reader *);

/* The name an experiment may have. NULL, or why this one may not. */
const char *kd_name_refused(const char *name);

#endif
