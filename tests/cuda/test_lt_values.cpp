/* test_lt_values.cpp - products, linear layers and convolutions on values in each precision, by a
 * stand-in of cuBLASLt and in our own tiles, against float64 from what is stored: what comes out is
 * rounded once, to what it is stored as. */
#include <math.h>
#include <stdlib.h>

#include <dlfcn.h>

#include <functional>
#include <vector>

#include "kernels/cuda/lt.h"

extern "C" {
#include "coordinator/base/rng.h"
#include "kernels/cuda/lt_plan.h"
#include "tests/cuda/lt_standin.h"
}
#include "tests/cuda/child.h"
#include "tests/half.h"
#include "tests/kernels/windows.h"

extern "C" {
extern const struct kd_device kd_device_cuda;
}

static const struct kd_device *const device = &kd_device_cuda;

/* ---- values and their storage */

/* What an element is in memory. */
enum kind { FLOATS, BFLOATS, HALVES };

static double to_kind(enum kind kind, float x)
{
    switch (kind) {
    case BFLOATS:
        return (double)kd_float_of_bf16(kd_bf16_of_float(x));
    case HALVES:
        return (double)kd_float_of_fp16(kd_fp16_of_float(x));
    default:
        return (double)x;
    }
}

static size_t bytes_of(enum kind kind)
{
    return kind == FLOATS ? sizeof(float) : sizeof(uint16_t);
}

/* `to` has room for it. */
static void encode(enum kind kind, float x, unsigned char *to)
{
    uint16_t half = kind == BFLOATS ? kd_bf16_of_float(x) : kd_fp16_of_float(x);
    memcpy(to, kind == FLOATS ? (const void *)&x : (const void *)&half, bytes_of(kind));
}

static double decode(enum kind kind, const unsigned char *from)
{
    float x;
    uint16_t half;
    memcpy(kind == FLOATS ? (void *)&x : (void *)&half, from, bytes_of(kind));
    return (double)(kind == FLOATS    ? x
                    : kind == BFLOATS ? kd_float_of_bf16(half)
                                      : kd_float_of_fp16(half));
}

/* Half of the distance between two neighbours at x: what rounding once may do. */
static double half_step(enum kind kind, double x)
{
    static const int bits[] = {24, 8, 11}, least[] = {-126, -126, -14};
    int exponent = x == 0.0 ? least[kind] : ilogb(x);
    return ldexp(0.5, (exponent < least[kind] ? least[kind] : exponent) + 1 - bits[kind]);
}

struct lab {
    struct kd_queue *queue;
    enum kd_precision precision;
    struct kd_rng rng;
};

static enum kind stored(const struct lab *lab)
{
    return lab->precision == KD_PRECISION_BF16   ? BFLOATS
           : lab->precision == KD_PRECISION_FP16 ? HALVES
                                                 : FLOATS;
}

struct array {
    enum kind kind;
    std::vector<double> host; /* what the device has, exactly */
    void *device;
};

static void write(struct lab *lab, const struct array *array)
{
    std::vector<unsigned char> bytes(array->host.size() * bytes_of(array->kind) + 1);
    for (size_t i = 0; i < array->host.size(); i++)
        encode(array->kind, (float)array->host[i], &bytes[i * bytes_of(array->kind)]);
    device->copy_in(lab->queue, array->device, bytes.data(), bytes.size() - 1);
}

static std::vector<double> read(struct lab *lab, const struct array *array)
{
    std::vector<unsigned char> bytes(array->host.size() * bytes_of(array->kind) + 1);
    std::vector<double> values(array->host.size());
    device->copy_out(lab->queue, bytes.data(), array->device, bytes.size() - 1);
    device->wait(lab->queue);
    for (size_t i = 0; i < values.size(); i++)
        values[i] = decode(array->kind, &bytes[i * bytes_of(array->kind)]);
    return values;
}

/* Numbers in [-1, 1) that tf32 has, too. */
static struct array random_array(struct lab *lab, int64_t n, enum kind kind)
{
    struct array array = {kind, std::vector<double>((size_t)n), NULL};
    array.device = device->alloc((size_t)n * bytes_of(kind));
    for (double &x : array.host) {
        float value = (float)(2.0 * kd_rng_uniform(&lab->rng) - 1.0);
        x = to_kind(kind,
                    lab->precision == KD_PRECISION_TF32 ? (float)to_kind(HALVES, value) : value);
    }
    write(lab, &array);
    return array;
}

