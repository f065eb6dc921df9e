/* Checkpoint files: what is saved is restored at any number of ranks, damage and truncation are
 * found and the one before is used, the last and the best ones are kept, a full disk leaves what
 * was there. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/xxh64.h"

static void save(struct saver *saver, int n_ranks)
{
    run_saver(saver, n_ranks, save_rank);
    if (saver->status < 0)
        fail_msg("%s", saver->err.text);
}

static void restore(struct saver *saver, int n_ranks)
{
    run_saver(saver, n_ranks, restore_rank);
    if (saver->status == -2)
        fail_msg("restored at %d ranks it has other values", n_ranks);
    if (saver->status < 0)
        fail_msg("%s", saver->err.text);
    assert_int_equal(saver->state.step, saver->step);
    assert_int_equal(json_array_size(saver->state.reports), 0);
}

/* Several chunks, of which the ranks' shares begin and end anywhere. */
static const char LARGE_MODEL[] = "[{\"linear\": {\"units\": 701}}, {\"relu\": {}},"
                                  " {\"linear\": {\"units\": 999}}, {\"linear\": {\"units\": 2}}]";

static void what_is_saved_is_restored(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .step = 42, .from = 0.1f};
    save(&saver, 1);
    saver_release(&saver);
    restore(&saver, 1);
    assert_int_equal(saver.state.updates, 41);
    assert_true(saver.state.seed == UINT64_MAX - 5);
    assert_true(saver.state.window.loss_sum == 0.1 && saver.state.window.n_seen == 7);
    assert_true(saver.state.loss_scale == 512 && saver.state.loss_scale_good == 6);
    assert_int_equal(saver.state.loss_scale_left_out, 5);
    assert_int_equal(saver.state.kept.n, 1);
    saver_release(&saver);
    folder_remove(&folder);
}

static void it_fits_any_number_of_ranks(void **unused)
{
    (void)unused;
    static const int counts[][2] = {{1, 2}, {2, 1}, {2, 3}, {3, 2}};
    struct folder folder = folder_make();
    for (int form = 0; form < 8; form++)
        for (size_t i = form & 1 ? 2 : 0; i < KD_COUNT(counts); i++) {
            struct saver saver = {.folder = folder.path,
                                  .model = form & 1 ? LARGE_MODEL : NULL,
                                  .zero = form & 2,
                                  .rank_0_alone = form & 4,
                                  .averages = form & 1,
                                  .statistics = true,
                                  .step = 1,
                                  .from = (float)form};
            save(&saver, counts[i][0]);
            saver_release(&saver);
            restore(&saver, counts[i][1]);
            saver_release(&saver);
        }
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

static void the_bytes_do_not_depend_on_who_writes_them(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .model = LARGE_MODEL, .zero = true, .step = 3};
    size_t n, m;
    save(&saver, 1);
    saver_release(&saver);
    char *alone = read_all(saver.file.path, &n);
    for (int n_ranks = 2; n_ranks <= 3; n_ranks++)
        for (int is_alone = 0; is_alone < 2; is_alone++) {
            saver.rank_0_alone = is_alone;
            save(&saver, n_ranks);
            saver_release(&saver);
            char *together = read_all(saver.file.path, &m);
            assert_int_equal(n, m);
            assert_int_equal(saver.file.bytes, n);
            assert_memory_equal(alone, together, n);
            free(together);
        }
    free(alone);
    folder_remove(&folder);
}

static void another_optimizers_state_is_left_out(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .step = 9, .from = 1};
    save(&saver, 1);
    saver_release(&saver);
    saver.optimizer = "sgd";
    saver.fresh = 1u << KD_ARENA_SLOT_0;
    restore(&saver, 2);
    assert_int_equal(saver.state.updates, 0); /* its bias correction begins anew, too */
    assert_int_equal(saver.state.loss_scale_left_out, 0);
    assert_true(saver.state.loss_scale == 512); /* which is the model's, whoever updates it */
    saver_release(&saver);
    folder_remove(&folder);
}

static float values_of_average(const char *folder, bool saved_with)
{
    struct kd_comm comm;
    struct kd_error err;
    struct saver saver = {.folder = folder, .averages = true, .step = 1};
    struct kd_checkpoint checkpoint = {0};
    assert_int_equal(kd_comm_open(&comm, &err), 0);
    struct kd_plan *plan = checkpoint_plan(&saver, &comm);
    struct kd_training_state state = {.optimizer = "adamw", .n_slots = 2};
    struct kd_checkpoint_place place = {folder, &comm, false};
    saver.averages = saved_with;
    assert_int_equal(kd_checkpoint_open_newest(&place, &checkpoint, &err), 1);
    assert_int_equal(kd_checkpoint_restore(&checkpoint, plan, &state, &err), 0);
    float value = kd_plan_average(plan)[1];
    kd_checkpoint_release(&checkpoint);
    kd_training_state_release(&state);
    kd_plan_free(plan);
    kd_comm_close(&comm);
    return value;
}

