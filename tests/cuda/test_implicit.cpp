/* test_implicit.cpp - convolutions on tensor cores: which calls go there, the same bits in any
 * schedule, and shared memory whose banks nobody waits for. That they agree with float64 is
 * test_ops_sim's, with KATYDID_SIM_ARCHITECTURE=80, and that results are rounded once
 * test_lt_values'. */
#include <cuda_runtime.h>
#include <math.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "kernels/cuda/implicit.h"

extern "C" {
#include "coordinator/base/rng.h"
}
#include "tests/cuda/schedules.h"
#include "tests/half.h"

extern "C" {
extern const struct kd_device kd_device_cuda;
}

static const struct kd_device *const device = &kd_device_cuda;

/* ---- a queue, and values on it */

static struct kd_queue *open_queue(enum kd_precision precision, const char *architecture = "80")
{
    struct kd_queue *queue = NULL;
    struct kd_error err = {};
    setenv("KATYDID_SIM_ARCHITECTURE", architecture, 1);
    if (device->open(0, &queue, &err) < 0 || device->set_precision(queue, precision, &err) < 0)
        fail_msg("%s", err.text);
    return queue;
}

struct values {
    std::vector<uint16_t> host;
    uint16_t *device;
};

static uint16_t bits_of(enum kd_precision precision, float x)
{
    return precision == KD_PRECISION_BF16 ? kd_bf16_of_float(x) : kd_fp16_of_float(x);
}

static struct values random_values(struct kd_queue *queue, struct kd_rng *rng, int64_t n)
{
    struct values values;
    for (int64_t i = 0; i < n; i++)
        values.host.push_back(bits_of(queue->precision, (float)(2.0 * kd_rng_uniform(rng) - 1.0)));
    values.device = static_cast<uint16_t *>(device->alloc((size_t)n * sizeof(uint16_t)));
    device->copy_in(queue, values.device, values.host.data(), (size_t)n * sizeof(uint16_t));
    device->wait(queue);
    return values;
}

/* ---- the three ops of one shape */

struct convolution {
    struct values x, weight, bias, y, dx;
    std::vector<float> dweight;
    float *dweights; /* on the device */
    struct kd_op_conv2d forward;
    struct kd_op_conv2d_backward_x to_x;
    struct kd_op_conv2d_backward_weight to_weight;
};

static struct convolution convolution_of(struct kd_queue *queue, const struct kd_window &in,
                                         int64_t c_out)
{
    struct kd_rng rng = kd_rng_at(3, 1);
    int64_t n_weights = c_out * in.kernel * in.kernel * in.channels;
    int64_t n_x = in.n * in.h * in.w * in.channels;
    int64_t n_y = in.n * kd_window_out(&in, in.h) * kd_window_out(&in, in.w) * c_out;
    struct convolution c = {random_values(queue, &rng, n_x),
                            random_values(queue, &rng, n_weights),
                            random_values(queue, &rng, c_out),
                            random_values(queue, &rng, n_y),
                            random_values(queue, &rng, n_x),
                            std::vector<float>((size_t)n_weights),
                            NULL,
                            {},
                            {},
                            {}};
    c.dweights = static_cast<float *>(device->alloc(c.dweight.size() * sizeof(float)));
    c.forward = {c.x.device, c.weight.device, c.bias.device, c.y.device, in, c_out};
    c.to_x = {c.y.device, c.weight.device, c.dx.device, in, c_out, 1.0f};
    c.to_weight = {c.y.device, c.x.device, c.dweights, in, c_out, 0.0f};
    return c;
}

static void free_convolution(struct convolution *c)
{
    void *const arrays[] = {c->x.device, c->weight.device, c->bias.device,
                            c->y.device, c->dx.device,     c->dweights};
    for (void *array : arrays)
        device->free(array);
}

/* Whether all three went to tensor cores, or none. */
static bool run(struct kd_queue *queue, const struct convolution *c)
{
    bool was_taken = kd_implicit_conv2d(queue, &c->forward);
    assert_int_equal(kd_implicit_backward_x(queue, &c->to_x), was_taken);
    assert_int_equal(kd_implicit_backward_weight(queue, &c->to_weight), was_taken);
    device->wait(queue);
    return was_taken;
}

static void read_results(struct kd_queue *queue, struct convolution *c)
{
    device->copy_out(queue, c->y.host.data(), c->y.device, c->y.host.size() * sizeof(uint16_t));
    device->copy_out(queue, c->dx.host.data(), c->dx.device, c->dx.host.size() * sizeof(uint16_t));
    device->copy_out(queue, c->dweight.data(), c->dweights, c->dweight.size() * sizeof(float));
    device->wait(queue);
}

/* ---- tests */

struct call {
    const char *what;
    enum kd_precision precision;
    const char *architecture, *way;
    int64_t channels, c_out;
    bool is_taken;
};

