/* trial.h - a trial on one rank with a sink that remembers what it hears. */
#ifndef KD_TESTS_TRAINER_TRIAL_H
#define KD_TESTS_TRAINER_TRIAL_H

#include <signal.h>
#include <sys/wait.h>

#include "tests/trainer/support.h"

enum { MAX_REPORTS = 64 };

/* A sink that remembers, and says a word, or dies after so many reports. */
struct listener {
    struct kd_report reports[MAX_REPORTS];
    int n_reports, n_saved;
    int die_after; /* 0: never */
    enum kd_word word, word_once_saved;
};

static inline void listener_report(void *ud, const struct kd_report *report)
{
    struct listener *listener = ud;
    assert_true(listener->n_reports < MAX_REPORTS);
    listener->reports[listener->n_reports++] = *report;
    if (listener->n_reports == listener->die_after)
        raise(SIGKILL);
}

static inline void listener_saved(void *ud, int64_t step, const char *path, int64_t bytes,
                                  const char *digest)
{
    struct listener *listener = ud;
    (void)step, (void)bytes;
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(strlen(digest), 16);
    listener->n_saved++;
    if (listener->word_once_saved)
        listener->word = listener->word_once_saved;
}

static inline enum kd_word listener_poll(void *ud, int64_t step)
{
    struct listener *listener = ud;
    (void)step;
    return listener->word;
}

struct trial {
    struct folder folder;
    struct alone alone;
    struct kd_config config;
    struct listener listener;
    struct kd_outcome outcome;
    char checkpoints[300];
    const char *parent; /* to start from, or NULL */
    struct kd_profile *profile;
};

static inline void trial_open(struct trial *trial, const char *changes)
{
    *trial = (struct trial){.folder = folder_make()};
    snprintf(trial->checkpoints, sizeof trial->checkpoints, "%s/checkpoint", trial->folder.path);
    blobs_write(&trial->folder, 150); /* 113 to train on: 4 batches of 32, the last one of 17 */
    config_make(&trial->config, &trial->folder, changes);
    alone_open(&trial->alone);
}

static inline void trial_close(struct trial *trial)
{
    alone_close(&trial->alone);
    kd_config_release(&trial->config);
    folder_remove(&trial->folder);
}

static inline void trial_run(struct trial *trial, bool resume, int64_t until)
{
    struct kd_sink sink = {.ud = &trial->listener,
                           .report = listener_report,
                           .saved = listener_saved,
                           .poll = listener_poll};
    struct kd_job job = {.config = &trial->config,
                         .seed = 77,
                         .until = until,
                         .checkpoint_dir = trial->checkpoints,
                         .resume = resume,
                         .parent_checkpoint = trial->parent,
                         .profile = trial->profile,
                         .sink = &sink};
    trial->listener.n_reports = trial->listener.n_saved = 0;
    kd_train(&trial->alone.session, &job, &trial->outcome);
}

/* The weights of a trial that nothing interrupts. */
static inline float *straight_weights(const char *changes, size_t *bytes)
{
    struct trial trial;
    trial_open(&trial, changes);
    trial_run(&trial, false, 0);
    if (trial.outcome.kind != KD_OUTCOME_SUCCEEDED)
        fail_msg("%s", trial.outcome.reason.text);
    float *weights = weights_copy(&trial.alone, bytes);
    trial_close(&trial);
    return weights;
}

static inline void assert_weights(const struct trial *trial, const float *expected, size_t bytes)
{
    size_t n;
    float *weights = weights_copy(&trial->alone, &n);
    assert_int_equal(n, bytes);
    assert_memory_equal(weights, expected, bytes);
    free(weights);
}

#endif