static void an_average_that_was_not_saved_begins_with_the_weights(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .step = 1, .from = 5};
    save(&saver, 1);
    saver_release(&saver);
    assert_true(values_of_average(folder.path, false) == value_of(&saver, KD_ARENA_PARAMETERS, 1));
    saver.averages = true;
    save(&saver, 1);
    saver_release(&saver);
    assert_true(values_of_average(folder.path, true) == value_of(&saver, KD_ARENA_AVERAGE, 1));
    folder_remove(&folder);
}

static void expect_refusal(const char *folder, const char *model, const char *text)
{
    for (int n_ranks = 1; n_ranks <= 2; n_ranks++) {
        struct saver saver = {.folder = folder, .model = model, .step = 1};
        run_saver(&saver, n_ranks, restore_rank);
        assert_int_equal(saver.status, -1);
        if (!strstr(saver.err.text, text))
            fail_msg("\"%s\" does not say \"%s\"", saver.err.text, text);
        saver_release(&saver);
    }
}

static void another_model_is_refused_with_what_differs(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .step = 1};
    save(&saver, 1);
    saver_release(&saver);
    expect_refusal(folder.path,
                   "[{\"linear\": {\"units\": 4}}, \"relu\", {\"linear\": {\"units\": 2}}]",
                   "layers.2.weight is [2][3] there and [2][4] in this model");
    expect_refusal(folder.path, "[{\"linear\": {\"units\": 3}}, {\"linear\": {\"units\": 2}}]",
                   "it has no layers.1.");
    expect_refusal(folder.path, "[{\"linear\": {\"units\": 2}}]",
                   "layers.0.weight is [3][2] there");
    saver.statistics = true;
    save(&saver, 1);
    saver_release(&saver);
    expect_refusal(folder.path, NULL, "it has layers.1.mean, which this model has not");
    saver.statistics = false;
    saver.model = "[{\"linear\": {\"units\": 2}}, {\"linear\": {\"units\": 2}}]";
    save(&saver, 1);
    saver_release(&saver);
    expect_refusal(folder.path, "[{\"linear\": {\"units\": 2}}]", "which this model has not");
    folder_remove(&folder);
}

/* ---- damage */

static void a_file_cut_off_anywhere_is_refused(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .step = 1};
    struct kd_error err;
    save(&saver, 1);
    saver_release(&saver);
    for (off_t left = saver.file.bytes - 1; left >= 0; left--) {
        struct kd_safetensors file;
        assert_int_equal(truncate(saver.file.path, left), 0);
        assert_int_equal(kd_safetensors_open(saver.file.path, &file, &err), -1);
    }
    folder_remove(&folder);
}

/* 0: sound. */
static int look_at(const char *path, struct kd_error *err)
{
    struct kd_safetensors file;
    int status = kd_safetensors_open(path, &file, err);
    if (status == 0)
        status = kd_safetensors_check(&file, 0, file.n_chunks, err);
    kd_safetensors_release(&file);
    return status;
}

static void flip(int fd, off_t at, int bit)
{
    unsigned char byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte = (unsigned char)(byte ^ 1 << bit);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void expect_bit_matters(const char *path, int fd, off_t at, int bit)
{
    struct kd_error err;
    flip(fd, at, bit);
    if (look_at(path, &err) == 0)
        fail_msg("a change of bit %d of byte %lld was not seen", bit, (long long)at);
    flip(fd, at, bit);
}

static void any_flipped_bit_is_found(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .step = 1};
    struct kd_error err;
    save(&saver, 1);
    saver_release(&saver);
    int fd = open(saver.file.path, O_RDWR);
    for (off_t at = 0; at < saver.file.bytes; at++)
        for (int bit = 0; bit < 8; bit++)
            expect_bit_matters(saver.file.path, fd, at, bit);
    assert_int_equal(look_at(saver.file.path, &err), 0);
    close(fd);
    folder_remove(&folder);
}

