/* loop_launch.c - starting gangs: their folders, what their programs are told, and the
 * supervisor. */
#include "coordinator/loop_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/launch/gpus.h"
#include "coordinator/launch/run_dir.h"
#include "coordinator/spec/environment.h"

/* ---- folders ---- */

char *kd_loop_trial_dir(const struct kd_loop *loop, int trial)
{
    return kd_format("%s/%s/%d", loop->data_dir, loop->experiment->name, trial);
}

char *kd_loop_gang_dir(const struct kd_loop *loop, int64_t id)
{
    return kd_format("%s/.gangs/%lld", loop->data_dir, (long long)id);
}

bool kd_loop_runs_trainer(const struct kd_loop *loop)
{
    return loop->experiment->template.kind == KD_TEMPLATE_TRAINER;
}

static char *attempt_log(const struct kd_loop *loop, int trial, int attempt)
{
    return kd_format("%s/%s/%d/a%d/log", loop->data_dir, loop->experiment->name, trial, attempt);
}

char *kd_loop_attempt_log(const struct kd_loop *loop, const struct kd_trial *trial)
{
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, trial->fence);
    if (!kd_loop_runs_trainer(loop))
        return attempt_log(loop, trial->number, attempt->row.n);
    return kd_format("%s/.gangs/%lld/log", loop->data_dir, (long long)attempt->row.gang);
}

/* ---- starting ---- */

char *kd_loop_random_token(void)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        kd_bug("the system gives no random numbers");
    struct kd_str text = {0};
    for (size_t i = 0; i < sizeof bytes; i++)
        kd_str_addf(&text, "%02x", bytes[i]);
    return kd_str_take(&text);
}

static char *core_list(const struct kd_loop *loop, const struct kd_slots *slots)
{
    struct kd_str text = {0};
    for (int i = 0; i < slots->n_cpus; i++)
        kd_str_addf(&text, "%s%s", i ? ":" : "", loop->machine.cpus[slots->cpus[i]]);
    return kd_str_take(&text);
}

/* NULL: the host has no GPU, nothing to hide or show. */
static char *gpu_list(const struct kd_loop *loop, const struct kd_slots *slots)
{
    if (loop->machine.n_gpus == 0)
        return NULL;
    return kd_gpus_list(loop->machine.gpus, slots->gpus, slots->n_gpus);
}

