/* check_data.h - the ops that make a batch, against their definitions one element at a time. All
 * but sums are exact. */
#ifndef KD_TESTS_KERNELS_CHECK_DATA_H
#define KD_TESTS_KERNELS_CHECK_DATA_H

#include <string.h>

#include "kernels/element.h"
#include "tests/kernels/buffer.h"

static void element_put(enum kd_element element, void *memory, int64_t i, double value)
{
    char *at = (char *)memory + i * kd_element_bytes(element);
    switch (element) {
#define X(constant, type, name)                                                                    \
    case KD_ELEMENT_##constant: {                                                                  \
        type as = (type)value;                                                                     \
        memcpy(at, &as, sizeof as);                                                                \
        return;                                                                                    \
    }
        KD_ELEMENTS(X)
#undef X
    case KD_N_ELEMENTS:
        break;
    }
}

/* A file's bytes: records of one odd byte and `size` elements, so that no element is aligned. */
struct records {
    unsigned char *host;
    void *device;
    int64_t n, stride;
    size_t bytes;
};

static struct records records_make(struct bench *bench, enum kd_element element, int64_t n,
                                   int64_t size)
{
    struct records records = {.n = n, .stride = 1 + size * kd_element_bytes(element)};
    records.bytes = (size_t)(n * records.stride);
    records.host = kd_alloc(records.bytes + 1);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < size; j++)
            element_put(element, records.host + i * records.stride + 1, j,
                        (double)kd_rng_below(&bench->rng, 127));
    records.device = to_device(bench, records.host, records.bytes);
    return records;
}

static void check_one_gather(struct bench *bench, enum kd_element element, int64_t n, int64_t size,
                             int64_t planes, int64_t n_scales)
{
    enum { N_RECORDS = 5 };
    struct records records = records_make(bench, element, N_RECORDS, size);
    struct buffer center = buffer_random(bench, n_scales, 3),
                  factor = buffer_random(bench, n_scales, 2);
    struct buffer y = values_random(bench, n * size, 1);
    int64_t *rows = KD_NEW_ARRAY(int64_t, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        rows[i] = (int64_t)kd_rng_below(&bench->rng, N_RECORDS);
    void *on_rows = to_device(bench, rows, (size_t)n * sizeof *rows);
    run(bench, KD_CALL(gather, .source = (char *)records.device + 1, .element = element,
                       .rows = on_rows, .n = n, .stride = records.stride, .size = size,
                       .planes = planes, .center = center.device, .factor = factor.device,
                       .n_scales = n_scales, .y = y.device));
    buffer_read(bench, &y);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < size; j++) {
            int64_t from = planes > 1 ? j % planes * (size / planes) + j / planes : j;
            double want = kd_element_at(element, records.host + rows[i] * records.stride + 1, from);
            if (n_scales > 0)
                want =
                    (want - (double)center.host[j % n_scales]) * (double)factor.host[j % n_scales];
            assert_value(&y, i * size + j, want, 1e-6, "y");
        }
    free(rows), free(records.host);
    bench->device->free(on_rows), bench->device->free(records.device);
    buffer_free(bench, &center), buffer_free(bench, &factor), buffer_free(bench, &y);
}

static void check_gather(struct bench *bench)
{
    for (int e = 0; e < KD_N_ELEMENTS; e++)
        FOR_SIZES(n)
        {
            enum kd_element element = (enum kd_element)e;
            check_one_gather(bench, element, n, 6, 1, 0);
            check_one_gather(bench, element, 3, n, 1, 1);
            check_one_gather(bench, element, 3, n, 1, n);
            check_one_gather(bench, element, 2, 3 * n, 1, 3);
            check_one_gather(bench, element, 2, 3 * n, 3, 3);
            check_one_gather(bench, element, 2, 3 * n, 3, 0);
            check_one_gather(bench, element, 2, 3 * n, 3, 2);
        }
}

static void check_one_gather_tokens(struct bench *bench, enum kd_element element, int64_t length,
                                    bool with_labels)
{
    enum { N = 4, STRIDE = 3 };
    const int64_t rows[N] = {2, 0, 5, 2};
    int64_t n_source = 5 * STRIDE + length + 1;
    size_t bytes = (size_t)(N * length) * sizeof(int32_t);
    size_t source_bytes = (size_t)(n_source * kd_element_bytes(element));
    unsigned char *source = kd_alloc(source_bytes);
    for (int64_t i = 0; i < n_source; i++)
        element_put(element, source, i, (double)kd_rng_below(&bench->rng, 127));
    void *on_source = to_device(bench, source, source_bytes);
    void *on_rows = to_device(bench, rows, sizeof rows);
    int32_t *tokens = bench->device->alloc(bytes), *labels = bench->device->alloc(bytes);
    int32_t *got = kd_alloc(2 * bytes + 1);
    run(bench, KD_CALL(gather_tokens, .source = on_source, .element = element, .rows = on_rows,
                       .n = N, .stride = STRIDE, .length = length, .tokens = tokens,
                       .labels = with_labels ? labels : NULL));
    bench_read(bench, got, tokens, bytes);
    bench_read(bench, got + N * length, labels, bytes);
    for (int64_t i = 0; i < N * length; i++) {
        int64_t at = rows[i / length] * STRIDE + i % length;
        assert_int_equal(got[i], (int32_t)kd_element_at(element, source, at));
        assert_int_equal(got[N * length + i],
                         with_labels ? (int32_t)kd_element_at(element, source, at + 1) : 0);
    }
    free(source), free(got);
    bench->device->free(on_source), bench->device->free(on_rows);
    bench->device->free(tokens), bench->device->free(labels);
}

