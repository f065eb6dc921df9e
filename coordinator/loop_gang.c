/* loop_gang.c - the gangs' processes as the loop sees them: starting, reading, ending, and those of a coordinator before
 * this one. */
#include "coordinator/loop_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/launch/run_dir.h"
#include "coordinator/spec/environment.h"

enum { START_PATIENCE_S = 60, TRAINER_PATIENCE_S = 60, TAKEOVER_PATIENCE_S = 15 };

struct kd_live_gang *kd_loop_find_gang(struct kd_loop *loop, int64_t id)
{
    for (size_t i = 0; i < loop->gangs.n; i++)
        if (loop->gangs.items[i].id == id)
            return &loop->gangs.items[i];
    return NULL;
}

void kd_live_gang_release(struct kd_live_gang *gang)
{
    if (gang->process.control >= 0)
        close(gang->process.control);
    kd_tail_free(gang->tail);
    free(gang->token);
    free(gang->dir);
    free(gang->scratch);
    free(gang->log);
}

/* ---- folders ---- */

char *kd_loop_trial_dir(const struct kd_loop *loop, int trial)
{
    return kd_format("%s/%s/%d", loop->data_dir, loop->experiment->name, trial);
}

static char *gang_dir(const struct kd_loop *loop, int64_t id)
{
    return kd_format("%s/gangs/%lld", loop->data_dir, (long long)id);
}

static bool runs_trainer(const struct kd_loop *loop)
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
    if (!runs_trainer(loop))
        return attempt_log(loop, trial->number, attempt->row.n);
    return kd_format("%s/gangs/%lld/log", loop->data_dir, (long long)attempt->row.gang);
}

/* ---- starting ---- */

static char *random_token(void)
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
    struct kd_str text = {0};
    for (int i = 0; i < slots->n_gpus; i++)
        kd_str_addf(&text, "%s%d", i ? "," : "", loop->machine.gpus[slots->gpus[i]].index);
    return loop->machine.n_gpus > 0 ? kd_str_take(&text) : NULL;
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
        .token = random_token(),
        .dir = gang_dir(loop, id),
        .scratch = kd_format("%s/g%lld", loop->run_dir, (long long)id),
        .process = {.control = -1},
        .moved_us = kd_clock_mono_us(),
    };
    return kd_dir_make(gang->dir, err) != 0 || kd_dir_make(gang->scratch, err) != 0 ? -1 : 0;
}

static int spawn_gang(struct kd_loop *loop, struct kd_live_gang *gang, const char *cwd,
                      const char *logs_dir, char *const *argv, char *const *env,
                      struct kd_error *err)
{
    const struct kd_slots *slots = &kd_study_find_gang(loop->study, gang->id)->slots;
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

static int start_command(struct kd_loop *loop, const struct kd_action *action,
                         struct kd_live_gang *gang, struct kd_error *err)
{
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, action->fence);
    const struct kd_trial *trial = &loop->study->trials.items[action->trial];
    char *trial_dir = kd_loop_trial_dir(loop, trial->number);
    char *attempt_dir = kd_format("%s/a%d", trial_dir, attempt->row.n);
    char *checkpoints = kd_format("%s/checkpoint", trial_dir);
    struct kd_render_context context = {
        .trial = trial->number,
        .attempt = attempt->row.n,
        .seed = (uint64_t)trial->seed,
        .trial_dir = trial_dir,
        .checkpoint_dir = checkpoints,
        .report_endpoint = loop->endpoint,
        .budget = loop->experiment->fidelity_max,
        .images = loop->options->images,
        .caller_env = (const char *const *)environ,
    };
    struct kd_rendered rendered = {0};
    gang->fence = action->fence;
    gang->log = attempt_log(loop, trial->number, attempt->row.n);
    int result = kd_dir_make(attempt_dir, err);
    if (result == 0)
        result = kd_dir_make(checkpoints, err);
    if (result == 0)
        result = kd_render(loop->experiment, trial->values, &context, &rendered, err);
    if (result == 0)
        result = write_file(trial_dir, "params.json", rendered.params_json, err);
    if (result == 0) {
        gang->tail = kd_tail_new(loop->experiment, gang->log, 0, err);
        result = gang->tail ? 0 : -1;
    }
    if (result == 0)
        result = spawn_gang(loop, gang, rendered.working_dir, attempt_dir, rendered.argv,
                            rendered.env, err);
    kd_rendered_release(&rendered);
    free(checkpoints);
    free(attempt_dir);
    free(trial_dir);
    return result;
}