static void damage_in_any_of_many_chunks_is_found_and_said_where(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .model = LARGE_MODEL, .step = 1};
    struct kd_rng rng = kd_rng_at(1, 2);
    struct kd_error err;
    save(&saver, 1);
    saver_release(&saver);
    int fd = open(saver.file.path, O_RDWR);
    for (int i = 0; i < 60; i++)
        expect_bit_matters(saver.file.path, fd,
                           (off_t)kd_rng_below(&rng, (uint64_t)saver.file.bytes), i % 8);
    flip(fd, saver.file.bytes - 1, 0);
    assert_int_equal(look_at(saver.file.path, &err), -1);
    assert_non_null(
        strstr(err.text, "to optimizer.1.layers.0.")); /* the last one of the last arena */
    close(fd);
    folder_remove(&folder);
}

static void a_damaged_newest_gives_way_to_the_one_before(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    for (int n_ranks = 1; n_ranks <= 2; n_ranks++) {
        struct saver saver = {.folder = folder.path, .model = LARGE_MODEL};
        for (saver.step = 10; saver.step <= 30; saver.step += 10)
            save(&saver, n_ranks);
        saver_release(&saver);
        int fd = open(saver.file.path, O_RDWR);
        flip(fd, saver.file.bytes - 5, 3); /* in what only the last rank looks at */
        close(fd);
        saver.step = 20;
        restore(&saver, n_ranks);
        saver_release(&saver);
        kd_checkpoint_clear(folder.path);
        run_saver(&saver, n_ranks, restore_rank);
        assert_int_equal(saver.status, 0);
        assert_null(saver.state.reports); /* none was found */
    }
    folder_remove(&folder);
}

/* ---- what stays */

static void expect_files(const struct folder *folder, const char *steps)
{
    char *command =
        kd_format("test \"$(cd '%s' && ls -A | sed 's/checkpoint-0*//; s/.safetensors//'"
                  " | tr '\\n' ' ')\" = '%s'",
                  folder->path, steps);
    if (system(command) != 0) {
        free(command);
        command = kd_format("ls -A '%s'", folder->path);
        assert_int_equal(system(command), 0);
        fail_msg("the steps should be %s", steps);
    }
    free(command);
}

static void the_last_two_are_kept_and_no_temporary_file(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path};
    for (saver.step = 1; saver.step <= 5; saver.step++)
        save(&saver, 1);
    expect_files(&folder, "4 5 ");
    saver_release(&saver);
    folder_remove(&folder);
}

static void save_scored(struct saver *saver, const double *scores, int n)
{
    for (int i = 0; i < n; i++) {
        saver->step++;
        saver->score = scores[i];
        save(saver, 1);
    }
}

static void the_best_are_kept_besides_the_last(void **unused)
{
    (void)unused;
    static const double scores[] = {3, 1, NAN, 2, 1, 5, 4, NAN};
    struct folder folder = folder_make();
    struct saver less = {.folder = folder.path, .keeping = {1, 2, KD_METRIC_VAL_LOSS}};
    save_scored(&less, scores, 8);
    expect_files(&folder, "2 5 8 ");
    saver_release(&less);
    kd_checkpoint_clear(folder.path);
    struct saver more = {.folder = folder.path, .keeping = {2, 1, KD_METRIC_VAL_ACCURACY}};
    save_scored(&more, scores, 8);
    expect_files(&folder, "6 7 8 ");
    saver_release(&more);
    folder_remove(&folder);
}

static void what_is_kept_survives_a_resume(void **unused)
{
    (void)unused;
    static const double before[] = {1, 7, 8}, after[] = {5, 6};
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .keeping = {1, 1, KD_METRIC_VAL_LOSS}};
    save_scored(&saver, before, 3);
    saver_release(&saver);
    restore(&saver, 1);
    assert_int_equal(saver.state.kept.n, 2);
    save_scored(&saver, after, 2);
    expect_files(&folder, "1 5 ");
    saver_release(&saver);
    folder_remove(&folder);
}

static void a_line_that_was_left_does_not_count_as_newest(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .step = 405};
    save(&saver, 1);
    saver.step = 450;
    save(&saver, 1);
    text_write(&folder, "checkpoint-000000000450.safetensors.tmp", "");
    saver.step = 253;
    save(&saver, 1);
    expect_files(&folder, "253 ");
    saver_release(&saver);
    folder_remove(&folder);
}

/* ---- trouble with the disk */

static void a_folder_that_cannot_be_made_is_named(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    text_write(&folder, "file", "x");
    char *path = kd_format("%s/file/below", folder.path);
    struct saver saver = {.folder = path, .step = 1};
    run_saver(&saver, 2, save_rank);
    assert_int_equal(saver.status, -1);
    assert_non_null(strstr(saver.err.text, "cannot create the folder"));
    assert_non_null(strstr(saver.err.text, path));
    saver_release(&saver);
    free(path);
    folder_remove(&folder);
}

