/* Checkpoint files: round trip, damage and truncation at every byte, the one before is used, the last ones are kept. */
#include "tests/trainer/support.h"
#include "trainer/checkpoint.h"
#include "trainer/xxh64.h"

static struct kd_plan *plan_make(void)
{
    struct kd_error err;
    json_t *model = json_loads("[{\"linear\": {\"units\": 3}}, {\"relu\": {}},"
                               " {\"linear\": {\"units\": 2}}]",
                               0, NULL);
    struct kd_plan_options options = {.model = model,
                                      .input = {.shape = {{2}, .n_dims = 1}, .n_outputs = 2},
                                      .loss = KD_LOSS_CROSS_ENTROPY,
                                      .max_batch = 4,
                                      .device = "cpu"};
    struct kd_plan *plan = kd_plan_new(&options, &err);
    assert_non_null(plan);
    json_decref(model);
    return plan;
}

static void fill(struct kd_plan *plan, float from)
{
    int64_t n = kd_plan_n_parameters(plan);
    for (int64_t i = 0; i < n; i++) {
        kd_plan_parameters(plan)[i] = from + (float)i;
        kd_plan_state(plan, 0)[i] = from - (float)i;
        kd_plan_state(plan, 1)[i] = from * (float)i;
    }
}

static struct kd_training_state state_make(int64_t step)
{
    return (struct kd_training_state){.step = step,
                                      .steps_per_epoch = 10,
                                      .seed = UINT64_MAX - 5,
                                      .optimizer = "adamw",
                                      .n_slots = 2,
                                      .window = {.loss_sum = 0.1, .n_correct = 3, .n_seen = 7},
                                      .reports = json_array()};
}

static void save(const struct folder *folder, struct kd_plan *plan, int64_t step,
                 struct kd_checkpoint_file *file)
{
    struct kd_training_state state = state_make(step);
    struct kd_error err;
    if (kd_checkpoint_save(folder->path, plan, &state, 2, file, &err) < 0)
        fail_msg("%s", err.text);
    json_decref(state.reports);
}

static void what_is_saved_is_restored(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct kd_plan *plan = plan_make();
    struct kd_checkpoint_file written;
    struct kd_safetensors file;
    struct kd_error err;
    fill(plan, 0.1f);
    save(&folder, plan, 42, &written);
    fill(plan, 9);
    assert_int_equal(kd_checkpoint_open_newest(folder.path, &file, &err), 1);
    struct kd_training_state state = {.optimizer = "adamw", .n_slots = 2};
    assert_int_equal(kd_checkpoint_restore(&file, plan, &state, &err), 0);
    assert_int_equal(state.step, 42);
    assert_true(state.seed == UINT64_MAX - 5);
    assert_true(state.window.loss_sum == 0.1 && state.window.n_seen == 7);
    struct kd_plan_tensor last = kd_plan_tensor_at(plan, kd_plan_n_tensors(plan) - 1);
    assert_true(kd_plan_parameters(plan)[last.offset] == 0.1f + (float)last.offset);
    assert_true(kd_plan_state(plan, 0)[last.offset] == 0.1f - (float)last.offset);
    assert_true(kd_plan_state(plan, 1)[last.offset] == 0.1f * (float)last.offset);
    json_decref(state.reports);
    kd_safetensors_release(&file);
    kd_plan_free(plan);
    folder_remove(&folder);
}

static void a_line_that_was_left_does_not_count_as_newest(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct kd_plan *plan = plan_make();
    struct kd_checkpoint_file written;
    struct kd_safetensors file;
    struct kd_error err;
    char leaving[512];
    snprintf(leaving, sizeof leaving, "%s/checkpoint-000000000450.safetensors.tmp", folder.path);
    fill(plan, 1);
    save(&folder, plan, 405, &written);
    save(&folder, plan, 450, &written);
    fclose(fopen(leaving, "w"));
    save(&folder, plan, 253, &written);
    assert_int_equal(kd_checkpoint_open_newest(folder.path, &file, &err), 1);
    struct kd_training_state state = {.optimizer = "adamw", .n_slots = 2};
    assert_int_equal(kd_checkpoint_restore(&file, plan, &state, &err), 0);
    assert_int_equal(state.step, 253);
    assert_int_equal(access(leaving, F_OK), -1);
    json_decref(state.reports);
    kd_safetensors_release(&file);
    kd_plan_free(plan);
    folder_remove(&folder);
}

static void another_optimizers_state_is_left_out(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct kd_plan *plan = plan_make();
    struct kd_checkpoint_file written;
    struct kd_safetensors file;
    struct kd_error err;
    fill(plan, 1);
    save(&folder, plan, 1, &written);
    kd_plan_reset(plan, 0);
    assert_int_equal(kd_checkpoint_open_newest(folder.path, &file, &err), 1);
    struct kd_training_state state = {.optimizer = "sgd", .n_slots = 1};
    assert_int_equal(kd_checkpoint_restore(&file, plan, &state, &err), 0);
    assert_true(kd_plan_parameters(plan)[1] == 2 && kd_plan_state(plan, 0)[1] == 0);
    json_decref(state.reports);
    kd_safetensors_release(&file);
    kd_plan_free(plan);
    folder_remove(&folder);
}

