/* lt_standin.c - a library that answers to cuBLASLt's names, for tests without a GPU: products in
 * double, on the memory of the sim and in the order of its streams.
 *
 * What cuBLASLt would round it rounds: the factors, to what the compute type allows, and the
 * result, once and at the end, to what it is stored as. Types that do not go together (lt_abi.h)
 * are not supported. What cuBLASLt leaves undefined ends the process with a text: shapes that do
 * not fit, an algorithm of another product, pointers that are less aligned than was said, too small
 * a workspace. What an algorithm may write of the workspace is written.
 *
 * KATYDID_LT_STANDIN makes it misbehave: "refuse=2", see `enum setting`. kd_lt_standin_count tells
 * a test what was asked. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/lt_abi.h"
#include "tests/cuda/lt_standin.h"
#include "tests/cuda/standin.h"
#include "tests/half.h"

#define KD_LT_CALL(result, name, parameters) result name parameters;
#include "kernels/cuda/lt_calls.def"
#undef KD_LT_CALL
size_t cublasLtGetVersion(void);

enum { STANDIN_VERSION = 130100, WORKSPACE = 1 << 12 };

/* ---- how it misbehaves */

enum setting {
    VERSION,   /* version=11800 is what it says of itself */
    CREATE,    /* create=1 is what making a handle ends with */
    NOTHING,   /* nothing=1: no algorithm for anything */
    NO_TYPE,   /* no_type=14: none for factors of this type */
    HEURISTIC, /* heuristic=13 is what asking for an algorithm ends with */
    REFUSE,    /* refuse=k: the k-th product is not supported, in spite of its algorithm */
    FAIL,      /* fail=k: the k-th product fails */
    MEMORY,    /* memory=k: the k-th finds the GPU full */
    N_SETTINGS
};

static const char *const setting_names[N_SETTINGS] = {
    [VERSION] = "version=", [CREATE] = "create=",       [NOTHING] = "nothing=",
    [NO_TYPE] = "no_type=", [HEURISTIC] = "heuristic=", [REFUSE] = "refuse=",
    [FAIL] = "fail=",       [MEMORY] = "memory=",
};

static int setting(enum setting which, int otherwise)
{
    return kd_standin_told("KATYDID_LT_STANDIN", setting_names[which], otherwise);
}

/* ---- what is asked of it */

static int counts[KD_LT_N_COUNTS];

int kd_lt_standin_count(enum kd_lt_count which)
{
    return counts[which];
}

#define WANT(condition, ...) ((condition) ? (void)0 : die(#condition, __VA_ARGS__))

static void die(const char *condition, const char *what)
{
    fprintf(stderr, "the stand-in of cuBLASLt: %s: %s does not hold\n", what, condition);
    abort();
}

static void *new_thing(size_t bytes)
{
    void *thing = calloc(1, bytes);
    if (!thing)
        abort();
    counts[KD_LT_ALIVE]++;
    return thing;
}

static int free_thing(void *thing)
{
    counts[KD_LT_ALIVE]--;
    free(thing);
    return KD_LT_SUCCESS;
}

/* ---- descriptors */

enum magic { HANDLE = 0x4c54, DESC, LAYOUT, PREFERENCE, ALGO };

struct kd_lt_handle {
    enum magic magic;
};

struct kd_lt_desc {
    enum magic magic;
    int compute;
    int32_t operations[2]; /* of A and B */
    uint32_t epilogue;
    const void *bias; /* of D's type */
};

struct kd_lt_layout {
    enum magic magic;
    int type;
    uint64_t rows, columns;
    int64_t ld;
};

enum { MATRICES = 4 }; /* A B C D */

struct kd_lt_preference {
    enum magic magic;
    uint64_t workspace;
    uint32_t reduction, alignments[MATRICES];
};

size_t cublasLtGetVersion(void)
{
    return (size_t)setting(VERSION, STANDIN_VERSION);
}

const char *cublasLtGetStatusName(int status)
{
    switch (status) {
    case KD_LT_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case KD_LT_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
        return "CUBLAS_STATUS_OF_THE_STANDIN";
    }
}

int cublasLtCreate(struct kd_lt_handle **handle)
{
    int status = setting(CREATE, KD_LT_SUCCESS);
    if (status != KD_LT_SUCCESS)
        return status;
    *handle = new_thing(sizeof **handle);
    (*handle)->magic = HANDLE;
    return KD_LT_SUCCESS;
}

