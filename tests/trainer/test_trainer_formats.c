/* Data formats: what each gives from small files as others write them, and what it says of damaged
 * ones.
 *
 * The contract tests run over formats.def: a format without a case here fails. */
#include "tests/trainer/data_fixture.h"

/* ---- files of every format */

static void csv_files(const struct folder *folder)
{
    text_write(folder, "t.csv", "0.5,2,0\n1,3,1\n2,4,2\n3,5,0\n4,6,1\n5,7,2\n");
}

static void text_files(const struct folder *folder)
{
    text_write(folder, "t.txt",
               "\xEF\xBB\xBFh\xC3\xA9llo w\xC3\xB6rld, h\xC3\xA9llo!\n"
               "h\xC3\xA9llo w\xC3\xB6rld, h\xC3\xA9llo!\n");
}

static void token_files(const struct folder *folder)
{
    llmc_write(folder, "t.bin", 20240520, 1, 60, 60);
    llmc_write(folder, "u.bin", 20240520, 1, 40, 40);
}

static void no_files(const struct folder *folder)
{
    (void)folder;
}

static const struct {
    const char *format, *block;
    void (*write)(const struct folder *folder);
    int64_t n;
    struct kd_shape shape;
    int64_t vocabulary;
    int32_t max_label;
    const char *files[4];
} cases[] = {
    {"csv", "{'format': 'csv', 'path': 't.csv'}", csv_files, 6, {{2}, 1}, 0, 2, {"t.csv"}},
    {"idx",
     "{'format': 'idx', 'images': 'i', 'labels': 'l'}",
     idx_files,
     6,
     {{4, 5, 1}, 3},
     0,
     2,
     {"i", "l"}},
    {"cifar10",
     "{'format': 'cifar10', 'batches': '.'}",
     cifar_files,
     7,
     {{32, 32, 3}, 3},
     0,
     3,
     {"data_batch_1.bin", "data_batch_2.bin"}},
    {"cifar100",
     "{'format': 'cifar100', 'batches': ['train.bin'], 'label': 'coarse'}",
     cifar_files,
     5,
     {{32, 32, 3}, 3},
     0,
     4,
     {"train.bin"}},
    {"npy",
     "{'format': 'npy', 'x': 'x.npy', 'labels': 'l.npy'}",
     npy_files,
     6,
     {{8}, 1},
     0,
     2,
     {"x.npy", "l.npy"}},
    {"text",
     "{'format': 'text', 'path': 't.txt', 'length': 8, 'stride': 4}",
     text_files,
     8,
     {{8}, 1},
     12,
     11,
     {"t.txt"}},
    {"text",
     "{'format': 'text', 'path': 't.txt', 'length': 8, 'unit': 'byte'}",
     text_files,
     6,
     {{8}, 1},
     256,
     255,
     {"t.txt"}},
    {"tokens",
     "{'format': 'tokens', 'path': ['t.bin', 'u.bin'], 'length': 10, 'vocabulary': 50}",
     token_files,
     8,
     {{10}, 1},
     50,
     49,
     {"t.bin", "u.bin"}},
    {"synthetic",
     "{'format': 'synthetic', 'kind': 'features', 'shape': [5], 'samples': 20, 'classes': 3}",
     no_files,
     20,
     {{5}, 1},
     0,
     2,
     {NULL}},
    {"synthetic",
     "{'format': 'synthetic', 'kind': 'images', 'shape': [6, 5, 3], 'samples': 20}",
     no_files,
     20,
     {{6, 5, 3}, 3},
     0,
     9,
     {NULL}},
    {"synthetic",
     "{'format': 'synthetic', 'kind': 'tokens', 'shape': [7], 'samples': 9, 'classes': 16}",
     no_files,
     9,
     {{7}, 1},
     16,
     15,
     {NULL}},
};

/* Every number of a part's batch is one that a model can take. */
static void check_batch(struct loaded *loaded, const struct kd_part *part)
{
    int64_t vocabulary = part->table->vocabulary;
    struct kd_batch batch = batch_of_part(loaded, part);
    int64_t size = part->n * kd_shape_count(part->table->shape);
    assert_int_equal(batch.n, part->n);
    for (int64_t i = 0; i < size; i++) {
        if (!batch.tokens)
            assert_true(x_of(&batch, i) > -1e30f && x_of(&batch, i) < 1e30f);
        else
            assert_true(batch.tokens[i] >= 0 && batch.tokens[i] < vocabulary &&
                        batch.labels[i] >= 0 && batch.labels[i] < vocabulary);
    }
    for (int64_t i = 0; !batch.tokens && batch.labels && i < part->n; i++)
        assert_true(batch.labels[i] >= -1 && batch.labels[i] <= KD_LABEL_MAX);
}

