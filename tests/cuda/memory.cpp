#include "tests/cuda/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <map>

static constexpr size_t RANGE = (size_t)1 << 28, ALIGNMENT = 256;

static char *range;                    /* NULL: not guarded, or nothing allocated yet */
static std::map<size_t, size_t> taken; /* offset in the range: bytes */
static int n_open;

static bool is_guarded()
{
    const char *text = getenv("KATYDID_SIM_GUARD");
    return text && *text == '1';
}

static void protect(int protection)
{
    if (range && mprotect(range, RANGE, protection) != 0)
        abort();
}

void kd_sim::memory_open()
{
    if (n_open++ == 0)
        protect(PROT_READ | PROT_WRITE);
}

void kd_sim::memory_close()
{
    if (--n_open == 0)
        protect(PROT_NONE);
}

/* The first gap that is large enough. A gap of its own stays behind every piece. */
static size_t find_gap(size_t bytes)
{
    size_t at = 0;
    for (auto [begin, size] : taken) {
        if (begin - at >= bytes + ALIGNMENT)
            break;
        at = begin + size + ALIGNMENT;
    }
    return at;
}

static void *take(size_t bytes)
{
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!range) {
        void *memory = mmap(NULL, RANGE, n_open ? PROT_READ | PROT_WRITE : PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return NULL;
        range = static_cast<char *>(memory);
    }
    size_t at = find_gap(bytes);
    if (at + bytes > RANGE)
        return NULL;
    taken[at] = bytes;
    return range + at;
}

void *kd_sim::memory_new(size_t bytes)
{
    void *memory = NULL;
    if (is_guarded())
        return take(bytes);
    return posix_memalign(&memory, ALIGNMENT, bytes) == 0 ? memory : NULL;
}

void kd_sim::memory_free(void *memory)
{
    if (!is_guarded())
        free(memory);
    else if (memory && taken.erase(static_cast<size_t>(static_cast<char *>(memory) - range)) == 0)
        abort(); /* never allocated, or freed already */
}

size_t kd_sim::memory_left()
{
    size_t used = 0;
    for (auto [begin, size] : taken)
        used += size;
    return RANGE - used;
}
