/* IDX, CIFAR and .npy files: what each gives, and what is said of mistakes in them. */
#include "tests/trainer/data_fixture.h"

static void idx_images_are_their_bytes(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    idx_files(&folder);
    load_sound(&loaded, &folder,
               "{'format': 'idx', 'images': 'i', 'labels': 'l', 'normalize': 0.5,"
               " 'split': {'val': 0}}",
               true);
    struct kd_batch batch = batch_of_part(&loaded, &loaded.dataset->train);
    for (int i = 0; i < 120; i++)
        assert_true(x_of(&batch, i) == (float)(i % 251) * 0.5f);
    for (int i = 0; i < 6; i++)
        assert_int_equal(batch.labels[i], i % 3);
    unload(&loaded);
    load_sound(&loaded, &folder, "{'format': 'idx', 'images': 'i', 'labels': 'l'}", false);
    assert_true(loaded.dataset->rows.targets[1] == 1); /* the same, as numbers for mse */
    unload(&loaded);
    folder_remove(&folder);
}

static void an_idx_mistake_names_file_and_byte(void **unused)
{
    (void)unused;
    static const struct {
        size_t n_images, n_labels;
        const char *images, *labels, *error;
    } mistakes[] = {
        {19, 5, "\0\0\x08\x03\0\0\0\x05\0\0\0\x02\0\0\0\x02", "\0\0\x08\x01\0\0\0\x05",
         "i: 35 bytes, but its header promises 36"},
        {20, 5, "\0\0\x0D\x03\0\0\0\x05\0\0\0\x02\0\0\0\x02", "\0\0\x08\x01\0\0\0\x05",
         "i: byte 0: magic 00000d03"},
        {20, 5, "\0\0\x08\x03\0\0\0\0\0\0\0\x02\0\0\0\x02", "\0\0\x08\x01\0\0\0\x05",
         "i: byte 4: dimension 0 is 0"},
        {20, 5, "\0\0\x08\x03\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\x02", "\0\0\x08\x01\0\0\0\x05",
         "i: byte 8: dimension 1 is 4294967295"},
        {20, 4, "\0\0\x08\x03\0\0\0\x05\0\0\0\x02\0\0\0\x02", "\0\0\x08\x01\0\0\0\x04",
         "has 5 samples but"},
    };
    struct folder folder = folder_make();
    for (size_t i = 0; i < KD_COUNT(mistakes); i++) {
        struct kd_str images = {0}, labels = {0};
        put(&images, mistakes[i].images, 16), put(&labels, mistakes[i].labels, 8);
        for (size_t j = 0; j < mistakes[i].n_images; j++)
            kd_str_addc(&images, 1);
        for (size_t j = 0; j < mistakes[i].n_labels; j++)
            kd_str_addc(&labels, 1);
        save(&images, &folder, "i"), save(&labels, &folder, "l");
        assert_refused(&folder, "{'format': 'idx', 'images': 'i', 'labels': 'l'}", true,
                       mistakes[i].error);
    }
    folder_remove(&folder);
}

static void cifar_images_come_channels_last_from_all_files(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    cifar_files(&folder);
    load_sound(&loaded, &folder,
               "{'format': 'cifar10', 'batches': '.', 'valBatches': '.', 'normalize': 'none'}",
               true);
    assert_int_equal(loaded.dataset->train.n, 7);
    assert_int_equal(loaded.dataset->val.n, 2);
    struct kd_batch batch = batch_of_part(&loaded, &loaded.dataset->train);
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 3072; j++) {
            int record = i < 4 ? i : i - 4; /* the second file begins anew */
            assert_true(x_of(&batch, i * 3072 + j) ==
                        (float)((record + 7 * (j % 3) + j / 3) % 256));
        }
    assert_int_equal(batch.labels[3], 3);
    assert_int_equal(batch.labels[4], 0);
    unload(&loaded);
    load_sound(&loaded, &folder, "{'format': 'cifar100', 'batches': 'train.bin'}", true);
    assert_int_equal(loaded.dataset->rows.labels[0], 1); /* the fine one stands second */
    unload(&loaded);
    folder_remove(&folder);
}