static char *read_all(const char *path, size_t *n)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &info), 0);
    *n = (size_t)info.st_size;
    char *bytes = kd_alloc(*n);
    assert_int_equal(fread(bytes, 1, *n, file), *n);
    fclose(file);
    return bytes;
}

static void a_file_cut_off_anywhere_is_refused(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct kd_plan *plan = plan_make();
    struct kd_checkpoint_file written;
    struct kd_error err;
    size_t n;
    save(&folder, plan, 1, &written);
    char *bytes = read_all(written.path, &n);
    for (size_t cut = 0; cut < n; cut++) {
        struct kd_safetensors file;
        char *path = file_write(&folder, "cut", bytes, cut);
        assert_int_equal(kd_safetensors_read(path, &file, &err), -1);
        free(path);
    }
    free(bytes);
    kd_plan_free(plan);
    folder_remove(&folder);
}

static void a_bit_flipped_in_any_byte_is_found(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct kd_plan *plan = plan_make();
    struct kd_checkpoint_file written;
    struct kd_error err;
    size_t n;
    save(&folder, plan, 1, &written);
    char *bytes = read_all(written.path, &n);
    for (size_t at = 0; at < n; at++) {
        struct kd_safetensors file;
        bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
        char *path = file_write(&folder, "bad", bytes, n);
        if (kd_safetensors_read(path, &file, &err) == 0)
            fail_msg("a change of byte %zu was not seen", at);
        bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
        free(path);
    }
    free(bytes);
    kd_plan_free(plan);
    folder_remove(&folder);
}

static void a_damaged_newest_gives_way_to_the_one_before(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct kd_plan *plan = plan_make();
    struct kd_checkpoint_file written;
    struct kd_safetensors file;
    struct kd_error err;
    for (int64_t step = 1; step <= 3; step++)
        save(&folder, plan, step * 10, &written);
    assert_int_equal(truncate(written.path, written.bytes / 2), 0);
    assert_int_equal(kd_checkpoint_open_newest(folder.path, &file, &err), 1);
    assert_int_equal(json_integer_value(json_object_get(file.state, "step")), 20);
    kd_safetensors_release(&file);
    kd_checkpoint_clear(folder.path);
    assert_int_equal(kd_checkpoint_open_newest(folder.path, &file, &err), 0);
    kd_plan_free(plan);
    folder_remove(&folder);
}

static void the_last_two_are_kept_and_no_temporary_file(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct kd_plan *plan = plan_make();
    struct kd_checkpoint_file written;
    for (int64_t step = 1; step <= 5; step++)
        save(&folder, plan, step, &written);
    char *command = kd_format("test \"$(ls '%s' | tr '\\n' ' ')\" = 'checkpoint-000000000004."
                              "safetensors checkpoint-000000000005.safetensors '",
                              folder.path);
    assert_int_equal(system(command), 0);
    free(command);
    kd_plan_free(plan);
    folder_remove(&folder);
}

static void a_folder_that_cannot_be_made_is_named(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct kd_plan *plan = plan_make();
    struct kd_checkpoint_file written;
    struct kd_error err;
    struct kd_training_state state = state_make(1);
    text_write(&folder, "file", "x");
    char *path = kd_format("%s/file/below", folder.path);
    assert_int_equal(kd_checkpoint_save(path, plan, &state, 2, &written, &err), -1);
    assert_non_null(strstr(err.text, "cannot create the checkpoint folder"));
    free(path);
    json_decref(state.reports);
    kd_plan_free(plan);
    folder_remove(&folder);
}

/* The two published values of the empty text and "abc". */
static void the_checksum_is_xxh64(void **unused)
{
    (void)unused;
    assert_true(kd_xxh64("", 0, 0) == UINT64_C(0xEF46DB3751D8E999));
    assert_true(kd_xxh64("abc", 3, 0) == UINT64_C(0x44BC2CF5AD770999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_restored),
        cmocka_unit_test(a_line_that_was_left_does_not_count_as_newest),
        cmocka_unit_test(another_optimizers_state_is_left_out),
        cmocka_unit_test(a_file_cut_off_anywhere_is_refused),
        cmocka_unit_test(a_bit_flipped_in_any_byte_is_found),
        cmocka_unit_test(a_damaged_newest_gives_way_to_the_one_before),
        cmocka_unit_test(the_last_two_are_kept_and_no_temporary_file),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_named),
        cmocka_unit_test(the_checksum_is_xxh64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
