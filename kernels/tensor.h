/* tensor.h - the shape of one sample's values, or of a parameter tensor: up to four dimensions,
 * row-major, fp32. */
#ifndef KD_KERNELS_TENSOR_H
#define KD_KERNELS_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

enum { KD_DIMS_MAX = 4, KD_SHAPE_TEXT_MAX = 96 };

struct kd_shape {
    int64_t dims[KD_DIMS_MAX];
    int n_dims;
};

int64_t kd_shape_count(struct kd_shape shape); /* the product of the dimensions; 1 without any */
int64_t kd_shape_last(struct kd_shape shape);  /* the fastest dimension */
bool kd_shape_equal(struct kd_shape a, struct kd_shape b);

/* "64", "3x32x32", for messages. */
const char *kd_shape_text(struct kd_shape shape, char buffer[KD_SHAPE_TEXT_MAX]);

#endif