static int write_file(const char *dir, const char *name, const char *text, struct kd_error *err)
{
    char *path = kd_format("%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    int failed = file == NULL || fputs(text, file) < 0;
    if (file != NULL && fclose(file) != 0)
        failed = 1;
    if (failed)
        kd_fail_errno(err, "cannot write %s", path);
    free(path);
    return failed ? -1 : 0;
}

static void fail_start(struct kd_loop *loop, int64_t gang, const char *text)
{
    kd_arr_push(&loop->failed_gangs, gang);
    kd_arr_push(&loop->failed_starts, kd_strdup(text));
}

/* What both kinds of gang have: folders, token, slots. */
static int prepare_gang(struct kd_loop *loop, int64_t id, struct kd_live_gang *gang,
                        struct kd_error *err)
{
    *gang = (struct kd_live_gang){
        .id = id,
        .token = kd_loop_random_token(),
        .dir = kd_loop_gang_dir(loop, id),
        .scratch = kd_format("%s/g%lld", loop->run_dir, (long long)id),
        .process = {.control = -1},
        .moved_us = kd_clock_mono_us(),
    };
    kd_dir_remove(gang->dir);
    return kd_dir_make(gang->dir, err) != 0 || kd_dir_make(gang->scratch, err) != 0 ? -1 : 0;
}

static int spawn_gang(struct kd_loop *loop, struct kd_live_gang *gang, const char *cwd,
                      const char *logs_dir, char *const *argv, char *const *env,
                      struct kd_error *err)
{
    const struct kd_slots *slots = kd_study_find_gang(loop->study, gang->id)->slots;
    char *cores = core_list(loop, slots), *gpus = gpu_list(loop, slots);
    struct kd_launch launch = {
        .gang = gang->id,
        .n_ranks = loop->study->n_ranks,
        .dir = gang->dir,
        .scratch = gang->scratch,
        .log = gang->log,
        .logs_dir = logs_dir,
        .cwd = cwd,
        .cores = cores,
        .gpus = gpus,
        .grace_s = loop->experiment->limits.grace_s,
        .argv = argv,
        .env = env,
    };
    int result = kd_gang_start(&loop->programs, &launch, &gang->process, err);
    free(cores);
    free(gpus);
    return result;
}

/* Where an attempt's files are; all owned. */
struct attempt_paths {
    char *trial_dir, *attempt_dir, *checkpoints, *log;
};

static struct attempt_paths find_paths(const struct kd_loop *loop,
                                       const struct kd_study_attempt *attempt)
{
    char *trial_dir = kd_loop_trial_dir(loop, attempt->row.trial);
    return (struct attempt_paths){
        .trial_dir = trial_dir,
        .attempt_dir = kd_format("%s/a%d", trial_dir, attempt->row.n),
        .checkpoints = kd_format("%s/checkpoint", trial_dir),
        .log = attempt_log(loop, attempt->row.trial, attempt->row.n),
    };
}

static void release_paths(struct attempt_paths *paths)
{
    free(paths->trial_dir);
    free(paths->attempt_dir);
    free(paths->checkpoints);
    free(paths->log);
}

static int render_attempt(const struct kd_loop *loop, const struct kd_study_attempt *attempt,
                          const struct attempt_paths *paths, struct kd_rendered *rendered,
                          struct kd_error *err)
{
    const struct kd_trial *trial = &loop->study->trials.items[attempt->row.trial];
    struct kd_render_context context = {
        .trial = trial->number,
        .attempt = attempt->row.n,
        .seed = (uint64_t)trial->seed,
        .trial_dir = paths->trial_dir,
        .checkpoint_dir = paths->checkpoints,
        .report_endpoint = loop->endpoint,
        .budget = trial->until > 0 ? (double)trial->until : loop->experiment->fidelity_max,
        .images = loop->options->images,
        .caller_env = (const char *const *)environ,
    };
    return kd_render(loop->experiment, trial->values, &context, rendered, err);
}

char *kd_loop_checkpoint_dir(const struct kd_loop *loop, const struct kd_trial *trial)
{
    const struct kd_study_attempt asked = {.row = {.trial = trial->number, .n = 1}};
    struct attempt_paths paths = find_paths(loop, &asked);
    struct kd_rendered rendered = {0};
    struct kd_error err;
    bool is_own =
        !kd_loop_runs_trainer(loop) && render_attempt(loop, &asked, &paths, &rendered, &err) == 0;
    char *dir = kd_strdup(is_own ? rendered.checkpoint_dir : paths.checkpoints);
    kd_rendered_release(&rendered);
    release_paths(&paths);
    return dir;
}

/* A trial's folder is its own from its first attempt on: what lies there is of a database that was
 * deleted. */
static int make_attempt_files(const struct attempt_paths *paths, const struct kd_rendered *rendered,
                              bool is_first, struct kd_error *err)
{
    if (is_first)
        kd_dir_remove(paths->trial_dir);
    if (kd_dir_make(paths->attempt_dir, err) != 0 ||
        kd_dir_make(rendered->checkpoint_dir, err) != 0)
        return -1;
    if (rendered->metrics_file) /* what an attempt of before wrote is not this one's */
        unlink(rendered->metrics_file);
    return write_file(paths->trial_dir, "params.json", rendered->params_json, err);
}

/* What an attempt's metrics are read from: its file of metrics, or its log. */
static struct kd_tail *open_tail(const struct kd_loop *loop, const struct kd_study_attempt *attempt,
                                 const struct attempt_paths *paths,
                                 const struct kd_rendered *rendered, struct kd_error *err)
{
    const char *metrics = rendered->metrics_file ? rendered->metrics_file : paths->log;
    struct kd_tail *tail = kd_tail_new(loop->experiment, metrics, attempt->row.log_offset, err);
    if (tail != NULL)
        kd_tail_count_from(tail, attempt->resumed_from);
    return tail;
}

struct kd_tail *kd_loop_open_tail(const struct kd_loop *loop,
                                  const struct kd_study_attempt *attempt, char **log,
                                  struct kd_error *err)
{
    struct attempt_paths paths = find_paths(loop, attempt);
    struct kd_rendered rendered = {0};
    struct kd_tail *tail = NULL;
    if (render_attempt(loop, attempt, &paths, &rendered, err) == 0)
        tail = open_tail(loop, attempt, &paths, &rendered, err);
    *log = kd_strdup(paths.log);
    kd_rendered_release(&rendered);
    release_paths(&paths);
    return tail;
}

static int start_command(struct kd_loop *loop, const struct kd_action *action,
                         struct kd_live_gang *gang, struct kd_error *err)
{
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, action->fence);
    struct attempt_paths paths = find_paths(loop, attempt);
    struct kd_rendered rendered = {0};
    bool is_clone = loop->study->trials.items[attempt->row.trial].parent >= 0;
    bool is_first = attempt->row.n == 1 && !is_clone; /* a clone's folder was made for it */
    gang->fence = action->fence;
    gang->log = kd_strdup(paths.log);
    int result = render_attempt(loop, attempt, &paths, &rendered, err);
    if (result == 0)
        result = make_attempt_files(&paths, &rendered, is_first, err);
    if (result == 0) {
        gang->tail = open_tail(loop, attempt, &paths, &rendered, err);
        gang->has_own_metrics = rendered.metrics_file != NULL;
        result = gang->tail ? 0 : -1;
    }
    if (result == 0)
        result = spawn_gang(loop, gang, rendered.working_dir, paths.attempt_dir, rendered.argv,
                            rendered.env, err);
    kd_rendered_release(&rendered);
    release_paths(&paths);
    return result;
}

