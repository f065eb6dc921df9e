/* test_lt.cpp - products by cuBLASLt (kernels/cuda/lt.cu) on the shim and a stand-in: what is asked
 * for once, what is left to our own tiles, each way in which cuBLASLt can be missing or fail, and
 * what a precision needs. What is computed: test_lt_values.cpp. */
#include <math.h>
#include <stdlib.h>

#include <dlfcn.h>

#include "kernels/cuda/lt.h"
#include "kernels/cuda/recording.h"

extern "C" {
#include "kernels/cuda/lt_library.h"
#include "kernels/replay.h"
#include "tests/cuda/lt_standin.h"
}
#include "tests/cuda/child.h"

extern "C" {
extern const struct kd_device kd_device_cuda;
}

static const struct kd_device *const device = &kd_device_cuda;

static int count(enum kd_lt_count which)
{
    void *library = dlopen(KD_STANDIN, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    auto get = reinterpret_cast<int (*)(enum kd_lt_count)>(dlsym(library, "kd_lt_standin_count"));
    assert_non_null(get);
    int value = get(which);
    dlclose(library);
    return value;
}

/* ---- a product of two matrices of ones and a bit */

enum { M = 5, N = 7, MOST = 256 };
static constexpr int K = 9;

struct product {
    struct kd_queue *queue;
    float *a, *b, *c, *bias; /* on the device */
    float value;             /* of all elements of a; those of b are 1 */
};

static void fill(struct product *p, float *x, float value)
{
    float values[MOST];
    for (float &v : values)
        v = value;
    device->copy_in(p->queue, x, values, sizeof values);
}

static struct product open_product(float value)
{
    struct kd_error err = {};
    struct product p = {};
    if (device->open(0, &p.queue, &err) < 0)
        fail_msg("%s", err.text);
    for (float **x : {&p.a, &p.b, &p.c, &p.bias})
        *x = static_cast<float *>(device->alloc(MOST * sizeof(float)));
    p.value = value;
    fill(&p, p.a, value);
    fill(&p, p.b, 1.0f);
    fill(&p, p.bias, 0.5f);
    return p;
}

static void close_product(struct product *p)
{
    for (float *x : {p->a, p->b, p->c, p->bias})
        device->free(x);
    device->close(p->queue);
}

static void multiply(const struct product *p, int64_t m, int64_t n, int64_t k, float beta = 0.0f)
{
    struct kd_op_matmul op = {p->a, p->b, p->c, m, n, k, false, false, false, beta};
    device->ops->matmul(p->queue, &op);
}

static float first_of(const struct product *p)
{
    float value;
    device->copy_out(p->queue, &value, p->c, sizeof value);
    device->wait(p->queue);
    return value;
}

static void multiply_and_check(const struct product *p)
{
    fill(const_cast<struct product *>(p), p->c, NAN);
    multiply(p, M, N, K);
    assert_true(first_of(p) == K * p->value);
}

static void linear(const struct product *p, const float *bias)
{
    struct kd_op_linear op = {p->a, p->b, bias, p->c, NULL, M, K, N, KD_ACTIVATION_RELU};
    device->ops->linear(p->queue, &op);
}

static void use_standin(const char *misbehaves)
{
    setenv(KD_LT_PATH, KD_STANDIN, 1);
    setenv(KD_LT_FROM, "1", 1);
    setenv("KATYDID_LT_STANDIN", misbehaves, 1);
}

/* ---- plans */

static void an_algorithm_is_asked_for_once_a_shape(void **)
{
    use_standin("");
    struct product p = open_product(1.25f);
    int before = count(KD_LT_HEURISTICS);
    for (int i = 0; i < 3; i++)
        multiply_and_check(&p);
    assert_int_equal(count(KD_LT_HEURISTICS) - before, 1);
    for (int i = 0; i < 3; i++)
        multiply(&p, M, N, K - 1);
    assert_int_equal(count(KD_LT_HEURISTICS) - before, 2);
    multiply(&p, M, N, K, 1.0f); /* what is added to reads c */
    assert_int_equal(count(KD_LT_HEURISTICS) - before, 3);
    struct kd_op_matmul turned = {p.a, p.b, p.c, M, N, K, true, false, false, 0.0f};
    device->ops->matmul(p.queue, &turned);
    assert_int_equal(count(KD_LT_HEURISTICS) - before, 4);
    close_product(&p);
    assert_int_equal(count(KD_LT_ALIVE), 0);
}

static void a_less_aligned_pointer_is_another_plan_and_another_bias_is_not(void **)
{
    use_standin("");
    struct product p = open_product(1.0f);
    int before = count(KD_LT_HEURISTICS);
    linear(&p, p.bias);
    assert_true(first_of(&p) == K + 0.5f);
    float other[64];
    for (float &v : other)
        v = 2.0f;
    device->copy_in(p.queue, p.bias + 64, other, sizeof other);
    linear(&p, p.bias + 64); /* as aligned */
    assert_true(first_of(&p) == K + 2.0f);
    assert_int_equal(count(KD_LT_HEURISTICS) - before, 1);
    linear(&p, p.bias + 1);
    assert_int_equal(count(KD_LT_HEURISTICS) - before, 2);
    linear(&p, NULL);
    assert_int_equal(count(KD_LT_HEURISTICS) - before, 3);
    assert_true(first_of(&p) == K);
    const struct kd_op_matmul shifted[] = {{p.a + 2, p.b, p.c, M, N, K, false, false, false, 0.0f},
                                           {p.a, p.b + 2, p.c, M, N, K, false, false, false, 0.0f},
                                           {p.a, p.b, p.c + 2, M, N, K, false, false, false, 0.0f}};
    for (int i = 0; i < 6; i++)
        device->ops->matmul(p.queue, &shifted[i % 3]);
    multiply(&p, M, N, K);
    assert_int_equal(count(KD_LT_HEURISTICS) - before, 7);
    device->wait(p.queue);
    close_product(&p);
}

static void what_relu_was_applied_to_is_kept_where_it_is_asked_for(void **)
{
    use_standin("");
    struct product p = open_product(-1.0f);
    float *pre = static_cast<float *>(device->alloc(MOST * sizeof(float))), value;
    struct kd_op_linear op = {p.a, p.b, p.bias, p.c, pre, M, K, N, KD_ACTIVATION_RELU};
    int before = count(KD_LT_PRODUCTS);
    device->ops->linear(p.queue, &op);
    assert_true(first_of(&p) == 0.0f);
    device->copy_out(p.queue, &value, pre, sizeof value);
    device->wait(p.queue);
    assert_true(value == 0.5f - K);
    assert_int_equal(count(KD_LT_PRODUCTS) - before, 1);
    device->free(pre);
    close_product(&p);
}

static void small_products_are_left_to_our_tiles(void **)
{
    use_standin("");
    unsetenv(KD_LT_FROM);
    struct product p = open_product(1.0f);
    int before = count(KD_LT_PRODUCTS);
    multiply_and_check(&p);
    assert_int_equal(count(KD_LT_PRODUCTS), before);
    assert_int_equal(count(KD_LT_ALIVE), 0); /* no handle either */
    close_product(&p);
}

static void empty_products_never_come_to_it(void **)
{
    use_standin("");
    struct product p = open_product(1.0f);
    int before = count(KD_LT_PRODUCTS);
    fill(&p, p.c, 3.0f);
    multiply(&p, 0, N, K);
    multiply(&p, M, 0, K);
    assert_true(first_of(&p) == 3.0f);
    multiply(&p, M, N, 0); /* a sum of nothing */
    assert_true(first_of(&p) == 0.0f);
    assert_int_equal(count(KD_LT_PRODUCTS), before);
    close_product(&p);
}

static void a_workspace_that_does_not_fit_is_done_without(void **)
{
    use_standin("");
    struct product p = open_product(1.5f);
    kd_sim::fail_call("cudaMalloc", cudaErrorMemoryAllocation);
    multiply_and_check(&p);
    kd_sim::fail_call(NULL, cudaSuccess);
    int before = count(KD_LT_PRODUCTS);
    multiply_and_check(&p);
    assert_int_equal(count(KD_LT_PRODUCTS), before + 1);
    close_product(&p);
}

/* ---- what it cannot do */

static void what_it_has_no_algorithm_for_our_tiles_do(void **)
{
    use_standin("nothing=1");
    struct product p = open_product(1.25f);
    int asked = count(KD_LT_HEURISTICS), done = count(KD_LT_PRODUCTS);
    for (int i = 0; i < 3; i++)
        multiply_and_check(&p);
    linear(&p, p.bias);
    assert_true(first_of(&p) == K * 1.25f + 0.5f);
    assert_int_equal(count(KD_LT_HEURISTICS) - asked, 2);
    assert_int_equal(count(KD_LT_PRODUCTS), done);
    close_product(&p);
    assert_int_equal(count(KD_LT_ALIVE), 0);
}

/* Numbers of products count from the stand-in's first one. */
static void misbehave_at_the_next_but(int n, const char *how)
{
    char text[64];
    snprintf(text, sizeof text, "%s=%d", how, count(KD_LT_PRODUCTS) + 1 + n);
    use_standin(text);
}

static void what_it_refuses_is_not_asked_again(void **)
{
    use_standin("");
    struct product p = open_product(1.25f);
    misbehave_at_the_next_but(1, "refuse");
    int before = count(KD_LT_PRODUCTS);
    for (int i = 0; i < 4; i++)
        multiply_and_check(&p);
    assert_int_equal(count(KD_LT_PRODUCTS) - before, 2);
    close_product(&p);
    assert_int_equal(count(KD_LT_ALIVE), 0);
}

template <class Body> static void assert_ends_with(Body body, const char *what)
{
    char text[8192];
    int status = child_of(body, text, sizeof text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
    if (!strstr(text, what))
        fail_msg("wanted \"%s\", got: %s", what, text);
}

static void a_failed_product_ends_the_process_and_says_which(void **)
{
    auto fails = [] {
        use_standin("");
        struct product p = open_product(1.0f);
        misbehave_at_the_next_but(1, "fail");
        multiply(&p, M, N, K);
        multiply(&p, M, N, K);
    };
    assert_ends_with(fails, "cublasLtMatmul failed: CUBLAS_STATUS_EXECUTION_FAILED, in the product "
                            "[5][9] x [9][7]");
    assert_ends_with(fails, "KATYDID_CUBLASLT=none does without cuBLASLt");
}

static void a_failed_search_ends_the_process(void **)
{
    assert_ends_with(
        [] {
            use_standin("heuristic=13");
            struct product p = open_product(1.0f);
            multiply(&p, M, N, K);
        },
        "cublasLtMatmulAlgoGetHeuristic failed");
}

/* ---- what is missing: each in a process of its own, as a library is loaded once */

/* The product is right all the same, and of the precisions tf32 alone is refused, with the
 * reason. */
static void do_without(const char *path, const char *misbehaves, const char *reason)
{
    struct kd_error err = {};
    use_standin(misbehaves);
    setenv(KD_LT_PATH, path, 1);
    setenv("KATYDID_SIM_ARCHITECTURE", "80", 1);
    struct product p = open_product(1.25f);
    fill(&p, p.c, NAN);
    multiply(&p, M, N, K);
    bool is_right = first_of(&p) == K * 1.25f;
    bool is_refused = device->set_precision(p.queue, KD_PRECISION_TF32, &err) < 0;
    bool says_why = strstr(err.text, reason);
    if (!is_right || !is_refused || !says_why ||
        device->set_precision(p.queue, KD_PRECISION_BF16, &err) < 0 ||
        device->set_precision(p.queue, KD_PRECISION_FP16, &err) < 0) {
        fprintf(stderr, "right %d, refused %d: %s, not %s\n", is_right, is_refused, err.text,
                reason);
        _exit(EXIT_FAILURE);
    }
    close_product(&p);
}

static void assert_does_without(const char *path, const char *misbehaves, const char *reason)
{
    char text[8192];
    int status = child_of([=] { do_without(path, misbehaves, reason); }, text, sizeof text);
    if (status != 0 || *text)
        fail_msg("status %d: %s", status, text);
}

static void without_cublaslt_our_tiles_do_it_and_say_nothing(void **)
{
    assert_does_without(
        "/nonexistent", "",
        "tf32 needs cuBLASLt; without it there are fp32, bf16 and fp16: cuBLASLt: cannot load "
        "\"/nonexistent\" (from KATYDID_CUBLASLT)");
    assert_does_without(KD_STANDIN_LACKING, "", "has no cublasLtMatmulPreferenceDestroy: install");
    assert_does_without(KD_STANDIN, "version=11800", "is version 11800, which is too old");
    assert_does_without(KD_STANDIN, "create=1",
                        "cublasLtCreate failed on this GPU: CUBLAS_STATUS_NOT_INITIALIZED");
}

/* ---- precision */

static void set_precision(const struct product *p, enum kd_precision precision)
{
    struct kd_error err = {};
    if (device->set_precision(p->queue, precision, &err) < 0)
        fail_msg("%s", err.text);
}

static float product_in(struct product *p, enum kd_precision precision)
{
    set_precision(p, precision);
    multiply(p, 1, 1, 1);
    return first_of(p);
}

static void tf32_rounds_factors(void **)
{
    use_standin("");
    setenv("KATYDID_SIM_ARCHITECTURE", "80", 1);
    const float x = 1.0f + 0x1p-7f + 0x1p-10f + 0x1p-20f;
    struct product p = open_product(x);
    assert_true(product_in(&p, KD_PRECISION_FP32) == x);
    assert_true(product_in(&p, KD_PRECISION_TF32) == 1.0f + 0x1p-7f + 0x1p-10f);
    assert_true(product_in(&p, KD_PRECISION_FP32) == x);
    fill(&p, p.a, 70000.0f); /* beyond fp16 */
    assert_true(product_in(&p, KD_PRECISION_TF32) == 70016.0f);
    unsetenv("KATYDID_SIM_ARCHITECTURE");
    close_product(&p);
}

/* Whatever bits the matrices hold: that they are told apart is the point. */
static void other_types_are_other_plans(void **)
{
    use_standin("");
    setenv("KATYDID_SIM_ARCHITECTURE", "80", 1);
    struct product p = open_product(1.0f);
    int before = count(KD_LT_HEURISTICS);
    for (int i = 0; i < 2 * KD_N_PRECISIONS; i++)
        product_in(&p, (enum kd_precision)(i % KD_N_PRECISIONS));
    assert_int_equal(count(KD_LT_HEURISTICS) - before, 4);
    for (int i = 0; i < 2 * KD_N_PRECISIONS; i++) {
        struct kd_op_matmul op = {p.a, p.b, p.c, 1, 1, 1, false, false, true, 0.0f};
        set_precision(&p, (enum kd_precision)(i % KD_N_PRECISIONS));
        device->ops->matmul(p.queue, &op);
    }
    assert_int_equal(count(KD_LT_HEURISTICS) - before,
                     6); /* floats are another type to bf16 and fp16 */
    device->wait(p.queue);
    unsetenv("KATYDID_SIM_ARCHITECTURE");
    close_product(&p);
}

static void a_gpu_that_lacks_a_precision_says_so(void **)
{
    use_standin("");
    struct kd_error err = {};
    struct product p = open_product(1.0f); /* on a V100 */
    for (enum kd_precision precision : {KD_PRECISION_TF32, KD_PRECISION_BF16}) {
        assert_int_equal(device->set_precision(p.queue, precision, &err), -1);
        assert_non_null(strstr(err.text, kd_precision_name(precision)));
        assert_non_null(strstr(err.text, "needs a GPU of architecture 80 or later, and this one "
                                         "(fibers) has 70: use fp32"));
    }
    assert_int_equal(device->set_precision(p.queue, KD_PRECISION_FP16, &err), 0);
    close_product(&p);
}

/* ---- recordings */

struct counted {
    struct kd_replay replay;
    int n_given;
};

/* c += a b, through the replay. */
static void add_product(struct product *p, struct counted *counted)
{
    if (!kd_replay_begin(&counted->replay, device, p->queue))
        return;
    multiply(p, M, N, K, 1.0f);
    kd_replay_end(&counted->replay, device, p->queue);
    counted->n_given++;
}

static void a_product_is_recorded_and_recorded_anew_with_another_precision(void **)
{
    use_standin("");
    setenv("KATYDID_SIM_ARCHITECTURE", "80", 1);
    struct product p = open_product(1.0f + 0x1p-12f);
    struct counted counted = {};
    fill(&p, p.c, 0.0f);
    for (int i = 0; i < 5; i++)
        add_product(&p, &counted);
    assert_true(first_of(&p) == 5 * K * (1.0f + 0x1p-12f));
    assert_int_equal(counted.n_given, 2);
    fill(&p, p.c, 0.0f);
    set_precision(&p, KD_PRECISION_TF32);
    for (int i = 0; i < 5; i++)
        add_product(&p, &counted);
    assert_true(first_of(&p) == 5 * K);
    assert_int_equal(counted.n_given, 4);
    kd_replay_drop(&counted.replay, device);
    unsetenv("KATYDID_SIM_ARCHITECTURE");
    close_product(&p);
}

static bool cannot_be_done(void *)
{
    return false;
}

static void is_dropped(void *)
{
}

/* As after a sum over the ranks that failed, and had one of its own calls of CUDA refused: cuBLASLt
 * could not say more than that it fails. */
static void a_product_in_a_recording_that_is_lost_ends_nothing(void **)
{
    use_standin("");
    struct product p = open_product(1.0f);
    multiply(&p, M, N, K, 0.0f);
    device->record(p.queue);
    kd_cuda_keep_recorded({cannot_be_done, NULL, is_dropped, NULL});
    cudaStreamQuery(p.queue->stream);
    multiply(&p, M, N, K, 0.0f);
    device->mark(p.queue, 0);
    device->free_recording(device->end_record(p.queue));
    multiply(&p, M, N, K, 0.0f);
    assert_true(first_of(&p) == K);
    close_product(&p);
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_cublaslt_our_tiles_do_it_and_say_nothing), /* nothing is loaded */
        cmocka_unit_test(an_algorithm_is_asked_for_once_a_shape),
        cmocka_unit_test(a_less_aligned_pointer_is_another_plan_and_another_bias_is_not),
        cmocka_unit_test(what_relu_was_applied_to_is_kept_where_it_is_asked_for),
        cmocka_unit_test(small_products_are_left_to_our_tiles),
        cmocka_unit_test(empty_products_never_come_to_it),
        cmocka_unit_test(a_workspace_that_does_not_fit_is_done_without),
        cmocka_unit_test(what_it_has_no_algorithm_for_our_tiles_do),
        cmocka_unit_test(what_it_refuses_is_not_asked_again),
        cmocka_unit_test(a_failed_product_ends_the_process_and_says_which),
        cmocka_unit_test(a_failed_search_ends_the_process),
        cmocka_unit_test(tf32_rounds_factors),
        cmocka_unit_test(other_types_are_other_plans),
        cmocka_unit_test(a_gpu_that_lacks_a_precision_says_so),
        cmocka_unit_test(a_product_is_recorded_and_recorded_anew_with_another_precision),
        cmocka_unit_test(a_product_in_a_recording_that_is_lost_ends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
