/* element.h - the numbers that data files are made of, one at a time: the slow and plain way beside
 * the op gather. */
#ifndef KD_KERNELS_ELEMENT_H
#define KD_KERNELS_ELEMENT_H

#include <stdint.h>

#include "kernels/op_data.h"

int64_t kd_element_bytes(enum kd_element element);
const char *kd_element_name(enum kd_element element); /* "uint8" */

/* Element i of a memory of elements, of any alignment, as a double. */
double kd_element_at(enum kd_element element, const void *memory, int64_t i);

#endif
