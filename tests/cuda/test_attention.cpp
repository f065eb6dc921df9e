/* test_attention.cpp - causal attention of values stored in 16 bits, on tensor cores and in the
 * general way, against float64: forward, log_sum and backward, within what the roundings
 * explain. */
#include <math.h>
#include <stdlib.h>

#include <functional>
#include <vector>

#include "kernels/cuda/attention_tensor.h"

extern "C" {
#include "coordinator/base/rng.h"
}
#include "tests/cuda/child.h"
#include "tests/half.h"

extern "C" {
extern const struct kd_device kd_device_cuda;
}

static const struct kd_device *const device = &kd_device_cuda;

/* ---- formats */

struct format {
    enum kd_precision precision;
    uint16_t (*of_float)(float);
    float (*to_float)(uint16_t);
    double unit;  /* rounding changes a number by at most this part of it */
    double least; /* or by this much */
};

static const struct format formats[] = {
    {KD_PRECISION_FP16, kd_fp16_of_float, kd_float_of_fp16, 0x1p-11, 0x1p-25},
    {KD_PRECISION_BF16, kd_bf16_of_float, kd_float_of_bf16, 0x1p-8, 0},
};

/* ---- values on the device, with what they are on the host */

struct values {
    std::vector<float> host;
    uint16_t *memory, *device; /* device: `offset` values into the memory */
};

struct bench {
    const struct format *format;
    struct kd_queue *queue;
    struct kd_rng rng;
    int64_t offset; /* of all values, in values */
};

/* On a GPU of architecture 80, with code that was compiled for that or for an older one. */
static struct bench open_bench(const struct format &format, const char *code = "80",
                               int64_t offset = 0)
{
    struct kd_error err = {};
    struct bench bench = {&format, NULL, kd_rng_at(7, 1), offset};
    setenv("KATYDID_SIM_ARCHITECTURE", "80", 1);
    setenv("KATYDID_SIM_CODE", code, 1);
    if (device->open(0, &bench.queue, &err) < 0 ||
        device->set_precision(bench.queue, format.precision, &err) < 0)
        fail_msg("%s", err.text);
    return bench;
}

static struct values new_values(struct bench *bench, int64_t n, double scale)
{
    struct values values;
    size_t bytes = (size_t)(n + bench->offset) * sizeof(uint16_t);
    std::vector<uint16_t> stored;
    for (int64_t i = 0; i < n; i++) {
        float x = (float)(scale * (2.0 * kd_rng_uniform(&bench->rng) - 1.0));
        stored.push_back(bench->format->of_float(x));
        values.host.push_back(bench->format->to_float(stored.back()));
    }
    values.memory = static_cast<uint16_t *>(device->alloc(bytes));
    values.device = values.memory + bench->offset;
    device->copy_in(bench->queue, values.device, stored.data(), (size_t)n * sizeof(uint16_t));
    device->wait(bench->queue);
    return values;
}

static void read_values(struct bench *bench, struct values *values)
{
    std::vector<uint16_t> stored(values->host.size());
    device->copy_out(bench->queue, stored.data(), values->device, stored.size() * sizeof(uint16_t));
    device->wait(bench->queue);
    for (size_t i = 0; i < stored.size(); i++)
        values->host[i] = bench->format->to_float(stored[i]);
}

/* ---- both passes of one shape */

struct passes {
    struct kd_op_attention op;
    struct values qkv, y, dy, dqkv;
    float *log_sums; /* on the device */
    std::vector<float> log_sum;
};

/* scale: of queries, keys and values. */
static struct passes run_passes(struct bench *bench, struct kd_op_attention op, double scale = 2)
{
    int64_t rows = op.n * op.length * op.n_heads;
    struct passes p = {op,
                       new_values(bench, 3 * rows * op.size, scale),
                       new_values(bench, rows * op.size, 1),
                       new_values(bench, rows * op.size, 1),
                       new_values(bench, 3 * rows * op.size, 1),
                       static_cast<float *>(device->alloc((size_t)rows * sizeof(float))),
                       std::vector<float>((size_t)rows)};
    p.op.qkv = p.qkv.device, p.op.y = p.y.device, p.op.log_sum = p.log_sums;
    struct kd_op_attention_backward back = {p.dy.device, p.qkv.device,  p.y.device,
                                            p.log_sums,  p.dqkv.device, op.n,
                                            op.length,   op.n_heads,    op.size};
    device->ops->attention(bench->queue, &p.op);
    device->ops->attention_backward(bench->queue, &back);
    device->copy_out(bench->queue, p.log_sum.data(), p.log_sums, (size_t)rows * sizeof(float));
    read_values(bench, &p.y), read_values(bench, &p.dqkv);
    return p;
}

