#include "trainer/comm/rollcall.h"

#include <sched.h>

/* The worse the larger. */
enum { HAS_COME, STILL_WAITS, HAS_FAILED };

void kd_rollcall_begin(struct kd_rollcall *rollcall, struct kd_comm *comm)
{
    *rollcall = (struct kd_rollcall){.comm = comm};
}

static bool is_possible(const struct kd_rollcall *rollcall)
{
    return rollcall->comm->launcher && rollcall->comm->launcher->start_largest;
}

static void begin_round(struct kd_rollcall *rollcall, int own)
{
    rollcall->worst = own;
    rollcall->is_under_way = true;
    rollcall->comm->launcher->start_largest(rollcall->comm, &rollcall->worst);
}

/* Is it over? */
static bool look_at_round(struct kd_rollcall *rollcall)
{
    if (!rollcall->comm->launcher->has_largest(rollcall->comm))
        return false;
    rollcall->is_under_way = false;
    return true;
}

bool kd_rollcall_is_in_vain(void *ud)
{
    struct kd_rollcall *rollcall = ud;
    if (!is_possible(rollcall) || rollcall->is_in_vain)
        return rollcall->is_in_vain;
    if (!rollcall->is_under_way)
        begin_round(rollcall, STILL_WAITS);
    if (look_at_round(rollcall))
        rollcall->is_in_vain = rollcall->worst == HAS_FAILED;
    return rollcall->is_in_vain;
}

static int end_round(struct kd_rollcall *rollcall)
{
    while (!look_at_round(rollcall))
        sched_yield();
    return rollcall->worst;
}

bool kd_rollcall_end(struct kd_rollcall *rollcall, bool has_failed)
{
    if (!is_possible(rollcall))
        return has_failed;
    int worst = rollcall->is_in_vain     ? HAS_FAILED
                : rollcall->is_under_way ? end_round(rollcall)
                                         : STILL_WAITS;
    while (worst == STILL_WAITS) {
        begin_round(rollcall, has_failed ? HAS_FAILED : HAS_COME);
        worst = end_round(rollcall);
    }
    return worst == HAS_FAILED;
}
