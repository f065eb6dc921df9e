/* control.h - for tests in C: which schedule the sim device follows, and which barrier it leaves
 * out (block.h). */
#ifndef KD_TESTS_CUDA_CONTROL_H
#define KD_TESTS_CUDA_CONTROL_H

#ifdef __cplusplus
extern "C" {
#endif

/* "forward", "reverse", "random:7". */
void kd_sim_schedule(const char *text);

/* "reduce.cuh:51"; NULL: none. */
void kd_sim_drop_barrier(const char *where);

/* Every thread calls it at every barrier that can be left out. */
void kd_sim_watch_barriers(void (*reached)(const char *file, int line));

#ifdef __cplusplus
}
#endif

#endif
