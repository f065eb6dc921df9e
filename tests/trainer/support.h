/* support.h - what the trainer's tests share: a folder of their own, data files, a trial on one
 * rank. */
#ifndef KD_TESTS_TRAINER_SUPPORT_H
#define KD_TESTS_TRAINER_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "coordinator/base/str.h"
#include "trainer/train.h"

struct folder {
    char path[256];
};

static inline struct folder folder_make(void)
{
    struct folder folder;
    const char *base = getenv("TMPDIR");
    snprintf(folder.path, sizeof folder.path, "%s/kd-trainer-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(folder.path));
    return folder;
}

static inline void folder_remove(struct folder *folder)
{
    char *command = kd_format("rm -rf '%s'", folder->path);
    assert_int_equal(system(command), 0);
    free(command);
}

/* The caller frees the path. */
static inline char *file_write(const struct folder *folder, const char *name, const void *bytes,
                               size_t n)
{
    char *path = kd_format("%s/%s", folder->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return path;
}

static inline void text_write(const struct folder *folder, const char *name, const char *text)
{
    free(file_write(folder, name, text, strlen(text)));
}

/* n samples of 8 features in 3 classes that a small model can tell apart, as blobs.csv. */
static inline void blobs_write(const struct folder *folder, int n)
{
    struct kd_str text = {0};
    struct kd_rng rng = kd_rng_at(7, 1);
    for (int i = 0; i < n; i++) {
        int label = (int)kd_rng_below(&rng, 3);
        for (int j = 0; j < 8; j++)
            kd_str_addf(&text, "%.4f,", (j % 3 == label) * 1.5 + kd_rng_uniform(&rng) * 2);
        kd_str_addf(&text, "%d\n", label);
    }
    text_write(folder, "blobs.csv", kd_str_text(&text));
    kd_str_release(&text);
}

/* A configuration over blobs.csv; changes is JSON whose members replace its own. The caller
 * decrefs. */
static inline json_t *block_make(const char *changes)
{
    json_error_t where;
    json_t *block = json_loads(
        "{\"data\": {\"format\": \"csv\", \"path\": \"blobs.csv\", \"split\": {\"val\": 0.25}},"
        " \"model\": [{\"linear\": {\"units\": 16}}, {\"relu\": {}}, {\"dropout\": {\"p\": 0.3}},"
        "             {\"linear\": {\"units\": 3}}],"
        " \"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01},"
        " \"schedule\": {\"name\": \"cosine\", \"warmup\": 0.1}, \"batchSize\": 32, \"epochs\": 4}",
        0, &where);
    assert_non_null(block);
    json_t *change = json_loads(changes, 0, &where);
    if (!change)
        fail_msg("%s: %s", changes, where.text);
    json_object_update(block, change);
    json_decref(change);
    return block;
}

static inline void config_make(struct kd_config *config, const struct folder *folder,
                               const char *changes)
{
    struct kd_problems problems = {0};
    struct kd_error err;
    json_t *block = block_make(changes);
    kd_config_read(config, block, folder->path, &problems);
    if (kd_problems_fail(&problems, &err) < 0)
        fail_msg("%s", err.text);
    kd_problems_release(&problems);
    json_decref(block);
}

/* katydid-trainer in the folder, by the shell: what it says, on both streams, and its exit
 * status. */
static inline int program_run(const struct folder *folder, const char *arguments, char output[8192])
{
    char *command =
        kd_format("cd '%s' && '%s/katydid-trainer' %s 2>&1", folder->path, KD_BIN_DIR, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(output, 1, 8191, pipe);
    output[n] = '\0';
    int status = pclose(pipe);
    free(command);
    return WEXITSTATUS(status);
}

/* One rank with its session. */
struct alone {
    struct kd_comm comm;
    struct kd_session session;
};

static inline void alone_open(struct alone *alone)
{
    struct kd_error err;
    unsetenv("OMPI_COMM_WORLD_SIZE"); /* the tests themselves may run under a launcher */
    unsetenv("PMI_SIZE");
    unsetenv("PMIX_RANK");
    assert_int_equal(kd_comm_open(&alone->comm, &err), 0);
    kd_session_init(&alone->session, &alone->comm);
}

static inline void alone_close(struct alone *alone)
{
    kd_session_release(&alone->session);
    kd_comm_close(&alone->comm);
}

/* A copy of the present weights; the caller frees. */
static inline float *weights_copy(const struct alone *alone, size_t *bytes)
{
    *bytes = (size_t)kd_plan_n_parameters(alone->session.plan) * sizeof(float);
    float *copy = kd_alloc(*bytes);
    struct kd_plan *plan = alone->session.plan;
    kd_plan_read(plan, copy, kd_plan_parameters(plan), kd_plan_n_parameters(plan));
    return copy;
}

#endif