/* What an op that writes by beta starts from, and returns what it keeps of that: with 0 not even a
 * NaN is read. */
static std::vector<double> start(struct lab *lab, struct array *array, float beta)
{
    if (beta != 0.0f)
        return array->host;
    std::vector<double> zeros(array->host.size());
    array->host.assign(array->host.size(), NAN);
    write(lab, array);
    return zeros;
}

/* Sums of some hundred products of numbers below 1, in fp32, and one rounding. `more`: what other
 * roundings may add. */
static void assert_rounded_once(struct lab *lab, const struct array *got,
                                const std::vector<double> &want, const char *what,
                                double more = 0.0)
{
    std::vector<double> values = read(lab, got);
    for (size_t i = 0; i < want.size(); i++)
        if (!(fabs(values[i] - want[i]) <= half_step(got->kind, want[i]) + 1e-5 + more))
            fail_msg("%s: %s[%zu] is %.9g, the reference gives %.9g",
                     kd_precision_name(lab->precision), what, i, values[i], want[i]);
}

static void free_arrays(std::initializer_list<struct array *> arrays)
{
    for (struct array *array : arrays)
        device->free(array->device);
}

/* ---- who does it */

enum way { BY_TILES, BY_LT, REFUSED };

static int n_products()
{
    void *library = dlopen(KD_STANDIN, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    auto get = reinterpret_cast<int (*)(enum kd_lt_count)>(dlsym(library, "kd_lt_standin_count"));
    int value = get(KD_LT_PRODUCTS);
    dlclose(library);
    return value;
}

/* REFUSED: cuBLASLt is there and has nothing for these types. cudaDataType's 0 is fp32, 14 bf16, 2
 * fp16. */
static void choose(enum way way, enum kd_precision precision)
{
    static const char *const refusals[] = {"no_type=0", "no_type=0", "no_type=14", "no_type=2"};
    setenv(KD_LT_PATH, way == BY_TILES ? "/nonexistent" : KD_STANDIN, 1);
    setenv(KD_LT_FROM, "1", 1);
    setenv("KATYDID_LT_STANDIN", way == REFUSED ? refusals[precision] : "", 1);
    setenv("KATYDID_SIM_ARCHITECTURE", "80", 1);
}

static void check_in(enum way way, enum kd_precision precision, void (*check)(struct lab *))
{
    struct kd_error err = {};
    struct lab lab = {NULL, precision, kd_rng_at(1, 1)};
    choose(way, precision);
    int before = n_products();
    if (device->open(0, &lab.queue, &err) < 0 ||
        device->set_precision(lab.queue, precision, &err) < 0)
        fail_msg("%s", err.text);
    check(&lab);
    device->close(lab.queue);
    assert_int_equal(n_products() > before, way == BY_LT);
}

static void check_by_tiles(void (*check)(struct lab *))
{
    for (enum kd_precision precision : {KD_PRECISION_FP32, KD_PRECISION_BF16, KD_PRECISION_FP16})
        check_in(BY_TILES, precision, check);
}

static void check_by_lt(void (*check)(struct lab *))
{
    for (int precision = 0; precision < KD_N_PRECISIONS; precision++) {
        check_in(BY_LT, (enum kd_precision)precision, check);
        check_in(REFUSED, (enum kd_precision)precision, check);
    }
}

/* ---- products */

static double element(const struct array *x, int64_t rows, int64_t columns, bool turned, int64_t i,
                      int64_t j)
{
    return x->host[(size_t)(turned ? j * rows + i : i * columns + j)];
}

/* want[m][n] += op(a) op(b) */
static void add_product(const struct kd_op_matmul *op, const struct array *a, const struct array *b,
                        std::vector<double> *want)
{
    for (int64_t i = 0; i < op->m; i++)
        for (int64_t j = 0; j < op->n; j++)
            for (int64_t k = 0; k < op->k; k++)
                (*want)[(size_t)(i * op->n + j)] +=
                    element(a, op->m, op->k, op->transpose_a, i, k) *
                    element(b, op->k, op->n, op->transpose_b, k, j);
}

static void check_matmul(struct lab *lab, struct kd_op_matmul op)
{
    struct array a = random_array(lab, op.m * op.k, stored(lab));
    struct array b = random_array(lab, op.k * op.n, stored(lab));
    struct array c = random_array(lab, op.m * op.n, op.to_floats ? FLOATS : stored(lab));
    std::vector<double> want = start(lab, &c, op.beta);
    op.a = a.device, op.b = b.device, op.c = c.device;
    add_product(&op, &a, &b, &want);
    device->ops->matmul(lab->queue, &op);
    assert_rounded_once(lab, &c, want, op.to_floats ? "c, of floats," : "c");
    free_arrays({&a, &b, &c});
}

static void check_matmuls(struct lab *lab)
{
    static const int64_t shapes[][3] = {{1, 1, 1}, {5, 7, 9}, {8, 16, 24}, {33, 65, 70}};
    for (const int64_t(&s)[3] : shapes)
        for (int flags = 0; flags < 16; flags++)
            check_matmul(lab, {NULL, NULL, NULL, s[0], s[1], s[2], (flags & 1) != 0,
                               (flags & 2) != 0, (flags & 4) != 0, flags & 8 ? 1.0f : 0.0f});
}

/* ---- linear layers */

static double f(enum kd_activation activation, double x)
{
    switch (activation) {
    case KD_ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case KD_ACTIVATION_GELU:
        return 0.5 * x * erfc(-x * sqrt(0.5));
    case KD_ACTIVATION_TANH:
        return tanh(x);
    case KD_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    default:
        return x;
    }
}

/* What f is applied to may have been rounded before, and no f's derivative exceeds 1.13. */
static void check_activated(struct lab *lab, const struct array *y, const std::vector<double> &pre,
                            enum kd_activation activation, bool was_stored)
{
    std::vector<double> values = read(lab, y);
    for (size_t i = 0; i < pre.size(); i++) {
        double want = f(activation, pre[i]);
        double before = was_stored ? 1.13 * half_step(y->kind, pre[i]) : 0.0;
        double allowed = half_step(y->kind, fabs(want) + before) + before + 1e-5;
        if (!(fabs(values[i] - want) <= allowed))
            fail_msg("%s: y[%zu] is %.9g, the reference gives %.9g",
                     kd_precision_name(lab->precision), i, values[i], want);
    }
}

static void check_linear(struct lab *lab, struct kd_op_linear op, bool with_bias, bool with_pre)
{
    struct array x = random_array(lab, op.rows * op.n_in, stored(lab));
    struct array weight = random_array(lab, op.n_in * op.n_out, stored(lab));
    struct array bias = random_array(lab, op.n_out, stored(lab));
    struct array y = random_array(lab, op.rows * op.n_out, stored(lab));
    struct array pre = random_array(lab, op.rows * op.n_out, stored(lab));
    struct kd_op_matmul product = {};
    std::vector<double> want(y.host.size());
    product.m = op.rows, product.n = op.n_out, product.k = op.n_in, product.transpose_b = true;
    for (size_t i = 0; with_bias && i < want.size(); i++)
        want[i] = bias.host[i % (size_t)op.n_out];
    add_product(&product, &x, &weight, &want);
    op.x = x.device, op.weight = weight.device, op.y = y.device;
    op.bias = with_bias ? bias.device : NULL, op.pre = with_pre ? pre.device : NULL;
    device->ops->linear(lab->queue, &op);
    bool is_one_step =
        op.activation == KD_ACTIVATION_NONE || (op.activation == KD_ACTIVATION_RELU && !with_pre);
    check_activated(lab, &y, want, op.activation, !is_one_step);
    if (with_pre)
        assert_rounded_once(lab, &pre, want, "pre");
    free_arrays({&x, &weight, &bias, &y, &pre});
}

static void check_linears(struct lab *lab)
{
    static const int64_t shapes[][3] = {{1, 1, 1}, {6, 16, 8}, {17, 33, 31}};
    for (const int64_t(&s)[3] : shapes)
        for (int activation = 0; activation <= KD_ACTIVATION_SILU; activation++)
            for (int flags = 0; flags < 4; flags++)
                check_linear(lab,
                             {NULL, NULL, NULL, NULL, NULL, s[0], s[1], s[2],
                              (enum kd_activation)activation},
                             flags & 1, flags & 2);
}

/* ---- convolutions */

typedef std::function<void(int64_t out, int64_t in, int64_t tap)> taps_fn;

static void visit(void *ud, int64_t out, int64_t in, int64_t tap)
{
    (*static_cast<const taps_fn *>(ud))(out, in, tap);
}

/* f of where x, y and the weight meet. */
static void each_term(const struct window_case *c,
                      const std::function<void(size_t x, size_t y, size_t weight)> &term)
{
    int64_t channels = c->window.channels, c_out = c->c_out;
    int64_t n_taps = c->window.kernel * c->window.kernel;
    taps_fn of_tap = [&](int64_t out, int64_t in, int64_t tap) {
        for (int64_t o = 0; o < c_out; o++)
            for (int64_t i = 0; i < channels; i++)
                term((size_t)(in * channels + i), (size_t)(out * c_out + o),
                     (size_t)((o * n_taps + tap) * channels + i));
    };
    each_tap(&c->window, visit, &of_tap);
}

struct convolution {
    struct array x, weight, bias, y, dweight;
};

static struct convolution convolution_of(struct lab *lab, const struct window_case *c)
{
    int64_t n_weight = c->c_out * c->window.kernel * c->window.kernel * c->window.channels;
    return {random_array(lab, window_x(&c->window), stored(lab)),
            random_array(lab, n_weight, stored(lab)), random_array(lab, c->c_out, stored(lab)),
            random_array(lab, window_pixels(&c->window) * c->c_out, stored(lab)),
            random_array(lab, n_weight, FLOATS)};
}

static void free_convolution(struct convolution *v)
{
    free_arrays({&v->x, &v->weight, &v->bias, &v->y, &v->dweight});
}

static void check_forward(struct lab *lab, const struct window_case *c, bool with_bias)
{
    struct convolution v = convolution_of(lab, c);
    std::vector<double> want(v.y.host.size());
    for (size_t i = 0; with_bias && i < want.size(); i++)
        want[i] = v.bias.host[i % (size_t)c->c_out];
    each_term(c, [&](size_t x, size_t y, size_t weight) {
        want[y] += v.x.host[x] * v.weight.host[weight];
    });
    struct kd_op_conv2d op = {v.x.device, v.weight.device, with_bias ? v.bias.device : NULL,
                              v.y.device, c->window,       c->c_out};
    device->ops->conv2d(lab->queue, &op);
    assert_rounded_once(lab, &v.y, want, "y");
    free_convolution(&v);
}

static void check_backward_x(struct lab *lab, const struct window_case *c, float beta)
{
    struct convolution v = convolution_of(lab, c);
    std::vector<double> want = start(lab, &v.x, beta);
    each_term(c, [&](size_t x, size_t y, size_t weight) {
        want[x] += v.y.host[y] * v.weight.host[weight];
    });
    struct kd_op_conv2d_backward_x op = {v.y.device, v.weight.device, v.x.device,
                                         c->window,  c->c_out,        beta};
    device->ops->conv2d_backward_x(lab->queue, &op);
    assert_rounded_once(lab, &v.x, want, "dx");
    free_convolution(&v);
}

static void check_backward_weight(struct lab *lab, const struct window_case *c, float beta)
{
    struct convolution v = convolution_of(lab, c);
    std::vector<double> want = start(lab, &v.dweight, beta);
    each_term(
        c, [&](size_t x, size_t y, size_t weight) { want[weight] += v.x.host[x] * v.y.host[y]; });
    struct kd_op_conv2d_backward_weight op = {v.y.device, v.x.device, (float *)v.dweight.device,
                                              c->window,  c->c_out,   beta};
    device->ops->conv2d_backward_weight(lab->queue, &op);
    assert_rounded_once(lab, &v.dweight, want, "dweight");
    free_convolution(&v);
}

/* Channels in groups of 8 and of 4 and alone; in one part and in several; 1 x 1; and for the tiles
 * of tensor cores, before cuBLASLt. */
static void check_convolutions(struct lab *lab)
{
    static const struct window_case cases[] = {
        {{3, 7, 8, 8, 3, 1, 1}, 6},  {{3, 9, 9, 12, 3, 2, 1}, 4}, {{2, 5, 6, 5, 3, 1, 1}, 9},
        {{2, 6, 5, 16, 1, 1, 0}, 8}, {{1, 5, 5, 17, 1, 1, 0}, 3}, {{2, 5, 5, 4, 2, 3, 0}, 5},
        {{1, 3, 3, 2, 5, 1, 2}, 2},  {{3, 7, 6, 8, 3, 2, 1}, 24}, {{2, 9, 9, 24, 3, 1, 1}, 16},
    };
    for (const struct window_case &c : cases)
        for (int flag = 0; flag < 2; flag++) {
            check_forward(lab, &c, flag);
            check_backward_x(lab, &c, (float)flag);
            check_backward_weight(lab, &c, (float)flag);
        }
}

/* ---- the tests: first without the library, which is loaded once and kept */

static void products_in_tiles(void **)
{
    check_by_tiles(check_matmuls);
}

static void linear_layers_in_tiles(void **)
{
    check_by_tiles(check_linears);
}

static void convolutions_in_tiles(void **)
{
    check_by_tiles(check_convolutions);
}

static void products_by_cublaslt(void **)
{
    check_by_lt(check_matmuls);
}

static void linear_layers_by_cublaslt(void **)
{
    check_by_lt(check_linears);
}

static void convolutions_by_cublaslt(void **)
{
    check_by_lt(check_convolutions);
}

/* As documented: the test of the rest is worth something only if the stand-in is no more willing
 * than cuBLASLt. */
static void types_that_do_not_go_together_have_no_plan(void **)
{
    static const struct {
        int64_t compute, of_factors, of_result;
        bool can;
    } cases[] = {
        {KD_LT_COMPUTE_32F, KD_LT_R_32F, KD_LT_R_32F, true},
        {KD_LT_COMPUTE_32F_FAST_TF32, KD_LT_R_32F, KD_LT_R_32F, true},
        {KD_LT_COMPUTE_32F, KD_LT_R_16BF, KD_LT_R_16BF, true},
        {KD_LT_COMPUTE_32F, KD_LT_R_16F, KD_LT_R_32F, true},
        {KD_LT_COMPUTE_32F, KD_LT_R_32F, KD_LT_R_16BF, false},
        {KD_LT_COMPUTE_32F, KD_LT_R_16F, KD_LT_R_16BF, false},
        {KD_LT_COMPUTE_32F_FAST_TF32, KD_LT_R_16BF, KD_LT_R_16BF, false},
        {KD_LT_COMPUTE_32F_FAST_TF32, KD_LT_R_32F, KD_LT_R_16F, false},
    };
    struct kd_error err = {};
    struct kd_lt_plans plans = {};
    struct kd_lt_handle *handle = NULL;
    choose(BY_LT, KD_PRECISION_FP32);
    const struct kd_lt *lt = kd_lt_get(13, &err);
    assert_non_null(lt);
    assert_int_equal(lt->cublasLtCreate(&handle), KD_LT_SUCCESS);
    for (const auto &c : cases) {
        struct kd_lt_shape shape = {};
        shape.m = shape.n = shape.k = 8, shape.epilogue = KD_LT_EPILOGUE_DEFAULT;
        shape.align_a = shape.align_b = shape.align_c = 16;
        shape.compute = c.compute, shape.of_factors = c.of_factors, shape.of_result = c.of_result;
        assert_int_equal(kd_lt_plan_get(&plans, lt, handle, &shape, NULL)->can, c.can);
    }
    kd_lt_plans_free(&plans, lt);
    assert_int_equal(lt->cublasLtDestroy(handle), KD_LT_SUCCESS);
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_in_tiles),
        cmocka_unit_test(linear_layers_in_tiles),
        cmocka_unit_test(convolutions_in_tiles),
        cmocka_unit_test(products_by_cublaslt),
        cmocka_unit_test(linear_layers_by_cublaslt),
        cmocka_unit_test(convolutions_by_cublaslt),
        cmocka_unit_test(types_that_do_not_go_together_have_no_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
