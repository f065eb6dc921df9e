#include "coordinator/launch/xid.h"

#include <stddef.h>

#include "coordinator/base/mem.h"

static const struct known {
    int xid;
    enum kd_xid_effect effect;
    const char *meaning;
} known[] = {
    {KD_XID_LOST, KD_XID_FAILS, "the driver says that it is lost"},
#define X(xid, effect, meaning) {xid, KD_XID_##effect, meaning},
#include "coordinator/launch/xid.def"
#undef X
};

static const struct known *find(int xid)
{
    static const struct known unknown = {
        -1, KD_XID_FAILS,
        "an error that NVIDIA's Xid catalog may explain, and katydid does not know"};
    for (size_t i = 0; i < KD_COUNT(known); i++)
        if (known[i].xid == xid)
            return &known[i];
    return &unknown;
}

enum kd_xid_effect kd_xid_effect(int xid)
{
    return find(xid)->effect;
}

const char *kd_xid_meaning(int xid)
{
    return find(xid)->meaning;
}
