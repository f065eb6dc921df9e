#include "kernels/cpu/table.h"
#include "kernels/simd.h"

/* Elements lie in a file at any alignment. */
#define X(constant, type, name)                                                                    \
    typedef type element_##constant __attribute__((aligned(1), may_alias));
KD_ELEMENTS(X)
#undef X

/* y[j step] = (x[j] - center) factor; step 1 is a case of its own so that it becomes vectors. */
#define SCALE_BY_ONE(type)                                                                         \
    KD_INLINE void scale_by_one_##type(const element_##type *x, float *y, int64_t n, int64_t step, \
                                       float center, float factor)                                 \
    {                                                                                              \
        if (step == 1)                                                                             \
            for (int64_t j = 0; j < n; j++)                                                        \
                y[j] = ((float)x[j] - center) * factor;                                            \
        else                                                                                       \
            for (int64_t j = 0; j < n; j++)                                                        \
                y[j * step] = ((float)x[j] - center) * factor;                                     \
    }

/* A sample whose elements lie in the order of y. */
#define SCALE_ROW(type)                                                                            \
    KD_INLINE void scale_row_##type(const struct kd_op_gather *a, const element_##type *x,         \
                                    float *y)                                                      \
    {                                                                                              \
        int64_t m = a->n_scales;                                                                   \
        if (m <= 1) {                                                                              \
            scale_by_one_##type(x, y, a->size, 1, m ? a->center[0] : 0, m ? a->factor[0] : 1);     \
            return;                                                                                \
        }                                                                                          \
        for (int64_t start = 0; start < a->size; start += m) {                                     \
            int64_t n = a->size - start < m ? a->size - start : m;                                 \
            for (int64_t j = 0; j < n; j++)                                                        \
                y[start + j] = ((float)x[start + j] - a->center[j]) * a->factor[j];                \
        }                                                                                          \
    }

/* A sample of planes; scales that do not stand for planes are rare and go one by one. */
#define SCALE_PLANES(type)                                                                         \
    KD_INLINE void scale_planes_##type(const struct kd_op_gather *a, const element_##type *x,      \
                                       float *y)                                                   \
    {                                                                                              \
        int64_t m = a->n_scales, n = a->size / a->planes;                                          \
        for (int64_t p = 0; p < a->planes; p++) {                                                  \
            if (m <= 1 || m == a->planes) {                                                        \
                int64_t s = m ? p % m : 0;                                                         \
                scale_by_one_##type(x + p * n, y + p, n, a->planes, m ? a->center[s] : 0,          \
                                    m ? a->factor[s] : 1);                                         \
                continue;                                                                          \
            }                                                                                      \
            for (int64_t i = 0; i < n; i++) {                                                      \
                int64_t j = i * a->planes + p;                                                     \
                y[j] = ((float)x[p * n + i] - a->center[j % m]) * a->factor[j % m];                \
            }                                                                                      \
        }                                                                                          \
    }

#define GATHER(type)                                                                               \
    KD_SIMD static void gather_##type(const struct kd_op_gather *a)                                \
    {                                                                                              \
        for (int64_t i = 0; i < a->n; i++) {                                                       \
            const void *x = (const char *)a->source + a->rows[i] * a->stride;                      \
            if (a->planes > 1)                                                                     \
                scale_planes_##type(a, x, (float *)a->y + i * a->size);                            \
            else                                                                                   \
                scale_row_##type(a, x, (float *)a->y + i * a->size);                               \
        }                                                                                          \
    }

#define GATHER_TOKENS(type)                                                                        \
    KD_SIMD static void gather_tokens_##type(const struct kd_op_gather_tokens *a)                  \
    {                                                                                              \
        for (int64_t i = 0; i < a->n; i++) {                                                       \
            const element_##type *x = (const element_##type *)a->source + a->rows[i] * a->stride;  \
            int32_t *tokens = a->tokens + i * a->length;                                           \
            for (int64_t t = 0; t < a->length; t++)                                                \
                tokens[t] = (int32_t)x[t];                                                         \
            for (int64_t t = 0; a->labels && t < a->length; t++)                                   \
                a->labels[i * a->length + t] = (int32_t)x[t + 1];                                  \
        }                                                                                          \
    }

#define X(constant, type, name)                                                                    \
    SCALE_BY_ONE(constant)                                                                         \
    SCALE_ROW(constant)                                                                            \
    SCALE_PLANES(constant)                                                                         \
    GATHER(constant)                                                                               \
    GATHER_TOKENS(constant)
KD_ELEMENTS(X)
#undef X

void kd_cpu_gather(struct kd_queue *queue, const struct kd_op_gather *a)
{
    static void (*const by_element[KD_N_ELEMENTS])(const struct kd_op_gather *) = {
#define X(constant, type, name) gather_##constant,
        KD_ELEMENTS(X)
#undef X
    };
    (void)queue;
    by_element[a->element](a);
}

void kd_cpu_gather_tokens(struct kd_queue *queue, const struct kd_op_gather_tokens *a)
{
    static void (*const by_element[KD_N_ELEMENTS])(const struct kd_op_gather_tokens *) = {
#define X(constant, type, name) gather_tokens_##constant,
        KD_ELEMENTS(X)
#undef X
    };
    (void)queue;
    by_element[a->element](a);
}
