/* The loader: the ranks' parts together are one global batch whatever their number, with
 * augmentation and mixup; scales of channels; what augmentation is refused on. */
#include <math.h>

#include "tests/trainer/data_fixture.h"
#include "trainer/data/permutation.h"

#define IMAGES                                                                                     \
    "'format': 'synthetic', 'kind': 'images', 'shape': [6, 5, 3], 'samples': 60, 'classes': 4,"    \
    " 'split': {'val': 0.25}"
#define FEATURES                                                                                   \
    "'format': 'synthetic', 'shape': [7], 'samples': 60, 'classes': 4, 'split': {'val': 0.25}"
#define TOKENS "'format': 'synthetic', 'kind': 'tokens', 'shape': [9], 'samples': 60, 'classes': 11"

/* A global batch put together from its parts; all owned. */
struct whole {
    float *x, *targets;
    int32_t *tokens, *labels, *other_labels;
    int64_t *samples;
    int64_t n_counted;
    float mix;
};

static void whole_release(struct whole *whole)
{
    free(whole->x), free(whole->targets), free(whole->tokens), free(whole->labels);
    free(whole->other_labels), free(whole->samples);
}

/* The part's place in an array that all parts fill, made when it is first seen. */
#define TAKE(whole, batch, field, at, n_whole, each)                                               \
    do {                                                                                           \
        if ((batch)->field && !(whole)->field)                                                     \
            (whole)->field = kd_alloc_array((size_t)((n_whole) * (each)), sizeof *(whole)->field); \
        if ((batch)->field && (batch)->n > 0)                                                      \
            memcpy((whole)->field + (at) * (each), (batch)->field,                                 \
                   (size_t)((batch)->n * (each)) * sizeof *(whole)->field);                        \
    } while (0)

static void take(struct whole *whole, const struct kd_batch *batch, const struct kd_table *rows,
                 int64_t at, int64_t n)
{
    int64_t size = kd_shape_count(rows->shape), positions = batch->tokens ? size : 1;
    TAKE(whole, batch, x, at, n, size);
    TAKE(whole, batch, tokens, at, n, size);
    TAKE(whole, batch, labels, at, n, positions);
    TAKE(whole, batch, other_labels, at, n, positions);
    TAKE(whole, batch, targets, at, n, rows->n_targets);
    TAKE(whole, batch, samples, at, n, (int64_t)1);
    whole->n_counted = batch->n_counted;
    whole->mix = batch->mix;
}

/* Global batch [begin, begin + n) of an epoch, cut into micro-batches, each shared over the
 * ranks. */
static struct whole load_whole(struct loaded *loaded, int64_t begin, int64_t n, int n_ranks,
                               int64_t micro)
{
    struct whole whole = {0};
    const struct kd_part *train = &loaded->dataset->train;
    int32_t *order = KD_NEW_ARRAY(int32_t, (size_t)train->n);
    kd_permutation_fill(order, train->n, 31, 2);
    kd_loader_prepare(&loaded->loader, NULL, loaded->dataset, &loaded->config.augment, n);
    for (int64_t at = 0; at < n; at += micro)
        for (int r = 0; r < n_ranks; r++) {
            struct kd_comm comm = {.rank = r, .size = n_ranks};
            struct kd_draw draw = {.part = train,
                                   .order = order,
                                   .begin = begin,
                                   .n = n,
                                   .micro_begin = begin + at,
                                   .n_micro = n - at < micro ? n - at : micro,
                                   .augment = &loaded->config.augment,
                                   .seed = 31,
                                   .step = 17};
            struct kd_batch batch = {0};
            kd_comm_share(&comm, draw.n_micro, &draw.first, &draw.end);
            kd_loader_fill(&loaded->loader, &draw, &batch);
            kd_loader_make(&loaded->loader, &batch);
            assert_int_equal(batch.n_global, draw.n_micro);
            take(&whole, &batch, train->table, at + draw.first, n);
        }
    free(order);
    return whole;
}

static void assert_same(const void *a, const void *b, size_t bytes)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a)
        assert_memory_equal(a, b, bytes);
}

