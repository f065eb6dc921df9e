#include "kernels/cuda/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cuda/port.h"

extern "C" {
#include "coordinator/base/last_words.h"
#include "coordinator/base/mem.h"
}

namespace
{

/* A few hundred at most, so a list will do. */
struct piece {
    struct piece *next;
    void *memory;
    size_t bytes;
};

struct piece *pieces;
size_t held_bytes;
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two above */

void note(void *memory, size_t bytes)
{
    struct piece *piece = KD_NEW(struct piece);
    pthread_mutex_lock(&lock);
    *piece = {pieces, memory, bytes};
    pieces = piece;
    held_bytes += bytes;
    pthread_mutex_unlock(&lock);
}

void forget(void *memory)
{
    pthread_mutex_lock(&lock);
    struct piece **at = &pieces;
    while (*at && (*at)->memory != memory)
        at = &(*at)->next;
    struct piece *piece = *at;
    if (piece) {
        *at = piece->next;
        held_bytes -= piece->bytes;
    }
    pthread_mutex_unlock(&lock);
    free(piece);
}

double gb(size_t bytes)
{
    return (double)bytes * 1e-9;
}

/* Whose fault it is cannot be told for sure; what others hold lets a person judge. */
int add_state(char *text, size_t size)
{
    size_t free_bytes = 0, total = 0;
    if (cudaMemGetInfo(&free_bytes, &total) != cudaSuccess)
        return snprintf(text, size,
                        "this process holds %.3g GB, and CUDA does not say what is free",
                        gb(held_bytes));
    size_t known = free_bytes + held_bytes;
    return snprintf(text, size,
                    "this process holds %.3g GB, %.3g GB of %.3g are free, and others (other ranks "
                    "and programs, and CUDA itself) hold %.3g GB",
                    gb(held_bytes), gb(free_bytes), gb(total),
                    gb(total > known ? total - known : 0));
}

int add_wanted(char *text, size_t size, size_t bytes, const char *use)
{
    if (bytes == 0)
        return snprintf(text, size, "out of GPU memory in %.200s; ", use);
    return snprintf(text, size, "out of GPU memory: %.3g GB asked for (%.200s); ", gb(bytes), use);
}

void describe(char *text, size_t size, size_t bytes, const char *use)
{
    int n = add_wanted(text, size, bytes, use);
    n += add_state(text + n, size - (size_t)n);
    snprintf(
        text + n, size - (size_t)n,
        ": use fewer units, a smaller batch or accumulate, fewer ranks on the GPU, or end what "
        "else runs there (`nvidia-smi` shows it)");
}

} // namespace

void kd_cuda_end_out_of_memory(size_t bytes, const char *use)
{
    char text[1024];
    describe(text, sizeof text, bytes, use);
    kd_last_words_write(text); /* first, as a reader of stderr may be slow */
    fprintf(stderr, "katydid: error: %s\n", text);
    fflush(NULL);
    _exit(KD_OUT_OF_MEMORY); /* destructors would call CUDA again */
}

void *kd_cuda_try_new(size_t bytes)
{
    void *memory = NULL;
    cudaError_t error = cudaMalloc(&memory, bytes ? bytes : 1);
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError(); /* it is dealt with, and no launch's */
        return NULL;
    }
    kd_cuda_check(error, "cudaMalloc", __FILE__, __LINE__);
    note(memory, bytes);
    return memory;
}

void *kd_cuda_new(size_t bytes, const char *use)
{
    void *memory = kd_cuda_try_new(bytes);
    if (!memory)
        kd_cuda_end_out_of_memory(bytes, use);
    return memory;
}

void kd_cuda_delete(void *memory)
{
    if (!memory)
        return;
    forget(memory); /* first: once it is free another thread may be given it */
    KD_CUDA(cudaFree(memory));
}