static void every_format_has_a_case(void **unused)
{
    (void)unused;
    for (int i = 0; kd_data_formats[i]; i++) {
        size_t at = 0;
        while (at < KD_COUNT(cases) && strcmp(cases[at].format, kd_data_formats[i]->name) != 0)
            at++;
        if (at == KD_COUNT(cases))
            fail_msg("data format %s has no case", kd_data_formats[i]->name);
        assert_non_null(kd_data_formats[i]->summary);
        assert_ptr_equal(kd_data_format_find(kd_data_formats[i]->name), kd_data_formats[i]);
    }
}

static void every_format_gives_samples_of_the_shape_that_a_peek_promises(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct folder folder = folder_make();
        struct loaded loaded;
        struct kd_data_shape shape;
        cases[i].write(&folder);
        load_sound(&loaded, &folder, cases[i].block, true);
        assert_int_equal(loaded.dataset->rows.n, cases[i].n);
        assert_true(kd_shape_equal(loaded.dataset->rows.shape, cases[i].shape));
        kd_dataset_shape(loaded.dataset, &shape);
        assert_int_equal(shape.max_label, cases[i].max_label);
        assert_int_equal(kd_data_peek(&loaded.config, &shape, &loaded.err), 0);
        assert_true(kd_shape_equal(shape.shape, cases[i].shape));
        assert_int_equal(shape.vocabulary, cases[i].vocabulary);
        check_batch(&loaded, &loaded.dataset->train);
        check_batch(&loaded, &loaded.dataset->val);
        unload(&loaded);
        folder_remove(&folder);
    }
}

/* A peek looks at one row, and that may have the ignored label. */
static void a_peek_at_synthetic_data_takes_any_ignored_label(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    struct kd_data_shape shape;
    load_sound(&loaded, &folder,
               "{'format': 'synthetic', 'kind': 'features', 'shape': [4], 'classes': 3,"
               " 'samples': 30, 'ignoreLabel': 0}",
               true);
    if (kd_data_peek(&loaded.config, &shape, &loaded.err) < 0)
        fail_msg("%s", loaded.err.text);
    unload(&loaded);
    folder_remove(&folder);
}

/* Opens it: the samples are sound, or the message names a file. */
static void open_damaged(const struct folder *folder, size_t i, const char *file)
{
    struct loaded loaded;
    load(&loaded, folder, cases[i].block, true);
    if (loaded.dataset) {
        check_batch(&loaded, &loaded.dataset->train);
        check_batch(&loaded, &loaded.dataset->val);
    } else if (!strstr(loaded.err.text, folder->path) && !strstr(loaded.err.text, "split.val")) {
        fail_msg("%s, damaged %s: no file is named in: %s", cases[i].block, file, loaded.err.text);
    }
    unload(&loaded);
}

enum { N_DAMAGES = 150 };

/* Cut, lengthened, or with wrong bytes, mostly near the beginning, where headers are. */
static void damage(struct kd_str *bytes, struct kd_rng *rng)
{
    uint64_t near = bytes->length < 128 ? bytes->length : 128;
    switch (kd_rng_below(rng, 5)) {
    case 0:
        bytes->length = (size_t)kd_rng_below(rng, bytes->length + 1);
        break;
    case 1:
        bytes->length = (size_t)kd_rng_below(rng, near + 1);
        break;
    case 2:
        kd_str_addc(bytes, (char)kd_rng_u32(rng));
        break;
    default:
        for (uint64_t n = 1 + kd_rng_below(rng, 3); n > 0; n--)
            bytes->text[kd_rng_below(rng, kd_rng_u32(rng) & 1 ? near : bytes->length)] =
                (char)kd_rng_u32(rng);
    }
}

static void a_damaged_file_is_refused_or_gives_sound_samples(void **unused)
{
    (void)unused;
    struct kd_rng rng = kd_rng_at(20, 26);
    for (size_t i = 0; i < KD_COUNT(cases); i++)
        for (size_t f = 0; cases[i].files[f]; f++) {
            struct folder folder = folder_make();
            cases[i].write(&folder);
            struct kd_str whole = file_read(&folder, cases[i].files[f]);
            for (int d = 0; d < N_DAMAGES; d++) {
                struct kd_str bytes = {0};
                kd_str_addn(&bytes, whole.text, whole.length);
                damage(&bytes, &rng);
                save(&bytes, &folder, cases[i].files[f]);
                open_damaged(&folder, i, cases[i].files[f]);
            }
            kd_str_release(&whole);
            folder_remove(&folder);
        }
}