static void check_alike(const char *block, bool classes)
{
    enum { BEGIN = 12, N = 17 };
    static const struct {
        int n_ranks;
        int64_t micro;
    } ways[] = {{2, N}, {3, N}, {5, N}, {1, 5}, {3, 4}};
    struct folder folder = folder_make();
    struct loaded loaded;
    load_sound(&loaded, &folder, block, classes);
    const struct kd_table *rows = &loaded.dataset->rows;
    size_t size = (size_t)kd_shape_count(rows->shape), positions = rows->vocabulary ? size : 1;
    struct whole one = load_whole(&loaded, BEGIN, N, 1, N);
    assert_int_equal(one.samples[N - 1], BEGIN + N - 1);
    assert_int_equal(one.n_counted, N * positions);
    for (size_t i = 0; i < KD_COUNT(ways); i++) {
        struct whole other = load_whole(&loaded, BEGIN, N, ways[i].n_ranks, ways[i].micro);
        assert_same(one.x, other.x, N * size * sizeof(float));
        assert_same(one.tokens, other.tokens, N * size * sizeof(int32_t));
        assert_same(one.labels, other.labels, N * positions * sizeof(int32_t));
        assert_same(one.other_labels, other.other_labels, N * positions * sizeof(int32_t));
        assert_same(one.targets, other.targets, N * (size_t)rows->n_targets * sizeof(float));
        assert_same(one.samples, other.samples, N * sizeof(int64_t));
        assert_int_equal(one.n_counted, other.n_counted);
        assert_true(one.mix == other.mix);
        whole_release(&other);
    }
    whole_release(&one);
    unload(&loaded);
    folder_remove(&folder);
}

static void a_batch_is_the_same_at_any_number_of_ranks_and_micro_batches(void **unused)
{
    (void)unused;
    check_alike("{" IMAGES "}", true);
    check_alike("{" IMAGES ", 'augment': {'crop': 2, 'flip': true, 'cutout': 3}}", true);
    check_alike("{" IMAGES ", 'augment': {'crop': 1, 'mixup': 0.2}}", true);
    check_alike("{" FEATURES ", 'augment': {'mixup': 0.4}}", true);
    check_alike("{" FEATURES ", 'augment': {'mixup': 1}}", false);
    check_alike("{" FEATURES ", 'normalize': 'none'}", false);
    check_alike("{" TOKENS "}", true);
}

static void mixup_mixes_each_sample_with_its_partner(void **unused)
{
    (void)unused;
    enum { N = 20, SIZE = 90 };
    struct folder folder = folder_make();
    struct loaded plain, mixed;
    int32_t partners[N];
    load_sound(&plain, &folder, "{" IMAGES ", 'augment': {'flip': true}}", true);
    load_sound(&mixed, &folder, "{" IMAGES ", 'augment': {'flip': true, 'mixup': 0.5}}", true);
    struct whole a = load_whole(&plain, 20, N, 1, N), b = load_whole(&mixed, 20, N, 2, N);
    kd_augment_partners(partners, N, 31, 17);
    assert_true(b.mix > 0 && b.mix <= 0.5f);
    assert_true(a.mix == 0 && !a.other_labels);
    for (int i = 0; i < N; i++) {
        assert_int_equal(b.labels[i], a.labels[i]);
        assert_int_equal(b.other_labels[i], a.labels[partners[i]]);
        for (int j = 0; j < SIZE; j++) {
            float want = (1 - b.mix) * a.x[i * SIZE + j] + b.mix * a.x[partners[i] * SIZE + j];
            assert_true(fabsf(b.x[i * SIZE + j] - want) <= 1e-6f * (1 + fabsf(want)));
        }
    }
    whole_release(&a), whole_release(&b);
    unload(&plain), unload(&mixed);
    folder_remove(&folder);
}

/* The smaller part of Beta(a, a), whose distance from 1/2 has the square 1/(4 (2 a + 1)) in the
 * mean; of 20000 draws that is off by at most 0.0006 (one deviation, since squares are below 1/4
 * and spread by less than 0.08); five of them are allowed. */
