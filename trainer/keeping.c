#include "trainer/keeping.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"

/* Is a better than b, which is older? */
static bool is_better(const struct kd_keeping *keeping, double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(b);
    return kd_metrics[keeping->metric].better == KD_BETTER_MORE ? a >= b : a <= b;
}

/* How many are better than kept[at]? */
static int64_t place_of(const struct kd_keeping *keeping, const struct kd_kept *kept, size_t n,
                        size_t at)
{
    int64_t n_better = 0;
    for (size_t i = 0; i < n; i++)
        n_better += i < at ? !is_better(keeping, kept[at].score, kept[i].score)
                           : i > at && is_better(keeping, kept[i].score, kept[at].score);
    return n_better;
}

size_t kd_keeping_apply(const struct kd_keeping *keeping, struct kd_kept *kept, size_t n)
{
    bool *stays = KD_NEW_ARRAY(bool, n + 1);
    size_t n_left = 0;
    for (size_t i = 0; i < n; i++)
        stays[i] = (int64_t)(n - i) <= keeping->last ||
                   (!isnan(kept[i].score) && place_of(keeping, kept, n, i) < keeping->best);
    for (size_t i = 0; i < n; i++)
        if (stays[i])
            kept[n_left++] = kept[i];
    free(stays);
    return n_left;
}
