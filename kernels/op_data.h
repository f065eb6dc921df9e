/* op_data.h - arguments of the ops that make a batch: gather, augmentation, mixing. The rules of
 * all ops stand in ops.h. */
#ifndef KD_KERNELS_OP_DATA_H
#define KD_KERNELS_OP_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/hyper.h"

/* X(constant, C type, name in messages): what the elements of a data file are; little-endian, where
 * they lie in a file. */
#define KD_ELEMENTS(X)                                                                             \
    X(U8, uint8_t, "uint8")                                                                        \
    X(I8, int8_t, "int8")                                                                          \
    X(U16, uint16_t, "uint16")                                                                     \
    X(I16, int16_t, "int16")                                                                       \
    X(U32, uint32_t, "uint32")                                                                     \
    X(I32, int32_t, "int32")                                                                       \
    X(I64, int64_t, "int64")                                                                       \
    X(F32, float, "float32")                                                                       \
    X(F64, double, "float64")

enum kd_element {
#define X(constant, type, name) KD_ELEMENT_##constant,
    KD_ELEMENTS(X)
#undef X
        KD_N_ELEMENTS
};

/* Sample i of the batch is read from the bytes at source + rows[i] * stride (any alignment), `size`
 * elements, and written as
 *     y[i][j] = (element - center[j % n_scales]) * factor[j % n_scales]
 * (n_scales 0: as it is). planes > 1: the source has [planes][size / planes], y gets [size /
 * planes][planes] (channels last), and j counts in y. */
struct kd_op_gather {
    const void *source;
    enum kd_element element;
    const int64_t *rows; /* [n] */
    int64_t n, stride, size, planes;
    const float *center, *factor; /* [n_scales] */
    int64_t n_scales;
    void *y; /* [n][size] */
};

/* tokens[i][t] = element rows[i] stride + t (counted in elements) of the source, labels[i][t] = the
 * one after it; a sample reads length + 1 elements. labels may be NULL. */
struct kd_op_gather_tokens {
    const void *source;
    enum kd_element element;
    const int64_t *rows; /* [n] */
    int64_t n, stride, length;
    int32_t *tokens, *labels; /* [n][length] */
};

/* Random words w of the sample at global position samples[i] in step turn->step:
 * kd_philox(kd_hash2(turn->seed, KD_AUGMENT_KEY), samples[i], turn->step << 32); "w below m" is
 * (uint64_t)w m >> 32.
 *   crop:   rows and columns move by (w[0] and w[1] below 2 crop + 1) - crop, zeros beyond the edge;
 *   flip:   then left to right when w[2]'s top bit is set;
 *   cutout: then the cutout x cutout pixels that begin cutout / 2 above and left of pixel (w[3]
 *           below h w) become 0 (DeVries, Taylor: "Cutout", 2017).
 * y never overlaps x. */
enum { KD_AUGMENT_KEY = 0x61756731 };
struct kd_op_augment {
    const void *x; /* [n][h][w][channels] */
    void *y;
    int64_t n, h, w, channels;
    const int64_t *samples;
    const struct kd_turn *turn;
    int64_t crop, cutout; /* 0: none */
    bool flip;
};

/* x = (1 - turn->mix) x + turn->mix other; both are floats whatever the queue stores where
 * of_floats: targets. */
struct kd_op_mix {
    void *x;
    const void *other;
    int64_t n;
    const struct kd_turn *turn;
    bool of_floats;
};

#endif