/* The caller's environment, and where the coordinator listens. */
static char **trainer_environment(const struct kd_loop *loop, const struct kd_live_gang *gang)
{
    struct kd_environment env = {0};
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)gang->id);
    kd_environment_inherit(&env, (const char *const *)environ);
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
    if (result == 0) {
        kd_arr_push(&loop->gangs, gang);
        return;
    }
    fail_start(loop, action->gang, err.text);
    kd_live_gang_release(&gang);
}

/* ---- ending ---- */

void kd_loop_end_gang(struct kd_loop *loop, int64_t id, bool kill_now)
{
    struct kd_live_gang *gang = kd_loop_find_gang(loop, id);
    if (gang == NULL)
        return;
    if (kill_now)
        kd_gang_kill(&gang->process);
    else
        kd_gang_ask_to_end(&gang->process);
    gang->kill_at_us = 0;
}

static int record_tail(struct kd_loop *loop, struct kd_tail *tail, int64_t fence, bool at_end)
{
    const struct kd_metric_point *points;
    struct kd_event event = {.kind = KD_EVENT_METRICS, .at = kd_loop_now(loop), .fence = fence};
    int n = kd_tail_read(tail, at_end, &points, &event.log_offset);
    if (n == 0 || !kd_study_is_live(loop->study, fence))
        return 0;
    return kd_loop_record_metrics(loop, &event, points, n);
}

static char *last_lines_of_file(const struct kd_loop *loop, const char *path)
{
    struct kd_error err;
    const struct kd_metric_point *points;
    int64_t offset;
    struct kd_tail *tail = kd_tail_new(loop->experiment, path, INT64_MAX, &err);
    if (tail == NULL)
        return kd_strdup("");
    kd_tail_read(tail, true, &points, &offset);
    char *lines = kd_tail_last_lines(tail);
    kd_tail_free(tail);
    return lines;
}

/* What a person needs: how it ended, and the last lines of what it printed. */
static char *describe_end(const struct kd_exit_record *record, const char *lines)
{
    struct kd_str text = {0};
    if (record->end == KD_END_UNSTARTABLE)
        kd_str_add(&text, record->text);
    else if (record->end == KD_END_LOST)
        kd_str_add(&text, "its supervisor was killed or the machine restarted");
    else if (record->signal > 0)
        kd_str_addf(&text, "killed by signal %d (%s)", record->signal, strsignal(record->signal));
    else
        kd_str_addf(&text, "exit code %d", record->code);
    if (*lines)
        kd_str_addf(&text, ". Last lines of its output:%s", lines);
    else
        kd_str_add(&text, ". It printed nothing.");
    return kd_str_take(&text);
}

static int report_end(struct kd_loop *loop, int64_t id, const struct kd_exit_record *record,
                      const char *lines)
{
    char *text = describe_end(record, lines);
    struct kd_event event = {
        .kind = KD_EVENT_GANG_ENDED,
        .at = kd_loop_now(loop),
        .gang = id,
        .end = record->end,
        .exit_code = record->code,
        .exit_signal = record->signal,
        .text = text,
    };
    int result = kd_loop_deliver(loop, &event);
    free(text);
    return result;
}

/* The trainer's log is kept with its gang; of a command's gang nothing is needed any more. */
static void remove_gang_files(const struct kd_live_gang *gang)
{
    kd_dir_remove(gang->scratch);
    if (gang->tail != NULL)
        kd_dir_remove(gang->dir);
}

static int on_end(struct kd_loop *loop, size_t i)
{
    struct kd_live_gang gang = loop->gangs.items[i];
    loop->gangs.items[i] = loop->gangs.items[--loop->gangs.n];
    struct kd_exit_record record = {.end = KD_END_LOST, .code = -1, .signal = -1};
    kd_exit_record_read(gang.dir, &record);
    int result = gang.tail ? record_tail(loop, gang.tail, gang.fence, true) : 0;
    char *lines = gang.tail ? kd_tail_last_lines(gang.tail) : last_lines_of_file(loop, gang.log);
    if (result == 0)
        result = report_end(loop, gang.id, &record, lines);
    free(lines);
    if (result == 0)
        remove_gang_files(&gang);
    kd_live_gang_release(&gang);
    return result;
}

int kd_loop_read_gangs(struct kd_loop *loop, const bool *ready)
{
    /* Downwards: an ended gang's place is taken by the last one, which was looked at already. */
    for (size_t i = loop->gangs.n; i-- > 0;) {
        struct kd_live_gang *gang = &loop->gangs.items[i];
        if (!ready[i])
            continue;
        gang->moved_us = kd_clock_mono_us();
        int result = !kd_gang_is_alive(&gang->process) ? on_end(loop, i)
                     : gang->tail ? record_tail(loop, gang->tail, gang->fence, false)
                                  : 0;
        if (result != 0)
            return -1;
    }
    return 0;
}