static void a_cifar_mistake_names_file_and_byte(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct kd_str bytes = {0};
    cifar_files(&folder);
    cifar_write(&folder, "data_batch_2.bin", 3, 1, 10);
    bytes = file_read(&folder, "data_batch_2.bin");
    bytes.text[2 * 3073] = 10;
    save(&bytes, &folder, "data_batch_2.bin");
    assert_refused(
        &folder, "{'format': 'cifar10', 'batches': '.'}", true,
        "data_batch_2.bin: record 2 (byte 6146): label 10 is not one of the classes 0 to 9");
    text_write(&folder, "data_batch_2.bin", "short");
    assert_refused(&folder, "{'format': 'cifar10', 'batches': '.'}", true,
                   "5 bytes are 0 records of 3073 bytes and 5 more; is it cut off");
    assert_refused(&folder, "{'format': 'cifar100', 'batches': 'data_batch_1.bin'}", true,
                   "records of 3074 bytes");
    assert_refused(&folder, "{'format': 'cifar10', 'batches': ['gone.bin']}", true,
                   "/data/batches: ");
    assert_refused(&folder, "{'format': 'cifar10', 'batches': [3]}", true,
                   "batches must be a path or a list of paths");
    folder_remove(&folder);
}

/* In the file that holds it. */
static void a_target_that_is_no_share_is_shown_where_it_stands(void **unused)
{
    (void)unused;
    static const char wants[] = ", but bce wants targets between 0 and 1";
    static const char *const cases[][2] = {
        {"{format: idx, images: i, labels: l}", "/l: byte 10: target 2 is 2"},
        {"{format: cifar10, batches: [data_batch_1.bin]}",
         "/data_batch_1.bin: record 2 (byte 6146): target 2"},
        {"{format: npy, x: x.npy, targets: x.npy}",
         "/x.npy: sample 0, target 5 (byte 148) is 1.25"},
        {"{format: csv, path: t.csv, targets: [b]}",
         "/t.csv:4: column 1 (b): \"-0.5\" is a target"},
        {"{format: synthetic, shape: [3]}", "sample "},
    };
    struct folder folder = folder_make();
    char output[8192];
    idx_files(&folder);
    cifar_files(&folder);
    npy_files(&folder);
    text_write(&folder, "t.csv", "a,b\n1,0.5\n\n2,-0.5\n");
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        char *text =
            kd_format("{data: %s, model: [flatten, {linear: {units: 1}}], loss: bce, epochs: 1}",
                      cases[i][0]);
        text_write(&folder, "train.yaml", text);
        free(text);
        assert_int_equal(program_run(&folder, "train.yaml", output), 2);
        if (!strstr(output, cases[i][1]) || !strstr(output, wants))
            fail_msg("\"%s\" is not in: %s", cases[i][1], output);
    }
    folder_remove(&folder);
}

static void npy_arrays_of_every_type_are_taken(void **unused)
{
    (void)unused;
    static const struct {
        const char *descr;
        enum kd_element element;
        int bytes;
    } types[] = {
        {"|u1", KD_ELEMENT_U8, 1},  {"|i1", KD_ELEMENT_I8, 1},  {"<u2", KD_ELEMENT_U16, 2},
        {"<i2", KD_ELEMENT_I16, 2}, {"<i4", KD_ELEMENT_I32, 4}, {"<i8", KD_ELEMENT_I64, 8},
        {"<f4", KD_ELEMENT_F32, 4}, {"<f8", KD_ELEMENT_F64, 8},
    };
    struct folder folder = folder_make();
    npy_files(&folder);
    for (size_t i = 0; i < KD_COUNT(types); i++) {
        struct loaded loaded;
        char data[6 * 8] = {0}, dictionary[128];
        snprintf(dictionary, sizeof dictionary,
                 "{'descr': '%s', 'fortran_order': False, 'shape': (6,), }", types[i].descr);
        npy_write(&folder, "x.npy", dictionary, data, (size_t)types[i].bytes * 6);
        load_sound(&loaded, &folder,
                   "{'format': 'npy', 'x': 'x.npy', 'labels': 'l.npy', 'normalize': 'none'}", true);
        assert_int_equal(loaded.dataset->rows.element, types[i].element);
        assert_int_equal(kd_shape_count(loaded.dataset->rows.shape), 1);
        struct kd_batch batch = batch_of_part(&loaded, &loaded.dataset->train);
        assert_true(x_of(&batch, 0) == 0);
        unload(&loaded);
    }
    folder_remove(&folder);
}

static void npy_images_may_have_channels_first(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    uint8_t x[6 * 2 * 4 * 3];
    for (size_t i = 0; i < sizeof x; i++)
        x[i] = (uint8_t)i;
    npy_files(&folder);
    npy_write(&folder, "x.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (6, 2, 4, 3), }",
              x, sizeof x);
    load_sound(&loaded, &folder,
               "{'format': 'npy', 'x': 'x.npy', 'labels': 'l.npy', 'normalize': 'none',"
               " 'channels': 'first', 'split': {'val': 0}}",
               true);
    assert_true(kd_shape_equal(loaded.dataset->rows.shape, (struct kd_shape){{4, 3, 2}, 3}));
    struct kd_batch batch = batch_of_part(&loaded, &loaded.dataset->train);
    assert_true(x_of(&batch, 0) == 0 && x_of(&batch, 1) == 12 && x_of(&batch, 2) == 1 &&
                x_of(&batch, 24) == 24);
    unload(&loaded);
    folder_remove(&folder);
}