static void free_passes(struct passes *p)
{
    for (struct values *values : {&p->qkv, &p->y, &p->dy, &p->dqkv})
        device->free(values->memory);
    device->free(p->log_sums);
}

/* ---- the reference: a number, and how far roundings on the way may take it */

struct bounded {
    double want, slack;
};

static void add(struct bounded *to, double factor, double slack, double times)
{
    to->want += factor * times;
    to->slack += slack * fabs(times);
}

/* fp32: what sums of some hundred products below 10 lose. */
static const double of_sums = 2e-5;

static void check(const struct format *format, double got, const struct bounded &b,
                  const char *what, int64_t at)
{
    double slack = b.slack + format->unit * (fabs(b.want) + b.slack) + format->least +
                   of_sums * (1 + fabs(b.want));
    if (!(fabs(got - b.want) <= slack))
        fail_msg("%s[%lld] is %.9g, the reference gives %.9g, give or take %.3g", what,
                 (long long)at, got, b.want, slack);
}

/* One head: rows as double, weights, and its gradients. */
struct head {
    const struct passes *p;
    const struct format *format;
    bool rounds; /* weights and scores' gradients on the way */
    int64_t sample, at;

    size_t qkv_at(int64_t t, int kind, int64_t i) const
    {
        const struct kd_op_attention &a = p->op;
        return (size_t)((((sample * a.length + t) * 3 + kind) * a.n_heads + at) * a.size + i);
    }
    size_t y_at(int64_t t, int64_t i) const
    {
        return (size_t)(((sample * p->op.length + t) * p->op.n_heads + at) * p->op.size + i);
    }
    double of_qkv(int64_t t, int kind, int64_t i) const
    {
        return (double)p->qkv.host[qkv_at(t, kind, i)];
    }
    /* row_of(i) row_of(i) summed up */
    double product(const std::function<double(int64_t)> &left,
                   const std::function<double(int64_t)> &right) const
    {
        double sum = 0;
        for (int64_t i = 0; i < p->op.size; i++)
            sum += left(i) * right(i);
        return sum;
    }
    double rounding(double x) const
    {
        return rounds ? format->unit * fabs(x) : 0;
    }
    /* Of the unrounded weights, which are at most 1 before they are divided by their sum, of at
     * least 1. */
    double least() const
    {
        return rounds ? format->least : 0;
    }
};

static std::vector<double> weights_of(const struct head &h, int64_t t, double *log_sum)
{
    std::vector<double> weights;
    double sum = 0;
    for (int64_t s = 0; s <= t; s++) {
        double score = h.product([&](int64_t i) { return h.of_qkv(t, 0, i); },
                                 [&](int64_t i) { return h.of_qkv(s, 1, i); });
        weights.push_back(exp(score / sqrt((double)h.p->op.size)));
        sum += weights.back();
    }
    for (double &weight : weights)
        weight /= sum;
    *log_sum = log(sum);
    return weights;
}

static void check_y(const struct head &h, int64_t t, const std::vector<double> &weights)
{
    for (int64_t i = 0; i < h.p->op.size; i++) {
        struct bounded y = {};
        for (int64_t s = 0; s <= t; s++) {
            double weight = weights[(size_t)s];
            add(&y, weight, h.rounding(weight) + h.least(), h.of_qkv(s, 2, i));
        }
        check(h.format, (double)h.p->y.host[h.y_at(t, i)], y, "y", t);
    }
}

/* The gradients' parts of one query; y's rounding is part of what the op is given. */
static void add_gradients(const struct head &h, int64_t t, const std::vector<double> &weights,
                          std::vector<bounded> *dqkv)
{
    auto dy = [&](int64_t i) { return (double)h.p->dy.host[h.y_at(t, i)]; };
    double scale = 1 / sqrt((double)h.p->op.size);
    double mean = h.product(dy, [&](int64_t i) { return (double)h.p->y.host[h.y_at(t, i)]; });
    for (int64_t s = 0; s <= t; s++) {
        double dp = h.product(dy, [&](int64_t i) { return h.of_qkv(s, 2, i); });
        double weight = weights[(size_t)s], dscore = weight * (dp - mean) * scale;
        double slack = h.rounding(dscore) + h.least();
        for (int64_t i = 0; i < h.p->op.size; i++) {
            add(&(*dqkv)[h.qkv_at(t, 0, i)], dscore, slack, h.of_qkv(s, 1, i));
            add(&(*dqkv)[h.qkv_at(s, 1, i)], dscore, slack, h.of_qkv(t, 0, i));
            add(&(*dqkv)[h.qkv_at(s, 2, i)], weight, h.rounding(weight) + h.least(), dy(i));
        }
    }
}

