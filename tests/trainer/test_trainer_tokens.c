/* Texts and token files: what each gives, what is held out, and what is said of mistakes in
 * them. */
#include "tests/trainer/data_fixture.h"

static void characters_are_numbered_in_the_order_of_their_code_points(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    text_write(&folder, "t.txt",
               "ab\xE2\x82\xAC\xC3\xA9"
               "ba\xF0\x9F\x98\x80"
               "ab");
    load_sound(&loaded, &folder,
               "{'format': 'text', 'path': 't.txt', 'length': 4, 'split': {'val': 0}}", true);
    struct kd_batch batch = batch_of_part(&loaded, &loaded.dataset->train);
    static const int32_t tokens[] = {0, 1, 3, 2, 1, 0, 4, 0}, next[] = {1, 3, 2, 1, 0, 4, 0, 1};
    assert_int_equal(batch.n, 2);
    assert_int_equal(batch.n_counted, 8);
    assert_memory_equal(batch.tokens, tokens, sizeof tokens);
    assert_memory_equal(batch.labels, next, sizeof next);
    unload(&loaded);
    folder_remove(&folder);
}

static void a_text_mistake_names_the_byte(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    const char *block = "{'format': 'text', 'path': 't.txt', 'length': 4}";
    static const char *const wrong[] = {"abc\xFF"
                                        "def",
                                        "abc\xC0\x80"
                                        "def",
                                        "abc\xED\xA0\x80"
                                        "d",
                                        "abc\xF4\x90\x80\x80", "abc\xC3"};
    for (size_t i = 0; i < KD_COUNT(wrong); i++) {
        text_write(&folder, "t.txt", wrong[i]);
        assert_refused(&folder, block, true, "t.txt:1: byte 3: is not UTF-8; convert the text, or");
    }
    text_write(&folder, "t.txt", "abcd");
    assert_refused(&folder, block, true, "t.txt: 4 tokens are too few for one sample: length 4");
    text_write(&folder, "t.txt", "abcde\nabcde");
    text_write(&folder, "v.txt", "ab\n\nexabcde");
    assert_refused(&folder, "{'format': 'text', 'path': 't.txt', 'valPath': 'v.txt', 'length': 4}",
                   true, "v.txt:3: byte 5: U+0078 is no character of the training text");
    assert_refused(&folder, block, false, "use loss: crossEntropy");
    assert_refused(&folder,
                   "{'format': 'text', 'path': 't.txt', 'length': 4, 'normalize': 'standard'}",
                   true, "tokens have no scale");
    folder_remove(&folder);
}

static void the_end_of_a_text_is_held_out_and_no_training_window_reaches_into_it(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    char text[101] = {0};
    for (int i = 0; i < 100; i++)
        text[i] = (char)i;
    free(file_write(&folder, "t.txt", text, 100));
    load_sound(&loaded, &folder,
               "{'format': 'text', 'path': 't.txt', 'unit': 'byte', 'length': 10, 'stride': 3,"
               " 'split': {'val': 0.25}}",
               true);
    struct kd_batch batch = batch_of_part(&loaded, &loaded.dataset->val);
    int32_t first = batch.tokens[0];
    assert_int_equal(batch.n, 8); /* a quarter of 30 windows */
    assert_int_equal(first, 22 * 3);
    batch = batch_of_part(&loaded, &loaded.dataset->train);
    assert_int_equal(batch.tokens[0], 0);
    for (int64_t i = 0; i < batch.n * 10; i++)
        assert_true(batch.labels[i] < first);
    assert_true(batch.labels[batch.n * 10 - 1] >= first - 3);
    unload(&loaded);
    folder_remove(&folder);
}

static void no_window_crosses_from_one_token_file_to_the_next(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    llmc_write(&folder, "a.bin", 20240801, 7, 45, 45);
    llmc_write(&folder, "b.bin", 20240801, 7, 21, 21);
    load_sound(&loaded, &folder,
               "{'format': 'tokens', 'path': '.', 'length': 10, 'vocabulary': 50,"
               " 'split': {'val': 0}}",
               true);
    struct kd_batch batch = batch_of_part(&loaded, &loaded.dataset->train);
    assert_int_equal(batch.n, 6);
    for (int64_t i = 0; i < batch.n; i++)
        assert_int_equal(batch.tokens[i * 10], i < 4 ? i * 10 : (i - 4) * 10);
    unload(&loaded);
    folder_remove(&folder);
}

