/* arr.h - an array that grows, of any type.
 *
 *     KD_ARR(struct kd_trial) trials = {0};
 *     kd_arr_push(&trials, trial);
 *     for (size_t i = 0; i < trials.n; i++) use(&trials.items[i]);
 *     kd_arr_release(&trials);
 *
 * Pushing may move the items: keep indices, not pointers. */
#ifndef KD_BASE_ARR_H
#define KD_BASE_ARR_H

#include <stdlib.h>

#include "coordinator/base/mem.h"

#define KD_ARR(type)                                                                               \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t n, capacity;                                                                        \
    }

#define kd_arr_reserve(arr, more)                                                                  \
    do {                                                                                           \
        if ((arr)->n + (more) > (arr)->capacity) {                                                 \
            (arr)->capacity = ((arr)->n + (more)) * 2;                                             \
            (arr)->items = kd_realloc_array((arr)->items, (arr)->capacity, sizeof *(arr)->items);  \
        }                                                                                          \
    } while (0)

#define kd_arr_push(arr, ...)                                                                      \
    do {                                                                                           \
        kd_arr_reserve(arr, 1);                                                                    \
        (arr)->items[(arr)->n++] = (__VA_ARGS__);                                                  \
    } while (0)

#define kd_arr_clear(arr) ((void)((arr)->n = 0))

#define kd_arr_release(arr)                                                                        \
    do {                                                                                           \
        free((arr)->items);                                                                        \
        (arr)->items = NULL;                                                                       \
        (arr)->n = (arr)->capacity = 0;                                                            \
    } while (0)

#endif
