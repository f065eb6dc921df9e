/* memory.h - the GPU's memory that this process holds, counted, and what is said when there is no
 * more of it.
 *
 * All of kernels/cuda allocates here. What CUDA, cuBLASLt and NCCL take by themselves is not
 * counted: it is part of what the message calls others'. */
#ifndef KD_KERNELS_CUDA_MEMORY_H
#define KD_KERNELS_CUDA_MEMORY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Memory full of anything. new ends the process as below where there is no more, try_new gives
 * NULL. 0 bytes are 1. use: what it is for, as a person may know it. */
void *kd_cuda_new(size_t bytes, const char *use);
void *kd_cuda_try_new(size_t bytes);
void kd_cuda_delete(void *memory); /* waits for the GPU; NULL is fine */

/* Ends the process: out of GPU memory, on stderr and as its last words
 * (coordinator/base/last_words.h), with exit status KD_OUT_OF_MEMORY. It would be so again on a
 * fresh gang, so a trial fails by it. bytes, use: as above; bytes 0 where nobody knows how much was
 * asked for, and use is the call that did. */
void kd_cuda_end_out_of_memory(size_t bytes, const char *use) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
