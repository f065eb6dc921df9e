#include "tests/cuda/shared.h"

#include <stdlib.h>
#include <string.h>

namespace kd_sim
{

void shared_begin(void *memory, size_t bytes)
{
    running.shared_bytes += bytes;
    if (running.shared_bytes > SHARED_MAX)
        die("%zu bytes of shared memory; a block has %d", running.shared_bytes, SHARED_MAX);
    memset(memory, RUBBISH, bytes);
}

enum { DYNAMIC_ALIGNMENT = 32 }; /* as KD_DYN_SHARED of port.h */

void *dynamic_new(size_t bytes)
{
    void *memory = NULL;
    if (bytes == 0)
        return NULL;
    if (posix_memalign(&memory, DYNAMIC_ALIGNMENT, bytes) != 0)
        die("no memory for %zu bytes of shared memory", bytes);
    return memory;
}

void dynamic_free(void *memory)
{
    free(memory);
}

} // namespace kd_sim
