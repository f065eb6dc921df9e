/* rotary.cu - turns of all positions in a table, made in double, then a thread for each pair. */
#include "kernels/cuda/values.cuh"

namespace
{

/* turns: [length][size / 2], cosine and sine. */
__global__ void make_turns(float2 *turns, int64_t length, int64_t size, double base)
{
    int64_t half = size / 2;
    for (int64_t at = kd_thread_at(); at < length * half; at += kd_n_threads()) {
        int64_t t = kd_quotient(at, half), i = kd_remainder(at, half);
        double angle = (double)t * pow(base, -2.0 * (double)i / (double)size);
        turns[at] = make_float2((float)cos(angle), (float)sin(angle));
    }
}

/* The heads of q and those of k lie one after the other, before those of v. */
template <class T> __global__ void turn(struct kd_op_rotary a, const float2 *turns)
{
    int64_t half = a.size / 2, n_heads = 2 * a.n_heads;
    int64_t n = a.n * a.length * n_heads * half;
    for (int64_t at = kd_thread_at(); at < n; at += kd_n_threads()) {
        int64_t head_at = kd_quotient(at, half), i = kd_remainder(at, half);
        int64_t row = kd_quotient(head_at, n_heads), head = kd_remainder(head_at, n_heads);
        T *x = (T *)a.qkv + (row * 3 * a.n_heads + head) * a.size + i;
        float2 by = turns[kd_remainder(row, a.length) * half + i];
        float sine = a.inverse ? -by.y : by.y, first = kd_float(x[0]), second = kd_float(x[half]);
        kd_put(&x[0], first * by.x - second * sine);
        kd_put(&x[half], second * by.x + first * sine);
    }
}

} // namespace

void kd_cuda_rotary(struct kd_queue *queue, const struct kd_op_rotary *a)
{
    int64_t n_turns = a->length * (a->size / 2);
    if (a->n <= 0 || a->n_heads <= 0 || n_turns <= 0)
        return;
    float2 *turns = (float2 *)kd_cuda_scratch(queue, (size_t)n_turns * sizeof *turns);
    KD_LAUNCH(make_turns, kd_blocks(n_turns), KD_THREADS, 0, queue->stream, turns, a->length,
              a->size, (double)a->base);
    kd_by_storage(queue, [&](auto stored) {
        auto kernel = turn<decltype(stored)>;
        KD_LAUNCH(kernel, kd_blocks(n_turns * a->n * 2 * a->n_heads), KD_THREADS, 0, queue->stream,
                  *a, turns);
    });
}
