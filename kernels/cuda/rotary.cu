/* rotary.cu - turns of all positions in a table, made in double, then a thread for each pair, or
 * for a group of neighbours and those that they are paired with. */
#include "kernels/cuda/map.cuh"

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
template <class T> struct turn {
    struct kd_op_rotary a;
    const float2 *turns;

    /* Pairs pair .. pair + N - 1 of all, which are of one head. */
    template <int N> __device__ void at(int64_t pair) const
    {
        int64_t half = a.size / 2, n_heads = 2 * a.n_heads;
        int64_t head_at = kd_quotient(pair, half), i = kd_remainder(pair, half);
        int64_t row = kd_quotient(head_at, n_heads), head = kd_remainder(head_at, n_heads);
        T *x = (T *)a.qkv + (row * 3 * a.n_heads + head) * a.size + i;
        const float2 *by = turns + kd_remainder(row, a.length) * half + i;
        kd_floats<N> first = kd_load<N>(x), second = kd_load<N>(x + half);
        KD_UNROLL
        for (int k = 0; k < N; k++) {
            float cosine = by[k].x, sine = a.inverse ? -by[k].y : by[k].y, old = first.x[k];
            first.x[k] = old * cosine - second.x[k] * sine;
            second.x[k] = second.x[k] * cosine + old * sine;
        }
        kd_store(x, first);
        kd_store(x + half, second);
    }
};

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
        using T = decltype(stored);
        bool in_groups = kd_in_groups<T>(a->size / 2, a->qkv);
        kd_map<T>(queue, n_turns * a->n * 2 * a->n_heads, in_groups, turn<T>{*a, turns});
    });
}
