#include "kernels/cuda/table.h"

namespace
{

/* A thread turns the same pair in all heads of q and k, whose angle it finds once. In double, since an angle of many turns has no digits
 * left in a float; a float is enough for what is left of it within one turn. */
__global__ void turn(struct kd_op_rotary a)
{
    const double whole = 6.283185307179586;
    int64_t half = a.size / 2, n = a.n * a.length * half;
    for (int64_t at = kd_thread_at(); at < n; at += kd_n_threads()) {
        int64_t row = kd_quotient(at, half), i = at - row * half, t = kd_remainder(row, a.length);
        double angle = (double)t * pow((double)a.base, -2.0 * (double)i / (double)a.size);
        float within = (float)(angle - whole * floor(angle / whole));
        float cosine = cosf(within), sine = a.inverse ? -sinf(within) : sinf(within);
        float *x = a.qkv + row * 3 * a.n_heads * a.size + i;
        for (int64_t head = 0; head < 2 * a.n_heads; head++, x += a.size) {
            float first = x[0], second = x[half];
            x[0] = first * cosine - second * sine;
            x[half] = second * cosine + first * sine;
        }
    }
}

} // namespace

void kd_cuda_rotary(struct kd_queue *queue, const struct kd_op_rotary *a)
{
    int64_t n = a->n * a->length * (a->size / 2);
    if (n > 0 && a->n_heads > 0)
        KD_LAUNCH(turn, kd_blocks(n), KD_THREADS, 0, queue->stream, *a);
}