static void npy_targets_are_numbers_for_mse(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    const double targets[12] = {0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    npy_files(&folder);
    npy_write(&folder, "y.npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (6, 2), }",
              targets, sizeof targets);
    load_sound(&loaded, &folder, "{'format': 'npy', 'x': 'x.npy', 'targets': 'y.npy'}", false);
    assert_int_equal(loaded.dataset->rows.n_targets, 2);
    assert_true(loaded.dataset->rows.targets[0] == 0.5f && loaded.dataset->rows.targets[11] == 11);
    unload(&loaded);
    assert_refused(&folder, "{'format': 'npy', 'x': 'x.npy', 'labels': 'l.npy'}", false,
                   "targets is missing");
    folder_remove(&folder);
}

static void an_npy_mistake_says_what_to_do(void **unused)
{
    (void)unused;
    static const struct {
        const char *dictionary, *error;
    } mistakes[] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (6, 8), }",
         "x.npy: its numbers are big-endian (>f4); save it with numpy.save(file, "
         "array.astype('<f4'))"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (6, 8), }", "numpy.ascontiguousarray"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (6, 8), }",
         "elements of type <c8 are not supported; convert them"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6, 8), }",
         "are not supported"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6, 9), }", "but its header promises"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "a single number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 6, 8), }",
         "more than 4 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6, 0), }", "dimension 1 is 0"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6, x), }", "damaged at \"x"},
        {"{'descr': '<f4', 'fortran_order': False, }", "no shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 16), }", "has 3 samples but"},
    };
    struct folder folder = folder_make();
    float x[48] = {0};
    npy_files(&folder);
    const char *block = "{'format': 'npy', 'x': 'x.npy', 'labels': 'l.npy'}";
    for (size_t i = 0; i < KD_COUNT(mistakes); i++) {
        npy_write(&folder, "x.npy", mistakes[i].dictionary, x, sizeof x);
        assert_refused(&folder, block, true, mistakes[i].error);
    }
    x[11] = 1e30f * 1e30f;
    npy_write(&folder, "x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 8), }", x,
              sizeof x);
    assert_refused(&folder, block, true,
                   "x.npy: sample 1, element 3 (byte 172): inf is not a finite");
    text_write(&folder, "x.npy", "1,2,3\n");
    assert_refused(&folder, block, true, "x.npy: byte 0: is not a .npy file");
    const int32_t labels[6] = {0, 1, -5, 0, 1, 2};
    npy_files(&folder);
    npy_write(&folder, "l.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (6,), }", labels,
              sizeof labels);
    assert_refused(&folder, block, true, "l.npy: label 2 (byte 136) is -5, not a class number");
    folder_remove(&folder);
}

static void ignored_labels_do_not_count(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    text_write(&folder, "t.csv", "1,2,0\n1,3,-100\n2,4,1\n3,5,-100\n");
    load_sound(&loaded, &folder,
               "{'format': 'csv', 'path': 't.csv', 'ignoreLabel': -100, 'split': {'val': 0}}",
               true);
    struct kd_batch batch = batch_of_part(&loaded, &loaded.dataset->train);
    assert_int_equal(batch.labels[1], -1);
    assert_int_equal(batch.labels[2], 1);
    assert_int_equal(batch.n_counted, 2);
    assert_int_equal(kd_part_count_rows(&loaded.dataset->train), 2);
    unload(&loaded);
    text_write(&folder, "t.csv", "1,2,-1\n1,3,-1\n");
    assert_refused(&folder, "{'format': 'csv', 'path': 't.csv', 'ignoreLabel': -1}", true,
                   "every label is ignoreLabel");
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_images_are_their_bytes),
        cmocka_unit_test(an_idx_mistake_names_file_and_byte),
        cmocka_unit_test(cifar_images_come_channels_last_from_all_files),
        cmocka_unit_test(a_cifar_mistake_names_file_and_byte),
        cmocka_unit_test(a_target_that_is_no_share_is_shown_where_it_stands),
        cmocka_unit_test(npy_arrays_of_every_type_are_taken),
        cmocka_unit_test(npy_images_may_have_channels_first),
        cmocka_unit_test(npy_targets_are_numbers_for_mse),
        cmocka_unit_test(an_npy_mistake_says_what_to_do),
        cmocka_unit_test(ignored_labels_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
