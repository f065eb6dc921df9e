/* memory.h - the sim device's memory.
 *
 * By default each piece is malloc's, so that AddressSanitizer sees its ends. KATYDID_SIM_GUARD=1:
 * all pieces lie in one range of addresses that can be touched only while the device works, so that
 * a host which reads or writes device memory dies of it. */
#ifndef KD_TESTS_CUDA_MEMORY_H
#define KD_TESTS_CUDA_MEMORY_H

#include <stddef.h>

namespace kd_sim
{

void *memory_new(size_t bytes); /* aligned to 256 bytes; NULL: there is not so much */
void memory_free(void *memory);
size_t memory_left(); /* bytes; where it is not guarded as many as if nothing were allocated */

void memory_open();
void memory_close();

/* While one of these lives the memory can be touched. */
struct memory_access {
    memory_access()
    {
        memory_open();
    }
    ~memory_access()
    {
        memory_close();
    }
};

} // namespace kd_sim

#endif
