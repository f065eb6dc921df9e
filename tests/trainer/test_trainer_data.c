/* Data: what CSV and IDX files give, how their mistakes are told, the split, the scale, the order, the memory. */
#include "tests/trainer/support.h"
#include "trainer/data/permutation.h"

struct loaded {
    struct kd_datasets datasets;
    const struct kd_dataset *dataset;
    struct kd_error err;
    json_t *block;
};

static void load(struct loaded *loaded, const struct folder *folder, const char *block,
                 bool classes)
{
    json_error_t where;
    struct kd_problems problems = {0};
    *loaded = (struct loaded){.block = json_loads(block, 0, &where)};
    if (!loaded->block)
        fail_msg("%s: %s", block, where.text);
    struct kd_data_config config = {.classes = classes};
    kd_data_check(loaded->block, folder->path, &config, &problems);
    if (kd_problems_fail(&problems, &loaded->err) == 0)
        loaded->dataset = kd_datasets_get(&loaded->datasets, &config, &loaded->err);
    kd_problems_release(&problems);
}

static void unload(struct loaded *loaded)
{
    kd_datasets_release(&loaded->datasets);
    json_decref(loaded->block);
}

static void a_csv_mistake_names_file_line_and_what_was_seen(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "t.csv: the data file is empty"},
        {"\n  \n", "t.csv: the data file has no line with data"},
        {"a,b,c\n", "t.csv: only a header line, no data"},
        {"1,2,0\n1,2\n", "t.csv:2: a short row: 2 cells where the first line has 3"},
        {"1,2,0\n\n1,2,3,0\n", "t.csv:3: a long row: 4 cells where the first line has 3"},
        {"a,b,c\n1,x,0\n", "t.csv:2: column 1 (b): \"x\" is not a number"},
        {"1,2,0\n1,,0\n", "t.csv:2: column 1: \"\" an empty cell"},
        {"1,2,0\n1,nan,0\n", "t.csv:2: column 1: \"nan\" is not a finite"},
        {"1,2,0\n1,1e300,0\n", "is not a finite float32"},
        {"1,2,0\n1,2,0.5\n", "t.csv:2: column 2: \"0.5\" is not a class number"},
        {"1,2,0\n1,2,-1\n", "t.csv:2: column 2: \"-1\" is not a class number"},
        {"5\n6\n", "no column is left as a feature"},
    };
    struct folder folder = folder_make();
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct loaded loaded;
        text_write(&folder, "t.csv", cases[i].text);
        load(&loaded, &folder, "{\"format\": \"csv\", \"path\": \"t.csv\"}", true);
        if (loaded.dataset || !strstr(loaded.err.text, cases[i].error))
            fail_msg("case %zu: \"%s\" is not in: %s", i, cases[i].error, loaded.err.text);
        unload(&loaded);
    }
    folder_remove(&folder);
}

static void a_binary_file_is_no_csv(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    free(file_write(&folder, "t.csv", "1,2\0,3\n", 7));
    load(&loaded, &folder, "{\"format\": \"csv\", \"path\": \"t.csv\"}", true);
    assert_null(loaded.dataset);
    assert_non_null(strstr(loaded.err.text, "t.csv:1: a zero byte"));
    unload(&loaded);
    load(&loaded, &folder, "{\"format\": \"csv\", \"path\": \".\"}", true);
    assert_null(loaded.dataset);
    assert_non_null(strstr(loaded.err.text, "not a regular file"));
    unload(&loaded);
    folder_remove(&folder);
}

static void columns_are_taken_by_index_and_by_name(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    text_write(&folder, "t.csv", "\xEF\xBB\xBFid,\"class\",x,y\r\n9,1,0.5,2\r\n8,0, 1.5 ,3\r\n");
    load(&loaded, &folder,
         "{\"format\": \"csv\", \"path\": \"t.csv\", \"label\": \"class\", \"ignore\": [0],"
         " \"normalize\": \"none\", \"split\": {\"val\": 0}}",
         true);
    if (!loaded.dataset)
        fail_msg("%s", loaded.err.text);
    const struct kd_table *rows = &loaded.dataset->rows;
    assert_int_equal(rows->n, 2);
    assert_int_equal(rows->n_features, 2);
    assert_int_equal(rows->labels[0], 1);
    assert_true(rows->x[0] == 0.5f && rows->x[1] == 2 && rows->x[2] == 1.5f && rows->x[3] == 3);
    assert_int_equal(loaded.dataset->n_val, 0);
    unload(&loaded);
    load(&loaded, &folder,
         "{\"format\": \"csv\", \"path\": \"t.csv\", \"targets\": [\"y\", \"x\"],"
         " \"ignore\": [\"id\"], \"normalize\": \"none\", \"split\": {\"val\": 0}}",
         false);
    assert_non_null(loaded.dataset);
    assert_int_equal(loaded.dataset->rows.n_targets, 2);
    assert_true(loaded.dataset->rows.targets[0] == 2 && loaded.dataset->rows.targets[1] == 0.5f);
    assert_int_equal(loaded.dataset->rows.n_features, 1);
    unload(&loaded);
    folder_remove(&folder);
}

