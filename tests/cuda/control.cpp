#include "tests/cuda/control.h"

#include "tests/cuda/block.h"

void kd_sim_schedule(const char *text)
{
    kd_sim::set_schedule(text);
}

void kd_sim_drop_barrier(const char *where)
{
    kd_sim::drop_barrier(where);
}

static void (*told)(const char *file, int line);

void kd_sim_watch_barriers(void (*reached)(const char *file, int line))
{
    told = reached;
    if (reached)
        kd_sim::watch_barriers([](kd_sim::place at) { told(at.file, at.line); });
    else
        kd_sim::watch_barriers(nullptr);
}
