/* gather.cu - samples and runs of tokens out of the bytes of a data file, in which elements lie at
 * any alignment. */
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/table.h"

namespace
{

template <class T> __device__ __forceinline__ T element_at(const unsigned char *bytes)
{
    T value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* Neighbouring threads write neighbouring elements of y, and read neighbouring elements of one
 * plane at most `planes` apart. */
template <class E, class T> __global__ void gather(struct kd_op_gather a)
{
    T *y = (T *)a.y;
    int64_t n = a.n * a.size, of_plane = a.planes > 1 ? a.size / a.planes : a.size;
    for (int64_t at = kd_thread_at(); at < n; at += kd_n_threads()) {
        int64_t sample = kd_quotient(at, a.size), j = at - sample * a.size, from = j;
        if (a.planes > 1)
            from = kd_remainder(j, a.planes) * of_plane + kd_quotient(j, a.planes);
        const unsigned char *record = (const unsigned char *)a.source + a.rows[sample] * a.stride;
        float x = (float)element_at<E>(record + from * (int64_t)sizeof(E));
        if (a.n_scales > 0) {
            int64_t s = a.n_scales > 1 ? kd_remainder(j, a.n_scales) : 0;
            x = (x - a.center[s]) * a.factor[s];
        }
        kd_put(&y[at], x);
    }
}

template <class T> __global__ void gather_tokens(struct kd_op_gather_tokens a)
{
    int64_t n = a.n * a.length;
    for (int64_t at = kd_thread_at(); at < n; at += kd_n_threads()) {
        int64_t sample = kd_quotient(at, a.length), t = at - sample * a.length;
        const unsigned char *bytes =
            (const unsigned char *)a.source + (a.rows[sample] * a.stride + t) * (int64_t)sizeof(T);
        a.tokens[at] = (int32_t)element_at<T>(bytes);
        if (a.labels)
            a.labels[at] = (int32_t)element_at<T>(bytes + sizeof(T));
    }
}

typedef void gather_fn(struct kd_op_gather);
typedef void gather_tokens_fn(struct kd_op_gather_tokens);

/* By enum kd_element. */
template <class T>
gather_fn *const gathers[] = {
#define X(constant, type, name) gather<type, T>,
    KD_ELEMENTS(X)
#undef X
};

gather_tokens_fn *const token_gathers[] = {
#define X(constant, type, name) gather_tokens<type>,
    KD_ELEMENTS(X)
#undef X
};

} // namespace

void kd_cuda_gather(struct kd_queue *queue, const struct kd_op_gather *a)
{
    int64_t n = a->n * a->size;
    if (n <= 0)
        return;
    kd_by_storage(queue, [&](auto stored) {
        gather_fn *kernel = gathers<decltype(stored)>[a->element];
        KD_LAUNCH(kernel, kd_blocks(n), KD_THREADS, 0, queue->stream, *a);
    });
}

void kd_cuda_gather_tokens(struct kd_queue *queue, const struct kd_op_gather_tokens *a)
{
    int64_t n = a->n * a->length;
    gather_tokens_fn *kernel = token_gathers[a->element];
    if (n > 0)
        KD_LAUNCH(kernel, kd_blocks(n), KD_THREADS, 0, queue->stream, *a);
}
