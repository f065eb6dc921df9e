/* lt_standin.h - what the stand-in of cuBLASLt (lt_standin.c) tells a test: found in the library by
 * the name of the function. */
#ifndef KD_TESTS_CUDA_LT_STANDIN_H
#define KD_TESTS_CUDA_LT_STANDIN_H

enum kd_lt_count {
    KD_LT_HEURISTICS, /* algorithms asked for */
    KD_LT_PRODUCTS,
    KD_LT_ALIVE, /* handles, descriptions, layouts, preferences */
    KD_LT_N_COUNTS
};

int kd_lt_standin_count(enum kd_lt_count which);

#endif