static void check_head(const struct head &h, std::vector<bounded> *dqkv)
{
    const struct kd_op_attention &a = h.p->op;
    for (int64_t t = 0; t < a.length; t++) {
        double log_sum;
        std::vector<double> weights = weights_of(h, t, &log_sum);
        double got = (double)h.p->log_sum[(size_t)((h.sample * a.n_heads + h.at) * a.length + t)];
        if (!(fabs(got - log_sum) <= 2e-6 * (1 + fabs(log_sum))))
            fail_msg("log_sum[%lld] is %.9g, the reference gives %.9g", (long long)t, got, log_sum);
        check_y(h, t, weights);
        add_gradients(h, t, weights, dqkv);
    }
}

static void check_passes(struct bench *bench, const struct kd_op_attention &op, bool rounds,
                         double scale = 2)
{
    struct passes p = run_passes(bench, op, scale);
    std::vector<bounded> dqkv(p.dqkv.host.size());
    for (int64_t sample = 0; sample < op.n; sample++)
        for (int64_t head = 0; head < op.n_heads; head++)
            check_head({&p, bench->format, rounds, sample, head}, &dqkv);
    for (size_t i = 0; i < dqkv.size(); i++)
        check(bench->format, (double)p.dqkv.host[i], dqkv[i], "dqkv", (int64_t)i);
    free_passes(&p);
}

/* ---- tests */

static struct kd_op_attention shape(int64_t n, int64_t length, int64_t n_heads, int64_t size)
{
    return {NULL, NULL, NULL, n, length, n_heads, size};
}

static const char *const schedules[] = {"forward", "reverse", "random:1"};

static const struct kd_op_attention shapes_for_tensor_cores[] = {
    shape(0, 5, 2, 64),  shape(2, 0, 2, 64),   shape(2, 1, 2, 32),   shape(1, 5, 3, 64),
    shape(2, 16, 1, 32), shape(1, 63, 2, 32),  shape(1, 64, 1, 128), shape(2, 65, 1, 64),
    shape(1, 97, 2, 32), shape(1, 130, 1, 64), shape(1, 131, 1, 128)};

static void check_in_all_schedules(const struct format &format, const char *code)
{
    for (const char *schedule : schedules) {
        kd_sim::set_schedule(schedule);
        struct bench bench = open_bench(format, code);
        for (const struct kd_op_attention &op : shapes_for_tensor_cores)
            check_passes(&bench, op, true);
        device->close(bench.queue);
    }
}

static void heads_for_tensor_cores_of_any_length_agree_with_the_reference(void **)
{
    for (const struct format &format : formats)
        check_in_all_schedules(format, "80");
}

static void fp16_in_code_of_older_architectures_agrees_with_the_reference(void **)
{
    check_in_all_schedules(formats[0], "75");
}

/* PTX of architecture 75 on a GPU of 80, which may store bf16 and has no products of it there. */
static void bf16_in_code_of_older_architectures_goes_the_general_way(void **)
{
    struct bench bench = open_bench(formats[1], "75");
    for (const struct kd_op_attention &op : shapes_for_tensor_cores)
        check_passes(&bench, op, false);
    device->close(bench.queue);
}

/* Rows' greatest scores come late, and exceed those before by far. */
static void weights_are_mended_when_greater_scores_come(void **)
{
    kd_sim::set_schedule("forward");
    for (const struct format &format : formats)
        for (const char *code : {"75", "80"}) {
            bool is_bf16 = format.precision == KD_PRECISION_BF16;
            struct bench bench = open_bench(format, code);
            for (const struct kd_op_attention &op :
                 {shape(1, 150, 1, 32), shape(1, 200, 1, 64), shape(1, 140, 1, 128)})
                check_passes(&bench, op, !is_bf16 || code[0] == '8', 4);
            device->close(bench.queue);
        }
}