int cublasLtDestroy(struct kd_lt_handle *handle)
{
    WANT(handle->magic == HANDLE, "destroying a handle");
    return free_thing(handle);
}

static bool is_compute(int type)
{
    return type == KD_LT_COMPUTE_32F || type == KD_LT_COMPUTE_32F_FAST_TF32;
}

int cublasLtMatmulDescCreate(struct kd_lt_desc **desc, int compute, int scale)
{
    if (!is_compute(compute) || scale != KD_LT_R_32F)
        return KD_LT_INVALID_VALUE;
    *desc = new_thing(sizeof **desc);
    **desc =
        (struct kd_lt_desc){.magic = DESC, .compute = compute, .epilogue = KD_LT_EPILOGUE_DEFAULT};
    return KD_LT_SUCCESS;
}

int cublasLtMatmulDescDestroy(struct kd_lt_desc *desc)
{
    WANT(desc->magic == DESC, "destroying a description");
    return free_thing(desc);
}

static int copy_value(void *to, size_t size, const void *value, size_t bytes)
{
    if (!to || !value || bytes != size)
        return KD_LT_INVALID_VALUE;
    memcpy(to, value, bytes);
    return KD_LT_SUCCESS;
}

int cublasLtMatmulDescSetAttribute(struct kd_lt_desc *desc, int attribute, const void *value,
                                   size_t bytes)
{
    WANT(desc->magic == DESC, "an attribute of a description");
    switch (attribute) {
    case KD_LT_DESC_TRANSA:
    case KD_LT_DESC_TRANSB:
        return copy_value(&desc->operations[attribute - KD_LT_DESC_TRANSA], sizeof(int32_t), value,
                          bytes);
    case KD_LT_DESC_EPILOGUE:
        return copy_value(&desc->epilogue, sizeof desc->epilogue, value, bytes);
    case KD_LT_DESC_BIAS_POINTER:
        return copy_value(&desc->bias, sizeof desc->bias, value, bytes);
    default:
        return KD_LT_INVALID_VALUE;
    }
}

static bool is_type(int type)
{
    return type == KD_LT_R_32F || type == KD_LT_R_16F || type == KD_LT_R_16BF;
}

int cublasLtMatrixLayoutCreate(struct kd_lt_layout **layout, int type, uint64_t rows,
                               uint64_t columns, int64_t ld)
{
    if (!is_type(type) || rows == 0 || columns == 0 || ld < (int64_t)rows)
        return KD_LT_INVALID_VALUE;
    *layout = new_thing(sizeof **layout);
    **layout = (struct kd_lt_layout){
        .magic = LAYOUT, .type = type, .rows = rows, .columns = columns, .ld = ld};
    return KD_LT_SUCCESS;
}

int cublasLtMatrixLayoutDestroy(struct kd_lt_layout *layout)
{
    WANT(layout->magic == LAYOUT, "destroying a layout");
    return free_thing(layout);
}

int cublasLtMatmulPreferenceCreate(struct kd_lt_preference **preference)
{
    *preference = new_thing(sizeof **preference);
    **preference = (struct kd_lt_preference){
        .magic = PREFERENCE, .reduction = 7, .alignments = {256, 256, 256, 256}};
    return KD_LT_SUCCESS;
}

#ifndef KD_STANDIN_LACKS_PREFERENCE_DESTROY
int cublasLtMatmulPreferenceDestroy(struct kd_lt_preference *preference)
{
    WANT(preference->magic == PREFERENCE, "destroying a preference");
    return free_thing(preference);
}
#endif

int cublasLtMatmulPreferenceSetAttribute(struct kd_lt_preference *preference, int attribute,
                                         const void *value, size_t bytes)
{
    WANT(preference->magic == PREFERENCE, "an attribute of a preference");
    if (attribute == KD_LT_PREFERENCE_WORKSPACE)
        return copy_value(&preference->workspace, sizeof preference->workspace, value, bytes);
    if (attribute == KD_LT_PREFERENCE_REDUCTION)
        return copy_value(&preference->reduction, sizeof preference->reduction, value, bytes);
    int matrix = attribute - KD_LT_PREFERENCE_ALIGNMENT_A;
    if (matrix < 0 || matrix >= MATRICES)
        return KD_LT_INVALID_VALUE;
    return copy_value(&preference->alignments[matrix], sizeof *preference->alignments, value,
                      bytes);
}