static void the_split_is_a_function_of_its_seed_alone(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded a, b, c;
    blobs_write(&folder, 50);
    load(&a, &folder, "{\"format\": \"csv\", \"path\": \"blobs.csv\", \"split\": {\"seed\": 3}}",
         true);
    load(&b, &folder, "{\"format\": \"csv\", \"path\": \"blobs.csv\", \"split\": {\"seed\": 3}}",
         true);
    load(&c, &folder, "{\"format\": \"csv\", \"path\": \"blobs.csv\", \"split\": {\"seed\": 4}}",
         true);
    assert_int_equal(a.dataset->n_val, 10);
    assert_int_equal(a.dataset->n_train, 40);
    size_t bytes = 50 * 8 * sizeof(float);
    assert_memory_equal(a.dataset->rows.x, b.dataset->rows.x, bytes);
    assert_memory_not_equal(a.dataset->rows.x, c.dataset->rows.x, bytes);
    unload(&a);
    unload(&b);
    unload(&c);
    folder_remove(&folder);
}

static void the_scale_is_learnt_from_the_training_part_only(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    text_write(&folder, "t.csv", "2,5,0\n4,5,1\n");
    text_write(&folder, "v.csv", "8,6,1\n");
    load(&loaded, &folder, "{\"format\": \"csv\", \"path\": \"t.csv\", \"valPath\": \"v.csv\"}",
         true);
    assert_non_null(loaded.dataset);
    const float *x = loaded.dataset->rows.x;
    assert_true(x[0] == -1 && x[2] == 1 && x[4] == 5); /* mean 3, deviation 1 */
    assert_true(x[1] == 0 && x[5] == 0);               /* constant in training: 0 everywhere */
    unload(&loaded);
    load(&loaded, &folder,
         "{\"format\": \"csv\", \"path\": \"t.csv\", \"valPath\": \"v.csv\","
         " \"normalize\": \"minmax\"}",
         true);
    x = loaded.dataset->rows.x;
    assert_true(x[0] == 0 && x[2] == 1 && x[4] == 3);
    unload(&loaded);
    folder_remove(&folder);
}

static void a_data_set_is_kept_until_its_file_changes(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    blobs_write(&folder, 50);
    load(&loaded, &folder, "{\"format\": \"csv\", \"path\": \"blobs.csv\"}", true);
    struct kd_data_config config = {.format = kd_data_format_find("csv"),
                                    .block = loaded.block,
                                    .base_dir = folder.path,
                                    .classes = true};
    assert_ptr_equal(kd_datasets_get(&loaded.datasets, &config, &loaded.err), loaded.dataset);
    blobs_write(&folder, 70);
    const struct kd_dataset *again = kd_datasets_get(&loaded.datasets, &config, &loaded.err);
    assert_int_equal(again->rows.n, 70);
    unload(&loaded);
    folder_remove(&folder);
}

/* ---- IDX */

static void idx_write(const struct folder *folder, const char *name, const char *header,
                      size_t n_header, size_t n_data)
{
    char bytes[256] = {0};
    memcpy(bytes, header, n_header);
    for (size_t i = 0; i < n_data; i++)
        bytes[n_header + i] = (char)(i % 3);
    free(file_write(folder, name, bytes, n_header + n_data));
}

static const char IMAGES[] = "\0\0\x08\x03\0\0\0\x05\0\0\0\x02\0\0\0\x02";
static const char LABELS[] = "\0\0\x08\x01\0\0\0\x05";