/* Eight rows that are loaded at once lie in different banks, those of every product and of every
 * size. */
static void no_load_of_matrices_meets_itself_in_a_bank(void **)
{
    struct bench bench = open_bench(formats[1]);
    long before = kd_sim::n_bank_conflicts();
    for (int64_t size : {32, 64, 128}) {
        struct passes p = run_passes(&bench, shape(1, 200, 1, size));
        free_passes(&p);
    }
    assert_int_equal(kd_sim::n_bank_conflicts() - before, 0);
    device->close(bench.queue);
}

static void other_heads_go_the_general_way_which_rounds_only_what_it_writes(void **)
{
    const struct kd_op_attention shapes[] = {shape(1, 1, 1, 2), shape(2, 33, 3, 10),
                                             shape(1, 35, 2, 48), shape(1, 35, 1, 150)};
    kd_sim::set_schedule("forward");
    for (const struct format &format : formats) {
        struct bench bench = open_bench(format);
        for (const struct kd_op_attention &op : shapes)
            check_passes(&bench, op, false);
        device->close(bench.queue);
    }
}

static void values_at_no_multiple_of_16_bytes_go_the_general_way(void **)
{
    for (const struct format &format : formats) {
        struct bench bench = open_bench(format, "80", 1);
        check_passes(&bench, shape(1, 33, 1, 64), false);
        device->close(bench.queue);
    }
}

static void tensor_cores_are_for_16_bits_and_three_sizes(void **)
{
    const struct {
        enum kd_precision precision;
        int64_t size;
        int architecture;
        enum kd_attention_way way;
    } cases[] = {
        {KD_PRECISION_FP16, 32, 80, KD_ATTENTION_AMPERE},
        {KD_PRECISION_FP16, 64, 90, KD_ATTENTION_AMPERE},
        {KD_PRECISION_FP16, 128, 120, KD_ATTENTION_AMPERE},
        {KD_PRECISION_BF16, 64, 80, KD_ATTENTION_AMPERE},
        {KD_PRECISION_FP16, 32, 70, KD_ATTENTION_TENSOR},
        {KD_PRECISION_FP16, 128, 75, KD_ATTENTION_TENSOR},
        {KD_PRECISION_BF16, 64, 75, KD_ATTENTION_GENERAL},
        {KD_PRECISION_FP16, 48, 90, KD_ATTENTION_GENERAL},
        {KD_PRECISION_BF16, 256, 90, KD_ATTENTION_GENERAL},
        {KD_PRECISION_FP32, 64, 90, KD_ATTENTION_GENERAL},
        {KD_PRECISION_TF32, 64, 90, KD_ATTENTION_GENERAL},
    };
    for (const auto &c : cases) {
        struct kd_queue queue = {};
        queue.precision = c.precision, queue.architecture = c.architecture;
        assert_int_equal(kd_attention_way(&queue, c.size, true), c.way);
        assert_int_equal(kd_attention_way(&queue, c.size, false), KD_ATTENTION_GENERAL);
    }
}

static void the_same_numbers_give_the_same_bits_in_any_schedule(void **)
{
    for (const struct format &format : formats) {
        std::vector<float> y, dqkv, log_sum;
        for (const char *schedule : schedules) {
            kd_sim::set_schedule(schedule);
            struct bench bench = open_bench(format);
            struct passes p = run_passes(&bench, shape(1, 100, 2, 64));
            if (y.empty())
                y = p.y.host, dqkv = p.dqkv.host, log_sum = p.log_sum;
            assert_true(y == p.y.host && dqkv == p.dqkv.host && log_sum == p.log_sum);
            free_passes(&p);
            device->close(bench.queue);
        }
    }
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_for_tensor_cores_of_any_length_agree_with_the_reference),
        cmocka_unit_test(fp16_in_code_of_older_architectures_agrees_with_the_reference),
        cmocka_unit_test(bf16_in_code_of_older_architectures_goes_the_general_way),
        cmocka_unit_test(weights_are_mended_when_greater_scores_come),
        cmocka_unit_test(no_load_of_matrices_meets_itself_in_a_bank),
        cmocka_unit_test(other_heads_go_the_general_way_which_rounds_only_what_it_writes),
        cmocka_unit_test(values_at_no_multiple_of_16_bytes_go_the_general_way),
        cmocka_unit_test(tensor_cores_are_for_16_bits_and_three_sizes),
        cmocka_unit_test(the_same_numbers_give_the_same_bits_in_any_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