/* ---- algorithms */

/* What lies in a struct kd_lt_algo: what it is for. */
struct chosen {
    uint32_t magic;
    int32_t compute, of_factors, of_result;
    uint32_t m, n, k;
    uint32_t epilogue;
    uint16_t operations[2], alignments[MATRICES], bias_alignment, none; /* no padding */
    uint32_t workspace;
};
_Static_assert(sizeof(struct chosen) <= sizeof(struct kd_lt_algo), "an algorithm is 64 bytes");

static uint64_t rows_of(const struct kd_lt_layout *layout, int operation)
{
    return operation == KD_LT_OP_T ? layout->columns : layout->rows;
}

static uint64_t columns_of(const struct kd_lt_layout *layout, int operation)
{
    return rows_of(layout, operation == KD_LT_OP_T ? KD_LT_OP_N : KD_LT_OP_T);
}

static void check_shapes(const struct kd_lt_desc *desc, const struct kd_lt_layout *a,
                         const struct kd_lt_layout *b, const struct kd_lt_layout *c,
                         const struct kd_lt_layout *d)
{
    const int *operations = desc->operations;
    WANT(desc->magic == DESC, "a product");
    WANT(a->magic == LAYOUT && b->magic == LAYOUT, "the factors' layouts");
    WANT(c->magic == LAYOUT && d->magic == LAYOUT, "the results' layouts");
    WANT(operations[0] == KD_LT_OP_N || operations[0] == KD_LT_OP_T, "the operation of A");
    WANT(operations[1] == KD_LT_OP_N || operations[1] == KD_LT_OP_T, "the operation of B");
    WANT(columns_of(a, operations[0]) == rows_of(b, operations[1]), "k of A and B");
    WANT(d->rows == rows_of(a, operations[0]), "rows of A and D");
    WANT(d->columns == columns_of(b, operations[1]), "columns of B and D");
    WANT(c->rows == d->rows && c->columns == d->columns && c->ld == d->ld, "C and D");
    WANT(desc->epilogue == KD_LT_EPILOGUE_DEFAULT ||
             (desc->epilogue & ~(unsigned)(KD_LT_EPILOGUE_RELU | KD_LT_EPILOGUE_BIAS)) == 0,
         "the epilogue");
    WANT(desc->epilogue, "the epilogue");
}

/* The table in lt_abi.h. */
static bool go_together(const struct kd_lt_desc *desc, const struct kd_lt_layout *a,
                        const struct kd_lt_layout *b, const struct kd_lt_layout *c,
                        const struct kd_lt_layout *d)
{
    if (a->type != b->type || c->type != d->type)
        return false;
    if (a->type == KD_LT_R_32F)
        return d->type == KD_LT_R_32F;
    return desc->compute == KD_LT_COMPUTE_32F && (d->type == a->type || d->type == KD_LT_R_32F);
}

static bool has_bias(const struct kd_lt_desc *desc)
{
    return desc->epilogue & KD_LT_EPILOGUE_BIAS;
}

static uint16_t alignment_of(const void *pointer)
{
    uintptr_t bits = (uintptr_t)pointer | 256;
    return (uint16_t)(bits & -bits);
}

static struct chosen choose(const struct kd_lt_desc *desc, const struct kd_lt_layout *a,
                            const struct kd_lt_layout *d)
{
    struct chosen chosen = {
        .magic = ALGO,
        .compute = desc->compute,
        .of_factors = a->type,
        .of_result = d->type,
        .m = (uint32_t)d->rows,
        .n = (uint32_t)d->columns,
        .k = (uint32_t)columns_of(a, desc->operations[0]),
        .epilogue = desc->epilogue,
        .operations = {(uint16_t)desc->operations[0], (uint16_t)desc->operations[1]},
    };
    return chosen;
}

