#include "tests/cuda/copies.h"

#include <string.h>
#include <vector>

#include "tests/cuda/block.h"

namespace kd_sim
{

enum { COPY_BYTES = 16 };

struct copy {
    void *to;
    const void *from;
    unsigned group;
};

struct copies_of_thread {
    std::vector<copy> waiting; /* in the order of their beginning */
    unsigned group;            /* that the next copy belongs to */
};

static copies_of_thread of_thread[THREADS_MAX];

static void do_copy(const copy &copy)
{
    if (copy.from)
        memcpy(copy.to, copy.from, COPY_BYTES);
    else
        memset(copy.to, 0, COPY_BYTES);
}

static void check_address(const void *address, const char *which, place at)
{
    if (reinterpret_cast<uintptr_t>(address) % COPY_BYTES != 0)
        die("kd_copy_16 at %s:%d %s an address that is not aligned to 16 bytes", at.file, at.line,
            which);
}

void begin_copy(void *to, const void *from, place at)
{
    copies_of_thread &mine = of_thread[self->number];
    check_address(to, "to", at);
    check_address(from, "from", at);
    copy copy = {to, from, mine.group};
    if ((self->number + running.number) % 2 == 0)
        do_copy(copy);
    else
        mine.waiting.push_back(copy);
}

void end_group()
{
    of_thread[self->number].group++;
}

void wait_for_groups(unsigned n, place at)
{
    copies_of_thread &mine = of_thread[self->number];
    size_t n_done = 0;
    if (is_dropped(at))
        return;
    for (; n_done < mine.waiting.size() && mine.waiting[n_done].group + n < mine.group; n_done++)
        do_copy(mine.waiting[n_done]);
    mine.waiting.erase(mine.waiting.begin(), mine.waiting.begin() + static_cast<long>(n_done));
}

void end_of_copies()
{
    copies_of_thread &mine = of_thread[self->number];
    if (!mine.waiting.empty())
        die("it ends with %zu copies that it did not wait for", mine.waiting.size());
    mine.group = 0;
}

} // namespace kd_sim
