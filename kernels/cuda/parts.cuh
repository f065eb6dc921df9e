/* parts.cuh - a sum over all pixels, as the gradient of a convolution's weights is, cut into parts
 * that blocks work on at once; then the parts' sums are added in their order. */
#ifndef KD_KERNELS_CUDA_PARTS_CUH
#define KD_KERNELS_CUDA_PARTS_CUH

#include "kernels/cuda/map.cuh"

/* Enough parts to fill a GPU, each long enough to be worth it. */
static inline int64_t kd_parts_of(int64_t n_tiles, int64_t n_pixels)
{
    const int64_t blocks_wanted = 512, pixels_least = 256;
    return kd_max(1, kd_min(blocks_wanted / kd_max(n_tiles, 1), n_pixels / pixels_least));
}

/* For kd_map: y = the sum of parts, [n_parts][n], and of y where it adds. */
struct kd_add_parts {
    const float *parts;
    float *y;
    int64_t n, n_parts;
    bool adds;

    template <int N> __device__ void at(int64_t i) const
    {
        kd_floats<N> sum = {};
        if (adds)
            sum = kd_load<N>(y + i);
        KD_UNROLL_BY(8)
        for (int64_t part = 0; part < n_parts; part++) {
            kd_floats<N> more = kd_load<N>(parts + part * n + i);
            for (int k = 0; k < N; k++)
                sum.x[k] += more.x[k];
        }
        kd_store(y + i, sum);
    }
};

#endif
