#include "kernels/cuda/lt.h"

#include <stdlib.h>

#include "kernels/cuda/memory.h"
#include "kernels/cuda/recording.h"

extern "C" {
#include "kernels/cuda/lt_plan.h"
}

struct kd_lt_state {
    bool was_asked_for;
    const struct kd_lt *library; /* NULL: there is none, for the reason below */
    struct kd_error why;
    struct kd_lt_handle *handle;
    void *workspace;
    struct kd_lt_plans plans;
    int64_t least; /* multiplications */
};

namespace
{

/* ---- opening */

cudaDeviceProp gpu_of_this_process()
{
    int at = 0;
    cudaDeviceProp gpu;
    KD_CUDA(cudaGetDevice(&at));
    KD_CUDA(cudaGetDeviceProperties(&gpu, at));
    return gpu;
}

/* What NVIDIA advises for Hopper and for those before. Without it cuBLASLt still has algorithms,
 * for the most part. */
void allocate_workspace(struct kd_lt_state *lt)
{
    const size_t bytes = (size_t)(gpu_of_this_process().major >= 9 ? 32 : 4) << 20;
    lt->workspace = kd_cuda_try_new(bytes);
    lt->plans.workspace_bytes = lt->workspace ? bytes : 0;
}

int64_t least_product()
{
    const char *text = getenv(KD_LT_FROM);
    return text && *text ? strtoll(text, NULL, 10) : KD_LT_LEAST;
}

void load(struct kd_lt_state *lt)
{
    int version = 0;
    KD_CUDA(cudaRuntimeGetVersion(&version));
    const struct kd_lt *library = kd_lt_get(version / 1000, &lt->why);
    if (!library)
        return;
    int status = library->cublasLtCreate(&lt->handle);
    if (status == KD_LT_SUCCESS)
        lt->library = library;
    else
        kd_fail(&lt->why, "cuBLASLt %zu: cublasLtCreate failed on this GPU: %s", library->version,
                library->cublasLtGetStatusName(status));
}

struct kd_lt_state *get(struct kd_queue *queue)
{
    if (queue->lt)
        return queue->lt;
    queue->lt = (struct kd_lt_state *)kd_alloc(sizeof *queue->lt);
    queue->lt->least = least_product();
    return queue->lt;
}

/* Loading takes a while, which who has small products alone is spared. A reason not to have it is
 * found once a queue. */
const struct kd_lt *library_of(struct kd_lt_state *lt)
{
    if (lt->was_asked_for)
        return lt->library;
    lt->was_asked_for = true;
    load(lt);
    if (lt->library)
        allocate_workspace(lt);
    return lt->library;
}

/* ---- products */

int64_t alignment_of(const void *pointer)
{
    uintptr_t bits = (uintptr_t)pointer | KD_LT_ALIGNED;
    return (int64_t)(bits & (~bits + 1));
}

struct types {
    enum kd_lt_type stored;
    enum kd_lt_compute compute;
};

/* 32F is not the pedantic kind: that one only excludes more algorithms, while both compute fp32's
 * products in fp32. */
struct types types_of(enum kd_precision precision)
{
    static const struct types all[KD_N_PRECISIONS] = {
        {KD_LT_R_32F, KD_LT_COMPUTE_32F},
        {KD_LT_R_32F, KD_LT_COMPUTE_32F_FAST_TF32},
        {KD_LT_R_16BF, KD_LT_COMPUTE_32F},
        {KD_LT_R_16F, KD_LT_COMPUTE_32F},
    };
    return all[precision];
}

struct kd_lt_shape shape_of(const struct kd_queue *queue, const struct kd_lt_product *p)
{
    const struct kd_op_matmul *a = &p->matmul;
    struct types types = types_of(queue->precision);
    int bits = (p->bias ? KD_LT_EPILOGUE_BIAS : 0) | (p->relu ? KD_LT_EPILOGUE_RELU : 0);
    return {
        .m = a->m,
        .n = a->n,
        .k = a->k,
        .transpose_a = a->transpose_a,
        .transpose_b = a->transpose_b,
        .adds = a->beta != 0.0f,
        .epilogue = bits ? bits : KD_LT_EPILOGUE_DEFAULT,
        .compute = types.compute,
        .of_factors = types.stored,
        .of_result = a->to_floats ? KD_LT_R_32F : types.stored,
        .align_a = alignment_of(a->a),
        .align_b = alignment_of(a->b),
        .align_c = alignment_of(a->c),
        .align_bias = p->bias ? alignment_of(p->bias) : 0,
    };
}

/* cuBLASLt takes dimensions that are ints. */
bool is_worth_it(const struct kd_op_matmul *a, int64_t least)
{
    const int64_t most = INT32_MAX;
    if (a->m <= 0 || a->n <= 0 || a->k <= 0 || a->m > most || a->n > most || a->k > most)
        return false;
    return (double)a->m * (double)a->n * (double)a->k >= (double)least;
}

/* The bias may be another one of the same alignment. */
void point_to_bias(const struct kd_lt *lt, const struct kd_lt_plan *plan, const void *bias)
{
    if (!bias)
        return;
    int status =
        lt->cublasLtMatmulDescSetAttribute(plan->desc, KD_LT_DESC_BIAS_POINTER, &bias, sizeof bias);
    kd_lt_check(lt, status, "cublasLtMatmulDescSetAttribute", &plan->shape);
}

int give(struct kd_queue *queue, const struct kd_lt_plan *plan, const struct kd_op_matmul *a)
{
    const float one = 1.0f;
    const struct kd_lt_state *lt = queue->lt;
    return lt->library->cublasLtMatmul(lt->handle, plan->desc, &one, a->b, plan->b, a->a, plan->a,
                                       &a->beta, a->c, plan->c, a->c, plan->c, &plan->algo,
                                       lt->workspace, lt->plans.workspace_bytes, queue->stream);
}

/* NULL: it is not cuBLASLt's. */
struct kd_lt_plan *plan_of(struct kd_queue *queue, const struct kd_lt_product *p)
{
    struct kd_lt_state *lt = get(queue);
    if (!is_worth_it(&p->matmul, lt->least) || !library_of(lt))
        return NULL;
    struct kd_lt_shape shape = shape_of(queue, p);
    struct kd_lt_plan *plan = kd_lt_plan_get(&lt->plans, lt->library, lt->handle, &shape, p->bias);
    return plan->can ? plan : NULL;
}

} // namespace

