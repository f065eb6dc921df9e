/* environment.h - a set of NAME=value texts. */
#ifndef KD_SPEC_ENVIRONMENT_H
#define KD_SPEC_ENVIRONMENT_H

#include <stdbool.h>

#include "coordinator/base/arr.h"

struct kd_environment {
    KD_ARR(char *) list; /* owned "NAME=value" */
};

/* The caller's, without what must not leak into a trial: LD_PRELOAD, what MPI and Slurm launchers
 * left, and the KATYDID_* of a trial around us. */
void kd_environment_inherit(struct kd_environment *env, const char *const *caller);
/* The caller's KATYDID_* too: settings of our own programs, which read nothing that belongs to a
 * trial around us. */
void kd_environment_inherit_own(struct kd_environment *env, const char *const *caller);
void kd_environment_set(struct kd_environment *env, const char *name, const char *value);
const char *kd_environment_get(const struct kd_environment *env, const char *name); /* or NULL */

/* Sorted and NULL-terminated; env is empty afterwards. */
char **kd_environment_take(struct kd_environment *env);
void kd_environment_release(struct kd_environment *env);

/* Kubernetes' $(NAME) in a command: the variable's value; unknown ones stay, $$(NAME) is a plain
 * $(NAME). The caller frees. */
char *kd_environment_expand(const struct kd_environment *env, const char *text);

#endif