/* ---- watching ---- */

/* How long this gang may show no progress; 0 = for ever. */
static double patience_of(const struct kd_loop *loop, const struct kd_study_gang *gang)
{
    double asked = loop->experiment->limits.progress_deadline_s;
    if (!runs_trainer(loop))
        return asked;
    if (gang->row.state == KD_GANG_STARTING)
        return START_PATIENCE_S;
    return gang->fence == 0 ? 0 : asked > 0 ? asked : TRAINER_PATIENCE_S;
}

static int report_stall(struct kd_loop *loop, struct kd_live_gang *gang, double patience)
{
    char text[128];
    snprintf(text, sizeof text, "no progress for %.0f s", patience);
    gang->moved_us = kd_clock_mono_us();
    struct kd_event event = {
        .kind = KD_EVENT_STALLED, .at = kd_loop_now(loop), .gang = gang->id, .text = text};
    const struct kd_study_gang *known = kd_study_find_gang(loop->study, gang->id);
    if (known->fence != 0)
        return kd_loop_deliver(loop, &event);
    kd_loop_end_gang(loop, gang->id, true);
    return 0;
}

int kd_loop_watch_gangs(struct kd_loop *loop)
{
    int64_t now = kd_clock_mono_us();
    for (size_t i = 0; i < loop->gangs.n; i++) {
        struct kd_live_gang *gang = &loop->gangs.items[i];
        if (gang->kill_at_us != 0 && now >= gang->kill_at_us)
            kd_loop_end_gang(loop, gang->id, true);
        double patience = patience_of(loop, kd_study_find_gang(loop->study, gang->id));
        bool stands_still = patience > 0 && (double)(now - gang->moved_us) * 1e-6 > patience;
        if (stands_still && report_stall(loop, gang, patience) != 0)
            return -1;
    }
    return 0;
}

/* ---- gangs of the coordinator before this one ---- */

static int wait_until_gone(const char *dir, int64_t id, struct kd_error *err)
{
    int64_t until = kd_clock_mono_us() + (int64_t)TAKEOVER_PATIENCE_S * 1000000;
    while (kd_gang_lock_is_held(dir)) {
        if (kd_clock_mono_us() > until)
            return kd_fail(
                err,
                "gang %lld of the coordinator before this one still runs after %d s (its "
                "supervisor holds %s/lock): end it, then run this again",
                (long long)id, TAKEOVER_PATIENCE_S, dir);
        usleep(10000);
    }
    return 0;
}

/* Only an end of its own counts as one: everything else happened because the coordinator went away. */
static void judge_orphan(const struct kd_loop *loop, const char *dir, struct kd_exit_record *record)
{
    *record = (struct kd_exit_record){.end = KD_END_ORPHANED, .code = -1, .signal = -1};
    struct kd_exit_record found;
    if (runs_trainer(loop) || kd_exit_record_read(dir, &found) == 0)
        return;
    if (found.end == KD_END_EXITED || found.end == KD_END_UNSTARTABLE)
        *record = found;
}

static int recover_gang(struct kd_loop *loop, int64_t id)
{
    struct kd_study_gang *gang = kd_study_find_gang(loop->study, id);
    const struct kd_study_attempt *attempt = kd_study_find_attempt(loop->study, gang->fence);
    char *dir = gang_dir(loop, id), *lines = NULL;
    struct kd_tail *tail = NULL;
    struct kd_exit_record record;
    int result = wait_until_gone(dir, id, loop->err);
    if (result == 0)
        judge_orphan(loop, dir, &record);
    if (result == 0 && attempt != NULL && gang->one_trial_only) {
        int64_t fence = attempt->row.fence;
        char *log = attempt_log(loop, attempt->row.trial, attempt->row.n);
        tail = kd_tail_new(loop->experiment, log, attempt->row.log_offset, loop->err);
        result = tail ? record_tail(loop, tail, fence, true) : -1;
        lines = tail ? kd_tail_last_lines(tail) : NULL;
        free(log);
    }
    if (result == 0)
        result = report_end(loop, id, &record, lines ? lines : "");
    if (result == 0 && tail != NULL)
        kd_dir_remove(dir);
    kd_tail_free(tail);
    free(lines);
    free(dir);
    return result;
}

int kd_loop_recover_gangs(struct kd_loop *loop)
{
    while (loop->study->live_gangs.n > 0) {
        int index = loop->study->live_gangs.items[0];
        if (recover_gang(loop, loop->study->gangs.items[index].row.id) != 0)
            return -1;
    }
    return 0;
}