bool kd_lt_takes(struct kd_queue *queue, const struct kd_lt_product *p)
{
    return plan_of(queue, p) != NULL;
}

bool kd_lt_multiply(struct kd_queue *queue, const struct kd_lt_product *p)
{
    if (kd_cuda_recording_is_lost())
        return true; /* cuBLASLt would say that it fails, and not why */
    struct kd_lt_state *lt = get(queue);
    struct kd_lt_plan *plan = plan_of(queue, p);
    if (!plan)
        return false;
    point_to_bias(lt->library, plan, p->bias);
    int status = give(queue, plan, &p->matmul);
    if (status == KD_LT_NOT_SUPPORTED) { /* said before anything was queued */
        kd_lt_plan_give_up(plan, lt->library);
        return false;
    }
    kd_lt_check(lt->library, status, "cublasLtMatmul", &plan->shape);
    return true;
}

/* ---- precision */

static int check_gpu(enum kd_precision precision, struct kd_error *err)
{
    static const int majors[KD_N_PRECISIONS] = {0, 8, 8, 7}; /* architectures: Ampere, Volta */
    cudaDeviceProp gpu = gpu_of_this_process();
    if (gpu.major >= majors[precision])
        return 0;
    return kd_fail(err,
                   "%s needs a GPU of architecture %d0 or later, and this one (%s) has %d%d: use "
                   "fp32",
                   kd_precision_name(precision), majors[precision], gpu.name, gpu.major, gpu.minor);
}

/* Our tiles multiply what is stored, in fp32: rounding that to tf32 first is cuBLASLt's alone. */
static int check_library(struct kd_queue *queue, enum kd_precision precision, struct kd_error *err)
{
    struct kd_lt_state *lt = get(queue);
    if (precision != KD_PRECISION_TF32 || library_of(lt))
        return 0;
    return kd_fail(err, "%s needs cuBLASLt; without it there are fp32, bf16 and fp16: %s",
                   kd_precision_name(precision), lt->why.text);
}

int kd_lt_set_precision(struct kd_queue *queue, enum kd_precision precision, struct kd_error *err)
{
    if (precision != KD_PRECISION_FP32 &&
        (check_gpu(precision, err) < 0 ||
         (precision == KD_PRECISION_TF32 && check_library(queue, precision, err) < 0)))
        return -1;
    queue->precision = precision;
    return 0;
}

/* After the stream is done. */
void kd_lt_close(struct kd_queue *queue)
{
    struct kd_lt_state *lt = queue->lt;
    if (!lt)
        return;
    if (lt->library) {
        kd_lt_plans_free(&lt->plans, lt->library);
        kd_cuda_delete(lt->workspace);
        kd_lt_check(lt->library, lt->library->cublasLtDestroy(lt->handle), "cublasLtDestroy", NULL);
    }
    free(lt);
    queue->lt = NULL;
}
