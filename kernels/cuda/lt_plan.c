#include "kernels/cuda/lt_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "kernels/cuda/memory.h"

_Static_assert(sizeof(struct kd_lt_shape) == 14 * sizeof(int64_t), "no byte is without meaning");

void kd_lt_check(const struct kd_lt *lt, int status, const char *call,
                 const struct kd_lt_shape *shape)
{
    if (status == KD_LT_SUCCESS)
        return;
    if (status == KD_LT_ALLOC_FAILED)
        kd_cuda_end_out_of_memory(0, call);
    fprintf(stderr, "katydid: cuBLASLt %zu: %s failed: %s", lt->version, call,
            lt->cublasLtGetStatusName(status));
    if (shape)
        fprintf(stderr,
                ", in the product [%" PRId64 "][%" PRId64 "] x [%" PRId64 "][%" PRId64
                "] (transposed %" PRId64 " %" PRId64 ", epilogue %" PRId64 ", compute type %" PRId64
                ", types %" PRId64 " %" PRId64 ")",
                shape->m, shape->k, shape->k, shape->n, shape->transpose_a, shape->transpose_b,
                shape->epilogue, shape->compute, shape->of_factors, shape->of_result);
    fprintf(stderr, "; %s=none does without cuBLASLt\n", KD_LT_PATH);
    fflush(NULL);
    _exit(EXIT_FAILURE); /* destructors would call CUDA again */
}

/* ---- making one */

static void set_desc(const struct kd_lt *lt, struct kd_lt_plan *plan, int attribute,
                     const void *value, size_t bytes)
{
    int status = lt->cublasLtMatmulDescSetAttribute(plan->desc, attribute, value, bytes);
    kd_lt_check(lt, status, "cublasLtMatmulDescSetAttribute", &plan->shape);
}