static void idx_files_give_bytes_as_numbers(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    idx_write(&folder, "i", IMAGES, 16, 20);
    idx_write(&folder, "l", LABELS, 8, 5);
    load(&loaded, &folder,
         "{\"format\": \"idx\", \"images\": \"i\", \"labels\": \"l\", \"normalize\": 0.5,"
         " \"split\": {\"val\": 0}}",
         true);
    if (!loaded.dataset)
        fail_msg("%s", loaded.err.text);
    assert_int_equal(loaded.dataset->rows.n, 5);
    assert_int_equal(loaded.dataset->rows.n_features, 4);
    assert_true(loaded.dataset->rows.x[2] == 1);
    assert_int_equal(loaded.dataset->rows.max_label, 2);
    unload(&loaded);
    folder_remove(&folder);
}

static void an_idx_mistake_names_file_and_byte(void **unused)
{
    (void)unused;
    static const struct {
        size_t n_images, n_labels;
        const char *images, *labels, *error;
    } cases[] = {
        {19, 5, IMAGES, LABELS, "i: 35 bytes, but its header promises 36"},
        {20, 5, "\0\0\x0D\x03\0\0\0\x05\0\0\0\x02\0\0\0\x02", LABELS, "i: byte 0: magic 00000d03"},
        {20, 5, "\x1F\x8B\x08\x03\0\0\0\x05\0\0\0\x02\0\0\0\x02", LABELS, "gunzip"},
        {20, 5, "\0\0\x08\x03\0\0\0\0\0\0\0\x02\0\0\0\x02", LABELS, "i: byte 4: dimension 0 is 0"},
        {20, 4, IMAGES, "\0\0\x08\x01\0\0\0\x04", "has 5 samples but"},
    };
    struct folder folder = folder_make();
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct loaded loaded;
        idx_write(&folder, "i", cases[i].images, 16, cases[i].n_images);
        idx_write(&folder, "l", cases[i].labels, 8, cases[i].n_labels);
        load(&loaded, &folder, "{\"format\": \"idx\", \"images\": \"i\", \"labels\": \"l\"}", true);
        if (loaded.dataset || !strstr(loaded.err.text, cases[i].error))
            fail_msg("case %zu: \"%s\" is not in: %s", i, cases[i].error, loaded.err.text);
        unload(&loaded);
    }
    folder_remove(&folder);
}

/* ---- the order */

static void the_order_is_a_permutation_of_every_epoch_its_own(void **unused)
{
    (void)unused;
    enum { N = 1000 };
    static int32_t first[N], again[N], other[N];
    bool seen[N] = {false};
    kd_permutation_fill(first, N, 5, 0);
    kd_permutation_fill(again, N, 5, 0);
    kd_permutation_fill(other, N, 5, 1);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    for (int i = 0; i < N; i++) {
        assert_true(first[i] >= 0 && first[i] < N && !seen[first[i]]);
        seen[first[i]] = true;
    }
    kd_permutation_fill(first, 1, 5, 0);
    assert_int_equal(first[0], 0);
}

/* 6 orders of 3 things, 6000 draws: each 1000 times, deviation 29; 5 of them is one in a million. */
static void every_order_is_equally_likely(void **unused)
{
    (void)unused;
    int counts[27] = {0};
    for (uint64_t epoch = 0; epoch < 6000; epoch++) {
        int32_t order[3];
        kd_permutation_fill(order, 3, 11, epoch);
        counts[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    int n_orders = 0;
    for (int i = 0; i < 27; i++) {
        n_orders += counts[i] > 0;
        assert_true(counts[i] == 0 || (counts[i] > 855 && counts[i] < 1145));
    }
    assert_int_equal(n_orders, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_csv_mistake_names_file_line_and_what_was_seen),
        cmocka_unit_test(a_binary_file_is_no_csv),
        cmocka_unit_test(columns_are_taken_by_index_and_by_name),
        cmocka_unit_test(the_split_is_a_function_of_its_seed_alone),
        cmocka_unit_test(the_scale_is_learnt_from_the_training_part_only),
        cmocka_unit_test(a_data_set_is_kept_until_its_file_changes),
        cmocka_unit_test(idx_files_give_bytes_as_numbers),
        cmocka_unit_test(an_idx_mistake_names_file_and_byte),
        cmocka_unit_test(the_order_is_a_permutation_of_every_epoch_its_own),
        cmocka_unit_test(every_order_is_equally_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
