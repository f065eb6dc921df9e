/* npy_header.h - the header of NumPy's .npy files (numpy.lib.format, versions 1 to 3).
 *
 * Ten or twelve bytes (magic, version, length), then a Python dictionary as text: the element type,
 * the order, the shape. Only what a program can take as it lies there is accepted: little-endian
 * numbers in C order. */
#ifndef KD_TRAINER_NPY_HEADER_H
#define KD_TRAINER_NPY_HEADER_H

#include "coordinator/base/error.h"
#include "kernels/op_data.h"

enum { KD_NPY_DIMS_MAX = 4 };

struct kd_npy_header {
    int64_t bytes; /* of the header: the data begin here */
    enum kd_element element;
    int n_dims; /* 1 .. KD_NPY_DIMS_MAX */
    int64_t dims[KD_NPY_DIMS_MAX];
    int64_t n_elements;
};

/* Of a whole file in memory; path is for messages. -1: what is wrong, where, and what to do. */
int kd_npy_header_read(const char *path, const unsigned char *bytes, int64_t n_bytes,
                       struct kd_npy_header *header, struct kd_error *err);

#endif
