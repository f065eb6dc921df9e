/* space.h - what can be tuned: ordered parameters, and points in them.
 *
 * A point is one double per parameter, in the order of the space:
 *     double       the value
 *     int          the value, integral
 *     discrete     the value itself (one of `values`)
 *     categorical  the index of the choice, 0 .. n_choices-1
 *     inactive     NaN (a parameter whose condition does not hold)
 *
 * With a step the allowed values are min + k * step, k = 0, 1, ... not above max (Katib's ints:
 * step 1). These are taken as decimals: 0.1 + 2 * 0.1 is 0.3. A distribution is of doubles and
 * ints; every value of a list is as likely as the others. All distributions are bounded to [min,
 * max]; `normal` has mean (min+max)/2 and deviation (max-min)/6, truncated; log forms are the same
 * in ln x and need min > 0.
 *
 * A parameter may have a condition: it is active only while its parent, another parameter, is
 * active and takes one of some values. The parent takes finitely many values; conditions make no
 * circle. */
#ifndef KD_SEARCH_SPACE_H
#define KD_SEARCH_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"

enum kd_param_type { KD_PARAM_DOUBLE, KD_PARAM_INT, KD_PARAM_DISCRETE, KD_PARAM_CATEGORICAL };
enum kd_distribution { KD_UNIFORM, KD_LOG_UNIFORM, KD_NORMAL, KD_LOG_NORMAL };

struct kd_condition {
    int parent; /* index in the space */
    int n_values;
    double *values; /* owned; of the parent, distinct, each one that it allows */
};

struct kd_param {
    char *name; /* owned */
    enum kd_param_type type;
    enum kd_distribution distribution;
    double min, max; /* inclusive; discrete: of the sorted values; categorical: 0 and n_choices-1 */
    double step;     /* 0 = continuous (double only) */
    int n_choices;   /* discrete and categorical */
    double *values;  /* owned; discrete: sorted ascending, distinct */
    char *
        *choices; /* owned; categorical: as the user wrote them; discrete: the text of each value */
    struct kd_condition *condition; /* owned; NULL = always active */
};

struct kd_space {
    int n_params;
    struct kd_param *params; /* owned */
};

void kd_space_release(struct kd_space *space);
void kd_space_copy(struct kd_space *to, const struct kd_space *from); /* deep */
int kd_space_find(const struct kd_space *space, const char *name);    /* index or -1 */

/* How many different points there are, inactive parameters aside; INFINITY when a parameter is
 * continuous. */
double kd_space_size(const struct kd_space *space);

/* Checks the conditions, once all parameters are there: a parent that exists and takes finitely
 * many values, values that it allows, no circle. The text names the field: "lr:
 * condition.parameter: ...". */
int kd_space_check(const struct kd_space *space, struct kd_error *err);

/* Is parameter i active at this point? The values may still have inactive parameters filled. */
bool kd_space_is_active(const struct kd_space *space, const double *values, int i);

/* Makes the inactive parameters of a point NaN. */
void kd_space_mask(const struct kd_space *space, double *values);

/* Is each active parameter allowed its value, and each inactive one NaN? */
bool kd_space_allows(const struct kd_space *space, const double *values);

/* Has any parameter a condition? */
bool kd_space_is_conditional(const struct kd_space *space);

/* Is the value one that the parameter can take (bounds, grid, choice)? */
bool kd_param_allows(const struct kd_param *param, double value);

/* The nearest allowed value. */
double kd_param_clip(const struct kd_param *param, double value);

/* How many values the parameter can take, INFINITY when continuous; the k-th of them, k = 0 ..
 * count-1; and the position of one that is allowed. */
double kd_param_count(const struct kd_param *param);
double kd_param_nth(const struct kd_param *param, int64_t k);
int64_t kd_param_position(const struct kd_param *param, double value);

/* The value as a user writes it: shortest number text, an int without a point, a choice as it
 * stands in the spec. buffer is used for numbers; the result is borrowed from it or from the
 * space. */
const char *kd_param_text(const struct kd_param *param, double value, char buffer[32]);

/* Reads such a text back (what a user gives for `enqueue` or `try`). -1 and a text naming what is
 * accepted. */
int kd_param_parse(const struct kd_param *param, const char *text, double *value,
                   struct kd_error *err);

/* Checks one parameter after it was filled: min < max, step > 0 and at least one value, log needs
 * min > 0, lists not empty and without repeats. Sorts discrete values. The text names the field:
 * "feasibleSpace.min: ...". */
int kd_param_check(struct kd_param *param, struct kd_error *err);

/* Inactive parameters (NaN) equal each other, and 0 equals -0. The hash agrees with that. */
bool kd_points_equal(const struct kd_space *space, const double *a, const double *b);
uint64_t kd_point_hash(const struct kd_space *space, const double *values);

/* The point at a position among all points, 0 <= at < kd_space_size; the last parameter turns
 * fastest, those under a condition with their parent. Needs a finite space of at most
 * KD_SPACE_COUNTABLE points. */
#define KD_SPACE_COUNTABLE 0x1p53
void kd_space_nth(const struct kd_space *space, uint64_t at, double *values);

#endif