static void check_gather_tokens(struct bench *bench)
{
    for (int e = 0; e < KD_N_ELEMENTS; e++)
        FOR_SIZES(length)
        {
            check_one_gather_tokens(bench, (enum kd_element)e, length, true);
            check_one_gather_tokens(bench, (enum kd_element)e, length, false);
        }
}

/* One element of an augmented image, from the words of its key. */
static float augmented(const struct kd_op_augment *a, const struct kd_turn *turn, const float *x,
                       int64_t sample, int64_t row, int64_t column, int64_t channel)
{
    uint32_t words[4];
    kd_philox(kd_hash2(turn->seed, KD_AUGMENT_KEY), (uint64_t)sample, (uint64_t)turn->step << 32,
              words);
    uint64_t reach = 2 * (uint64_t)a->crop + 1, n_pixels = (uint64_t)(a->h * a->w);
    int64_t down = (int64_t)(words[0] * reach >> 32) - a->crop;
    int64_t right = (int64_t)(words[1] * reach >> 32) - a->crop;
    int64_t middle = (int64_t)(words[3] * n_pixels >> 32);
    int64_t top = middle / a->w - a->cutout / 2, left = middle % a->w - a->cutout / 2;
    if (row >= top && row < top + a->cutout && column >= left && column < left + a->cutout)
        return 0;
    int64_t from_row = row + down;
    int64_t from_column = (a->flip && words[2] >> 31 ? a->w - 1 - column : column) + right;
    if (from_row < 0 || from_row >= a->h || from_column < 0 || from_column >= a->w)
        return 0;
    return x[(from_row * a->w + from_column) * a->channels + channel];
}

static void check_one_augment(struct bench *bench, struct kd_op_augment a)
{
    struct kd_turn turn = {.seed = 77, .step = 9};
    int64_t size = a.h * a.w * a.channels, samples[16];
    for (int64_t i = 0; i < a.n; i++)
        samples[i] = 1000 + 7 * i;
    struct buffer x = values_random(bench, a.n * size, 1), y = values_random(bench, a.n * size, 1);
    void *on_turn = to_device(bench, &turn, sizeof turn);
    void *on_samples = to_device(bench, samples, sizeof samples);
    a.x = x.device, a.y = y.device, a.samples = on_samples, a.turn = on_turn;
    run(bench, (struct kd_call){.op = KD_OP_augment, .args.augment = a});
    buffer_read(bench, &y);
    for (int64_t i = 0; i < a.n; i++)
        for (int64_t j = 0; j < size; j++) {
            float want = augmented(&a, &turn, x.host + i * size, samples[i], j / a.channels / a.w,
                                   j / a.channels % a.w, j % a.channels);
            if (y.host[i * size + j] != want)
                fail_msg("image %lld, element %lld", (long long)i, (long long)j);
        }
    bench->device->free(on_turn), bench->device->free(on_samples);
    buffer_free(bench, &x), buffer_free(bench, &y);
}

static void check_augment(struct bench *bench)
{
    static const struct kd_op_augment cases[] = {
        {.n = 0, .h = 4, .w = 4, .channels = 1, .crop = 1},
        {.n = 2, .h = 0, .w = 0, .channels = 3, .crop = 1, .cutout = 2, .flip = true},
        {.n = 3, .h = 5, .w = 4, .channels = 1},
        {.n = 16, .h = 5, .w = 7, .channels = 3, .flip = true},
        {.n = 16, .h = 5, .w = 7, .channels = 3, .crop = 2},
        {.n = 16, .h = 3, .w = 2, .channels = 1, .crop = 9},
        {.n = 16, .h = 5, .w = 7, .channels = 2, .cutout = 3},
        {.n = 16, .h = 5, .w = 6, .channels = 3, .crop = 1, .cutout = 4, .flip = true},
        {.n = 4, .h = 1, .w = 1, .channels = 1, .crop = 1, .cutout = 1, .flip = true},
    };
    for (size_t i = 0; i < KD_COUNT(cases); i++)
        check_one_augment(bench, cases[i]);
}

static void check_one_mix(struct bench *bench, int64_t n, bool of_floats)
{
    struct kd_turn turn = {.mix = 0.3f};
    enum kd_precision stored = of_floats ? KD_PRECISION_FP32 : bench->precision;
    struct buffer x = buffer_stored(bench, stored, n, 1), after = buffer_again(&x);
    struct buffer other = buffer_stored(bench, stored, n, 1);
    void *on_turn = to_device(bench, &turn, sizeof turn);
    run(bench, KD_CALL(mix, .x = x.device, .other = other.device, .n = n, .turn = on_turn,
                       .of_floats = of_floats));
    buffer_read(bench, &after);
    for (int64_t i = 0; i < n; i++)
        assert_value(&after, i,
                     (1 - (double)turn.mix) * (double)x.host[i] +
                         (double)turn.mix * (double)other.host[i],
                     1e-6, "x");
    free(after.host);
    bench->device->free(on_turn);
    buffer_free(bench, &x), buffer_free(bench, &other);
}

static void check_mix(struct bench *bench)
{
    FOR_SIZES(n)
    {
        check_one_mix(bench, n, false);
        check_one_mix(bench, n, true);
    }
}

#endif
