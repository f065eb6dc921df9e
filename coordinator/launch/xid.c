#include "coordinator/launch/xid.h"

#include <stddef.h>

#include "coordinator/base/mem.h"

/* Numbers first to last. */
static const struct known {
    int first, last;
    enum kd_xid_effect effect;
    const char *meaning;
} known[] = {
    {KD_XID_LOST, KD_XID_LOST, KD_XID_FAILS, "the driver says that it is lost"},
#define X(xid, effect, meaning) {xid, xid, KD_XID_##effect, meaning},
#include "coordinator/launch/xid.def"
#undef X
#define X(first, last, meaning) {first, last, KD_XID_FAILS, meaning},
#include "coordinator/launch/sxid.def"
#undef X
};

static const struct known *find(int xid)
{
    static const struct known unknown = {
        -1, -1, KD_XID_FAILS,
        "an error that NVIDIA's Xid catalog may explain, and katydid does not know"};
    static const struct known of_switch = {-1, -1, KD_XID_NOTED, "an error of an NVSwitch"};
    for (size_t i = 0; i < KD_COUNT(known); i++)
        if (known[i].first <= xid && xid <= known[i].last)
            return &known[i];
    return xid >= KD_SXID_LEAST ? &of_switch : &unknown;
}

enum kd_xid_effect kd_xid_effect(int xid)
{
    return find(xid)->effect;
}

const char *kd_xid_meaning(int xid)
{
    return find(xid)->meaning;
}
