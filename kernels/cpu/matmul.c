/* matmul.c - matrix products through oneDNN, whose code is generated for the CPU it finds.
 *
 * Of the libraries that Debian ships it is the one that is fast as installed: 160 to 190 GFLOP/s on
 * one AVX-512 core, where OpenBLAS mistakes newer cores for old ones and runs at a quarter. A call
 * costs about 0.5 us, and the first one of a process 23 ms, in which the code is generated. Small
 * products have code of their own. */
#include <dnnl.h>
#include <string.h>

#include "coordinator/base/error.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/matmul_small.h"
#include "kernels/cpu/table.h"

/* Up to how many multiply-adds oneDNN is not clearly better. Its code for AVX2 is far better than
 * what the compiler makes of tiles there. */
static int64_t work_max(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return INT64_C(1) << 17; /* slow, but the sanitizers see it */
#else
    return kd_cpu_isa == KD_ISA_AVX512 ? INT64_C(1) << 21 : 0;
#endif
}

/* Of rows times transposed weights oneDNN is slow for a few, and has code of its own for fewer than
 * these. */
enum { FEW_ROWS_MIN = 12, FEW_ROWS_MAX = 32, LONG_ENOUGH = 100 };

static bool is_small(const struct kd_op_matmul *a)
{
    int64_t work = a->m * a->n * a->k, most = work_max();
    if (!a->transpose_b)
        return work <= most;
    if (a->m < FEW_ROWS_MIN && !a->transpose_a)
        return false;
    bool few = a->m <= FEW_ROWS_MAX && a->n >= LONG_ENOUGH && a->k >= LONG_ENOUGH;
    return work <= (few ? 4 * most : most);
}

void kd_cpu_matmul(struct kd_queue *queue, const struct kd_op_matmul *a)
{
    if (a->m == 0 || a->n == 0)
        return;
    if (a->k == 0) {
        if (a->beta == 0.0f)
            memset(a->c, 0, (size_t)(a->m * a->n) * sizeof(float));
        return;
    }
    if (is_small(a)) {
        kd_cpu_matmul_small(queue, a);
        return;
    }
    dnnl_status_t status = dnnl_sgemm(a->transpose_a ? 'T' : 'N', a->transpose_b ? 'T' : 'N', a->m,
                                      a->n, a->k, 1.0f, a->a, a->transpose_a ? a->m : a->k, a->b,
                                      a->transpose_b ? a->k : a->n, a->beta, a->c, a->n);
    if (status != dnnl_success)
        kd_bug("dnnl_sgemm of %lld x %lld x %lld failed with status %d", (long long)a->m,
               (long long)a->n, (long long)a->k, (int)status);
}