/* The caller's environment, and where the coordinator listens. */
static char **trainer_environment(const struct kd_loop *loop, const struct kd_live_gang *gang)
{
    struct kd_environment env = {0};
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)gang->id);
    kd_environment_inherit(&env, (const char *const *)environ);
    kd_environment_inherit_own(&env, (const char *const *)environ);
    kd_environment_set(&env, "KATYDID_BUS", loop->endpoint);
    kd_environment_set(&env, "KATYDID_RUN", kd_store_run_uuid(loop->store));
    kd_environment_set(&env, "KATYDID_GANG", id);
    kd_environment_set(&env, "KATYDID_TOKEN", gang->token);
    kd_environment_set(&env, "OMP_NUM_THREADS", "1");
    return kd_environment_take(&env);
}

static int start_trainer(struct kd_loop *loop, struct kd_live_gang *gang, struct kd_error *err)
{
    char gang_mode[] = "--gang";
    char *argv[] = {loop->trainer_program, gang_mode, NULL};
    char **env = trainer_environment(loop, gang);
    gang->log = kd_format("%s/log", gang->dir);
    int result = spawn_gang(loop, gang, loop->experiment->base_dir, gang->dir, argv, env, err);
    for (char **pair = env; *pair; pair++)
        free(*pair);
    free(env);
    return result;
}

void kd_loop_start_gang(struct kd_loop *loop, const struct kd_action *action)
{
    struct kd_live_gang gang;
    struct kd_error err;
    int result = prepare_gang(loop, action->gang, &gang, &err);
    if (result == 0)
        result = action->fence ? start_command(loop, action, &gang, &err)
                               : start_trainer(loop, &gang, &err);
    if (result == 0 && (gang.tail == NULL || gang.has_own_metrics))
        kd_gang_say_unread(&gang.process);
    if (result == 0) {
        kd_arr_push(&loop->gangs, gang);
        return;
    }
    fail_start(loop, action->gang, err.text);
    kd_live_gang_release(&gang);
}
