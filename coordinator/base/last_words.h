/* last_words.h - why a process of a gang ends that can tell nobody any more, for the supervisor who
 * started it.
 *
 * An exit code says too little, and under mpirun may be another rank's who ended of it. So the
 * supervisor names a file, and who would end the same way on a fresh gang writes a line into it. So
 * far one does: a GPU that is out of memory (kernels/cuda/memory.h). */
#ifndef KD_BASE_LAST_WORDS_H
#define KD_BASE_LAST_WORDS_H

#include <stddef.h>

#define KD_LAST_WORDS "KATYDID_LAST_WORDS" /* environment: the file; without it nobody asks */

/* Whole or not at all, whoever is killed meanwhile; of several processes one is heard. What cannot
 * be written is left. */
void kd_last_words_write(const char *line);

/* The line, without its end, cut to what fits. 1 read, 0 there is none. */
int kd_last_words_read(const char *path, char *line, size_t size);

#endif