int cublasLtMatmulAlgoGetHeuristic(struct kd_lt_handle *handle, struct kd_lt_desc *desc,
                                   struct kd_lt_layout *a, struct kd_lt_layout *b,
                                   struct kd_lt_layout *c, struct kd_lt_layout *d,
                                   struct kd_lt_preference *preference, int n_wanted,
                                   struct kd_lt_result *results, int *n_results)
{
    counts[KD_LT_HEURISTICS]++;
    WANT(handle->magic == HANDLE && preference->magic == PREFERENCE, "asking for an algorithm");
    WANT(!(preference->reduction & KD_LT_REDUCTION_INPLACE), "sums in a fixed order");
    WANT(n_wanted == 1, "asking for one algorithm");
    check_shapes(desc, a, b, c, d);
    WANT(has_bias(desc) == (desc->bias != NULL), "a bias where the epilogue has one");
    *n_results = 0;
    if (setting(NOTHING, 0) || setting(NO_TYPE, -1) == a->type || !go_together(desc, a, b, c, d))
        return KD_LT_NOT_SUPPORTED;
    if (setting(HEURISTIC, KD_LT_SUCCESS) != KD_LT_SUCCESS)
        return setting(HEURISTIC, KD_LT_SUCCESS);
    struct chosen chosen = choose(desc, a, d);
    for (int i = 0; i < MATRICES; i++)
        chosen.alignments[i] = (uint16_t)preference->alignments[i];
    chosen.bias_alignment = has_bias(desc) ? alignment_of(desc->bias) : 0;
    chosen.workspace = preference->workspace < WORKSPACE ? 0 : WORKSPACE;
    *results = (struct kd_lt_result){.workspace_bytes = chosen.workspace};
    memcpy(&results->algo, &chosen, sizeof chosen);
    *n_results = 1;
    return KD_LT_SUCCESS;
}

/* ---- arithmetic */

/* To so many bits of the mantissa, the first one included; half way to the even one. */
static float round_to(float x, int n_bits)
{
    uint32_t bits, unit = UINT32_C(1) << (24 - n_bits);
    if (!isfinite(x))
        return x;
    memcpy(&bits, &x, sizeof bits);
    bits += unit / 2 - 1 + (bits / unit & 1);
    bits &= ~(unit - 1);
    memcpy(&x, &bits, sizeof bits);
    return x;
}

static float read_value(const void *x, int type, int64_t at)
{
    switch (type) {
    case KD_LT_R_16BF:
        return kd_float_of_bf16(((const uint16_t *)x)[at]);
    case KD_LT_R_16F:
        return kd_float_of_fp16(((const uint16_t *)x)[at]);
    default:
        return ((const float *)x)[at];
    }
}

static void write_value(void *x, int type, int64_t at, float value)
{
    switch (type) {
    case KD_LT_R_16BF:
        ((uint16_t *)x)[at] = kd_bf16_of_float(value);
        return;
    case KD_LT_R_16F:
        ((uint16_t *)x)[at] = kd_fp16_of_float(value);
        return;
    default:
        ((float *)x)[at] = value;
    }
}

/* ---- products */

struct product {
    int compute, of_factors, of_result; /* types */
    uint32_t epilogue;
    int64_t m, n, k; /* D is column-major [m x n] */
    const void *a, *b, *c, *bias;
    void *d;
    int64_t lds[MATRICES];
    bool transposed[2];
    float beta;
    void *workspace;
    size_t workspace_bytes;
};

/* op(X)'s element (i, j). */
static float element(const struct product *p, const void *x, int which, int64_t i, int64_t j)
{
    int64_t at = p->transposed[which] ? j + i * p->lds[which] : i + j * p->lds[which];
    float value = read_value(x, p->of_factors, at);
    return p->compute == KD_LT_COMPUTE_32F_FAST_TF32 ? round_to(value, 11) : value;
}

/* [n][k] of factors of one side, so that a sum goes through memory in order. */
static double *gather(const struct product *p, int which)
{
    int64_t n = which == 0 ? p->m : p->n;
    double *gathered = malloc((size_t)(n * p->k) * sizeof *gathered);
    if (!gathered)
        abort();
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < p->k; k++)
            gathered[i * p->k + k] =
                which == 0 ? (double)element(p, p->a, 0, i, k) : (double)element(p, p->b, 1, k, i);
    return gathered;
}

static float finish(const struct product *p, double sum, int64_t i, int64_t j)
{
    if (p->beta != 0.0f)
        sum += (double)read_value(p->c, p->of_result, i + j * p->lds[2]);
    if (p->epilogue & KD_LT_EPILOGUE_BIAS)
        sum += (double)read_value(p->bias, p->of_result, i);
    if (p->epilogue & KD_LT_EPILOGUE_RELU && sum < 0) /* a NaN stays */
        sum = 0;
    return (float)sum;
}