static void plain_tokens_need_their_type_said(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct loaded loaded;
    uint16_t tokens[500];
    for (int i = 0; i < 500; i++)
        tokens[i] = (uint16_t)(i % 300);
    free(file_write(&folder, "t.bin", tokens, sizeof tokens));
    load_sound(&loaded, &folder,
               "{'format': 'tokens', 'path': 't.bin', 'length': 10, 'vocabulary': 300,"
               " 'element': 'uint16', 'split': {'val': 0}}",
               true);
    struct kd_batch batch = batch_of_part(&loaded, &loaded.dataset->train);
    assert_int_equal(batch.tokens[299], 299);
    assert_int_equal(batch.labels[299], 0);
    unload(&loaded);
    assert_refused(&folder, "{'format': 'tokens', 'path': 't.bin', 'length': 9, 'vocabulary': 300}",
                   true, "1000 bytes are too few for llm.c's header of 1024");
    folder_remove(&folder);
}

static void a_token_mistake_names_file_and_byte(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    const char *block = "{'format': 'tokens', 'path': 't.bin', 'length': 10, 'vocabulary': 50}";
    llmc_write(&folder, "t.bin", 20240520, 1, 61, 60);
    assert_refused(&folder, block, true,
                   "promises 61 tokens (1146 bytes in all), the file has 60 (1144 bytes); is it");
    llmc_write(&folder, "t.bin", 20240520, 7, 60, 60);
    assert_refused(&folder, block, true, "t.bin: byte 4: version 7 where magic 20240520 has 1");
    llmc_write(&folder, "t.bin", 123, 1, 60, 60);
    assert_refused(&folder, block, true, "t.bin: byte 0: magic 123 is not that of llm.c's");
    llmc_write(&folder, "t.bin", 20240520, 1, -60, 60);
    assert_refused(&folder, block, true, "promises -60 tokens");
    llmc_write(&folder, "t.bin", 20240520, 1, 60, 60);
    assert_refused(&folder, "{'format': 'tokens', 'path': 't.bin', 'length': 10, 'vocabulary': 40}",
                   true, "t.bin: byte 1104: token 40 is 40, but vocabulary is 40; raise it");
    assert_refused(&folder, "{'format': 'tokens', 'path': 't.bin', 'length': 60, 'vocabulary': 50}",
                   true, "60 tokens are too few for one sample: length 60 needs 61");
    folder_remove(&folder);
}

/* Offsets have 64 bits. A sparse file costs no disk; a peek does not look through its 2^30 tokens,
 * nor does this. */
static void a_token_file_above_2_gib_is_read_to_its_end(void **unused)
{
    (void)unused;
    static const int64_t bytes = 2 * INT64_C(1073742001);
    struct folder folder = folder_make();
    struct kd_dataset dataset = {0};
    struct loaded loaded = {.dataset = &dataset};
    char *path = kd_format("%s/t.bin", folder.path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), bytes), 0);
    assert_int_equal(fseeko(file, bytes - 4, SEEK_SET), 0);
    assert_int_equal(fwrite("\x07\x00\x05\x00", 1, 4, file), 4);
    fclose(file);
    json_t *block = block_of("{'path': 't.bin', 'element': 'uint16', 'vocabulary': 8,"
                             " 'length': 1000}");
    struct kd_data_source source = {
        .block = block, .base_dir = folder.path, .classes = true, .peek = true};
    assert_int_equal(kd_data_format_find("tokens")->open(&source, &dataset.rows, &loaded.err), 0);
    assert_int_equal(dataset.rows.n, 1073742);
    struct kd_part end = {.table = &dataset.rows, .index = KD_NEW_ARRAY(int32_t, 1), .n = 1};
    end.index[0] = 1073741;
    kd_loader_init(&loaded.loader, kd_device_find("cpu", NULL));
    struct kd_batch batch = batch_of_part(&loaded, &end);
    assert_int_equal(batch.tokens[998], 0);
    assert_int_equal(batch.tokens[999], 7);
    assert_int_equal(batch.labels[999], 5);
    kd_loader_release(&loaded.loader);
    kd_part_release(&end);
    kd_table_release(&dataset.rows);
    json_decref(block);
    free(path);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_numbered_in_the_order_of_their_code_points),
        cmocka_unit_test(a_text_mistake_names_the_byte),
        cmocka_unit_test(the_end_of_a_text_is_held_out_and_no_training_window_reaches_into_it),
        cmocka_unit_test(no_window_crosses_from_one_token_file_to_the_next),
        cmocka_unit_test(plain_tokens_need_their_type_said),
        cmocka_unit_test(a_token_mistake_names_file_and_byte),
        cmocka_unit_test(a_token_file_above_2_gib_is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
