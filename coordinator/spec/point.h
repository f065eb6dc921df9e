/* point.h - a point that a user gives, whole or in part. */
#ifndef KD_SPEC_POINT_H
#define KD_SPEC_POINT_H

#include "search/space.h"

/* A value per parameter, NaN where none was given; each is one that its parameter allows. Can they
 * stand together? A conditional parameter needs its parent beside it, with a value that activates
 * it. -1, the parameter that cannot stand in *at, and why. */
int kd_point_check(const struct kd_space *space, const double *values, int *at,
                   struct kd_error *err);

#endif