static void multiply(void *ud)
{
    const struct product *p = ud;
    double *left = gather(p, 0), *right = gather(p, 1);
    if (p->workspace_bytes)
        memset(p->workspace, 0xa5, p->workspace_bytes);
    for (int64_t j = 0; j < p->n; j++)
        for (int64_t i = 0; i < p->m; i++) {
            double sum = 0;
            for (int64_t k = 0; k < p->k; k++)
                sum += left[i * p->k + k] * right[j * p->k + k];
            write_value(p->d, p->of_result, i + j * p->lds[3], finish(p, sum, i, j));
        }
    free(left);
    free(right);
}

/* Without the sim's hook nothing is in order, and a test of it would pass for no reason. */
static void give(void *stream, const struct product *product)
{
    void (*give_sim)(void *, void (*)(void *), void *, void (*)(void *)) = NULL;
    kd_standin_find("kd_sim_give", &give_sim);
    struct product *kept = malloc(sizeof *kept);
    if (!give_sim || !kept)
        abort();
    *kept = *product;
    give_sim(stream, multiply, kept, free);
}

/* It was chosen for this product, and what it was told of the pointers is so. */
static void check_algorithm(const struct chosen *chosen, const struct kd_lt_desc *desc,
                            const struct kd_lt_layout *a, const struct kd_lt_layout *d,
                            const void *const pointers[MATRICES])
{
    struct chosen same = choose(desc, a, d);
    for (int i = 0; i < MATRICES; i++) {
        same.alignments[i] = chosen->alignments[i];
        WANT(pointers[i] && (uintptr_t)pointers[i] % chosen->alignments[i] == 0, "alignment");
    }
    same.bias_alignment = chosen->bias_alignment;
    same.workspace = chosen->workspace;
    WANT(memcmp(&same, chosen, sizeof same) == 0, "the algorithm is that of the product");
    if (has_bias(desc))
        WANT(desc->bias && (uintptr_t)desc->bias % chosen->bias_alignment == 0, "the bias");
}

int cublasLtMatmul(struct kd_lt_handle *handle, struct kd_lt_desc *desc, const void *alpha,
                   const void *a, struct kd_lt_layout *of_a, const void *b,
                   struct kd_lt_layout *of_b, const void *beta, const void *c,
                   struct kd_lt_layout *of_c, void *d, struct kd_lt_layout *of_d,
                   const struct kd_lt_algo *algo, void *workspace, size_t workspace_bytes,
                   void *stream)
{
    struct chosen chosen;
    int number = ++counts[KD_LT_PRODUCTS];
    float of_old = *(const float *)beta;
    memcpy(&chosen, algo, sizeof chosen);
    WANT(handle->magic == HANDLE && *(const float *)alpha == 1.0f, "a product");
    WANT(of_old == 0.0f || of_old == 1.0f, "beta");
    check_shapes(desc, of_a, of_b, of_c, of_d);
    check_algorithm(&chosen, desc, of_a, of_d, (const void *const[]){a, b, c, d});
    WANT(workspace_bytes >= chosen.workspace, "the workspace");
    WANT(!chosen.workspace || (workspace && (uintptr_t)workspace % 256 == 0), "the workspace");
    if (setting(REFUSE, 0) == number || !go_together(desc, of_a, of_b, of_c, of_d))
        return KD_LT_NOT_SUPPORTED;
    if (setting(FAIL, 0) == number || !kd_standin_takes_launch(stream))
        return KD_LT_EXECUTION_FAILED;
    if (setting(MEMORY, 0) == number)
        return KD_LT_ALLOC_FAILED;
    struct product product = {
        .compute = desc->compute,
        .of_factors = of_a->type,
        .of_result = of_d->type,
        .epilogue = desc->epilogue,
        .m = chosen.m,
        .n = chosen.n,
        .k = chosen.k,
        .a = a,
        .b = b,
        .c = c,
        .bias = desc->bias,
        .d = d,
        .lds = {of_a->ld, of_b->ld, of_c->ld, of_d->ld},
        .transposed = {desc->operations[0] == KD_LT_OP_T, desc->operations[1] == KD_LT_OP_T},
        .beta = of_old,
        .workspace = workspace,
        .workspace_bytes = chosen.workspace,
    };
    give(stream, &product);
    return KD_LT_SUCCESS;
}