static void eights_of_16_bits_from_architecture_80_on_go_to_tensor_cores(void **)
{
    const struct call calls[] = {
        {"bf16", KD_PRECISION_BF16, "80", "", 8, 16, true},
        {"fp16", KD_PRECISION_FP16, "90", "", 16, 8, true},
        {"nothing", KD_PRECISION_FP16, "90", "", 0, 8, true},
        {"an older GPU", KD_PRECISION_FP16, "75", "", 8, 16, false},
        {"floats", KD_PRECISION_FP32, "80", "", 8, 16, false},
        {"tf32", KD_PRECISION_TF32, "80", "", 8, 16, false},
        {"three channels", KD_PRECISION_BF16, "80", "", 3, 16, false},
        {"12 channels", KD_PRECISION_BF16, "80", "", 12, 16, false},
        {"20 out", KD_PRECISION_BF16, "80", "", 8, 20, false},
        {"the other way", KD_PRECISION_BF16, "80", "unfolded", 8, 16, false},
    };
    for (const struct call &call : calls) {
        struct kd_queue queue = {};
        struct kd_op_conv2d op = {};
        queue.precision = call.precision, queue.architecture = atoi(call.architecture);
        op.window = {0, 5, 5, call.channels, 3, 1, 1}, op.c_out = call.c_out;
        setenv(KD_CONVOLUTIONS, call.way, 1);
        bool is_taken = kd_implicit_conv2d(&queue, &op);
        unsetenv(KD_CONVOLUTIONS);
        if (is_taken != call.is_taken)
            fail_msg("%s: %d", call.what, is_taken);
    }
}

/* A pointer that is two bytes further, of each array in turn. */
static void what_lies_at_no_multiple_of_16_bytes_goes_elsewhere(void **)
{
    struct kd_queue queue = {};
    queue.precision = KD_PRECISION_FP16, queue.architecture = 80;
    setenv("KATYDID_SIM_ARCHITECTURE", "80", 1);
    const struct kd_window in = {0, 5, 5, 8, 3, 1, 1};
    for (int which = 0; which < 5; which++) {
        alignas(16) static char memory[32];
        char *at[5] = {memory, memory, memory, memory, memory};
        if (which < 4)
            at[which] += 2;
        struct kd_op_conv2d forward = {at[0], at[1], at[2], at[3], in, 8};
        assert_int_equal(kd_implicit_conv2d(&queue, &forward), which == 4);
        if (which == 3)
            continue;
        struct kd_op_conv2d_backward_x to_x = {at[0], at[1], at[2], in, 8, 0.0f};
        assert_int_equal(kd_implicit_backward_x(&queue, &to_x), which == 4);
    }
    alignas(16) static float sums[8 * 72 + 4];
    for (int offset = 0; offset < 2; offset++) {
        struct kd_op_conv2d_backward_weight to_weight = {sums, sums, sums + offset, in, 8, 1.0f};
        assert_int_equal(kd_implicit_backward_weight(&queue, &to_weight), offset == 0);
    }
}

static void places_beyond_32_bits_go_elsewhere(void **)
{
    struct kd_queue queue = {};
    queue.precision = KD_PRECISION_FP16, queue.architecture = 80;
    setenv("KATYDID_SIM_ARCHITECTURE", "80", 1);
    const struct kd_window windows[] = {
        {1 << 15, 64, 64, 16, 3, 1, 1}, {1, 1 << 16, 4, 8, 3, 1, 1}, {1, 4, 4, 8, 3, 1 << 14, 1}};
    for (const struct kd_window &in : windows) {
        struct kd_op_conv2d op = {};
        op.window = in, op.c_out = 8;
        assert_false(kd_implicit_conv2d(&queue, &op));
    }
}

static const struct {
    struct kd_window in;
    int64_t c_out;
} shapes[] = {
    {{2, 20, 17, 72, 3, 1, 1}, 136},
    {{3, 13, 12, 40, 3, 2, 1}, 64},
    {{1, 4, 4, 8, 3, 1, 1}, 8},
};

/* Of every matrix that a warp loads. */
static void no_rows_of_a_matrix_lie_in_the_same_banks(void **)
{
    kd_sim::set_schedule("forward");
    for (const auto &shape : shapes) {
        struct kd_queue *queue = open_queue(KD_PRECISION_BF16);
        struct convolution c = convolution_of(queue, shape.in, shape.c_out);
        long before = kd_sim::n_bank_conflicts();
        assert_true(run(queue, &c));
        assert_int_equal(kd_sim::n_bank_conflicts() - before, 0);
        free_convolution(&c);
        device->close(queue);
    }
}

static void the_same_numbers_give_the_same_bits_in_any_schedule(void **)
{
    for (const auto &shape : shapes) {
        struct convolution first = {};
        KD_FOR_SCHEDULES
        {
            struct kd_queue *queue = open_queue(KD_PRECISION_FP16);
            struct convolution c = convolution_of(queue, shape.in, shape.c_out);
            assert_true(run(queue, &c));
            read_results(queue, &c);
            free_convolution(&c);
            device->close(queue);
            if (first.y.host.empty())
                first = c;
            assert_true(c.y.host == first.y.host && c.dx.host == first.dx.host &&
                        c.dweight == first.dweight);
        }
    }
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eights_of_16_bits_from_architecture_80_on_go_to_tensor_cores),
        cmocka_unit_test(what_lies_at_no_multiple_of_16_bytes_goes_elsewhere),
        cmocka_unit_test(places_beyond_32_bits_go_elsewhere),
        cmocka_unit_test(no_rows_of_a_matrix_lie_in_the_same_banks),
        cmocka_unit_test(the_same_numbers_give_the_same_bits_in_any_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