static void the_share_of_mixup_is_the_smaller_part_of_a_beta_number(void **unused)
{
    (void)unused;
    enum { N = 20000 };
    static const double as[] = {0.01, 0.2, 1, 4};
    for (size_t k = 0; k < KD_COUNT(as); k++) {
        struct kd_augment augment = {.mixup = as[k]};
        double squares = 0;
        for (int64_t step = 0; step < N; step++) {
            double share = (double)kd_augment_share(&augment, 5, step);
            assert_true(share >= 0 && share <= 0.5);
            squares += (share - 0.5) * (share - 0.5);
        }
        assert_true(fabs(squares / N - 0.25 / (2 * as[k] + 1)) < 0.003);
        assert_true(kd_augment_share(&augment, 5, 3) == kd_augment_share(&augment, 5, 3));
    }
}

static void a_partner_without_a_label_leaves_a_sample_its_own(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    text_write(&folder, "t.csv", "1,9\n2,0\n3,9\n4,1\n5,9\n6,2\n7,3\n8,9\n");
    load_sound(&loaded, &folder,
               "{'format': 'csv', 'path': 't.csv', 'ignoreLabel': 9, 'split': {'val': 0},"
               " 'augment': {'mixup': 1}}",
               true);
    for (int n_ranks = 1; n_ranks < 4; n_ranks++) {
        struct whole whole = load_whole(&loaded, 0, 8, n_ranks, 8);
        assert_int_equal(whole.n_counted, 4);
        for (int i = 0; i < 8; i++)
            assert_true(whole.labels[i] < 0 || whole.other_labels[i] >= 0);
        whole_release(&whole);
    }
    for (int64_t i = 0; i < 8; i++) { /* nothing is divided by 0 where no label counts */
        struct whole whole = load_whole(&loaded, i, 1, 2, 1);
        assert_int_equal(whole.n_counted, 1);
        whole_release(&whole);
    }
    unload(&loaded);
    folder_remove(&folder);
}

static void channels_are_scaled_by_what_the_training_part_shows(void **unused)
{
    (void)unused;
    enum { SIZE = 90 };
    struct folder folder = folder_make();
    struct loaded loaded;
    load_sound(&loaded, &folder, "{" IMAGES "}", true);
    struct kd_batch batch = batch_of_part(&loaded, &loaded.dataset->train);
    for (int c = 0; c < 3; c++) {
        double sum = 0, squares = 0, n = (double)(batch.n * SIZE / 3);
        for (int64_t i = c; i < batch.n * SIZE; i += 3) {
            sum += (double)x_of(&batch, i);
            squares += (double)x_of(&batch, i) * (double)x_of(&batch, i);
        }
        assert_true(fabs(sum / n) < 1e-5 && fabs(squares / n - 1) < 1e-5);
    }
    unload(&loaded);
    load_sound(&loaded, &folder, "{" IMAGES ", 'normalize': 'minmax'}", true);
    batch = batch_of_part(&loaded, &loaded.dataset->train);
    float low[3] = {1, 1, 1}, high[3] = {0};
    for (int64_t i = 0; i < batch.n * SIZE; i++) {
        low[i % 3] = fminf(low[i % 3], x_of(&batch, i));
        high[i % 3] = fmaxf(high[i % 3], x_of(&batch, i));
    }
    for (int c = 0; c < 3; c++)
        assert_true(low[c] == 0 && fabsf(high[c] - 1) < 1e-6f);
    unload(&loaded);
    folder_remove(&folder);
}