static int save_within_limit(struct saver *saver, int n_ranks)
{
    struct rlimit limit = {saver->file.bytes / 2, RLIM_INFINITY}, before;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &limit);
    run_saver(saver, n_ranks, save_rank);
    setrlimit(RLIMIT_FSIZE, &before);
    return saver->status;
}

static void a_file_that_has_no_room_leaves_the_one_before(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {.folder = folder.path, .step = 1};
    save(&saver, 1);
    for (int n_ranks = 1; n_ranks <= 2; n_ranks++) {
        saver.step = 2;
        assert_int_equal(save_within_limit(&saver, n_ranks), -1);
        assert_non_null(strstr(saver.err.text, "there is no room for"));
        expect_files(&folder, "1 ");
        assert_int_equal(saver.state.kept.n, 1);
    }
    saver_release(&saver);
    saver.step = 1;
    restore(&saver, 1);
    saver_release(&saver);
    folder_remove(&folder);
}

/* ---- others who read it */

static void python_reads_what_is_written(void **unused)
{
    (void)unused;
    struct folder folder = folder_make();
    struct saver saver = {
        .folder = folder.path, .averages = true, .statistics = true, .step = 1, .from = 2};
    save(&saver, 2);
    saver_release(&saver);
    char *command = kd_format("python3 '%s/tests/trainer/read_safetensors.py' '%s'"
                              " layers.2.weight=2 layers.2.bias=5 optimizer.0.layers.2.weight=102"
                              " optimizer.1.layers.2.bias=205 average.layers.2.weight=302"
                              " layers.1.mean=402 layers.1.variance=403.5",
                              KD_SOURCE_DIR, saver.file.path);
    assert_int_equal(system(command), 0);
    free(command);
    folder_remove(&folder);
}

/* The two published values of the empty text and "abc". */
static void the_checksum_is_xxh64(void **unused)
{
    (void)unused;
    assert_true(kd_xxh64("", 0, 0) == UINT64_C(0xEF46DB3751D8E999));
    assert_true(kd_xxh64("abc", 3, 0) == UINT64_C(0x44BC2CF5AD770999));
}

static void a_state_with_values_that_are_not_finite_comes_back(void **unused)
{
    (void)unused;
    struct kd_training_state back = {0}, state = {.step = 3,
                                                  .steps_per_epoch = 2,
                                                  .optimizer = "sgd",
                                                  .window = {.loss_sum = INFINITY, .n_seen = NAN},
                                                  .reports = json_array()};
    struct kd_error err;
    kd_arr_push(&state.kept, (struct kd_kept){2, -INFINITY});
    char *text = kd_training_state_text(&state);
    json_t *json = json_loads(text, 0, NULL);
    assert_int_equal(kd_training_state_read(json, &back, &err), 0);
    assert_true(isinf(back.window.loss_sum) && isnan(back.window.n_seen));
    assert_true(back.kept.n == 1 && back.kept.items[0].score == -INFINITY);
    json_object_set_new(json, "window", json_string("no window"));
    kd_training_state_release(&back);
    assert_int_equal(kd_training_state_read(json, &back, &err), -1);
    json_decref(json);
    free(text);
    kd_training_state_release(&state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_restored),
        cmocka_unit_test(it_fits_any_number_of_ranks),
        cmocka_unit_test(the_bytes_do_not_depend_on_who_writes_them),
        cmocka_unit_test(another_optimizers_state_is_left_out),
        cmocka_unit_test(an_average_that_was_not_saved_begins_with_the_weights),
        cmocka_unit_test(another_model_is_refused_with_what_differs),
        cmocka_unit_test(a_file_cut_off_anywhere_is_refused),
        cmocka_unit_test(any_flipped_bit_is_found),
        cmocka_unit_test(damage_in_any_of_many_chunks_is_found_and_said_where),
        cmocka_unit_test(a_damaged_newest_gives_way_to_the_one_before),
        cmocka_unit_test(the_last_two_are_kept_and_no_temporary_file),
        cmocka_unit_test(the_best_are_kept_besides_the_last),
        cmocka_unit_test(what_is_kept_survives_a_resume),
        cmocka_unit_test(a_line_that_was_left_does_not_count_as_newest),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_named),
        cmocka_unit_test(a_file_that_has_no_room_leaves_the_one_before),
        cmocka_unit_test(python_reads_what_is_written),
        cmocka_unit_test(the_checksum_is_xxh64),
        cmocka_unit_test(a_state_with_values_that_are_not_finite_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
