/* problems.h - everything that is wrong with a `trainer:` block, each with the JSON pointer of its
 * place.
 *
 * Reading a configuration never stops at the first mistake; a person mends a file in one go. */
#ifndef KD_TRAINER_PROBLEMS_H
#define KD_TRAINER_PROBLEMS_H

#include "coordinator/base/arr.h"
#include "coordinator/base/error.h"

struct kd_problem {
    char *pointer; /* "/model/2/linear/units"; "" is the block itself */
    char *message;
};

struct kd_problems {
    KD_ARR(struct kd_problem) list; /* owned, with its texts */
};

void kd_problems_release(struct kd_problems *problems);

void kd_problems_add(struct kd_problems *problems, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Takes an error whose text is "<pointer>: <message>" with a pointer at or below `pointer`; any
 * other text is put at `pointer` whole. Not for texts that begin with a file's path. */
void kd_problems_add_error(struct kd_problems *problems, const char *pointer,
                           const struct kd_error *error);

/* All of them in one text, "pointer: message" a line; -1 when there is one, else 0. */
int kd_problems_fail(const struct kd_problems *problems, struct kd_error *err);

#endif
