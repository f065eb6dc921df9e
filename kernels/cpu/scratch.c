#include "kernels/cpu/scratch.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

static _Thread_local struct {
    void *memory;
    size_t bytes;
} scratches[KD_N_SCRATCHES];

void *kd_cpu_scratch(enum kd_scratch which, size_t bytes)
{
    if (bytes > scratches[which].bytes) {
        free(scratches[which].memory);
        scratches[which].memory = kd_alloc_aligned(64, bytes);
        scratches[which].bytes = bytes;
    }
    return scratches[which].memory;
}

void kd_cpu_scratch_release(void)
{
    for (int i = 0; i < KD_N_SCRATCHES; i++)
        free(scratches[i].memory);
    memset(scratches, 0, sizeof scratches);
}