static void given_scales_are_in_the_file_s_own_numbers(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded raw, loaded;
    load_sound(&raw, &folder, "{" IMAGES ", 'normalize': 'none'}", true);
    load_sound(&loaded, &folder,
               "{" IMAGES ", 'normalize': {'mean': [100, 110, 120], 'deviation': [50, 60, 70]}}",
               true);
    struct kd_batch before = batch_of_part(&raw, &raw.dataset->val);
    struct kd_batch after = batch_of_part(&loaded, &loaded.dataset->val);
    for (int64_t i = 0; i < before.n * 90; i++) {
        double c = (double)(i % 3);
        double want = ((double)x_of(&before, i) - (100 + 10 * c)) / (50 + 10 * c);
        assert_true(fabs((double)x_of(&after, i) - want) < 1e-5);
    }
    unload(&raw), unload(&loaded);
    load_sound(&loaded, &folder, "{" IMAGES ", 'normalize': {'mean': [0], 'deviation': [1]}}",
               true); /* as it is, in other words */
    unload(&loaded);
    assert_refused(&folder,
                   "{" IMAGES ", 'normalize': {'mean': [0.5, 0.5, 0.4], 'deviation':"
                   " [0.2, 0.2, 0.2]}}",
                   true, "multiply them by 255");
    assert_refused(&folder, "{" IMAGES ", 'normalize': {'mean': [9, 9], 'deviation': [9, 9]}}",
                   true, "2 numbers, but there are 3 channels");
    assert_refused(&folder, "{" IMAGES ", 'normalize': {'mean': [9], 'deviation': [0]}}", true,
                   "/data/normalize: deviation: entry 0 must be a positive number");
    assert_refused(&folder, "{" IMAGES ", 'normalize': {'mean': [9], 'std': [1]}}", true,
                   "must have mean and deviation");
    folder_remove(&folder);
}

static void augmentation_is_refused_where_it_makes_no_sense(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    static const struct {
        const char *block, *error;
    } mistakes[] = {
        {"{" FEATURES ", 'augment': {'crop': 4}}", "augment.crop: only images can be changed so"},
        {"{" FEATURES ", 'augment': {'flip': true}}", "augment.flip: only images"},
        {"{" TOKENS ", 'augment': {'cutout': 1}}", "augment.cutout: only images can be changed so, "
                                                   "but the samples are tokens"},
        {"{" TOKENS ", 'augment': {'mixup': 0.1}}", "augment.mixup: tokens cannot be mixed"},
        {"{" IMAGES ", 'augment': {'flip': 1}}", "/data/augment/flip: flip must be true or false"},
        {"{" IMAGES ", 'augment': {'crops': 1}}", "did you mean \"crop\""},
        {"{" IMAGES ", 'augment': {'mixup': -1}}", "/data/augment/mixup: -1 is out of bounds"},
    };
    for (size_t i = 0; i < KD_COUNT(mistakes); i++)
        assert_refused(&folder, mistakes[i].block, true, mistakes[i].error);
    folder_remove(&folder);
}

/* Augmentation can be tuned without loading the data anew, and is still checked. */
static void a_kept_data_set_serves_any_augmentation(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    load_sound(&loaded, &folder, "{" FEATURES "}", true);
    struct kd_data_config config = loaded.config;
    json_t *block = json_deep_copy(loaded.block);
    json_object_set_new(block, "augment", json_pack("{s:f}", "mixup", 0.3));
    config.block = block;
    config.augment = (struct kd_augment){.mixup = 0.3};
    assert_ptr_equal(kd_datasets_get(&loaded.datasets, &config, &loaded.err), loaded.dataset);
    config.augment = (struct kd_augment){.crop = 3};
    assert_null(kd_datasets_get(&loaded.datasets, &config, &loaded.err));
    json_decref(block);
    unload(&loaded);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_the_same_at_any_number_of_ranks_and_micro_batches),
        cmocka_unit_test(mixup_mixes_each_sample_with_its_partner),
        cmocka_unit_test(the_share_of_mixup_is_the_smaller_part_of_a_beta_number),
        cmocka_unit_test(a_partner_without_a_label_leaves_a_sample_its_own),
        cmocka_unit_test(channels_are_scaled_by_what_the_training_part_shows),
        cmocka_unit_test(given_scales_are_in_the_file_s_own_numbers),
        cmocka_unit_test(augmentation_is_refused_where_it_makes_no_sense),
        cmocka_unit_test(a_kept_data_set_serves_any_augmentation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
