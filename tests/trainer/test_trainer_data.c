/* Data: what CSV files give, how their mistakes are told, the split, the scale, the order, the
 * memory. */
#include "tests/trainer/data_fixture.h"
#include "trainer/data/permutation.h"

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
        {"\n5\n6\n", "t.csv:2: no column is left as a feature"},
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

/* Opening a pipe would wait for its writer. */
static void a_pipe_that_nobody_writes_to_is_no_data_file(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct kd_error err = {0};
    char path[512], *bytes;
    size_t n;
    snprintf(path, sizeof path, "%s/pipe", folder.path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(kd_data_read(path, 0, &bytes, &n, &err), -1);
    assert_non_null(strstr(err.text, "not a regular file"));
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
    assert_int_equal(kd_shape_count(rows->shape), 2);
    assert_int_equal(rows->labels[0], 1);
    const float *x = rows->floats;
    assert_true(x[0] == 0.5f && x[1] == 2 && x[2] == 1.5f && x[3] == 3);
    assert_int_equal(loaded.dataset->val.n, 0);
    unload(&loaded);
    load(&loaded, &folder,
         "{\"format\": \"csv\", \"path\": \"t.csv\", \"targets\": [\"y\", \"x\"],"
         " \"ignore\": [\"id\"], \"normalize\": \"none\", \"split\": {\"val\": 0}}",
         false);
    assert_non_null(loaded.dataset);
    assert_int_equal(loaded.dataset->rows.n_targets, 2);
    assert_true(loaded.dataset->rows.targets[0] == 2 && loaded.dataset->rows.targets[1] == 0.5f);
    assert_int_equal(kd_shape_count(loaded.dataset->rows.shape), 1);
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
    assert_int_equal(a.dataset->val.n, 10);
    assert_int_equal(a.dataset->train.n, 40);
    size_t bytes = 10 * sizeof(int32_t);
    assert_memory_equal(a.dataset->val.index, b.dataset->val.index, bytes);
    assert_memory_not_equal(a.dataset->val.index, c.dataset->val.index, bytes);
    /* As they always were: results that were reached once can be reached again. */
    static const int32_t held_out[] = {44, 14, 39, 5, 20, 1, 19, 25, 35, 32};
    assert_memory_equal(a.dataset->val.index, held_out, sizeof held_out);
    bool seen[50] = {false};
    for (int i = 0; i < 50; i++) {
        int32_t row = i < 10 ? a.dataset->val.index[i] : a.dataset->train.index[i - 10];
        assert_true(row >= 0 && row < 50 && !seen[row]);
        seen[row] = true;
    }
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
    const float *x = loaded.dataset->rows.floats, *val = loaded.dataset->val_rows.floats;
    assert_true(x[0] == -1 && x[2] == 1 && val[0] == 5); /* mean 3, deviation 1 */
    assert_true(x[1] == 0 && val[1] == 0);               /* constant in training: 0 everywhere */
    unload(&loaded);
    load(&loaded, &folder,
         "{\"format\": \"csv\", \"path\": \"t.csv\", \"valPath\": \"v.csv\","
         " \"normalize\": \"minmax\"}",
         true);
    x = loaded.dataset->rows.floats;
    assert_true(x[0] == 0 && x[2] == 1 && loaded.dataset->val_rows.floats[0] == 3);
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
    assert_ptr_equal(kd_datasets_get(&loaded.datasets, &loaded.config, &loaded.err),
                     loaded.dataset);
    blobs_write(&folder, 70);
    const struct kd_dataset *again = kd_datasets_get(&loaded.datasets, &loaded.config, &loaded.err);
    assert_int_equal(again->rows.n, 70);
    unload(&loaded);
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

/* 6 orders of 3 things, 6000 draws: each 1000 times, deviation 29; 5 of them is one in a
 * million. */
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
        cmocka_unit_test(a_pipe_that_nobody_writes_to_is_no_data_file),
        cmocka_unit_test(columns_are_taken_by_index_and_by_name),
        cmocka_unit_test(the_split_is_a_function_of_its_seed_alone),
        cmocka_unit_test(the_scale_is_learnt_from_the_training_part_only),
        cmocka_unit_test(a_data_set_is_kept_until_its_file_changes),
        cmocka_unit_test(the_order_is_a_permutation_of_every_epoch_its_own),
        cmocka_unit_test(every_order_is_equally_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