/* cuBLASLt's A is b. */
static void describe_product(const struct kd_lt *lt, struct kd_lt_plan *plan, const void *bias)
{
    const struct kd_lt_shape *s = &plan->shape;
    int32_t of_a = s->transpose_b ? KD_LT_OP_T : KD_LT_OP_N;
    int32_t of_b = s->transpose_a ? KD_LT_OP_T : KD_LT_OP_N;
    uint32_t epilogue = (uint32_t)s->epilogue;
    int status = lt->cublasLtMatmulDescCreate(&plan->desc, (int)s->compute, KD_LT_R_32F);
    kd_lt_check(lt, status, "cublasLtMatmulDescCreate", s);
    set_desc(lt, plan, KD_LT_DESC_TRANSA, &of_a, sizeof of_a);
    set_desc(lt, plan, KD_LT_DESC_TRANSB, &of_b, sizeof of_b);
    set_desc(lt, plan, KD_LT_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (s->align_bias)
        set_desc(lt, plan, KD_LT_DESC_BIAS_POINTER, &bias, sizeof bias);
}

/* Of a row-major [rows][columns], whose rows are cuBLASLt's columns. */
static struct kd_lt_layout *layout_of(const struct kd_lt *lt, const struct kd_lt_plan *plan,
                                      int64_t type, int64_t rows, int64_t columns)
{
    struct kd_lt_layout *layout = NULL;
    int status = lt->cublasLtMatrixLayoutCreate(&layout, (int)type, (uint64_t)columns,
                                                (uint64_t)rows, columns);
    kd_lt_check(lt, status, "cublasLtMatrixLayoutCreate", &plan->shape);
    return layout;
}

static void describe_matrices(const struct kd_lt *lt, struct kd_lt_plan *plan)
{
    const struct kd_lt_shape *s = &plan->shape;
    plan->a = s->transpose_a ? layout_of(lt, plan, s->of_factors, s->k, s->m)
                             : layout_of(lt, plan, s->of_factors, s->m, s->k);
    plan->b = s->transpose_b ? layout_of(lt, plan, s->of_factors, s->n, s->k)
                             : layout_of(lt, plan, s->of_factors, s->k, s->n);
    plan->c = layout_of(lt, plan, s->of_result, s->m, s->n);
}

/* The parts of a long sum are put aside in fp32 and added up in a step of their own, whose order
 * the algorithm fixes: put aside as the result is stored, each would be rounded. In place, where
 * blocks add to the result as they come, the documentation promises turns but no order: one run's
 * bits might not be another's. */
static struct kd_lt_preference *prefer(const struct kd_lt *lt, const struct kd_lt_shape *s,
                                       size_t workspace_bytes)
{
    struct kd_lt_preference *preference = NULL;
    const uint64_t workspace = workspace_bytes;
    const struct {
        int attribute;
        uint32_t value;
    } small[] = {
        {KD_LT_PREFERENCE_REDUCTION, KD_LT_REDUCTION_NONE | KD_LT_REDUCTION_COMPUTE_TYPE},
        {KD_LT_PREFERENCE_ALIGNMENT_A, (uint32_t)s->align_b},
        {KD_LT_PREFERENCE_ALIGNMENT_B, (uint32_t)s->align_a},
        {KD_LT_PREFERENCE_ALIGNMENT_C, (uint32_t)s->align_c},
        {KD_LT_PREFERENCE_ALIGNMENT_D, (uint32_t)s->align_c},
    };
    kd_lt_check(lt, lt->cublasLtMatmulPreferenceCreate(&preference),
                "cublasLtMatmulPreferenceCreate", s);
    int status = lt->cublasLtMatmulPreferenceSetAttribute(preference, KD_LT_PREFERENCE_WORKSPACE,
                                                          &workspace, sizeof workspace);
    for (size_t i = 0; i < sizeof small / sizeof *small && status == KD_LT_SUCCESS; i++)
        status = lt->cublasLtMatmulPreferenceSetAttribute(preference, small[i].attribute,
                                                          &small[i].value, sizeof small[i].value);
    kd_lt_check(lt, status, "cublasLtMatmulPreferenceSetAttribute", s);
    return preference;
}

/* Whether it is an answer: the library has nothing for this shape, or no code for this GPU. */
static bool is_a_no(int status)
{
    return status == KD_LT_NOT_SUPPORTED || status == KD_LT_ARCH_MISMATCH;
}

static void choose_algorithm(const struct kd_lt *lt, struct kd_lt_handle *handle,
                             struct kd_lt_plan *plan, size_t workspace_bytes)
{
    struct kd_lt_preference *preference = prefer(lt, &plan->shape, workspace_bytes);
    struct kd_lt_result result = {0};
    int n_results = 0;
    int status = lt->cublasLtMatmulAlgoGetHeuristic(handle, plan->desc, plan->b, plan->a, plan->c,
                                                    plan->c, preference, 1, &result, &n_results);
    if (!is_a_no(status))
        kd_lt_check(lt, status, "cublasLtMatmulAlgoGetHeuristic", &plan->shape);
    plan->can = status == KD_LT_SUCCESS && n_results > 0 && result.status == KD_LT_SUCCESS &&
                result.workspace_bytes <= workspace_bytes;
    plan->algo = result.algo;
    plan->workspace_bytes = result.workspace_bytes;
    kd_lt_check(lt, lt->cublasLtMatmulPreferenceDestroy(preference),
                "cublasLtMatmulPreferenceDestroy", &plan->shape);
}

/* ---- the table */

static size_t bucket_of(const struct kd_lt_shape *shape)
{
    const unsigned char *bytes = (const unsigned char *)shape;
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < sizeof *shape; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return (size_t)(hash >> 32) % KD_LT_BUCKETS;
}

static struct kd_lt_plan *add(struct kd_lt_plan **bucket, const struct kd_lt_shape *shape)
{
    struct kd_lt_plan *plan = KD_NEW(struct kd_lt_plan);
    plan->shape = *shape;
    plan->next = *bucket;
    *bucket = plan;
    return plan;
}

static void release(struct kd_lt_plan *plan, const struct kd_lt *lt)
{
    struct kd_lt_layout *layouts[] = {plan->a, plan->b, plan->c};
    for (int i = 0; i < 3; i++)
        if (layouts[i])
            kd_lt_check(lt, lt->cublasLtMatrixLayoutDestroy(layouts[i]),
                        "cublasLtMatrixLayoutDestroy", &plan->shape);
    if (plan->desc)
        kd_lt_check(lt, lt->cublasLtMatmulDescDestroy(plan->desc), "cublasLtMatmulDescDestroy",
                    &plan->shape);
    plan->a = plan->b = plan->c = NULL;
    plan->desc = NULL;
}

struct kd_lt_plan *kd_lt_plan_get(struct kd_lt_plans *plans, const struct kd_lt *lt,
                                  struct kd_lt_handle *handle, const struct kd_lt_shape *shape,
                                  const void *bias)
{
    struct kd_lt_plan **bucket = &plans->buckets[bucket_of(shape)];
    for (struct kd_lt_plan *plan = *bucket; plan; plan = plan->next)
        if (memcmp(&plan->shape, shape, sizeof *shape) == 0)
            return plan;
    struct kd_lt_plan *plan = add(bucket, shape);
    describe_product(lt, plan, bias);
    describe_matrices(lt, plan);
    choose_algorithm(lt, handle, plan, plans->workspace_bytes);
    if (!plan->can)
        release(plan, lt);
    return plan;
}

void kd_lt_plan_give_up(struct kd_lt_plan *plan, const struct kd_lt *lt)
{
    release(plan, lt);
    plan->can = false;
}

void kd_lt_plans_free(struct kd_lt_plans *plans, const struct kd_lt *lt)
{
    for (int i = 0; i < KD_LT_BUCKETS; i++)
        for (struct kd_lt_plan *plan = plans->buckets[i], *next; plan; plan = next) {
            next = plan->next;
            release(plan, lt);
            free(plan);
        }
    *plans = (struct kd_lt_plans){0};
}