static void a_missing_or_compressed_file_is_named_with_what_to_do(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < KD_COUNT(cases); i++)
        for (size_t f = 0; cases[i].files[f]; f++) {
            struct folder folder = folder_make();
            cases[i].write(&folder);
            if (strcmp(cases[i].format, "csv") != 0 && strcmp(cases[i].format, "text") != 0) {
                free(file_write(&folder, cases[i].files[f], "\x1F\x8B\x08\x00 rest of it", 16));
                assert_refused(&folder, cases[i].block, true, "gunzip");
            }
            char *path = kd_format("%s/%s", folder.path, cases[i].files[f]);
            assert_int_equal(unlink(path), 0);
            if (strcmp(cases[i].format, "cifar10") != 0) /* a folder holds what it holds */
                assert_refused(&folder, cases[i].block, true, "No such file");
            free(path);
            folder_remove(&folder);
        }
}

static void synthetic_data_are_a_function_of_their_seed(void **unused)
{
    (void)unused;
    static const char *const kinds[] = {"'features', 'shape': [9]", "'images', 'shape': [5, 4, 3]",
                                        "'tokens', 'shape': [12]"};
    struct folder folder = folder_make();
    for (size_t k = 0; k < KD_COUNT(kinds); k++) {
        struct loaded loaded[3];
        for (int i = 0; i < 3; i++) {
            char *block = kd_format("{'format': 'synthetic', 'kind': %s, 'samples': 30,"
                                    " 'split': {'val': 0}, 'seed': %d}",
                                    kinds[k], i == 2);
            load_sound(&loaded[i], &folder, block, true);
            free(block);
        }
        const struct kd_table *rows = &loaded[0].dataset->rows;
        size_t n = (size_t)(rows->n * rows->stride);
        assert_memory_equal(rows->source, loaded[1].dataset->rows.source, n);
        assert_memory_not_equal(rows->source, loaded[2].dataset->rows.source, n);
        for (int i = 0; i < 3; i++)
            unload(&loaded[i]);
    }
    assert_refused(&folder, "{'format': 'synthetic', 'kind': 'images', 'shape': [8]}", true,
                   "images have 3 numbers, such as [32, 32, 3], not 1");
    assert_refused(&folder, "{'format': 'synthetic', 'shape': [2.5]}", true,
                   "number 0 is 2.5, not a whole number");
    folder_remove(&folder);
}

static void keep_accuracy(void *ud, const struct kd_report *report)
{
    *(double *)ud = report->values[KD_METRIC_VAL_ACCURACY];
}

/* Far better than by chance (1/10, and 1/20 for tokens) after little training. */
static void made_up_data_can_be_learnt(void **unused)
{
    (void)unused;
    static const char *const changes[] = {
        "{\"data\": {\"format\": \"synthetic\", \"shape\": [20]},"
        " \"model\": [{\"linear\": {\"units\": 10}}]}",
        "{\"data\": {\"format\": \"synthetic\", \"kind\": \"images\", \"shape\": [8, 8, 3],"
        " \"augment\": {\"crop\": 1, \"mixup\": 0.2}},"
        " \"model\": [{\"flatten\": {}}, {\"linear\": {\"units\": 10}}]}",
        "{\"data\": {\"format\": \"synthetic\", \"kind\": \"tokens\", \"shape\": [16],"
        " \"classes\": 20}, \"model\": [{\"embedding\": {\"size\": 16}},"
        " {\"linear\": {\"units\": 20}}], \"optimizer\": {\"name\": \"adamw\", \"lr\": 0.03}}",
    };
    for (size_t i = 0; i < KD_COUNT(changes); i++) {
        struct folder folder = folder_make();
        struct alone alone;
        struct kd_config config;
        struct kd_outcome outcome;
        double accuracy = 0;
        struct kd_sink sink = {.report = keep_accuracy, .ud = &accuracy};
        alone_open(&alone);
        config_make(&config, &folder, changes[i]);
        struct kd_job job = {.config = &config, .seed = 1, .sink = &sink};
        kd_train(&alone.session, &job, &outcome);
        if (outcome.kind != KD_OUTCOME_SUCCEEDED || accuracy < 0.5)
            fail_msg("case %zu: %g, %s", i, accuracy, outcome.reason.text);
        kd_config_release(&config);
        alone_close(&alone);
        folder_remove(&folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_has_a_case),
        cmocka_unit_test(every_format_gives_samples_of_the_shape_that_a_peek_promises),
        cmocka_unit_test(a_peek_at_synthetic_data_takes_any_ignored_label),
        cmocka_unit_test(a_damaged_file_is_refused_or_gives_sound_samples),
        cmocka_unit_test(a_missing_or_compressed_file_is_named_with_what_to_do),
        cmocka_unit_test(synthetic_data_are_a_function_of_their_seed),
        cmocka_unit_test(made_up_data_can_be_learnt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
