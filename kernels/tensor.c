#include "kernels/tensor.h"

#include <inttypes.h>
#include <stdio.h>

int64_t kd_shape_count(struct kd_shape shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape.n_dims; i++)
        count *= shape.dims[i];
    return count;
}

int64_t kd_shape_last(struct kd_shape shape)
{
    return shape.n_dims ? shape.dims[shape.n_dims - 1] : 1;
}

bool kd_shape_equal(struct kd_shape a, struct kd_shape b)
{
    bool equal = a.n_dims == b.n_dims;
    for (int i = 0; equal && i < a.n_dims; i++)
        equal = a.dims[i] == b.dims[i];
    return equal;
}

const char *kd_shape_text(struct kd_shape shape, char buffer[KD_SHAPE_TEXT_MAX])
{
    int length = 0;
    buffer[0] = '\0';
    for (int i = 0; i < shape.n_dims; i++)
        length += snprintf(buffer + length, (size_t)(KD_SHAPE_TEXT_MAX - length), "%s%" PRId64,
                           i ? "x" : "", shape.dims[i]);
    return buffer;
}
