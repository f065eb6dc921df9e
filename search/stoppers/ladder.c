#include "search/stoppers/ladder.h"

static void add(struct kd_ladder *ladder, int64_t step)
{
    if (ladder->n == 0 || ladder->steps[ladder->n - 1] < step)
        ladder->steps[ladder->n++] = step;
}

struct kd_ladder kd_ladder_up(int64_t min, int64_t max, int64_t eta)
{
    struct kd_ladder ladder = {0};
    for (int64_t step = min; step <= max / 2; step *= eta) {
        add(&ladder, step);
        if (step > max / eta)
            break;
    }
    add(&ladder, max);
    return ladder;
}

int kd_ladder_halvings(int64_t max, int64_t eta)
{
    int n = 0;
    for (int64_t rest = max; rest >= eta; rest /= eta)
        n++;
    return n;
}

struct kd_ladder kd_ladder_down(int64_t max, int64_t eta, int n_halvings)
{
    struct kd_ladder ladder = {0};
    int64_t divisor = 1;
    for (int i = 0; i < n_halvings; i++)
        divisor *= eta;
    for (; divisor > 1; divisor /= eta) {
        int64_t step = max / divisor + (max % divisor >= divisor - divisor / 2);
        add(&ladder, step > 0 ? step : 1);
    }
    add(&ladder, max);
    return ladder;
}
